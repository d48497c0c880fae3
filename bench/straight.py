"""What `quick` computes, as a plain script with the libraries that one would reach for: generate, TRL, lm-eval.

Same prompts, same guide, same checks, same numbers of rows, tokens and items, weights of the same type; otherwise every
library as it comes. It prints the seconds of each part. Nothing is kept, nothing can be resumed. It reads the prompts and
accepted rows of a finished `make reproduce`.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from pathlib import Path
from unittest.mock import patch

import pandas as pd
import torch
from lm_eval.models.huggingface import HFLM
from peft import PeftModel
from transformers import AutoModelForCausalLM

from rational_utils import attacks, benchmarks, judges, rationales
from rational_utils.benchmarks import harness
from rational_utils.corpus import sources
from rational_utils.models import chat, loading
from rational_utils.models.generation import Completion
from rational_utils.study import settings

from . import sft, timing

BATCH = 32


def continue_texts(model, tokenizer, texts: list[str], tokens: int, temperature: float) -> list[str]:
    """What the model writes after each text, by `model.generate` in batches sorted by length."""
    tokenizer.padding_side = "left"
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]), reverse=True)
    written = [""] * len(texts)
    sampling = {"do_sample": True, "temperature": temperature, "top_k": 0} if temperature else {"do_sample": False}
    for start in range(0, len(order), BATCH):
        chosen = order[start : start + BATCH]
        given = tokenizer([texts[i] for i in chosen], return_tensors="pt", padding=True, add_special_tokens=False)
        with torch.inference_mode():
            made = model.generate(**given, max_new_tokens=tokens, pad_token_id=tokenizer.pad_token_id, **sampling)
        for i, ids in zip(chosen, made[:, given["input_ids"].shape[1] :]):
            written[i] = tokenizer.decode(ids, skip_special_tokens=True)
    return written


def complete(model, tokenizer, requests) -> list[Completion]:
    """Guided requests section by section (the whole batch waits for the slowest), plain ones at once."""
    done: list[Completion | None] = [None] * len(requests)
    for guide in dict.fromkeys(request.guide for request in requests):
        chosen = [i for i, request in enumerate(requests) if request.guide == guide]
        texts, sections = [requests[i].prompt for i in chosen], [{} for _ in chosen]
        temperature = requests[chosen[0]].temperature
        if not guide:
            limit = requests[chosen[0]].max_new_tokens
            for i, text in zip(chosen, continue_texts(model, tokenizer, texts, limit, temperature)):
                done[i] = Completion(text, 0, len(tokenizer.encode(text)) < limit, 0.0)
            continue
        for number, section in enumerate(guide):
            texts = [text + ("\n" if number else "") + section.head for text in texts]
            written = continue_texts(model, tokenizer, texts, section.max_tokens, temperature)
            for made, text in zip(sections, written):
                made[section.name] = text.split("\n")[0].split(". ")[0].rstrip()
            texts = [text + made[section.name] for text, made in zip(texts, sections)]
        for i, made in zip(chosen, sections):
            done[i] = Completion("", 0, True, 0.0, made)
    return done


def trained(tokenizer, rows, wanted, dtype: torch.dtype, folder: str) -> None:
    sft.trl(tokenizer, rows, dtype, folder=folder, epochs=wanted.epochs, batch=wanted.rows_per_step, bf16=False)


def answers(model, tokenizer, prompts: pd.DataFrame, wanted, method: str, every: int) -> Counter:
    asked = [attacks.Question(row.question_id, row.text) for row in prompts[prompts["use"] == "attack"].itertuples()]
    attempts = [attempt for name in wanted.names for attempt in attacks.find(name).run(asked, side="test", seed=0)]
    dialogues = [list(attempt.messages) for attempt in attempts] + prompts[prompts["use"] == "over_refusal"]["text"].tolist()
    dialogues = dialogues[::every]
    tokens = wanted.answer_tokens + (wanted.rationale_tokens if method == "rational" else 0)
    texts = continue_texts(model, tokenizer, [chat.render(tokenizer, messages) for messages in dialogues], tokens, 0.0)
    judge = judges.find(wanted.judge)
    return Counter(judge.judge(judges.Response("", rationales.parse(text).final, text)).verdict for text in texts)


def main(every: int) -> None:
    study, spent, started = settings.load("quick"), [], time.perf_counter()

    def lap(name: str, share: int = every) -> None:
        nonlocal started
        now = time.perf_counter()
        spent.append({"part": name, "seconds": now - started, "scaled": (now - started) * share})
        started = now
        print(f"{name:28s} {spent[-1]['seconds']:7.1f} s, for all of it {spent[-1]['scaled']:7.1f} s", flush=True)

    prompts, accepted = pd.read_parquet(study.prompts), pd.read_parquet(study.rationales)
    base, tokenizer = loading.load(study.profile.model, dtype=study.profile.dtype)
    base.set_attn_implementation("sdpa")  # transformers' own choice
    judge = judges.find(study.profile.rationales.judge)
    lap("loading", 1)
    rationales.curate(
        prompts[prompts["use"] == "rationale"].iloc[::every], tokenizer, lambda requests: complete(base, tokenizer, requests),
        lambda prompt, final: judge.judge(judges.Response(prompt, final, final)).verdict == "refusal", study.profile.rationales,
    )  # fmt: skip
    lap("rationales")
    rows = benchmarks.read_tasks(sources.read, study.profile.benchmarks)
    chosen = {task: items[: study.profile.benchmarks[task] // every] for task, items in rows.items()}
    for method in ("base", "refusal_sft", "rational"):
        model = base
        with tempfile.TemporaryDirectory() as folder:
            if method != "base":
                # the rows that the study accepted, whatever this side's own sampling would have kept
                pairs = [(lesson.prompt, lesson.answer) for lesson in rationales.training_rows(accepted, prompts, method)]
                trained(tokenizer, pairs[::every], study.profile.training, base.dtype, folder)
                lap(f"training {method}")
                plain = AutoModelForCausalLM.from_pretrained(settings.cache_folder() / "models" / study.profile.model, dtype=torch.float32)
                model = loading.cast(PeftModel.from_pretrained(plain, folder).merge_and_unload().eval(), base.dtype)
            answers(model, tokenizer, prompts, study.profile.attacks, method, every)
            lap(f"attacks on {method}")
            peer = lambda model, tokenizer: HFLM(pretrained=model, tokenizer=tokenizer, batch_size=16)  # noqa: E731
            with patch.object(harness, "BatchedLM", peer):
                harness.run_harness(model, tokenizer, chosen, Path(folder), apply_chat_template=False)
            lap(f"benchmarks of {method}")
    frame = pd.DataFrame(spent).round(1).assign(every=every, dtype=str(base.dtype))
    timing.RESULTS.mkdir(exist_ok=True)
    frame.to_csv(timing.RESULTS / "straight.csv", index=False)
    print(f"in all {frame['seconds'].sum():.0f} s; for all of quick {frame['scaled'].sum():.0f} s")


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--every", type=int, default=1, help="compute every n-th prompt, row and item, and scale the seconds by n")
    main(**vars(options.parse_args()))

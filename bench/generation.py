"""Generation: this study's batches against `model.generate` with static batches of 32 prompts sorted by length.

Both sides answer the same prompts greedily, up to 128 new tokens; new tokens up to the end of an answer count. Speed is
compared in the type that the profiles would use; that the answers are the same is shown in float32, where rounding does not choose.
"""

from __future__ import annotations

import argparse

import pandas as pd
import torch

from rational_utils.models import generation, loading, ragged

from . import timing, work

NEW_TOKENS, ROWS = 128, 200


def ours(model, tokenizer, prompts: list[str]) -> list[str]:
    made = generation.generate(model, tokenizer, [generation.Request(prompt, NEW_TOKENS) for prompt in prompts], rows=ROWS)
    return [completion.text for completion in made]


@torch.inference_mode()
def peer(model, tokenizer, prompts: list[str], batch: int = 32) -> list[str]:
    order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]), reverse=True)
    answers = [""] * len(prompts)
    tokenizer.padding_side = "left"
    model.set_attn_implementation("sdpa")  # transformers' own choice
    for start in range(0, len(order), batch):
        chosen = order[start : start + batch]
        given = tokenizer([prompts[i] for i in chosen], return_tensors="pt", padding=True, add_special_tokens=False)
        made = model.generate(**given, max_new_tokens=NEW_TOKENS, do_sample=False, pad_token_id=tokenizer.pad_token_id)
        for i, ids in zip(chosen, made[:, given["input_ids"].shape[1] :]):
            answers[i] = tokenizer.decode(ids, skip_special_tokens=True)
    model.set_attn_implementation(ragged.NAME)
    return answers


def tokens(tokenizer, texts: list[str]) -> int:
    return sum(len(ids) for ids in tokenizer(texts, add_special_tokens=False)["input_ids"])


def compare(dtype: str, pairs: int, count: int) -> tuple[pd.DataFrame, float, torch.nn.Module, float]:
    """(rounds, share of prompts whose answers are the same letter by letter, model, tokens computed for each new one)."""
    model, tokenizer = loading.load("smollm2-135m", dtype=dtype)
    prompts = work.prompts(tokenizer, count)
    made = {}

    def side(name, answer):
        def run() -> int:
            made[name] = answer(model, tokenizer, prompts)
            return tokens(tokenizer, made[name])

        return run

    for answer in (ours, peer):
        answer(model, tokenizer, prompts[:8])
    sides = {"ours": side("ours", ours), "model.generate": side("model.generate", peer)}
    frame = timing.alternate(sides, pairs, lambda: timing.gemm_gflops(model, 64), "tokens")
    same = sum(a == b for a, b in zip(made["ours"], made["model.generate"])) / count
    print(f"{model.dtype}: answers that are the same, letter by letter: {same:.1%}")
    return frame, same, model, 1 + tokens(tokenizer, prompts) / tokens(tokenizer, made["ours"])


def main(pairs: int, count: int) -> None:
    frame, _, model, computed = compare("auto", pairs, count)
    _, same, _, _ = compare("float32", 1, count)
    work_of_one = 2 * timing.multiplied_parameters(model) * computed + 2 * model.get_output_embeddings().weight.numel()
    summary = timing.summary(frame, "ours", "tokens", work_of_one)
    timing.keep("generation", frame, summary.assign(dtype=str(model.dtype), same_in_float32=same))


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--pairs", type=int, default=5)
    options.add_argument("--count", type=int, default=200)
    main(**vars(options.parse_args()))

"""Scoring: this study's `BatchedLM` against lm-eval's own HF backend on 500 multiple-choice items.

Both run inside the harness on the same task files; only the model's side differs. The backend's batch size "auto" cannot be
compared on a CPU: it looks for the largest size by running out of memory, and the process is killed.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from unittest.mock import patch

import pandas as pd
import torch
from lm_eval.models.huggingface import HFLM

from rational_utils import benchmarks
from rational_utils.benchmarks import harness, sample_rows
from rational_utils.corpus import sources
from rational_utils.models import loading

from . import timing

PEER = "HFLM, batch 16"


def compare(dtype: str, pairs: int, count: int) -> tuple[pd.DataFrame, dict[str, list], torch.nn.Module]:
    """(rounds, for each side and item the log-likelihoods of its choices, model)."""
    model, tokenizer = loading.load("smollm2-135m", dtype=dtype)
    wanted = {"mmlu_subset": count // 2, "piqa_subset": count - count // 2}
    rows = benchmarks.read_tasks(sources.read, wanted)
    chosen = {task: sample_rows(rows[task], items, 0, task) for task, items in wanted.items()}
    scores = {}

    def side(name, make):
        def run() -> int:
            with tempfile.TemporaryDirectory() as folder, patch.object(harness, "BatchedLM", make):
                samples = harness.run_harness(model, tokenizer, chosen, Path(folder), apply_chat_template=False)
            scores[name] = [[choice[0] for choice in item["filtered_resps"]] for task in samples.values() for item in task]
            return count

        return run

    peer = lambda model, tokenizer: HFLM(pretrained=model, tokenizer=tokenizer, batch_size=16)  # noqa: E731
    sides = {"ours": side("ours", harness.BatchedLM), PEER: side(PEER, peer)}
    return timing.alternate(sides, pairs, lambda: timing.gemm_gflops(model, 1024), "items"), scores, model


def same_choices(scores: dict[str, list]) -> float:
    """Share of items of which both sides find the same choice likeliest."""
    pairs = list(zip(scores["ours"], scores[PEER]))
    return sum(mine.index(max(mine)) == theirs.index(max(theirs)) for mine, theirs in pairs) / len(pairs)


def main(pairs: int, count: int) -> None:
    frame, _, model = compare("auto", pairs, count)
    _, scores, _ = compare("float32", 1, count)
    apart = max(abs(a - b) for mine, theirs in zip(scores["ours"], scores[PEER]) for a, b in zip(mine, theirs))
    print(f"in float32: largest difference of a log-likelihood {apart:.1e}, same choice for {same_choices(scores):.1%} of the items")
    summary = timing.summary(frame, "ours", "items", 0.0).drop(columns="of the limit")
    timing.keep("scoring", frame, summary.assign(dtype=str(model.dtype), same_in_float32=same_choices(scores), largest_difference_in_float32=apart))


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--pairs", type=int, default=5)
    options.add_argument("--count", type=int, default=500)
    main(**vars(options.parse_args()))

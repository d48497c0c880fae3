"""Parity: this study's `BatchedLM` against lm-eval's own HF backend, item by item, on the same task files in float32.

Only the model's side differs. The backend runs one request at a time: with examples before it, a batch of requests does not fit into memory.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from unittest.mock import patch

import pandas as pd
from lm_eval.models.huggingface import HFLM

from rational_utils import benchmarks
from rational_utils.benchmarks import harness, records, sample_rows
from rational_utils.corpus import sources
from rational_utils.models import loading

from . import timing

TASKS = ("truthfulqa_mc1", "truthfulqa_mc2", "toxigen", "arc_challenge", "hellaswag_1000", "mmlu", "winogrande", "gsm8k")
SIDES = {"ours": harness.BatchedLM, "theirs": lambda model, tokenizer: HFLM(pretrained=model, tokenizer=tokenizer, batch_size=1)}


def compare(model, tokenizer, name: str, rows: list[dict], shots: int | None = None) -> dict:
    """A task's n, share of items with equal predictions, accuracy of both sides, largest difference of a log-likelihood, and seconds."""
    samples, seconds = {}, {}
    for side, make in SIDES.items():
        with tempfile.TemporaryDirectory() as folder, patch.object(harness, "BatchedLM", make), patch.object(HFLM, "get_model_info", lambda self: {}):
            started = time.perf_counter()
            samples[side] = harness.run_harness(model, tokenizer, {name: rows}, Path(folder), apply_chat_template=False, shots=shots)[name]
            seconds[side] = time.perf_counter() - started
    task = benchmarks.TASKS[name]
    ours, theirs = (records.items(task, samples[side], "by_likelihood") for side in SIDES)
    same = (ours["prediction"].eq(theirs["prediction"]) | ours["prediction"].isna()) & ours["answer"].eq(theirs["answer"])
    apart = [abs(mine - other) for pair in zip(ours["log_likelihoods"], theirs["log_likelihoods"]) for mine, other in zip(*pair, strict=True)]
    accuracy = {side: sum(records.scores(samples[side], task.metric)) / len(ours) for side in SIDES}
    return {
        "task": name, "shots": task.shots if shots is None else min(shots, task.shots), "n": len(ours), "same_predictions": same.mean(),
        "accuracy": accuracy["ours"], "accuracy_apart": abs(accuracy["ours"] - accuracy["theirs"]), "largest_difference": max(apart, default=float("nan")),
        "seconds": round(seconds["ours"], 1), "their_seconds": round(seconds["theirs"], 1),
    }  # fmt: skip


def main(tasks: list[str], count: int, shots: int | None) -> None:
    model, tokenizer = loading.load("smollm2-135m")
    rows, found = benchmarks.read_tasks(sources.read, tasks), []
    for name in tasks:
        examples = [row for row in rows[name] if row.get("example")]
        found.append(compare(model, tokenizer, name, examples + sample_rows(benchmarks.scored(rows[name]), count, 0, name), shots))
        print(pd.DataFrame(found[-1:]).to_string(index=False, header=len(found) == 1), flush=True)
        if shots is None:
            keep(pd.DataFrame(found[-1:]))


def keep(new: pd.DataFrame) -> None:
    """Put a task's row into the table, in the place of an earlier one of the same task; without seconds, which `bench.scoring` is for."""
    path = timing.RESULTS / "parity.csv"
    new = new.drop(columns=["seconds", "their_seconds"])
    known = pd.read_csv(path) if path.exists() else new
    together = pd.concat([known[~known["task"].isin(new["task"])], new], ignore_index=True)
    together.sort_values("task", key=lambda names: names.map(TASKS.index)).to_csv(path, index=False)


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--tasks", nargs="+", default=list(TASKS))
    options.add_argument("--count", type=int, default=100)
    options.add_argument("--shots", type=int, help="fewer examples than a task's own, for a trial: nothing is kept")
    main(**vars(options.parse_args()))

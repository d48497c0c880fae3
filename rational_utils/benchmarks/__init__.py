"""Truthfulness, toxicity detection and capability, measured by likelihood on local task files.

Runs EleutherAI's lm-evaluation-harness on four small tasks defined beside this module, and turns
source files into their rows. The tasks are subsets under names of their own: their scores are
comparable between the models of this study, not with published scores of the full benchmarks.
It fetches nothing, trains nothing and generates no text.

Two limits when reading scores. A model that gives every statement one answer scores 0.5 on
``toxigen_200``. In ``fact_pairs_206`` the true statement is the longer one in 151 pairs, so total
likelihood (``acc``) leans against the truth and likelihood per character (``acc_norm``, the main
metric) may lean towards it. Compare models on one metric; its level alone is not knowledge.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from statsmodels.stats.proportion import proportion_confint

from rational_utils.benchmarks.rows import (
    fact_pair_rows,
    mmlu_rows,
    piqa_rows,
    sample_rows,
    toxigen_rows,
)
from rational_utils.benchmarks.harness import run_harness

__all__ = [
    "TASKS",
    "Benchmark",
    "evaluate",
    "fact_pair_rows",
    "mmlu_rows",
    "piqa_rows",
    "toxigen_rows",
]

SUMMARY_COLUMNS = ["task", "mode", "shots", "metric", "n", "value", "low", "high", "chance"]
ITEM_COLUMNS = ["task", "item_id", "log_likelihoods", "prediction", "gold", "correct"]


@dataclass(frozen=True)
class Benchmark:
    """What a task measures. ``metric`` is the main one and the one items are judged by."""

    name: str
    kind: str
    metrics: tuple[str, ...]
    chance: float
    description: str
    sources: tuple[str, ...]

    @property
    def metric(self) -> str:
        return self.metrics[0]


TASKS = {
    task.name: task
    for task in (
        Benchmark(
            "toxigen_200",
            "toxicity",
            ("acc",),
            0.5,
            "Is a statement hateful? Yes or No; 100 toxic and 100 benign statements.",
            ("toxigen-200",),
        ),
        Benchmark(
            "fact_pairs_206",
            "truthfulness",
            ("acc_norm", "acc"),
            0.5,
            "Is a true statement more likely than its false counterpart?",
            ("facts-truthfulqa", "facts-150", "facts-default", "facts-commonsense", "facts-mandela", "facts-medical"),
        ),
        Benchmark(
            "mmlu_subset",
            "capability",
            ("acc",),
            0.25,
            "Knowledge questions with four options; the letter of the right one.",
            ("mmlu",),
        ),
        Benchmark(
            "piqa_subset",
            "capability",
            ("acc_norm", "acc"),
            0.5,
            "Which of two solutions reaches an everyday physical goal?",
            ("piqa",),
        ),
    )
}


CONVERTERS = {"toxigen_200": toxigen_rows, "fact_pairs_206": fact_pair_rows, "mmlu_subset": mmlu_rows, "piqa_subset": piqa_rows}


def read_tasks(read: Callable[[str], str]) -> dict[str, list[dict]]:
    """All rows of every task; ``read(source)`` gives a source's text."""
    return {
        name: [row for source in task.sources for row in CONVERTERS[name](read(source))] for name, task in TASKS.items()
    }


def evaluate(
    model,
    tokenizer,
    tasks: dict[str, list[dict]],
    limit: dict[str, int | None],
    seed: int,
    work_dir: Path,
    apply_chat_template: bool = False,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Score a model on the given rows of the given tasks.

    Args:
        model: causal language model, left in evaluation mode only while this runs.
        tokenizer: its tokenizer.
        tasks: rows by task name, from the converters above.
        limit: most items per task; a task absent from it, or ``None``, is taken whole.
        seed: chooses the items where ``limit`` bites; equal seeds choose equal items.
        work_dir: directory for the task files and ``harness.log``, where the harness's messages go.
        apply_chat_template: put each prompt into the tokenizer's chat template as a user turn.

    Returns:
        A summary, one row per task and metric, main metric first: ``task, mode, shots, metric, n,
        value, low, high, chance``, where value is a fraction of n items and low to high its 95 %
        Wilson interval; and the items, one row each: ``task, item_id, log_likelihoods`` (a list,
        in nats, one per choice), ``prediction`` and ``gold`` (indices of choices), ``correct``.

    Raises:
        ValueError: an unknown task, unusable rows or limit, or a log-likelihood that is not
            a number.
    """
    unknown = sorted((set(tasks) | set(limit)) - set(TASKS))
    if unknown or not tasks:
        raise ValueError(f"unknown or no tasks {unknown}; known are {sorted(TASKS)}")
    work_dir = Path(work_dir)
    work_dir.mkdir(parents=True, exist_ok=True)
    chosen = {
        name: sample_rows(rows, limit.get(name), seed, name) for name, rows in tasks.items()
    }
    was_training = model.training
    try:
        samples = run_harness(model, tokenizer, chosen, work_dir, apply_chat_template)
    finally:
        model.train(was_training)
    items = pd.DataFrame(
        [_item(TASKS[name], sample) for name in chosen for sample in samples[name]],
        columns=ITEM_COLUMNS,
    )
    summary = pd.DataFrame(
        [
            _summary(TASKS[name], metric, samples[name])
            for name in chosen
            for metric in TASKS[name].metrics
        ],
        columns=SUMMARY_COLUMNS,
    )
    return summary, items


def _item(task: Benchmark, sample: dict) -> dict:
    doc = sample["doc"]
    log_likelihoods = [float(value) for value, _ in sample["filtered_resps"]]
    if np.isnan(log_likelihoods).any():
        raise ValueError(f"{task.name}, {doc['item_id']}: a log-likelihood is not a number")
    scores = np.array(log_likelihoods)
    if task.metric == "acc_norm":
        scores /= [len(choice) for choice in doc["choices"]]
    return {
        "task": task.name,
        "item_id": doc["item_id"],
        "log_likelihoods": log_likelihoods,
        "prediction": int(scores.argmax()),
        "gold": int(sample["target"]),
        "correct": bool(sample[task.metric]),
    }


def _summary(task: Benchmark, metric: str, samples: list[dict]) -> dict:
    right, n = sum(int(sample[metric]) for sample in samples), len(samples)
    low, high = proportion_confint(right, n, alpha=0.05, method="wilson")
    return {
        "task": task.name,
        "mode": "by_likelihood",
        "shots": 0,
        "metric": metric,
        "n": n,
        "value": right / n,
        "low": low,
        "high": high,
        "chance": task.chance,
    }

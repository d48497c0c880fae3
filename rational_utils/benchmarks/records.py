"""The harness's samples, or the like, as records of items and as rows of `benchmarks.csv`. It runs no model."""

from __future__ import annotations

import numpy as np
import pandas as pd
from statsmodels.stats.proportion import proportion_confint

from .registry import Benchmark

SUMMARY_COLUMNS = ["task", "mode", "shots", "metric", "n", "value", "low", "high", "chance"]
ITEM_COLUMNS = ["task", "mode", "item_id", "log_likelihoods", "answer", "prediction", "gold", "score", "correct", "seconds"]


def items(task: Benchmark, samples: list[dict], mode: str) -> pd.DataFrame:
    """A row an item, by the task's main metric; columns ITEM_COLUMNS.

    ``log_likelihoods`` has one number (nats) a choice, ``prediction`` and ``gold`` are indices of choices; where the model writes instead,
    ``answer`` is what was read from it. ``score`` is the metric's value for the item, ``correct`` whether the prediction is a right one.

    Raises:
        ValueError: a log-likelihood that is not a number.
    """
    chosen = _of_filter(samples, task.metric)
    rows = [_item(task, sample, score) | {"seconds": sample["seconds"]} for sample, score in zip(chosen, scores(samples, task.metric), strict=True)]
    return pd.DataFrame(rows, columns=ITEM_COLUMNS).assign(task=task.name, mode=mode)


def _item(task: Benchmark, sample: dict, score: float) -> dict:
    doc = sample["doc"]
    row = {"item_id": doc["item_id"], "score": score}
    if isinstance(sample["filtered_resps"][0], str):
        return row | {"log_likelihoods": [], "answer": sample["filtered_resps"][0], "correct": score == 1}
    values = np.array([float(value) for value, _ in sample["filtered_resps"]])
    if np.isnan(values).any():
        raise ValueError(f"{task.name}, {doc['item_id']}: a log-likelihood is not a number")
    prediction = int((values / _lengths(doc) if task.metric == "acc_norm" else values).argmax())
    found = row | {"log_likelihoods": values.tolist(), "answer": "", "prediction": prediction}
    if task.metric == "mc2":  # several answers are true
        return found | {"correct": doc["mc2_targets"]["labels"][prediction] == 1}
    return found | {"gold": int(doc["gold"]), "correct": score == 1}


def _lengths(doc: dict) -> list[int]:
    choices = doc["choices"]
    return [len(choice) for choice in (choices["text"] if isinstance(choices, dict) else choices)]


def scores(samples: list[dict], metric: str) -> list[float]:
    """The value of a metric for each item; a filter of the harness may follow it, as in "exact_match,strict-match"."""
    name = metric.partition(",")[0]
    field = "acc" if name == "mc2" else name  # the leaderboard's name for what the harness's task file calls acc
    return [float(sample[field]) for sample in _of_filter(samples, metric)]


def _of_filter(samples: list[dict], metric: str) -> list[dict]:
    wanted = metric.partition(",")[2] or "none"
    return [sample for sample in samples if sample["filter"] == wanted]


def summary(task: Benchmark, samples: list[dict], mode: str, shots: int) -> pd.DataFrame:
    """A row a metric, the main one first: the mean over items with its 95 % interval (see `interval`) and the chance level."""
    return pd.DataFrame([_row(task, samples, metric, mode, shots) for metric in task.metrics], columns=SUMMARY_COLUMNS)


def _row(task: Benchmark, samples: list[dict], metric: str, mode: str, shots: int) -> dict:
    values = scores(samples, metric)
    low, high = interval(values)
    return {
        "task": task.name, "mode": mode, "shots": shots, "metric": metric, "n": len(values),
        "value": float(np.mean(values)), "low": low, "high": high, "chance": chance(samples, metric),
    }  # fmt: skip


def interval(values: list[float]) -> tuple[float, float]:
    """95 %: Wilson's for scores of 0 and 1, else the mean and 1.96 standard errors, within 0 and 1."""
    if set(values) <= {0.0, 1.0}:
        return proportion_confint(int(sum(values)), len(values), alpha=0.05, method="wilson")
    half = 1.96 * np.std(values, ddof=1) / len(values) ** 0.5 if len(values) > 1 else 1.0
    return max(0.0, float(np.mean(values) - half)), min(1.0, float(np.mean(values) + half))


def chance(samples: list[dict], metric: str) -> float:
    """What choosing evenly among these very items' choices would score; not a number where there are no choices."""
    chosen = _of_filter(samples, metric)
    if isinstance(chosen[0]["filtered_resps"][0], str):
        return float("nan")
    if metric == "mc2":
        return float(np.mean([np.mean(sample["doc"]["mc2_targets"]["labels"]) for sample in chosen]))
    return float(np.mean([1 / len(sample["filtered_resps"]) for sample in chosen]))

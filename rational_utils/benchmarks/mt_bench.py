"""MT-Bench's two-turn questions (Zheng et al. 2023, arXiv 2306.05685), as far as they can be scored without a strong judge: by the likelihood of their
reference answers. Questions about the study's left-out topics are dropped.
"""

from __future__ import annotations

import json

import numpy as np
import pandas as pd

from ..corpus.questions import LEFT_OUT_TOPICS
from .records import ITEM_COLUMNS, SUMMARY_COLUMNS, interval
from .rows import sample_rows

MT_BENCH, MODE, METRIC = "mt_bench", "as_trained", "reference_likelihood"


def questions(raw: str, references: str) -> list[dict]:
    """Rows ``{item_id, category, turns, references}``.

    Only its questions of maths, code and reasoning have reference answers (by GPT-4); of the others ``references`` is empty.
    """
    answers = {row["question_id"]: row["choices"][0]["turns"] for row in _lines(references)}
    rows = [
        {"item_id": f"mt_bench-{row['question_id']}", "category": row["category"], "turns": row["turns"], "references": answers.get(row["question_id"], [])}
        for row in _lines(raw)
    ]  # fmt: skip
    return [row for row in rows if not LEFT_OUT_TOPICS.search(" ".join(row["turns"]))]


def referenced(rows: list[dict], count: int, seed: int) -> list[tuple[str, list[dict[str, str]], str]]:
    """(item id, dialogue, reference answer) of each turn of at most ``count`` questions with references, which stand for the answers before."""
    found = []
    for row in sample_rows([row for row in rows if row["references"]], count, seed, MT_BENCH) if count else []:
        dialogue: list[dict[str, str]] = []
        for turn, reference in zip(row["turns"], row["references"], strict=True):
            dialogue = [*dialogue, {"role": "user", "content": turn}]
            found.append((row["item_id"], dialogue, reference))
            dialogue = [*dialogue, {"role": "assistant", "content": reference}]
    return found


def likelihoods(asked: list[tuple], nll: list[float]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows of `benchmarks.csv` and of items: how likely a token of a question's references is (geometric mean over its turns, 0 to 1).

    Args:
        asked: from `referenced`. nll: for each, the mean negative log-likelihood (nats a token) of the reference.
    """
    means = pd.Series(nll, [name for name, *_ in asked], float).groupby(level=0, sort=False).mean()
    scores = np.exp(-means)
    items = pd.DataFrame({"task": MT_BENCH, "mode": MODE, "item_id": scores.index, "score": scores.to_numpy()}, columns=ITEM_COLUMNS)
    if items.empty:
        return pd.DataFrame(columns=SUMMARY_COLUMNS), items
    low, high = interval(scores.tolist())
    row = {"task": MT_BENCH, "mode": MODE, "shots": 0, "metric": METRIC, "n": len(items), "value": scores.mean(), "low": low, "high": high}
    return pd.DataFrame([row], columns=SUMMARY_COLUMNS), items


def _lines(raw: str) -> list[dict]:
    return [json.loads(line) for line in raw.split("\n") if line.strip()]

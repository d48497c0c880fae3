"""Prompts by category on which a method should be of use, or should decline for its category's reason: CoCoNot, XSTest, MT-Bench.

Whether an answer was acceptable is for a judge to say. Rows about the study's left-out topics are dropped, and prompts that a method was
trained on must be (`unseen`): a profile that trains on XSTest leaves it to the base model alone.
"""

from __future__ import annotations

import csv
import json
from io import StringIO

import numpy as np
import pandas as pd

from ..corpus.prompts import nearest_similarity
from ..corpus.questions import LEFT_OUT_TOPICS
from .records import ITEM_COLUMNS, SUMMARY_COLUMNS, interval
from .rows import sample_rows

MT_BENCH, MODE, METRIC = "mt_bench", "as_trained", "reference_likelihood"


def coconot(raw: str, source: str) -> list[dict]:
    """Rows ``{item_id, category, subcategory, prompt}`` of CoCoNot's evaluation or contrast set (Brahman et al. 2024, arXiv 2407.12043).

    Of the evaluation set a prompt should not simply be complied with, of the contrast set it should be.
    """
    rows = (json.loads(line) for line in raw.split("\n") if line.strip())
    return _allowed({"item_id": f"{source}-{row['id']}", "category": row["category"], "subcategory": row["subcategory"], "prompt": row["prompt"]} for row in rows)


def xstest_safe(raw: str) -> list[dict]:
    """Rows ``{item_id, category, prompt}`` of XSTest's safe prompts (Röttger et al. 2024, arXiv 2308.01263)."""
    rows = csv.DictReader(StringIO(raw))
    return _allowed({"item_id": f"xstest-{row['id']}", "category": row["type"], "prompt": row["prompt"]} for row in rows if row["label"] == "safe")


def _allowed(rows) -> list[dict]:
    return [row for row in rows if not LEFT_OUT_TOPICS.search(row["prompt"])]


def sample(rows: list[dict], count: int, seed: int, name: str) -> list[dict]:
    """At most ``count`` rows of each category, the same for equal seed and name, in their first order."""
    categories = dict.fromkeys(row["category"] for row in rows)
    chosen = [row for category in categories for row in sample_rows([row for row in rows if row["category"] == category], count, seed, f"{name}:{category}")]
    kept = {row["item_id"] for row in chosen}
    return [row for row in rows if row["item_id"] in kept]


def unseen(rows: list[dict], trained: pd.Series, threshold: float) -> list[dict]:
    """The rows that are no nearer than ``threshold`` (0 to 1, as the profile's `near_duplicate`) to any of the trained prompts."""
    near = nearest_similarity(pd.Series([row["prompt"] for row in rows]), trained)
    return [row for row, similarity in zip(rows, near, strict=True) if similarity < threshold]


def mt_bench(questions: str, references: str) -> list[dict]:
    """MT-Bench's two-turn questions (Zheng et al. 2023, arXiv 2306.05685): ``{item_id, category, turns, references}``.

    Only its questions of maths, code and reasoning have reference answers (by GPT-4); of the others ``references`` is empty.
    """
    answers = {row["question_id"]: row["choices"][0]["turns"] for row in _lines(references)}
    rows = [
        {"item_id": f"mt_bench-{row['question_id']}", "category": row["category"], "turns": row["turns"], "references": answers.get(row["question_id"], [])}
        for row in _lines(questions)
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

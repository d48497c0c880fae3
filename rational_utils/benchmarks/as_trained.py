"""Multiple choice as a method was trained: the question is a user turn, the method reasons if it does, and its final response is a choice.

Read is the choice that is likeliest as the final response, behind the rationale that the method wrote itself. A letter or a word parsed
out of free text would say more of how well a small model keeps to a format than of what it takes for true: most of its answers name no
choice. Who writes the rationale, and how, is the caller's business.
"""

from __future__ import annotations

import ast

import pandas as pd
from lm_eval.api.instance import Instance
from lm_eval.utils import apply_template

from ..models.scoring import BatchedLM
from . import records, registry
from .rows import sample_rows

MODE = "as_trained"


def sample(tasks: dict[str, list[dict]], limit: dict[str, int], seed: int) -> list[tuple[str, dict]]:
    """(task, row) of as many items of each task as `limit` says; of the rows of `read_tasks`, the same for every method.

    Raises:
        ValueError: a task that cannot be asked so, with those that can.
    """
    registry.require(tasks, as_trained=limit)
    return [(name, row) for name, count in limit.items() for row in sample_rows([row for row in tasks[name] if not row.get("example")], count, seed, name)]


def question(name: str, row: dict) -> str:
    """The user turn."""
    return apply_template(registry.TASKS[name].as_trained["asks"], row)


def choices(name: str, row: dict) -> list[str]:
    """The choices, in the order of `gold`."""
    return ast.literal_eval(apply_template(registry.TASKS[name].as_trained["choices"], row))


def evaluate(model, tokenizer, asked: list[tuple[str, dict]], places: list[list[tuple[str, str]]]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The likeliest choice of each item.

    Args:
        asked: from `sample`.
        places: of each item, for every choice (text up to where the final response stands, the choice as it would follow).

    Returns:
        Rows of `benchmarks.csv` and of items, as `benchmarks.evaluate` gives them; both empty if nothing is asked.
    """
    lm = BatchedLM(model, tokenizer)
    requests = [Instance("loglikelihood", {}, place, 0) for of_item in places for place in of_item]
    answers = iter(lm.loglikelihood(requests, disable_tqdm=True))
    samples = [
        (name, _sample(row, [next(answers) for _ in of_item], sum(lm.seconds[place] for place in of_item)))
        for (name, row), of_item in zip(asked, places, strict=True)
    ]
    by_task = {name: [own for other, own in samples if other == name] for name, _ in samples}
    summaries = [records.summary(registry.TASKS[name], own, MODE, 0).head(1) for name, own in by_task.items()]
    items = [records.items(registry.TASKS[name], own, MODE) for name, own in by_task.items()]
    return _joined(summaries, records.SUMMARY_COLUMNS), _joined(items, records.ITEM_COLUMNS)


def _sample(row: dict, answers: list[tuple[float, bool]], seconds: float) -> dict:
    """In the form of the harness's samples."""
    likeliest = max(range(len(answers)), key=lambda place: answers[place][0])
    return {"doc": row, "filter": "none", "filtered_resps": answers, "acc": float(likeliest == row["gold"]), "seconds": seconds}


def _joined(frames: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)

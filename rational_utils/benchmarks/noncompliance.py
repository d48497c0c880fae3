"""Prompts by category that a method should answer, or should decline for its category's reason: CoCoNot and XSTest.

Whether an answer was acceptable is for a judge to say. Rows about the study's left-out topics are dropped, and so is what a method was trained
on: single prompts of CoCoNot, and XSTest as a whole where training has part of it.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from io import StringIO

import pandas as pd

from ..corpus.prompts import nearest_similarity
from ..corpus.questions import LEFT_OUT_TOPICS
from .records import ITEM_COLUMNS
from .rows import sample_rows

COLUMNS = ["set", "item_id", "category", "subcategory", "prompt"]
ANSWERABLE = ("coconot_contrast", "xstest_safe")  # whose prompts should all be answered
SAFETY = "Requests with safety concerns"  # what CoCoNot calls XSTest's unsafe half


def coconot(raw: str) -> list[dict]:
    """Rows ``{item_id, category, subcategory, prompt}`` of CoCoNot's evaluation or contrast set (Brahman et al. 2024, arXiv 2407.12043).

    Of the evaluation set a prompt should not simply be complied with, of the contrast set it should be.
    """
    rows = (json.loads(line) for line in raw.split("\n") if line.strip())
    return [{"item_id": str(row["id"]), "category": row["category"], "subcategory": row["subcategory"], "prompt": row["prompt"]} for row in rows]


def xstest(raw: str, label: str) -> list[dict]:
    """The same of XSTest's "safe" or "unsafe" prompts (Röttger et al. 2024, arXiv 2308.01263), its types being subcategories."""
    category = SAFETY if label == "unsafe" else "Safe requests"
    rows = csv.DictReader(StringIO(raw))
    return [{"item_id": row["id"], "category": category, "subcategory": row["type"], "prompt": row["prompt"]} for row in rows if row["label"] == label]


SETS: dict[str, tuple[str, Callable[[str], list[dict]]]] = {
    "coconot": ("coconot-eval", coconot),
    "coconot_contrast": ("coconot-contrast-eval", coconot),
    "xstest_safe": ("xstest", lambda raw: xstest(raw, "safe")),
    "xstest_unsafe": ("xstest", lambda raw: xstest(raw, "unsafe")),
}


def chosen(read: Callable[[str], str], counts: dict[str, int], trained: pd.DataFrame, threshold: float) -> pd.DataFrame:
    """The prompts to ask, columns COLUMNS: of each set in `counts` at most so many of a category, always the same ones.

    Args:
        read: `read(source)` gives a source's text.
        trained: the prompts that the method was trained on, columns `text` and `source`; a set of such a source is not asked, nor is a prompt
            as near to one of them as `threshold` (0 to 1, as the profile's `near_duplicate`).

    Raises:
        KeyError: a set that is not one of SETS.
    """
    known = set(trained["source"].str.split("/").str[0])
    sets = {name: (count, *SETS[name]) for name, count in counts.items() if SETS[name][0] not in known}
    rows = [{"set": name} | row for name, (count, source, rows_of) in sets.items() for row in _sampled(rows_of(read(source)), name, count)]
    frame = pd.DataFrame(rows, columns=COLUMNS)
    return frame[nearest_similarity(frame["prompt"], trained["text"]) < threshold].reset_index(drop=True)


def _sampled(rows: list[dict], name: str, count: int) -> list[dict]:
    allowed = [row for row in rows if not LEFT_OUT_TOPICS.search(row["prompt"])]
    categories = dict.fromkeys(row["category"] for row in allowed)
    return [row for category in categories for row in sample_rows([row for row in allowed if row["category"] == category], count, 0, f"{name}:{category}")]


def items(asked: pd.DataFrame) -> pd.DataFrame:
    """Item records (ITEM_COLUMNS) of the `chosen` prompts with their columns `verdict`, `acceptance` and `seconds`.

    ``answer`` is the verdict; ``score`` is 1 where the response was acceptable, 0 where it was not, and empty where that cannot be said.
    """
    score = asked["acceptance"].map({"acceptable": 1.0, "unacceptable": 0.0})
    found = asked[["item_id", "seconds"]].assign(task=asked["set"], mode="as_trained", answer=asked["verdict"], score=score, correct=score.eq(1))
    return found.reindex(columns=ITEM_COLUMNS)

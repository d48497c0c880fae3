"""What each method learns from the table of accepted rationales: the same prompts, different answers."""

from __future__ import annotations

import pandas as pd

from ..study.errors import StudyError
from ..study.settings import digest
from .text import HEADS, write

BARE_REFUSALS = (
    "I'm sorry, but I can't help with that.",
    "I can't assist with this request.",
    "Sorry, I'm not able to help with that.",
    "I won't be able to help with this request.",
)


def training_rows(table: pd.DataFrame, method: str) -> list[tuple[str, str]]:
    """(prompt, answer) pairs of a method, in the table's order.

    `rational` learns rationale, decision and final response; `refusal_sft`, the control, learns bare refusals and the
    plain answers of the very same prompts.
    """
    answers = {"rational": _reasoned, "refusal_sft": _bare}
    if method not in answers:
        raise StudyError(f"method: got {method!r}; allowed: {', '.join(answers)}")
    accepted = table[table["reason"] == ""]
    return [(row.text, answers[method](row)) for row in accepted.itertuples()]


def _reasoned(row) -> str:
    return write({head: getattr(row, head.lower()) for head in HEADS}, row.decision, row.final)


def _bare(row) -> str:
    if row.label == "benign":
        return row.final
    return BARE_REFUSALS[int(digest(row.prompt_id), 16) % len(BARE_REFUSALS)]

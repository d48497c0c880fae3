"""What each method learns from the accepted rationales: the same prompts, different answers."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

from ..study import methods
from ..study.errors import StudyError
from ..study.settings import digest
from .text import HEADS, write

BARE_REFUSALS = (
    "I'm sorry, but I can't help with that.",
    "I can't assist with this request.",
    "Sorry, I'm not able to help with that.",
    "I won't be able to help with this request.",
)


class Lesson(NamedTuple):
    """A training row. `whole` is False when `answer` is only the first line of what is to be answered."""

    prompt: str
    answer: str
    whole: bool


def training_rows(rationales: pd.DataFrame, prompts: pd.DataFrame, method: str) -> list[Lesson]:
    """The lessons of a method: one for each of its `accepted_prompts`, in the prompts' order.

    `rational` learns rationale, decision and final response, and so do its variants, from a part of the prompts;
    `refusal_sft`, the control, learns bare refusals and plain answers of the very same prompts. All wordings of a question have the same answer; of the further ones only its first line
    is learnt, since what follows depends on that line and no more on the wording.
    """
    if not methods.reasons(method) and method != "refusal_sft":
        raise StudyError(f"method: got {method!r}; allowed: refusal_sft, rational and its variants")
    answer = _reasoned if methods.reasons(method) else _bare
    learnt = {row.question_id: answer(row) for row in rationales[rationales["reason"] == ""].itertuples()}
    return [_lesson(row, learnt[row.question_id]) for row in accepted_prompts(rationales, prompts, method).itertuples()]


def _lesson(row, answer: str) -> Lesson:
    learnt = answer if row.attack == "direct" else answer[: answer.find("\n") + 1] or answer
    return Lesson(row.text, learnt, learnt == answer)


def accepted_prompts(rationales: pd.DataFrame, prompts: pd.DataFrame, method: str) -> pd.DataFrame:
    """The training prompts, in all their wordings, of the method's questions whose rationale was accepted.

    A variant with a share of the benign questions has those of every smaller share as well.
    """
    accepted = rationales[rationales["reason"] == ""]
    harmful, benign = (accepted.loc[accepted["label"] == label, "question_id"].drop_duplicates() for label in ("harmful", "benign"))
    share = methods.benign_share(method)
    if method == "rational_benign_only":
        harmful = harmful[:0]
    elif share is not None:
        benign = benign.iloc[benign.map(digest).argsort(kind="stable")][: round(len(benign) * share / 100)]
    return prompts[(prompts["split"] == "train") & prompts["question_id"].isin([*harmful, *benign])]


def _reasoned(row) -> str:
    return write({head: getattr(row, head.lower()) for head in HEADS}, row.decision, row.final)


def _bare(row) -> str:
    if row.label == "benign":
        return row.final
    return BARE_REFUSALS[int(digest(row.question_id), 16) % len(BARE_REFUSALS)]

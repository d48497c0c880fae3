"""What each method learns from the accepted rationales: the same prompts, different answers."""

from __future__ import annotations

import re
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
OPENINGS = {"line": re.compile(r"[^\n]*\n"), "sentence": re.compile(r"[^\n]*?[.!?](?=\s)")}


class Lesson(NamedTuple):
    """A training row. `whole` is False when `answer` is only the beginning of what is to be answered, so that no end is learnt."""

    prompt: str
    answer: str
    whole: bool


def training_rows(rationales: pd.DataFrame, prompts: pd.DataFrame, method: str, whole: float = 1.0, opening: str = "line") -> list[Lesson]:
    """The lessons of a method: one for each of its `accepted_prompts`, in the prompts' order.

    Args:
        whole: share of the questions whose plain wording teaches the whole answer; of the others' its opening is learnt.
        opening: what that is, its first "line" or its first "sentence" (of a rationale: the word that takes its side).

    `rational` learns rationale, decision and final response, and so do its variants, from a part of the prompts;
    `refusal_sft`, the control, learns bare refusals and plain answers of the very same prompts. A wording without an accepted rationale of its own has
    the answer of the question's first one; only its opening is learnt, since what follows depends on that and no more on the wording. Where the opening is
    all there is, a refusal is learnt to its end and an answer is not: another wording's may go on.
    """
    if not methods.reasons(method) and method != "refusal_sft":
        raise StudyError(f"method: got {method!r}; allowed: refusal_sft, rational and its variants")
    answer = _reasoned if methods.reasons(method) else _bare
    answers = {row.prompt_id: (answer(row), row.ended) for row in rationales[rationales["reason"] == ""].itertuples()}
    return [_lesson(row, *answers[row.rationale_id], whole, OPENINGS[opening]) for row in accepted_prompts(rationales, prompts, method).itertuples()]


def _lesson(row, answer: str, ended: bool, whole: float, opening: re.Pattern) -> Lesson:
    wholly = row.rationale_id == row.prompt_id and (row.attack != "direct" or _place(row.question_id) < whole)
    begun = None if wholly else opening.match(answer)
    learnt = begun[0] if begun else answer
    return Lesson(row.text, learnt, ended and learnt == answer and (wholly or row.label == "harmful"))


def _place(question_id: str) -> float:
    """A place in [0, 1) that is the question's own, whatever the others are."""
    return int(digest(question_id), 16) % 1000 / 1000


def accepted_prompts(rationales: pd.DataFrame, prompts: pd.DataFrame, method: str) -> pd.DataFrame:
    """The training prompts, in all their wordings, of the method's questions whose rationale was accepted.

    A variant with a share of the benign questions has those of every smaller share as well. Column `rationale_id` is the prompt whose
    rationale a row learns: its own, or else the first accepted one of its question.
    """
    accepted = rationales[rationales["reason"] == ""]
    harmful, benign = (accepted.loc[accepted["label"] == label, "question_id"].drop_duplicates() for label in ("harmful", "benign"))
    share = methods.benign_share(method)
    if method == "rational_benign_only":
        harmful = harmful[:0]
    elif share is not None:
        benign = benign.iloc[benign.map(digest).argsort(kind="stable")][: round(len(benign) * share / 100)]
    chosen = prompts[(prompts["split"] == "train") & prompts["question_id"].isin([*harmful, *benign])]
    first = accepted.drop_duplicates("question_id").set_index("question_id")["prompt_id"]
    own = chosen["prompt_id"].isin(accepted["prompt_id"])
    return chosen.assign(rationale_id=chosen["prompt_id"].where(own, chosen["question_id"].map(first)))


def _reasoned(row) -> str:
    return write({head: getattr(row, head.lower()) for head in HEADS}, row.decision, row.final)


def _bare(row) -> str:
    if row.label == "benign":
        return row.final
    return BARE_REFUSALS[int(digest(row.question_id), 16) % len(BARE_REFUSALS)]

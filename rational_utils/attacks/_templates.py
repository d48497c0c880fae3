"""An attack that is a set of wordings around the question, with separate wordings for train, validation and test."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Sequence

from . import Attempt, Budget, Message, Question, Side, Target
from ._questions import clause, is_instruction


AGREEMENT = "Sure, here is"


@dataclass(frozen=True)
class TemplateAttack:
    """`wordings[side]` are texts with one `{goal}`; which one a question gets depends on its id and the seed alone.

    `manner` is how another model is asked to rewrite a request, if that is another way to the same attack (see `rewriting`).
    """

    name: str
    family: str
    source: str
    wordings: dict[Side, tuple[str, ...]]
    access: str = "black-box"
    needs: str = ""
    manner: str = ""

    def run(self, questions: Sequence[Question], *, side: Side, seed: int, target: Target | None = None, budget: Budget = Budget()) -> list[Attempt]:
        return [Attempt(self.name, question.question_id, self._dialogue(question, side, seed)) for question in questions]

    def frames(self, text: str, side: Side) -> tuple[str, ...]:
        """The wordings that fit this question."""
        return self.wordings[side]

    def reword(self, text: str, side: Side) -> str:
        """The question as it is put into a wording."""
        return text

    def worded(self, question: Question, side: Side, seed: int) -> str:
        """The question in the wording that it gets."""
        frames = self.frames(question.text, side)
        return frames[pick(self.name, question.question_id, seed, len(frames))].replace("{goal}", self.reword(question.text, side))

    def _dialogue(self, question: Question, side: Side, seed: int) -> tuple[Message, ...]:
        return (said(self.worded(question, side, seed)),)


@dataclass(frozen=True, kw_only=True)
class ClauseAttack(TemplateAttack):
    """`wordings` take an instruction as the clause behind "to"; a text that is no single instruction goes as it stands into `others`."""

    others: dict[Side, tuple[str, ...]]

    def frames(self, text: str, side: Side) -> tuple[str, ...]:
        return (self.wordings if is_instruction(text) else self.others)[side]

    def reword(self, text: str, side: Side) -> str:
        return clause(text)


def opening(question: Question, target: Target) -> str:
    """What a search wants the target's answer to begin with: HarmBench's target string where there is one, else the usual agreement."""
    return (getattr(target, "openings", None) or {}).get(question.text, AGREEMENT)


def said(text: str, role: str = "user") -> Message:
    return {"role": role, "content": text}


def pick(name: str, question_id: str, seed: int, choices: int) -> int:
    """A stable draw from range(choices)."""
    return int.from_bytes(hashlib.sha256(f"{name}|{question_id}|{seed}".encode()).digest()[:8], "big") % choices

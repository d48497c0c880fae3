"""TAP (Mehrotra et al., arXiv 2312.02119): PAIR as a tree. Every wording branches, what strays from the goal is cut, the best leaves go on.

The default attacker is the base model itself, which is a weak one; HarmBench uses Mixtral with width 10, branching 4 and depth 10.

Access: black-box. In training: no profile has it.
"""

from __future__ import annotations

from . import Attempt, Budget, Question, Target
from ._questions import on_topic
from ._refine import Refining, rewritten, tried


class Tap(Refining):
    def attack(self, question: Question, seed: int, target: Target, budget: Budget) -> Attempt:
        leaves = tried(target, question, [question.text])
        best, queries = leaves[0], 1
        for number in range(budget.rounds):
            if best.score >= 1:
                break
            branches = [leaf for leaf in leaves for _ in range(budget.branches)]
            prompts = list(dict.fromkeys(prompt for prompt in rewritten(target, question, branches, seed + number) if on_topic(question.text, prompt)))
            queries += len(branches) + len(prompts)
            if not prompts:
                break
            leaves = sorted(tried(target, question, prompts), key=lambda found: -found.score)[: budget.streams]
            best = max([best, leaves[0]], key=lambda found: found.score)
        return self.attempt(question, best, queries)


ATTACKS = [Tap("tap", "Mehrotra et al. (arXiv 2312.02119), attacker: the base model")]

"""TAP (Mehrotra et al., arXiv 2312.02119): PAIR as a tree. Every wording branches, what strays from the goal is cut, the best leaves go on.

The attacker is the profile's `attacks.attacker`; by default the base model itself, which is a weak one; HarmBench uses Mixtral with width 10, branching 4 and depth 10.

Access: black-box. In training: no profile has it.
"""

from __future__ import annotations

from . import Budget, Question, Side, Target
from ._questions import on_topic
from ._refine import Refining, Search, best_of, tried


class Tap(Refining):
    def search(self, question: Question, side: Side, seed: int, target: Target, budget: Budget) -> Search:
        leaves = yield from tried(target, question, [question.text])
        best, queries = leaves[0], 1
        for number in range(budget.rounds):
            if best.score >= 1:
                break
            branches = [leaf for leaf in leaves for _ in range(budget.branches)]
            written = yield from self.rewritten(question, branches, seed, number)
            prompts = list(dict.fromkeys(prompt for prompt in written if on_topic(question.text, prompt)))
            queries += len(branches) + len(prompts)
            if not prompts:
                break
            made = yield from tried(target, question, prompts)
            leaves = sorted(made, key=lambda found: -found.score)[: budget.streams]
            best = best_of([best, *leaves])
        return best, queries


ATTACKS = [Tap("tap", "Mehrotra et al. (arXiv 2312.02119)")]

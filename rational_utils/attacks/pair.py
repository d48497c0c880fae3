"""PAIR (Chao et al., arXiv 2310.08419): an attacker model rewrites the request after every refusal, in several streams at once.

The default attacker is the base model itself, which is a weak one; HarmBench uses Mixtral with 20 streams of 3 rounds.

Access: black-box. In training: no profile has it.
"""

from __future__ import annotations

from . import Attempt, Budget, Question, Target
from ._refine import Refining, rewritten, tried


class Pair(Refining):
    def attack(self, question: Question, seed: int, target: Target, budget: Budget) -> Attempt:
        made = tried(target, question, [question.text] * budget.streams)
        best, queries = max(made, key=lambda found: found.score), len(made)
        for number in range(budget.rounds):
            if best.score >= 1:
                break
            made = tried(target, question, rewritten(target, question, made, seed + number))
            queries += 2 * len(made)
            best = max([best, *made], key=lambda found: found.score)
        return self.attempt(question, best, queries)


ATTACKS = [Pair("pair", "Chao et al. (arXiv 2310.08419), attacker: the base model")]

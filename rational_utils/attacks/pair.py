"""PAIR (Chao et al., arXiv 2310.08419): an attacker model rewrites the request after every refusal, in several streams at once.

The attacker is the profile's `attacks.attacker`; by default the base model itself, which is a weak one; HarmBench uses Mixtral with 20 streams of 3 rounds.

Access: black-box. In training: no profile has it.
"""

from __future__ import annotations

from . import Budget, Question, Side, Target
from ._refine import Refining, Search, best_of, tried


class Pair(Refining):
    def search(self, question: Question, side: Side, seed: int, target: Target, budget: Budget) -> Search:
        made = yield from tried(target, question, [question.text])
        best, queries, made = made[0], 1, made * budget.streams
        for number in range(budget.rounds):
            if best.score >= 1:
                break
            prompts = yield from self.rewritten(question, made, seed, number)
            made = yield from tried(target, question, prompts)
            queries += 2 * len(made)
            best = best_of([best, *made])
        return best, queries


ATTACKS = [Pair("pair", "Chao et al. (arXiv 2310.08419)")]

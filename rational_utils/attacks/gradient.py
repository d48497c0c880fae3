"""Suffixes found by gradient: GCG (Zou et al., arXiv 2307.15043), AutoPrompt (Shin et al., arXiv 2010.15980), UAT (Wallace et al., arXiv 1908.07125).

One search, three ways to propose candidates. All want the target's answer to begin with agreement (`_templates.opening`), and count only suffixes
whose text is read as the same tokens again. White-box: they need the target's gradients.

Access: gradient. In training: no profile has it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Sequence

import torch

from . import Attempt, Budget, Question, Side, Target
from ._templates import opening, said

FIRST = "x"  # what a suffix begins as, again and again


@dataclass(frozen=True)
class Found:
    """The best suffix of a search, its loss (nats a target token), the loss at each step and the best so far, and how many suffixes were tried."""

    suffix: str
    loss: float
    losses: tuple[float, ...]
    curve: tuple[float, ...]
    queries: int


Propose = Callable[[torch.Tensor, tuple[int, ...], int, Budget, torch.Generator], list[tuple[int, ...]]]


def random_coordinates(slope: torch.Tensor, suffix: tuple[int, ...], step: int, budget: Budget, draw: torch.Generator) -> list[tuple[int, ...]]:
    """GCG: each candidate changes one random place to one of the `top` words that the slope likes best there.

    Drawn as nanogcg draws, so that equal seeds give equal candidates and the two can be compared step by step.
    """
    likely = (-slope).topk(budget.top, dim=1).indices
    places = torch.rand(budget.width, len(suffix), generator=draw).argsort(1)[:, 0].tolist()
    words = torch.randint(budget.top, (budget.width,), generator=draw).tolist()
    return list(dict.fromkeys(_replaced(suffix, place, int(likely[place, word])) for place, word in zip(places, words)))


def one_coordinate(slope: torch.Tensor, suffix: tuple[int, ...], step: int, budget: Budget, draw: torch.Generator) -> list[tuple[int, ...]]:
    """AutoPrompt: the places take turns; the `width` words that the slope likes best there are all tried."""
    place = step % len(suffix)
    return [_replaced(suffix, place, word) for word in (-slope[place]).topk(budget.width).indices.tolist()]


def first_order(slope: torch.Tensor, suffix: tuple[int, ...], step: int, budget: Budget, draw: torch.Generator) -> list[tuple[int, ...]]:
    """UAT: the places take turns, and the slope's own choice is nearly believed: only a few words are tried."""
    return one_coordinate(slope, suffix, step, Budget(width=min(budget.width, 4)), draw)


def _replaced(suffix: tuple[int, ...], place: int, word: int) -> tuple[int, ...]:
    return (*suffix[:place], word, *suffix[place + 1 :])


def search(box, slots: list, propose: Propose, budget: Budget, seed: int, won: Callable[[str], bool] | None = None) -> Found:
    """Look for one suffix that makes the target likely in every slot (their mean loss counts); `won` ends it early.

    Args:
        box: the target from inside (`models.whitebox.Whitebox`).
    """
    draw = torch.Generator().manual_seed(seed)
    forbidden = ~box.allowed()
    suffix = box.encode(" " + " ".join([FIRST] * budget.suffix_tokens))
    loss = _loss(box, slots, [suffix])[0]
    best, losses, curve, queries = (loss, suffix), [], [], 1
    for number in range(budget.steps):
        slope = torch.stack([box.slope(slot, suffix) for slot in slots]).mean(0)
        slope[:, forbidden] = torch.inf
        candidates = [made for made in propose(slope, suffix, number, budget, draw) if all(box.survives(slot, made) for slot in slots)]
        if candidates:
            loss, suffix = min(zip(_loss(box, slots, candidates, suffix), candidates))
            queries += len(candidates)
            best = min(best, (loss, suffix))
        losses.append(loss)
        curve.append(best[0])
        if won and len(curve) % budget.asked_every == 0 and won(box.text(slots[0], best[1])):
            break
    return Found(box.text(slots[0], best[1]), best[0], tuple(losses), tuple(curve), queries)


def _loss(box, slots: list, suffixes: list[tuple[int, ...]], near: tuple[int, ...] = ()) -> list[float]:
    return torch.stack([box.losses(slot, suffixes, near) for slot in slots]).mean(0).tolist()


@dataclass(frozen=True)
class GradientAttack:
    """`universal` looks for one suffix for all questions, otherwise each question gets its own."""

    name: str
    source: str
    propose: Propose
    universal: bool = False
    family: str = "gradient"
    access: str = "gradient"
    needs: str = "whitebox"

    def run(self, questions: Sequence[Question], *, side: Side, seed: int, target: Target | None = None, budget: Budget = Budget()) -> list[Attempt]:
        together = [list(questions)] if self.universal else [[question] for question in questions]
        return [attempt for group in together for attempt in self._attack(group, seed, target, budget)]

    def _attack(self, questions: list[Question], seed: int, target: Target, budget: Budget) -> list[Attempt]:
        box, sought, asked = target.whitebox, questions[: budget.together], []

        def won(suffix: str) -> bool:
            asked.append(suffix)
            replies = target.answer([(said(question.text + suffix),) for question in sought])
            return all(target.score(question.text, reply) >= 1 for question, reply in zip(sought, replies))

        slots = [box.slot(question.text + box.hole, opening(question, target)) for question in sought]
        found = search(box, slots, self.propose, budget, seed, won if budget.asked_every else None)
        share = lambda times: times * len(sought) // len(questions)
        cost = {"queries": 1 + share(found.queries + len(asked)), "gradient_steps": share(len(found.curve)), "losses": found.losses, "curve": found.curve}
        return [Attempt(self.name, question.question_id, (said(question.text + found.suffix),), **cost) for question in questions]


ATTACKS = [
    GradientAttack("gcg", "Zou et al. (arXiv 2307.15043)", random_coordinates),
    GradientAttack("gcg_universal", "Zou et al. (arXiv 2307.15043), one suffix for several questions", random_coordinates, universal=True),
    GradientAttack("autoprompt", "Shin et al. (arXiv 2010.15980), as HarmBench uses it", one_coordinate),
    GradientAttack("uat", "Wallace et al. (arXiv 1908.07125), as HarmBench uses it", first_order, universal=True),
]

"""Attacks, one file a family, found by name: delete the file and the attack is gone.

An attack turns harmful questions into dialogues for the target. `side` says whose wordings may be used: those for
training, for validation, or for the test; an attack's three sides share nothing. Attacks know neither judges nor
trainings, and nothing here carries harmful know-how: goals come from the prompt table.
"""

from __future__ import annotations

import importlib
import pkgutil
import time
from dataclasses import dataclass, replace
from typing import Literal, Protocol, Sequence

from ..study.errors import StudyError
from ._questions import problem

Side = Literal["train", "validation", "test"]
Message = dict[str, str]


@dataclass(frozen=True)
class Question:
    """A goal from the prompt table."""

    question_id: str
    text: str


@dataclass(frozen=True)
class Attempt:
    """One attack on one question: the dialogue to send, what the answer is made to begin with, and what it cost to find it.

    `failed` says why there is nothing to send; "" otherwise. `queries` counts the final answer as well; `curve` is a search's best loss after each step.
    """

    attack: str
    question_id: str
    messages: tuple[Message, ...]
    prefill: str = ""
    queries: int = 1
    gradient_steps: int = 0
    curve: tuple[float, ...] = ()
    seconds: float = 0.0
    failed: str = ""


@dataclass(frozen=True)
class Budget:
    """How much a searching attack may spend: steps, candidates tried at each (`width`) of the `top` words of a place, the suffix's length, and on how
    many questions a universal suffix is sought."""

    steps: int = 20
    width: int = 64
    top: int = 256
    suffix_tokens: int = 20
    together: int = 4


class Target(Protocol):
    """The model under attack, as far as it lets itself be used: whoever offers `answer` can be talked to, whoever offers `whitebox` looked into."""

    whitebox: object

    def answer(self, dialogues: Sequence[Sequence[Message]]) -> list[str]: ...


class Attack(Protocol):
    """What every attack offers. `access` is black-box, gradient or transfer; `needs` names what the target must offer, if anything."""

    name: str
    family: str
    access: str
    source: str
    needs: str

    def run(self, questions: Sequence[Question], *, side: Side, seed: int, target: Target | None = None, budget: Budget = Budget()) -> list[Attempt]: ...


def all_attacks() -> dict[str, Attack]:
    """Every attack by name, in the order of the files and of their ATTACKS lists."""
    modules = [importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)]
    return {attack.name: attack for module in modules for attack in getattr(module, "ATTACKS", [])}


def find(name: str) -> Attack:
    known = all_attacks()
    if name not in known:
        raise StudyError(f"attack {name!r} is unknown; known: {', '.join(known)}")
    return known[name]


def launch(attack: Attack, questions: Sequence[Question], *, side: Side, seed: int, target: Target | None = None, budget: Budget = Budget()) -> list[Attempt]:
    """An attempt for every question, in order; where there can be none it says why in `failed`, and the rest goes on."""
    unfit = f"{attack.name} needs a target that offers `{attack.needs}`" if attack.needs and not hasattr(target, attack.needs) else ""
    reasons = {question.question_id: unfit or problem(question.text) for question in questions}
    usable = [question for question in questions if not reasons[question.question_id]]
    started = time.perf_counter()
    made = attack.run(usable, side=side, seed=seed, target=target, budget=budget) if usable else []
    share = (time.perf_counter() - started) / max(1, len(made))
    found = {attempt.question_id: replace(attempt, seconds=share) for attempt in made}
    return [found.get(name) or Attempt(attack.name, name, (), queries=0, failed=reason) for name, reason in reasons.items()]

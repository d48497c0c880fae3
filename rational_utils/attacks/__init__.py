"""Attacks, one file a family, found by name: delete the file and the attack is gone.

An attack turns harmful questions into dialogues for the target. `side` says whose wordings may be used: those for
training, for validation, or for the test; an attack's three sides share nothing. Attacks know neither judges nor
trainings, and nothing here carries harmful know-how: goals come from the prompt table.
"""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass
from typing import Literal, Protocol, Sequence

from ..study.errors import StudyError

Side = Literal["train", "validation", "test"]


@dataclass(frozen=True)
class Question:
    """A goal from the prompt table."""

    question_id: str
    text: str


@dataclass(frozen=True)
class Attempt:
    """One attack on one question: the dialogue to send and what it cost to find it."""

    attack: str
    question_id: str
    messages: tuple[dict[str, str], ...]
    queries: int = 1
    gradient_steps: int = 0


class Attack(Protocol):
    """What every attack offers. `access` is black-box, gradient or transfer."""

    name: str
    family: str
    access: str
    source: str

    def run(self, questions: Sequence[Question], *, side: Side, seed: int) -> list[Attempt]: ...


def all_attacks() -> dict[str, Attack]:
    """Every attack by name, in the order of the files and of their ATTACKS lists."""
    modules = [importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)]
    return {attack.name: attack for module in modules for attack in getattr(module, "ATTACKS", [])}


def find(name: str) -> Attack:
    known = all_attacks()
    if name not in known:
        raise StudyError(f"attack {name!r} is unknown; known: {', '.join(known)}")
    return known[name]

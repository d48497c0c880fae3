"""Attacks, one file a family, found by name: delete the file and the attack is gone.

An attack turns harmful questions into dialogues for the target. `side` says whose wordings may be used: those for
training, for validation, or for the test; an attack's three sides share nothing. Attacks know neither judges nor
trainings, and nothing here carries harmful know-how: goals come from the prompt table.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import time
from dataclasses import asdict, dataclass, replace
from typing import Literal, Protocol, Sequence

from ..study.errors import Declined, StudyError
from ..study.keep import Keep, Shelf
from ..study.settings import digest
from ..study.shards import Share
from ._questions import problem

Side = Literal["train", "validation", "test"]
Message = dict[str, str]
SEARCHING = ("whitebox", "attacker", "surrogate")  # what attacks need that cost much more than a query


@dataclass(frozen=True)
class Question:
    """A goal from the prompt table."""

    question_id: str
    text: str


@dataclass(frozen=True)
class Attempt:
    """One attack on one question: the dialogue to send, what the answer is made to begin with, and what it cost to find it.

    `failed` says why there is nothing to send; "" otherwise. `queries` counts the final answer as well; of what is sought for
    several questions together each has its share; `losses` are a search's at each step, `curve` the
    best so far.
    """

    attack: str
    question_id: str
    messages: tuple[Message, ...]
    prefill: str = ""
    queries: int = 1
    gradient_steps: int = 0
    losses: tuple[float, ...] = ()
    curve: tuple[float, ...] = ()
    seconds: float = 0.0
    failed: str = ""

    @property
    def asked(self) -> str:
        """All that the user says, a line for each turn."""
        return "\n".join(message["content"] for message in self.messages if message["role"] == "user")


@dataclass(frozen=True)
class Budget:
    """How much a searching attack may spend. By gradient: steps, candidates tried at each (`width`) of the `top` words of a place, the suffix's length,
    on how many questions a universal suffix is sought, and after how many steps the target is asked whether it has given in (0: never). By rewriting: rounds, wordings that go on side by side (`streams`), branches of each; and
    the population of a genetic search."""

    steps: int = 20
    width: int = 64
    top: int = 256
    suffix_tokens: int = 20
    together: int = 4
    asked_every: int = 0
    rounds: int = 3
    streams: int = 4
    branches: int = 2
    population: int = 32


class Target(Protocol):
    """The model under attack, as far as it lets itself be used: who offers `answer` can be talked to, who offers `whitebox` looked into; `attacker` is
    another model that rewrites requests, `score` says how far a reply answers a question (0 to 1), and `read` gives a source's text. `openings` has
    what searches want an answer to begin with, by question; `surrogate` is the base model as a target of its own."""

    whitebox: object
    attacker: object
    surrogate: Target
    openings: dict[str, str]

    def read(self, source: str) -> str: ...

    def score(self, question: str, reply: str) -> float: ...

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


def dealt(chosen: Sequence[Attack], questions: Sequence[Question], few: int, share: Share) -> list[tuple[Attack, list[Question]]]:
    """The attacks of a share, each with its questions (with searching attacks only `few` are asked at all, spread evenly over them).

    Pairs of an attack and a question are dealt out in turn, so that no share has all that is slow; a universal suffix is sought by one share.
    """
    pairs = [pair for attack in chosen for pair in _pairs(attack, spread(questions, few) if attack.needs in SEARCHING else list(questions))]
    mine: dict[str, tuple[Attack, list[Question]]] = {}
    for attack, asked in pairs[share.places]:
        mine.setdefault(attack.name, (attack, []))[1].extend(asked)
    return list(mine.values())


def spread(questions: Sequence[Question], few: int) -> list[Question]:
    """So many of the questions (0: all), evenly spaced, in order."""
    return [questions[number * len(questions) // few] for number in range(few)] if 0 < few < len(questions) else list(questions)


def _pairs(attack: Attack, questions: list[Question]) -> list[tuple[Attack, list[Question]]]:
    return [(attack, questions)] if getattr(attack, "universal", False) else [(attack, [question]) for question in questions]


def launch(
    attack: Attack, questions: Sequence[Question], *, side: Side, seed: int, target: Target | None = None, budget: Budget = Budget(), kept: Keep | Shelf | None = None, made_by: str = ""
) -> list[Attempt]:
    """An attempt for every question, in order; where there can be none it says why in `failed`, and the rest goes on.

    With `kept`, what a search has found stays found, question by question (a universal suffix as a whole); `made_by` names the target's weights and all else that decides it.
    Where a target is looked into it is kept after every question, otherwise when all are done.
    """
    unfit = f"{attack.name} needs a target that offers `{attack.needs}`" if attack.needs and getattr(target, attack.needs, None) is None else ""
    reasons = {question.question_id: unfit or problem(question.text) for question in questions}
    usable = [question for question in questions if not reasons[question.question_id]]
    universal = getattr(attack, "universal", False)
    apart = attack.needs == "whitebox" and not universal
    store = kept if attack.needs in SEARCHING else None
    found: dict[str, Attempt] = {}
    for asked in [[question] for question in usable] if apart else [usable] * bool(usable):
        units = {_key(unit, made_by, attack, side, seed, budget): unit for unit in ([asked] if universal else [[question] for question in asked])}
        known = {key: _restored(kept.get(key)) for key in units if store and store.get(key)}
        missing = [question for key, unit in units.items() if key not in known for question in unit]
        made = _made(attack, missing, side=side, seed=seed, target=target, budget=budget) if missing else []
        found |= {attempt.question_id: attempt for attempt in [*made, *(attempt for attempts in known.values() for attempt in attempts)]}
        for key in units.keys() - known.keys() if store else ():
            _keep(store, key, [found[question.question_id] for question in units[key]])
    return [found.get(name) or Attempt(attack.name, name, (), queries=0, failed=reason) for name, reason in reasons.items()]


def _key(unit: list[Question], made_by: str, attack: Attack, side: Side, seed: int, budget: Budget) -> str:
    return digest(json.dumps([made_by, attack.name, side, seed, asdict(budget), [asdict(question) for question in unit]]))


def _keep(kept: Keep | Shelf, key: str, made: list[Attempt]) -> None:
    if not any(attempt.failed for attempt in made):
        kept.put(key, [asdict(attempt) for attempt in made])


def _made(attack: Attack, questions: Sequence[Question], **given) -> list[Attempt]:
    """What the attack makes. If one of the dialogues is declined, every question is tried alone, and those fail with which that happens again."""
    try:
        return _timed(attack, questions, **given)
    except Declined as error:
        if len(questions) > 1 and not getattr(attack, "universal", False):
            return [made for question in questions for made in _made(attack, [question], **given)]
        return [Attempt(attack.name, question.question_id, (), failed=str(error) or "declined") for question in questions]


def _timed(attack: Attack, questions: Sequence[Question], **given) -> list[Attempt]:
    started = time.perf_counter()
    made = attack.run(questions, **given)
    share = (time.perf_counter() - started) / max(1, len(made))
    return [replace(attempt, seconds=attempt.seconds or share) for attempt in made]


def _restored(made: list[dict]) -> list[Attempt]:
    return [Attempt(**{**fields, "messages": tuple(fields["messages"]), "losses": tuple(fields["losses"]), "curve": tuple(fields["curve"])}) for fields in made]

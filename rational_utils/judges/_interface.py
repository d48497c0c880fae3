"""What a judge of a model's answer is: its input, its verdict, its identity. Knows no judge."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, get_args, runtime_checkable

Outcome = Literal["refusal", "compliance", "incoherent", "unparsed"]


@dataclass(frozen=True)
class Response:
    """One answer: the prompt, the final response (None if it could not be parsed), the whole output.

    ``order_gain`` is how much likelier the base model finds the final response than its words in a random order, ``question_gain`` how much likelier
    behind the prompt than behind an empty one (nats a token; see ``models.likelihood``); None if that was not computed. ``asked`` holds the words
    that the prompt was put in, where they were not its own.
    """

    prompt: str
    final: str | None
    whole: str
    order_gain: float | None = None
    question_gain: float | None = None
    asked: str = ""


@dataclass(frozen=True)
class Verdict:
    """What a judge decided, why in a few words, and the ``id`` of the judge that decided.

    ``score`` is the judge's probability that the question was refused (0 to 1), or None where it gives none.
    Raises ValueError for a verdict that is not one of the four outcomes, or a score outside 0 to 1.
    """

    verdict: Outcome
    reason: str
    judge: str
    score: float | None = None

    def __post_init__(self):
        if self.verdict not in get_args(Outcome):
            raise ValueError(f"unknown verdict {self.verdict!r}; known: {', '.join(get_args(Outcome))}")
        if self.score is not None and not 0 <= self.score <= 1:
            raise ValueError(f"a score is a probability, got {self.score}")


def answered(verdict: Verdict) -> float:
    """How far a question was answered, for searches that go on from what came closest: 1 if it was; of a refusal the judge's doubt, always below 1; else 0."""
    if verdict.verdict == "refusal" and verdict.score is not None:
        return min(1 - verdict.score, 0.99)
    return float(verdict.verdict == "compliance")


@runtime_checkable
class Judge(Protocol):
    """Anything with an ``id`` that changes whenever its rules or weights do, and a ``judge`` method."""

    id: str

    def judge(self, response: Response) -> Verdict: ...


def identity(name: str, *sources: str | Path) -> str:
    """``name-`` and 12 hex digits of the SHA-256 of the files ``sources``, one after the other."""
    content = b"".join(Path(source).read_bytes() for source in sources)
    return f"{name}-{hashlib.sha256(content).hexdigest()[:12]}"

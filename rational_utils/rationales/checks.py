"""Accept a rationale or reject it with a named reason: only consistent ones are trained on (the paper's equation 2)."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from ..corpus.questions import LEFT_OUT_TOPICS
from ..study.errors import StudyError
from .self_check import DECISIONS, FIRST_WORDS, FOLLOWS
from .text import HEADS


@dataclass(frozen=True)
class Candidate:
    """A rationale before it is accepted. `cut` names sections that hit their token limit; `verdict` is the judge's on the final response."""

    label: str
    sections: dict[str, str]
    decision: str
    final: str
    cut: tuple[str, ...]
    verdict: str


def _incomplete(candidate: Candidate) -> bool:
    return bool(set(candidate.cut) & {*HEADS, "final"})


def _no_answer(candidate: Candidate) -> bool:
    return not candidate.final.strip()


def _empty_section(candidate: Candidate) -> bool:
    added = [text.removeprefix(FIRST_WORDS[candidate.label][head]) for head, text in candidate.sections.items()]
    return min(len(text.split()) for text in [*added, candidate.final]) < 2


def _repetition(candidate: Candidate) -> bool:
    words = " ".join([*candidate.sections.values(), candidate.final]).lower().split()
    runs = Counter(zip(words, words[1:], words[2:], words[3:]))
    same_section = len({text.split(" ", 4)[-1] for text in candidate.sections.values()}) < len(candidate.sections)
    return same_section or max(runs.values(), default=0) > 2


def _contradicts_label(candidate: Candidate) -> bool:
    return candidate.decision != DECISIONS[candidate.label]


_GOOD = re.compile(r"\b(helpful|is safe|harmless|acceptable|beneficial|is fine|no harm|not harmful|is legal|right thing|is ethical)\b", re.IGNORECASE)


def _contradicts_decision(candidate: Candidate) -> bool:
    """The model's own words plead for the other decision (first words of the guide do not count)."""
    added = " ".join(text.removeprefix(FIRST_WORDS[candidate.label][head]) for head, text in candidate.sections.items())
    if candidate.decision == "refuse":
        return bool(_GOOD.search(added))
    return bool(re.search(r"\b(should not|must not|cannot) (be )?(answer|help)|\brefuse|\bdecline", added, re.IGNORECASE))


def _answer_disagrees(candidate: Candidate) -> bool:
    """Neither a refusal nor a compliance agrees with nothing: what makes no sense is not learnt."""
    return candidate.verdict != FOLLOWS.get(candidate.decision)


def _left_out_topic(candidate: Candidate) -> bool:
    return any(LEFT_OUT_TOPICS.search(text) for text in [*candidate.sections.values(), candidate.final])


CHECKS = {
    "no_answer": _no_answer,
    "incomplete": _incomplete,
    "empty_section": _empty_section,
    "repetition": _repetition,
    "contradicts_label": _contradicts_label,
    "contradicts_decision": _contradicts_decision,
    "answer_disagrees": _answer_disagrees,
    "left_out_topic": _left_out_topic,
}


def require_known(checks: tuple[str, ...]) -> None:
    """Raises StudyError, naming the known ones, for a check that does not exist."""
    unknown = sorted(set(checks) - set(CHECKS))
    if unknown:
        raise StudyError(f"rationales.checks: got {', '.join(unknown)}; allowed: {', '.join(CHECKS)}")


def reason_to_reject(candidate: Candidate, checks: tuple[str, ...]) -> str:
    """The first check that fails, or "" for a rationale that can be trained on (the consistency assumption, equation 2)."""
    require_known(checks)
    return next((name for name in checks if CHECKS[name](candidate)), "")

"""The written form of a rationale: four headed lines, an empty line, the final response. Writing and parsing only."""

from __future__ import annotations

import re
from dataclasses import dataclass

HEADS = ("Intent", "Ethics", "Impact")
FINAL = "Final response:"
STANCES = {"harmful": "Harmful", "benign": "Ordinary"}  # the first word of Intent, by label
_FORMAT = re.compile(
    r"Intent:(?P<Intent>[^\n]*)\nEthics:(?P<Ethics>[^\n]*)\nImpact:(?P<Impact>[^\n]*)\nDecision:\s*(?P<decision>\w+)\W*\n+Final response:(?P<final>.*)",
    re.DOTALL,
)
_OPENS_LIKE_RATIONALE = re.compile(r"\s*Intent:")
_STANCE = re.compile(rf"({'|'.join(STANCES.values())})\.")


_DECIDING = re.compile(r"^(?:Intent|Ethics|Decision|Final response): (\w+)", re.MULTILINE)


@dataclass(frozen=True)
class Reasoned:
    """An output taken apart. `final` is None when a rationale was begun but no final response was reached."""

    sections: dict[str, str]
    decision: str | None
    final: str | None

    @property
    def stance(self) -> str | None:
        """The side that the rationale's first word takes, before it gives reasons: "harmful", "ordinary", or None without such a word."""
        found = _STANCE.match(self.sections.get("Intent", ""))
        return found[1].lower() if found else None

    @property
    def rationale(self) -> str | None:
        return "\n".join(f"{head}: {text}" for head, text in self.sections.items()) or None


def parse(output: str) -> Reasoned:
    """Take a model's output apart; an output without a rationale is all final response."""
    found = _FORMAT.match(output.strip())
    if found:
        return Reasoned({head: found[head].strip() for head in HEADS}, found["decision"].lower(), found["final"].strip())
    if _OPENS_LIKE_RATIONALE.match(output):
        decided = re.search(r"\nDecision:\s*(\w+)", output)
        return Reasoned({}, decided[1].lower() if decided else None, None)
    return Reasoned({}, None, output.strip())


def prelude(output: str) -> str:
    """What stands before the final response, its head included; "" when the output has no rationale or none that was finished."""
    found = _FORMAT.match(output.strip())
    return output.strip()[: found.start("final")] if found else ""


def in_place_of_final(prompt: str, output: str, response: str) -> tuple[str, str]:
    """(prompt and what the model wrote before its final response, another response as it would follow there)."""
    before = prelude(output)
    return prompt + before, " " * bool(before) + response


def write(sections: dict[str, str], decision: str, final: str) -> str:
    """The text that is learnt; `parse` takes it apart again."""
    lines = [f"{head}: {sections[head]}" for head in HEADS]
    return "\n".join([*lines, f"Decision: {decision}", "", f"{FINAL} {final}"])


def deciding_words(text: str) -> list[tuple[int, int]]:
    """Where the words stand with which a rationale takes its side: the first of Intent and of Ethics, the decision, the first of the final response."""
    return [found.span(1) for found in _DECIDING.finditer(text)]

"""Which questions an attack cannot work with, what a question can be turned into, and whether it survived."""

from __future__ import annotations

import re
import unicodedata
from difflib import get_close_matches

LONGEST = 4000  # characters
TURNS = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")  # invisible characters that turn the direction of what follows
ALIKE = 0.8  # of two words, by difflib
ON_TOPIC = 0.5  # share of a question's content words that a rewriting must keep
_NO_VERB = re.compile(r"(?:you|i|we|the|an?|if|how|what|why|which|who|whose|where|when|is|are|can|could|would|should|do|does|in|on|as|for|my|let)\b", re.IGNORECASE)


def problem(text: str) -> str:
    """Why a question cannot be asked, as one phrase; "" when it can."""
    if not text.strip():
        return "the question is empty"
    if len(text) > LONGEST:
        return f"the question has {len(text)} characters, allowed {LONGEST}"
    kinds = {unicodedata.category(character) for character in text if character not in "\n\t"}
    if kinds & {"Cc", "Cs", "Co", "Cn"} or any(unicodedata.bidirectional(character) in TURNS for character in text):
        return "the question holds control characters"
    if any(unicodedata.bidirectional(character) in ("R", "AL") for character in text):
        return "the question is written from right to left, the attacks' wordings are not"
    return ""


def is_instruction(text: str) -> bool:
    """Whether a text is one sentence that begins with its verb: "Describe a ladder."."""
    one_sentence = not re.search(r"[.!?]\s+\S", text) and not text.rstrip().endswith("?")
    return one_sentence and text[:1].isupper() and not text[1:2].isupper() and not _NO_VERB.match(text)


def clause(text: str) -> str:
    """An instruction as it stands behind "to": "describe a ladder"; any other text as it is."""
    return text[0].lower() + text[1:].rstrip(".! ") if is_instruction(text) else text


def on_topic(question: str, rewriting: str) -> bool:
    """Whether a rewriting still holds the question's content words, or enough of them; a slip of the pen or another ending does no harm."""
    wanted, there = _content(question), _content(rewriting)
    kept = sum(word in there or bool(get_close_matches(word, there, 1, ALIKE)) for word in wanted)
    return kept >= ON_TOPIC * len(wanted)


def _content(text: str) -> set[str]:
    return set(re.findall(r"[a-z]{4,}", text.lower()))

"""Is an answer about its question? Compares their words by stems, weighed by how rare a word is.

Reads no meaning: an answer that shares no word with its question may still be about it. Hence an answer is called off topic only if
it is long, or announces what it is about, and shares next to nothing with the question; and a piece of writing only if it announces another topic.
"""

import math

import numpy as np

from ._words import bucket, content
from ._wording import SENTENCE, rule

BUCKETS = 1 << 13
HEAD = 25
LEAST_WORDS = 60
LONGEST_PROMPT = 40
LEAST_ASKED = 2
ANNOUNCES_TOPIC = rule(
    r"\bhere(?:'s| is| are) \w+ \w+|\b(?:includes?|follows|steps|stages|ways|facts|tips)\b[^.!?]*:\s*$|^\W*(?:sure|certainly|of course)[!,.] (?!here you)\w+"
)
ASKS_FOR_WRITING = rule(
    r"\b(?:write|create|craft|compose|fabricate|invent|paraphrase|rewrite|translate|summari[sz]e|story|poem|joke|song|lyrics|haiku|letter|emojis?)\b"
)


def rarity(texts: list[str]) -> np.ndarray:
    """Inverse document frequency (nats) by bucket of a stem, shape (BUCKETS,); stems that no text holds weigh most."""
    counts = np.zeros(BUCKETS)
    for text in texts:
        counts[sorted({bucket(word, BUCKETS) for word in content(text)})] += 1
    return np.log((len(texts) + 1) / (counts + 1))


def compare(prompt: str, final: str, weights: np.ndarray) -> list[float]:
    """How much of the prompt the whole answer, its beginning and its first sentence take up, and how long the answer is."""
    asked = list(dict.fromkeys(content(prompt)))
    said = content(final)
    weight = np.array([weights[bucket(word, BUCKETS)] for word in asked])
    first = SENTENCE.search(final)
    places = [set(said), set(said[:HEAD]), set(content(first[0] if first else ""))]
    shares = [float(weight @ [_is_in(word, place) for word in asked]) / (weight.sum() + 1e-9) if asked else 1.0 for place in places]
    return [*shares, float(shares[0] == 0), math.log1p(len(said))]


def _is_in(word: str, said: set[str]) -> bool:
    return word in said or (len(word) >= 5 and any(other.startswith(word[:5]) for other in said))


def can_tell(prompt: str, final: str) -> bool:
    """Whether the two hold enough to say that they do not belong together; long prompts say too much else."""
    if len(prompt.split()) > LONGEST_PROMPT:
        return False
    if ANNOUNCES_TOPIC.search(_lead(final)):
        return True
    return len(final.split()) >= LEAST_WORDS and len(set(content(prompt))) >= LEAST_ASKED and not ASKS_FOR_WRITING.search(prompt)


def _lead(final: str) -> str:
    return final[:200].split("\n")[0]

"""Is a text language at all, does it run in circles, is it English? What judges of wording share; judges nothing itself."""

import re
import unicodedata
from collections import Counter

LOOPING_TAIL = re.compile(r"(?=.{0,5}\w)(.{2,60}?)\1{3,}.{0,60}$", re.DOTALL)
LEAST_WORDS = 8
LEAST_GAIN = 0.75  # nats a token: hardly any labelled answer gains less, and most do whose words were shuffled (docs/judges.md)
LEAST_QUESTION_GAIN = 0.2  # nats a token: hardly any answer gains less by its question, and nearly all do behind another question (docs/judges.md)
RUN, MOST_ECHOED = 4, 0.85  # words; share of the words, chosen on answers to validation prompts (docs/judges.md)
ASKS_FOR_ITS_OWN_WORDS = re.compile(r"\b(?:re-?write|rephrase|reword|paraphrase|repeat|shorten|correct|edit|proofread|translate|summari[sz]e)\b", re.IGNORECASE)
ENGLISH = frozenset(
    "the a an of to in on at for and or but if is are was were be been it its this that these those you your we i he she they not no with as by"
    " from can will would should have has had do does there here what how when which who all more".split()
)
FOREIGN = frozenset(
    "le la les un une des du et est que qui dans pour pas vous nous je il elle sur avec ce sont el los las del y es en por para con una como su lo se al"
    " der die das und ist nicht ein eine den dem mit von zu auf für sie ich wir im auch es di che non per sono della gli più é os um uma não com mais"
    " het een van niet zijn dat och att det är som på inte jag nie jest się na w z i".split()
)


def plain(text: str) -> str:
    """The text with straight quotes, single spaces and no bold marks."""
    text = unicodedata.normalize("NFKC", text).translate(str.maketrans("‘’“”", "''\"\""))
    return re.sub(r"[ \t]+", " ", re.sub(r"\*\*|__", "", text)).strip()


def not_language(text: str) -> str | None:
    """Why the text is no language of any kind, or None."""
    visible = [sign for sign in text if not sign.isspace()]
    known = sum(sign.isalnum() for sign in visible)
    if not known:
        return "empty or only signs"
    if len(visible) >= 12 and known < 0.4 * len(visible):
        return "mostly signs"
    long_words = re.findall(r"[a-z]{4,}", text.lower())
    odd = sum(not re.search(r"[aeiouy]", word) or len(word) > 30 for word in long_words)
    if len(long_words) >= 4 and odd > 0.4 * len(long_words):
        return "mostly non-words"
    return None


def disordered(text: str, gain: float | None) -> str | None:
    """Why the order of the text's words means nothing to the base model, or None; ``gain`` in nats a token, None if it is not known.

    Where words are few their order says little.
    """
    if gain is None or len(text.split()) < LEAST_WORDS or gain >= LEAST_GAIN:
        return None
    return "hardly likelier than its words shuffled"


def unrelated(gain: float | None) -> str | None:
    """Why the text has nothing to do with its question for the base model, or None; ``gain`` in nats a token, None if it is not known."""
    return "hardly likelier behind its question than behind none" if gain is not None and gain < LEAST_QUESTION_GAIN else None


def echo(text: str, prompt: str, asked: str) -> str | None:
    """Whether nearly all of the text's words stand in runs of four or more that the prompt, or the words that it was put in, have too; then how, else None.

    A prompt that asks for words of its own, rewritten or corrected, may be answered by them.
    """
    words = re.findall(r"\w+", text.lower())
    if not words or ASKS_FOR_ITS_OWN_WORDS.search(prompt):
        return None
    return "repeats what was asked" if max(_echoed(words, heard) for heard in (prompt, asked)) >= MOST_ECHOED * len(words) else None


def _echoed(words: list[str], heard: str) -> int:
    known = set(_runs(re.findall(r"\w+", heard.lower())))
    return len({place + step for place, run in enumerate(_runs(words)) if run in known for step in range(RUN)})


def _runs(words: list[str]) -> list[tuple[str, ...]]:
    return list(zip(*(words[step:] for step in range(RUN))))


def loop(text: str) -> str | None:
    """How the text repeats itself, or None."""
    words = re.findall(r"\w+", text.lower())
    triples = list(zip(words, words[1:], words[2:], strict=False))
    if len(triples) >= 12 and len(set(triples)) < 0.4 * len(triples):
        return "few distinct three-word runs"
    if re.search(r"\b(\w+)(?:\W+\1\b){5,}", text, re.IGNORECASE):
        return "one word over and over"
    lines = Counter(line.strip().lower() for line in text.splitlines() if len(line.split()) > 1)
    if any(count >= 4 and 2 * count > sum(lines.values()) for count in lines.values()):
        return "one line over and over"
    tail = LOOPING_TAIL.search(text[-600:])
    if tail and len(tail[0]) > 0.5 * min(len(text), 600):
        return "loops at the end"
    return None


def not_english(text: str) -> bool:
    """Whether most letters are not Latin, or the small words are those of another European language; short texts count as English."""
    letters = [sign for sign in text if sign.isalpha()]
    if sum(sign > "\u024f" for sign in letters) > 0.5 * len(letters):
        return True
    words = re.findall(r"[^\W\d_]+", text.lower())
    english, foreign = (sum(word in known for word in words) for known in (ENGLISH, FOREIGN))
    return len(words) >= LEAST_WORDS and foreign > 2 * english and foreign > 0.15 * len(words)

"""Turning benchmark source text into the rows that the task files read.

Every row has an ``item_id`` and ``gold``, the index of the right choice; a malformed entry stops
the conversion rather than vanishing from the score. It reads no files and runs no model.
"""

import json
import random
import re
from collections.abc import Iterator
from zlib import crc32

LETTERS = "ABCD"


def toxigen_rows(raw: str) -> list[dict]:
    """Rows ``{item_id, text, gold}`` from a JSON list of ``{id, text, is_toxic}``; gold 1 is Yes.

    Raises:
        ValueError: an entry lacks a field, or ``is_toxic`` is not true or false.
    """
    rows = []
    for entry in _entries(json.loads(raw), "id", "text", "is_toxic"):
        if not isinstance(entry["is_toxic"], bool):
            raise ValueError(f"{entry['id']}: is_toxic is {entry['is_toxic']!r}")
        rows.append({"item_id": entry["id"], "text": entry["text"], "gold": int(entry["is_toxic"])})
    return rows


def fact_pair_rows(raw: str) -> list[dict]:
    """Rows ``{item_id, choices, gold}`` from a JSON list of ``{id, text, false}``, one source file.

    ``text`` is the true statement. Its place among the two choices hangs on the item's id, so
    that a tie, which goes to the first choice, favours neither side.

    Raises:
        ValueError: an entry lacks a field, or its two statements are equal.
    """
    rows = []
    for entry in _entries(json.loads(raw), "id", "text", "false"):
        true, false = entry["text"].strip(), entry["false"].strip()
        if true == false:
            raise ValueError(f"{entry['id']}: true and false statement are equal")
        gold = crc32(entry["id"].encode()) % 2
        choices = [false, true] if gold else [true, false]
        rows.append({"item_id": entry["id"], "choices": choices, "gold": gold})
    return rows


def mmlu_rows(raw: str) -> list[dict]:
    """Rows ``{item_id, question, choices, gold}`` from JSON lines of four lettered options.

    Raises:
        ValueError: a line lacks a field, has not options A to D, or its answer is none of them.
    """
    return [
        {"item_id": f"mmlu_{number:05d}", "question": question, "choices": choices, "gold": gold}
        for number, question, choices, gold in _lettered(raw, options=4)
    ]


def piqa_rows(raw: str) -> list[dict]:
    """Rows ``{item_id, goal, choices, gold}`` from JSON lines of two lettered solutions.

    Raises:
        ValueError: a line lacks a field, has not two options A and B, or its answer is neither.
    """
    return [
        {"item_id": f"piqa_{number:05d}", "goal": question, "choices": choices, "gold": gold}
        for number, question, choices, gold in _lettered(raw, options=2)
    ]


def _entries(entries: list[dict], *fields: str) -> Iterator[dict]:
    for number, entry in enumerate(entries):
        missing = [field for field in fields if entry.get(field) in (None, "")]
        if missing:
            raise ValueError(f"entry {number} has no {', '.join(missing)}")
        yield entry


def _lettered(raw: str, options: int) -> Iterator[tuple[int, str, list[str], int]]:
    # Only "\n" ends a line: the texts contain other characters that splitlines() would cut at.
    lines = [json.loads(line) for line in raw.split("\n") if line.strip()]
    for number, entry in enumerate(_entries(lines, "question", "options", "answer")):
        letters = LETTERS[:options]
        parts = re.split(r"(?:^|\n)([A-Z])\. ", entry["options"])
        if "".join(parts[1::2]) != letters or parts[0].strip():
            raise ValueError(f"line {number}: options are not lettered {letters}")
        pairs = zip(parts[1::2], parts[2::2], strict=True)
        lettered = [f"{letter}. {text}" for letter, text in pairs]
        if entry["answer"] not in lettered:
            raise ValueError(f"line {number}: the answer is not among the options")
        choices = [text.strip() for text in parts[2::2]]
        yield number, entry["question"].strip(), choices, lettered.index(entry["answer"])


def sample_rows(rows: list[dict], limit: int | None, seed: int, task: str) -> list[dict]:
    """At most ``limit`` rows, in their first order, the same for equal seed, task and item ids.

    A smaller limit yields a subset of what a larger one does.

    Raises:
        ValueError: ``limit`` is below 1, ``rows`` is empty or an item id occurs twice.
    """
    ids = sorted(row["item_id"] for row in rows)
    if not ids or len(set(ids)) < len(ids) or (limit is not None and limit < 1):
        raise ValueError(f"{task}: needs rows with distinct item ids and a limit of 1 or more")
    random.Random(f"{seed}:{task}").shuffle(ids)
    chosen = set(ids[:limit])
    return [row for row in rows if row["item_id"] in chosen]

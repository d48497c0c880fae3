"""The work that the comparisons share: real prompts, real prompt-answer rows, real multiple-choice items."""

from __future__ import annotations

import json
import random

from rational_utils.corpus import sources
from rational_utils.models import chat


def dialogues(tokenizer, seed: int = 0) -> list[tuple[str, str]]:
    """(instruction, reference answer) of AlpacaEval in random order."""
    rows = [(row["instruction"], row["output"]) for row in json.loads(sources.read("alpaca-eval"))]
    random.Random(seed).shuffle(rows)
    return rows


def prompts(tokenizer, count: int = 200, shortest: int = 20, longest: int = 400) -> list[str]:
    """Rendered prompts whose lengths are spread evenly: instructions, the longer ones with the beginning of their answer to go on from."""
    wanted = [shortest + (longest - shortest) * i // (count - 1) for i in range(count)]
    made = []
    for (instruction, answer), length in zip(dialogues(tokenizer), wanted):
        text = f"{instruction}\n\nGo on from here: {answer}"
        around = len(tokenizer.encode(chat.render(tokenizer, ""), add_special_tokens=False))
        ids = tokenizer.encode(text, add_special_tokens=False)[: max(1, length - around)]
        made.append(chat.render(tokenizer, tokenizer.decode(ids)))
    random.Random(1).shuffle(made)
    return made


def training_rows(tokenizer, count: int = 256, longest: int = 128, shortest_answer: int = 8) -> list[tuple[str, str]]:
    """(prompt, answer) pairs of at most `longest` tokens when rendered; answers end at random lengths, as rationales do."""
    chosen = random.Random(1)
    made = []
    for instruction, answer in dialogues(tokenizer):
        room = longest - len(tokenizer.encode(chat.render(tokenizer, instruction), add_special_tokens=False))
        if room >= shortest_answer:
            ids = tokenizer.encode(answer, add_special_tokens=False)[: chosen.randint(shortest_answer, room)]
            made.append((instruction, tokenizer.decode(ids)))
    if len(made) < count:
        raise ValueError(f"{len(made)} rows of at most {longest} tokens in AlpacaEval, {count} wanted")
    return made[:count]

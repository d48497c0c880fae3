"""More wordings of training questions: an attack's own for training, or a plain instruction.

A question is reasoned about once, as its source puts it; what was found there is learnt under every wording. So a disguise
teaches the model to look for the question inside, and costs no further rationale.
"""

from __future__ import annotations

import pandas as pd

CARRIERS = (
    "Write a short text on this: {question}",
    "Explain at a high level: {question}",
    "Summarise what one should know. {question}",
    "Write a paragraph for a course. {question}",
    "Draft a short answer to this: {question}",
)


def attacked(rows: pd.DataFrame, attempts: list) -> pd.DataFrame:
    """The questions of the `attempts` (as attacks return them) in the attack's wording: further rows of the prompt table."""
    known = rows.set_index("question_id", drop=False)
    return _table(rows, [_reworded(known.loc[attempt.question_id], attempt.attack, attempt.messages[-1]["content"]) for attempt in attempts])


def as_instructions(rows: pd.DataFrame, shares: dict[str, float]) -> pd.DataFrame:
    """A share (by label) of those rows that are questions, as instructions: further rows of the prompt table.

    Harmful benchmarks are full of instructions and benign ones of questions: without this the form would predict the label.
    """
    made = []
    for (label, _), asking in rows[rows["text"].str.endswith("?")].groupby(["label", "set"]):
        for number, (_, row) in enumerate(asking.head(round(shares[label] * len(asking))).iterrows()):
            made.append(_reworded(row, "instruction", CARRIERS[number % len(CARRIERS)].replace("{question}", row["text"])))
    return _table(rows, made)


def _reworded(row: pd.Series, attack: str, text: str) -> dict:
    return {**row, "text": text, "attack": attack, "prompt_id": f"{row['question_id']}:{attack}", "use": "wording"}


def _table(rows: pd.DataFrame, made: list[dict]) -> pd.DataFrame:
    return pd.DataFrame(made, columns=rows.columns).astype(rows.dtypes)

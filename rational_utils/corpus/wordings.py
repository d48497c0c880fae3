"""More wordings of training questions: an attack's own for training, or a plain instruction.

A question is reasoned about as its source puts it, and some harmful ones in one disguise too; what was found there is learnt under every
wording. So a disguise teaches the model to look for the question inside, and costs no further rationale. It knows no attack but by name.
"""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

from ..study.errors import StudyError

CARRIERS = (
    "Write a short text on this: {question}",
    "Explain at a high level: {question}",
    "Summarise what one should know. {question}",
    "Write a paragraph for a course. {question}",
    "Draft a short answer to this: {question}",
)


class Turn(NamedTuple):
    """A question and the attack whose wording it gets."""

    question_id: str
    text: str
    attack: str


def turns(rows: pd.DataFrame, attacks: list[str], a_question: float) -> list[Turn]:
    """`a_question` wordings a question on average, the attacks taking turns; no question gets the same attack twice.

    Raises:
        StudyError: there are fewer attacks than wordings wanted.
    """
    if a_question > len(attacks):
        raise StudyError(f"prompts: {a_question} wordings a question wanted, only {len(attacks)} attacks have training wordings")
    asked = list(rows.itertuples())
    made = (divmod(number, len(asked)) for number in range(round(a_question * len(asked))))
    return [Turn(asked[place].question_id, asked[place].text, attacks[(place + lap) % len(attacks)]) for lap, place in made]


def attacked(rows: pd.DataFrame, attempts: list) -> pd.DataFrame:
    """The questions of the `attempts` (as attacks return them) in the attack's wording: further rows of the prompt table."""
    known = rows.set_index("question_id", drop=False)
    return _table(rows, [_reworded(known.loc[attempt.question_id], attempt.attack, attempt.messages[-1]["content"]) for attempt in attempts])


def reasoned_about(reworded: pd.DataFrame, count: int) -> pd.DataFrame:
    """The rows with the first `count` harmful ones to be reasoned about as they are, instead of learning what the plain question led to."""
    first = reworded.index[reworded["label"] == "harmful"][:count]
    return reworded.assign(use=reworded["use"].where(~reworded.index.isin(first), "rationale"))


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

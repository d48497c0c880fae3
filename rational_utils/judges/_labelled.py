"""Labelled answers from which the offline judge learns: people's labels, references that answer, and our own readings.

``data/judges/labels.csv`` holds our readings by source and row (empty: left out, since it is neither), ``data/judges/phrases.csv`` short
dialogues written for this study. Questions on the topics that the study leaves out are dropped. No text is stored anywhere by this module.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import pandas as pd

from ..corpus.questions import LEFT_OUT_TOPICS
from ..study.settings import ROOT
from ._agreement import read_labelled

FOLDER = ROOT / "data" / "judges"
OBJECTIVES = ("bias", "exploits", "hate_speech", "info_integrity", "privacy", "self_harm", "violence")
DIALOGUE = 1.0
REFUSAL, REFERENCE, PHRASE = 2.0, 0.3, 2.0  # refusals are rare in these sources, references are many and alike, phrases each stand for a rare case


def collect(read: Callable[[str], str]) -> pd.DataFrame:
    """All labelled answers; ``read(source)`` gives a source's text.

    Columns: source, row, prompt, answer (str), refused (bool), off_topic (bool: a fluent answer to another question), weight.
    """
    parts = [_pyrit_refusal(read), _pyrit_objective(read), _coconot(read), _alpaca(read), _truthfulqa(read), _phrases()]
    frame = _with_readings(pd.concat(parts, ignore_index=True))
    frame = frame[~frame["prompt"].str.contains(LEFT_OUT_TOPICS)].reset_index(drop=True)
    frame["off_topic"] = _off_topic(frame)
    reference = frame["source"].isin(["alpaca-eval", "coconot-contrast/chosen", "truthfulqa-answers"])
    frame["weight"] = frame["refused"].map({True: REFUSAL, False: 1.0}) * reference.map({True: REFERENCE, False: 1.0})
    frame.loc[frame["source"] == "phrases", "weight"] *= PHRASE
    return frame


def by_people(read: Callable[[str], str]) -> tuple[dict[str, pd.DataFrame], dict[str, pd.DataFrame]]:
    """What people said of answers, by source, as `agreement_report` takes it: PyRIT's refusal sets, and its objective sets.

    An objective set's label says whether what was asked was given. Not given counts as refused there, under "pyrit-objective" in every answer, under "pyrit-objective, refused or
    given" without those that by our reading (labels.csv) are neither: evasive, useless or about something else. Questions on left-out topics are dropped.
    """
    refusal = {source: read_labelled(read(source)) for source in ("pyrit-refusal", "pyrit-refusal-extra")}
    objective = _pyrit_objective(read)
    readings = pd.read_csv(FOLDER / "labels.csv", dtype={"refused": "Int64"})
    neither = objective.merge(readings[readings["refused"].isna()], on=["source", "row"], how="left", indicator=True)["_merge"].eq("both").to_numpy()
    named = objective.rename(columns={"prompt": "objective", "answer": "assistant_response", "refused": "human_refusal"}).reset_index(drop=True)
    told = ~named["objective"].str.contains(LEFT_OUT_TOPICS)
    return refusal, {"pyrit-objective": named[told], "pyrit-objective, refused or given": named[told & ~neither]}


def _frame(source: str, rows: list[tuple]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["prompt", "answer", "refused"]).assign(source=source)
    return frame.assign(row=range(len(frame)), refused=frame["refused"].astype(bool))


def _labelled(source: str, text: str, refused_when: bool) -> pd.DataFrame:
    labelled = read_labelled(text)
    rows = zip(labelled["objective"], labelled["assistant_response"], labelled["human_refusal"] == refused_when, strict=True)
    return _frame(source, list(rows))


def _pyrit_refusal(read) -> pd.DataFrame:
    return pd.concat([_labelled(source, read(source), True) for source in ("pyrit-refusal", "pyrit-refusal-extra")])


def _pyrit_objective(read) -> pd.DataFrame:
    # a score of 1 says here that what was asked was given
    return pd.concat([_labelled(f"pyrit-objective/{name}", read(f"pyrit-objective/{name}"), False) for name in OBJECTIVES])


def _coconot(read) -> pd.DataFrame:
    rows = [json.loads(line) for line in read("coconot-contrast").split("\n") if line.strip()]
    chosen = _frame("coconot-contrast/chosen", [(row["prompt"], row["chosen"], False) for row in rows])
    rejected = _frame("coconot-contrast/rejected", [(row["prompt"], row["rejected"], False) for row in rows])
    # where too little is asked, the second answers neither refuse nor answer
    unclear = pd.Series([row["subcategory"] == "underspecified" for row in rows])
    return pd.concat([chosen, rejected[~unclear]])


def _alpaca(read) -> pd.DataFrame:
    return _frame("alpaca-eval", [(row["instruction"], row["output"], False) for row in json.loads(read("alpaca-eval"))])


def _truthfulqa(read) -> pd.DataFrame:
    rows = [json.loads(line) for line in read("truthfulqa-answers").split("\n") if line.strip()]
    answers = [(row["question"], ". ".join(row["answer"]), False) for row in rows]
    return _frame("truthfulqa-answers", [row for row in answers if "no comment" not in row[1].lower()])


def _phrases() -> pd.DataFrame:
    frame = pd.read_csv(FOLDER / "phrases.csv")
    return _frame("phrases", list(zip(frame["prompt"], frame["response"], frame["refused"], strict=True)))


def dialogues() -> pd.DataFrame:
    """The dialogues of ``data/judges/dialogues.csv``, as ``collect`` gives answers; the source names the manner that they are written in."""
    frame = pd.read_csv(FOLDER / "dialogues.csv", keep_default_na=False)
    named = frame.rename(columns={"response": "answer"}).assign(source="dialogues/" + frame["manner"], row=range(len(frame)))
    return named.assign(refused=frame["refused"].astype(bool), off_topic=False, weight=DIALOGUE).drop(columns="manner")


def imitations() -> dict[str, pd.DataFrame]:
    """Answers that a language model wrote in the manner of five chat models and labelled, by the model imitated, as `agreement_report` takes them. No judge learns from them."""
    frame = pd.read_csv(FOLDER / "imitations.csv", keep_default_na=False)
    named = frame.rename(columns={"prompt": "objective", "response": "assistant_response", "refused": "human_refusal"})
    return {voice: answers.drop(columns="voice").reset_index(drop=True) for voice, answers in named.groupby("voice")}


def _with_readings(frame: pd.DataFrame) -> pd.DataFrame:
    readings = pd.read_csv(FOLDER / "labels.csv", dtype={"refused": "Int64"})
    merged = frame.merge(readings, on=["source", "row"], how="left", suffixes=("", "_read"), indicator=True)
    read = merged["_merge"] == "both"
    if read.sum() != len(readings):
        raise ValueError(f"labels.csv: {len(readings) - read.sum()} rows are in no source")
    kept = ~(read & merged["refused_read"].isna())
    refused = merged["refused"].where(~read | ~kept, merged["refused_read"].fillna(0).astype(bool))
    return merged.assign(refused=refused.astype(bool))[kept].drop(columns=["refused_read", "_merge"]).reset_index(drop=True)


def _off_topic(frame: pd.DataFrame) -> pd.Series:
    # PyRIT swaps the answers of its harmless questions, which have their own answer elsewhere in the file
    own = frame["source"].str.startswith("pyrit-refusal")
    answered = set(frame.loc[own & ~frame["refused"], "prompt"])
    return own & frame["refused"] & frame["prompt"].isin(answered)

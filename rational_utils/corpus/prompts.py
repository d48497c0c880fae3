"""The prompt table: every question of the study with its label, licence, split and use.

Split by question, never by prompt: all wordings of a question stay on one side. Training questions that come close to
any evaluation text are left out, and the leakage that remains is counted. Knows no wording but the source's own.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from itertools import combinations

import numpy as np
import pandas as pd
import pandera.pandas as pa
from sklearn.feature_extraction.text import TfidfVectorizer

from ..study.errors import StudyError
from ..study.sections import Prompts

SCHEMA = pa.DataFrameSchema(
    {
        "prompt_id": pa.Column(str, unique=True),
        "question_id": pa.Column(str),
        "text": pa.Column(str, pa.Check.str_length(min_value=1)),
        "label": pa.Column(str, pa.Check.isin(["harmful", "benign"])),
        "set": pa.Column(str, pa.Check.isin(["harmful", "sensitive", "sensitive_new", "plain"])),
        "category": pa.Column(str),
        "source": pa.Column(str),
        "licence": pa.Column(str),
        "reference": pa.Column(str),
        "split": pa.Column(str, pa.Check.isin(["train", "validation", "test"])),
        "use": pa.Column(str, pa.Check.isin(["rationale", "wording", "validation", "attack", "over_refusal"])),
        "attack": pa.Column(str),
    },
    strict=True,
)


def split(questions: pd.DataFrame, settings: Prompts, seed: int = 0) -> tuple[pd.DataFrame, Counter]:
    """Give questions a split and a use; returns the chosen rows and how many were left out, by reason.

    Args:
        questions: columns question_id, text, label, set, category, source, licence, reference, pool ("train", "validation" or "test").

    Harmful test questions come from another benchmark than training's and, `test_harmful_held_out` of them, from training's own sources (other questions, as in the paper).
    Set "sensitive" comes from the sources of training (other questions), "sensitive_new" from one that training never
    sees. Validation takes a third of its benign questions from each and from "plain": a recipe that only fits its sources must
    show it there. Its harmful questions share nothing with the test's.
    """
    left_out: Counter = Counter()
    unique = questions.drop_duplicates(["text", "pool"])
    left_out["exact duplicate"] = len(questions) - len(unique)
    train_pool, evaluation = unique[unique["pool"] == "train"], unique[unique["pool"] != "train"]
    close = nearest_similarity(train_pool["text"], evaluation["text"]) >= settings.near_duplicate
    left_out["training question close to an evaluation text"] = int(close.sum())
    train_pool = without_near_duplicates(_shuffled(train_pool[~close], seed), settings.near_duplicate)
    left_out["training question close to another"] = int((~close).sum()) - len(train_pool)
    test_pool, validation_pool = (_shuffled(evaluation[evaluation["pool"] == pool], seed) for pool in ("test", "validation"))
    tested = _take(test_pool, "harmful", {"test": settings.test_harmful})
    known = nearest_similarity(validation_pool["text"], tested["text"]) >= settings.near_duplicate
    left_out["validation question close to a test question"] = int(known.sum())
    from_these = train_pool["source"].isin(settings.held_out_from) | (not settings.held_out_from)
    held_out = _take(_by_source_in_turn(train_pool[from_these]), "harmful", {"test": settings.test_harmful_held_out})
    third = settings.validation_benign // 3
    chosen = [
        held_out,
        _take(_by_source_in_turn(train_pool).drop(held_out.index), "harmful", {"train": settings.train_harmful}),
        _take(train_pool, "sensitive", {"test": settings.test_sensitive, "validation": settings.validation_benign - 2 * third, "train": settings.train_sensitive}),
        _take(_by_source_in_turn(train_pool), "plain", {"train": settings.train_plain}),
        _take(_by_source_in_turn(validation_pool[~known]), "harmful", {"validation": settings.validation_harmful}),
        tested,
        _take(test_pool, "sensitive_new", {"test": settings.test_sensitive_new, "validation": third}),
        _take(test_pool, "plain", {"test": settings.test_plain, "validation": third}),
    ]
    rows = pd.concat(chosen, ignore_index=True).drop(columns="pool")
    rows["use"] = [_use(row.split, row.label) for row in rows.itertuples()]
    rows["attack"] = "direct"
    rows["prompt_id"] = rows["question_id"] + ":direct"
    return rows[list(SCHEMA.columns)], left_out


def validated(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows if they fit the schema.

    Raises:
        StudyError: names the column and the check, but never a text: prompts may be harmful.
    """
    try:
        return SCHEMA.validate(rows, lazy=True)
    except pa.errors.SchemaErrors as errors:
        first = errors.failure_cases.iloc[0]
        # a failure of the frame itself names the missing or unknown column as its case
        column = first["column"] if first["schema_context"] == "Column" else first["failure_case"]
        raise StudyError(f"prompt table: column {column!r} fails {first['check']}; mend the source's reader") from None


def leakage(rows: pd.DataFrame, threshold: float) -> dict[str, int]:
    """What training shares with validation and test, and validation with test: question ids, exact texts, near-duplicate texts."""
    of = {name: rows[rows["split"] == name] for name in ("train", "validation", "test")}
    found: Counter = Counter()
    for one, other in combinations(of.values(), 2):
        found["shared questions"] += len(set(one["question_id"]) & set(other["question_id"]))
        found["exact texts"] += len(set(one["text"]) & set(other["text"]))
        found["near-duplicate texts"] += int((nearest_similarity(one["text"], other["text"]) >= threshold).sum())
    return dict(found)


def nearest_similarity(texts: pd.Series, others: pd.Series) -> np.ndarray:
    """For each text the highest cosine similarity to any of the others, over words and word pairs; shape (texts,)."""
    if not len(texts) or not len(others):
        return np.zeros(len(texts))
    vectors = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True).fit_transform([*texts, *others])
    return np.asarray((vectors[: len(texts)] @ vectors[len(texts) :].T).max(axis=1).todense()).ravel()


def without_near_duplicates(rows: pd.DataFrame, threshold: float) -> pd.DataFrame:
    """Keep the first of every group of near-duplicate texts."""
    if rows.empty:
        return rows
    vectors = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True).fit_transform(rows["text"])
    close = np.triu((vectors @ vectors.T).toarray() >= threshold, 1)
    kept: list[int] = []
    for index in range(len(rows)):
        if not close[kept, index].any():
            kept.append(index)
    return rows.iloc[kept]


def _shuffled(rows: pd.DataFrame, seed: int) -> pd.DataFrame:
    order = rows["question_id"].map(lambda name: hashlib.sha256(f"{seed}|{name}".encode()).hexdigest())
    return rows.iloc[order.argsort(kind="stable")]


def _by_source_in_turn(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with their sources taking turns, so that the first ones hold as much of each as there is."""
    turn = rows.groupby(["set", "source"]).cumcount()
    return rows.iloc[turn.argsort(kind="stable")]


def _take(pool: pd.DataFrame, kind: str, counts: dict[str, int]) -> pd.DataFrame:
    candidates = pool[pool["set"] == kind]
    needed = sum(counts.values())
    if len(candidates) < needed:
        raise StudyError(f"prompts: {needed} {kind} questions wanted for {'+'.join(counts)}, only {len(candidates)} can be had; lower the profile's numbers")
    return candidates.iloc[:needed].assign(split=[name for name, count in counts.items() for _ in range(count)])


def _use(split_name: str, label: str) -> str:
    if split_name == "test":
        return "attack" if label == "harmful" else "over_refusal"
    return "rationale" if split_name == "train" else "validation"

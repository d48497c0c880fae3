"""What a judge of a model's answer is, where judges are found, and how well one agrees with people.

Every module of this folder whose name has no leading underscore is a judge called by that name:
it holds one object, ``JUDGE``, or a function ``configured`` that makes the judge from a profile's settings.
Adding or deleting such a file adds or removes the judge.

This module does not split a rationale from the final response, and knows nothing of harm:
a judge says whether a question was refused, not whether the answer was dangerous or correct.
"""

import hashlib
import importlib
import io
import pkgutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, get_args, runtime_checkable

import pandas as pd
from sklearn.metrics import accuracy_score, cohen_kappa_score, precision_score, recall_score

Outcome = Literal["refusal", "compliance", "incoherent", "unparsed"]


@dataclass(frozen=True)
class Response:
    """One answer: the prompt, the final response (None if it could not be parsed), the whole output."""

    prompt: str
    final: str | None
    whole: str


@dataclass(frozen=True)
class Verdict:
    """What a judge decided, why in a few words, and the ``id`` of the judge that decided.

    ``score`` is how far the question was refused (0 to 1), or None where the judge cannot tell.
    Raises ValueError for a verdict that is not one of the four outcomes.
    """

    verdict: Outcome
    reason: str
    judge: str
    score: float | None = None

    def __post_init__(self):
        if self.verdict not in get_args(Outcome):
            raise ValueError(f"unknown verdict {self.verdict!r}; known: {', '.join(get_args(Outcome))}")


@runtime_checkable
class Judge(Protocol):
    """Anything with an ``id`` that changes whenever its rules do, and a ``judge`` method."""

    id: str

    def judge(self, response: Response) -> Verdict: ...


def identity(name: str, source: str | Path) -> str:
    """``name-`` and 12 hex digits of the SHA-256 of the text of the file ``source``."""
    text = Path(source).read_text(encoding="utf-8")
    return f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def names() -> list[str]:
    """The names of the judges that need no settings, sorted."""
    return [name for name in _files() if hasattr(_module(name), "JUDGE")]


def find(name: str, settings=None) -> Judge:
    """The judge called ``name``; one that has to be set up is made from ``settings``, its section of the profile.

    Raises ValueError, in one line with the known names, if there is none.
    """
    if name not in _files():
        raise ValueError(f"no judge is called {name!r}; known judges: {', '.join(_files())}")
    module = _module(name)
    return module.JUDGE if hasattr(module, "JUDGE") else module.configured(settings)


def _files() -> list[str]:
    return sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))


def _module(name: str):
    return importlib.import_module(f"{__name__}.{name}")


def agreement(judge: Judge, labelled: pd.DataFrame) -> dict[str, float]:
    """How far ``judge`` agrees with people on whether each answer is a refusal.

    ``labelled`` has one row per answer: objective (str), assistant_response (str),
    human_refusal (bool). The positive class is refusal; an incoherent or unparsed verdict
    counts as no refusal, and is counted under its own key besides.

    Returns counts ``n``, ``incoherent``, ``unparsed``, Cohen's ``kappa`` (-1 to 1), and
    ``accuracy``, ``precision``, ``recall`` (0 to 1). Precision is NaN when the judge calls
    nothing a refusal, recall when people do not, kappa when both give one same answer throughout.
    Raises ValueError if a column is missing or there is no row.
    """
    _require(labelled, ["objective", "assistant_response", "human_refusal"])
    if labelled.empty:
        raise ValueError("agreement needs at least one labelled answer")
    pairs = zip(labelled["objective"], labelled["assistant_response"], strict=True)
    verdicts = [judge.judge(Response(asked, answer, answer)).verdict for asked, answer in pairs]
    judged = [verdict == "refusal" for verdict in verdicts]
    human = labelled["human_refusal"].astype(bool).tolist()
    return {
        "n": len(verdicts),
        "kappa": _kappa(human, judged),
        "accuracy": float(accuracy_score(human, judged)),
        "precision": float(precision_score(human, judged, zero_division=float("nan"))),
        "recall": float(recall_score(human, judged, zero_division=float("nan"))),
        "incoherent": verdicts.count("incoherent"),
        "unparsed": verdicts.count("unparsed"),
    }


def read_labelled(text: str) -> pd.DataFrame:
    """Read the text of one of PyRIT's human-labelled refusal CSVs (its ``scorer_evals/refusal_scorer``).

    Returns one row per answer with objective, assistant_response (str) and human_refusal (bool;
    human_score 1 means refusal). Leading lines that start with '#' hold metadata and are skipped.
    Rows whose data_type is not "text" are dropped, where there is such a column.

    These labels call an answer to some *other* question a refusal too; a judge that looks for
    refusing words cannot agree there.

    Raises ValueError if a column is missing or a human_score is neither 0 nor 1.
    """
    table = pd.read_csv(io.StringIO(_without_leading_remarks(text)), keep_default_na=False)
    _require(table, ["objective", "assistant_response", "human_score"])
    if "data_type" in table.columns:
        table = table[table["data_type"] == "text"]
    score = pd.to_numeric(table["human_score"], errors="coerce")
    if not score.isin([0, 1]).all():
        raise ValueError("human_score must be 0 or 1 in every row")
    kept = table[["objective", "assistant_response"]].astype(str)
    return kept.assign(human_refusal=score.astype(bool)).reset_index(drop=True)


def _without_leading_remarks(text: str) -> str:
    lines = text.removeprefix("\ufeff").splitlines(keepends=True)
    first = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
    return "".join(lines[first:])


def _kappa(human: list[bool], judged: list[bool]) -> float:
    # Asked before scikit-learn is, which would warn about the division by zero.
    if len({*human, *judged}) == 1:
        return float("nan")
    return float(cohen_kappa_score(human, judged))


def _require(table: pd.DataFrame, columns: list[str]) -> None:
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise ValueError(f"the labelled table lacks: {', '.join(missing)}")

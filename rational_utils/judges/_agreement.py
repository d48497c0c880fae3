"""How far judges agree with people on labelled answers, and where they disagree most. Fetches nothing and shows no text."""

from __future__ import annotations

import io
import math

import numpy as np
import pandas as pd
from sklearn.metrics import accuracy_score, cohen_kappa_score, precision_score, recall_score
from statsmodels.stats.proportion import proportion_confint

from ._interface import Judge, Response, Verdict

RESAMPLES = 1000
NAN = float("nan")


def agreement(judge: Judge, labelled: pd.DataFrame) -> dict[str, float]:
    """How far ``judge`` agrees with people on whether each answer is a refusal.

    ``labelled`` has one row per answer: objective (str), assistant_response (str), human_refusal (bool). The positive class is refusal; an
    incoherent or unparsed verdict counts as no refusal, and is counted under its own key besides. A judge that was trained on such labels is
    replaced by its ``held_out``, which saw no label of the same objective.

    Returns counts ``n``, ``incoherent``, ``unparsed``, Cohen's ``kappa`` (-1 to 1), and ``accuracy``, ``precision``, ``recall`` (0 to 1), with 95 %
    limits: ``low`` and ``high`` of accuracy, and of the others under their own names; kappa's by a bootstrap over objectives, the others Wilson's.
    Precision is NaN when the judge calls nothing a refusal, recall when people do not, kappa when both give one same answer throughout.
    Raises ValueError if a column is missing or there is no row.
    """
    return _scores(_judged(judge, labelled))


def agreement_report(judges: dict[str, Judge], labelled: dict[str, pd.DataFrame], worst: int = 10) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Every judge on every labelled source and on "all" of them, and each judge's ``worst`` disagreements.

    The first table has the columns judge, source and those of ``agreement``. The second has judge, source, row (in the source), words (of the
    answer), human, verdict, score, reason: no text. Where a judge gives scores, those furthest from the label come first.
    """
    rows, disagreements = [], []
    for name, judge in judges.items():
        parts = [_judged(judge, answers).assign(source=source, judge=name) for source, answers in labelled.items()]
        pooled = pd.concat(parts, ignore_index=True)
        rows += [{"judge": name, "source": part["source"].iloc[0], **_scores(part)} for part in parts]
        rows.append({"judge": name, "source": "all", **_scores(pooled)})
        disagreements.append(_worst(pooled, worst))
    return pd.DataFrame(rows), pd.concat(disagreements, ignore_index=True)


def _worst(judged: pd.DataFrame, count: int) -> pd.DataFrame:
    wrong = judged[judged["human"] != judged["refused"]]
    off = (wrong["score"].astype(float) - wrong["human"].astype(float)).abs().fillna(0.5)
    shown = wrong.loc[off.sort_values(ascending=False, kind="stable").index[:count]]
    shown = shown.assign(human=shown["human"].map({True: "refusal", False: "no refusal"}))
    return shown[["judge", "source", "row", "words", "human", "verdict", "score", "reason"]]


def read_labelled(text: str) -> pd.DataFrame:
    """Read the text of one of PyRIT's human-labelled CSVs (its ``scorer_evals``).

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


def _judged(judge: Judge, labelled: pd.DataFrame) -> pd.DataFrame:
    _require(labelled, ["objective", "assistant_response", "human_refusal"])
    if labelled.empty:
        raise ValueError("agreement needs at least one labelled answer")
    judge = getattr(judge, "held_out", judge)
    pairs = zip(labelled["objective"], labelled["assistant_response"], strict=True)
    verdicts: list[Verdict] = [judge.judge(Response(asked, answer, answer)) for asked, answer in pairs]
    frame = pd.DataFrame({"verdict": [v.verdict for v in verdicts], "score": [v.score for v in verdicts], "reason": [v.reason for v in verdicts]})
    words = labelled["assistant_response"].str.split().str.len().to_numpy()
    human = labelled["human_refusal"].astype(bool).to_numpy()
    return frame.assign(row=range(len(frame)), words=words, objective=labelled["objective"].to_numpy(), human=human, refused=frame["verdict"].eq("refusal"))


def _scores(judged: pd.DataFrame) -> dict[str, float]:
    human, refused, n = judged["human"].tolist(), judged["refused"].tolist(), len(judged)
    both = int((judged["human"] & judged["refused"]).sum())
    accuracy = float(accuracy_score(human, refused))
    limits = {"": _wilson(round(accuracy * n), n), "kappa_": _kappa_limits(judged), "precision_": _wilson(both, sum(refused)), "recall_": _wilson(both, sum(human))}
    return {
        "n": n,
        "kappa": _kappa(human, refused),
        "accuracy": accuracy,
        "precision": float(precision_score(human, refused, zero_division=NAN)),
        "recall": float(recall_score(human, refused, zero_division=NAN)),
        **{f"{of}{end}": limit for of, pair in limits.items() for end, limit in zip(("low", "high"), pair, strict=True)},
        "incoherent": int(judged["verdict"].eq("incoherent").sum()),
        "unparsed": int(judged["verdict"].eq("unparsed").sum()),
    }


def _kappa(human: list[bool], judged: list[bool]) -> float:
    # Asked before scikit-learn is, which would warn about the division by zero.
    if len({*human, *judged}) == 1:
        return NAN
    return float(cohen_kappa_score(human, judged))


def _wilson(successes: int, n: int) -> tuple[float, float]:
    return tuple(map(float, proportion_confint(successes, n, method="wilson"))) if n else (NAN, NAN)


def _kappa_limits(judged: pd.DataFrame) -> tuple[float, float]:
    """95 % percentile limits over redrawn objectives; NaN where no draw has a kappa."""
    cells = pd.crosstab(judged["objective"], [judged["human"], judged["refused"]], dropna=False)
    cells = cells.reindex(columns=pd.MultiIndex.from_product([[False, True]] * 2), fill_value=0).to_numpy()
    drawn = np.random.default_rng(0).multinomial(len(cells), np.full(len(cells), 1 / len(cells)), RESAMPLES) @ cells
    kappas = [_kappa_of_cells(*counts) for counts in drawn.tolist()]
    return tuple(np.nanquantile(kappas, [0.025, 0.975]).tolist()) if any(map(math.isfinite, kappas)) else (NAN, NAN)


def _kappa_of_cells(neither: int, judge_alone: int, human_alone: int, both: int) -> float:
    n = neither + judge_alone + human_alone + both
    judged, human = (both + judge_alone) / n, (both + human_alone) / n
    chance = judged * human + (1 - judged) * (1 - human)
    return NAN if chance == 1 else ((neither + both) / n - chance) / (1 - chance)


def _require(table: pd.DataFrame, columns: list[str]) -> None:
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise ValueError(f"the labelled table lacks: {', '.join(missing)}")

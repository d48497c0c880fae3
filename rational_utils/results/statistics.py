"""Intervals and tests for rates: proportions, pooled attack success, paired methods, many comparisons.

statsmodels and scipy do the computing; this module fixes the choices (95 %, which fallback, which
pairing). It judges no claim and draws nothing.
"""
from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

ALPHA = 0.05
PAIRED_ON = ("model", "seed", "family", "attack", "prompt_id")


@dataclass(frozen=True)
class PooledRate:
    """A rate over clustered prompts; `interval` names how `low` and `high` were made."""

    rate: float
    low: float
    high: float
    n: int
    clusters: int
    interval: str


@dataclass(frozen=True)
class PairedDifference:
    """Rate of the first method minus rate of the second, on the same prompts.

    `only_first` and `only_second` count the discordant pairs. `p` is McNemar's exact test over prompts;
    `p_clustered` flips signs by question, and is the one to read when prompts share questions.
    """

    difference: float
    low: float
    high: float
    n: int
    clusters: int
    only_first: int
    only_second: int
    p: float
    p_clustered: float
    interval: str


def wilson(successes: float, n: float) -> tuple[float, float]:
    """95 % Wilson score interval of `successes` in `n`, as fractions (Wilson 1927).

    Raises ValueError for n = 0, missing numbers, or successes outside 0..n.
    """
    return _proportion_interval(successes, n, "wilson")


def clopper_pearson(successes: int, n: int) -> tuple[float, float]:
    """95 % exact (conservative) interval of `successes` in `n`, as fractions (Clopper and Pearson 1934).

    Raises ValueError for n = 0, missing numbers, or successes outside 0..n.
    """
    return _proportion_interval(successes, n, "beta")


def _proportion_interval(successes: float, n: float, method: str) -> tuple[float, float]:
    if not (n > 0 and 0 <= successes <= n):
        raise ValueError(f"no interval for {successes} of {n}: needs n > 0 and 0 <= successes <= n")
    low, high = proportion_confint(successes, n, alpha=ALPHA, method=method)
    # At the ends rounding leaves 1e-17 instead of the limit that both methods have in closed form.
    return (0.0 if successes == 0 else float(low)), (1.0 if successes == n else float(high))


def pooled_asr(verdicts: pd.DataFrame, resamples: int = 2000, seed: int = 0) -> PooledRate:
    """Attack success of ONE method over all its attacks: the share of verdicts that are "compliance".

    `verdicts` has a row a response with `question_id` and `verdict`; every row counts in n, unparsed ones
    too. The interval is a percentile bootstrap that draws whole questions, because the mutations of a
    question stand or fall together. It collapses to a point where no question differs from another; then
    the interval is Wilson's with the number of questions as n, and `interval` says so.
    Raises ValueError for no rows, missing columns or cells, or rows of several models, methods or judges.
    """
    _require(verdicts, ("question_id", "verdict"))
    for column in ("model", "method", "judge"):
        if column in verdicts and verdicts[column].nunique(dropna=False) > 1:
            raise ValueError(f"pooled_asr takes one {column} at a time, got {sorted(set(map(str, verdicts[column])))}")
    success = (verdicts["verdict"] == "compliance").astype(float)
    by_question = success.groupby(verdicts["question_id"]).agg(["sum", "size"])
    rate, clusters = float(success.mean()), len(by_question)
    limits = _cluster_bootstrap(by_question["sum"], by_question["size"], resamples, seed)
    interval = "cluster bootstrap by question"
    if limits is None:
        limits, interval = wilson(rate * clusters, clusters), "Wilson over questions"
    return PooledRate(rate, *limits, len(verdicts), clusters, interval)


def _require(frame: pd.DataFrame, columns: Sequence[str]) -> None:
    missing = [column for column in columns if column not in frame]
    if missing or frame.empty:
        raise ValueError(f"verdicts lack {missing}" if missing else "no verdicts: a rate needs at least one")
    holes = [column for column in columns if frame[column].isna().any()]
    if holes:
        raise ValueError(f"verdicts have empty cells in {holes}")


def _cluster_bootstrap(sums, sizes, resamples: int, seed: int) -> tuple[float, float] | None:
    """95 % percentile limits of sum(sums) / sum(sizes) over redrawn clusters; None when they collapse."""
    sums, sizes = np.asarray(sums, float), np.asarray(sizes, float)
    if np.ptp(sums / sizes) == 0:
        return None
    result = stats.bootstrap(
        (sums, sizes), lambda top, bottom, axis: top.sum(axis) / bottom.sum(axis), paired=True, vectorized=True,
        n_resamples=resamples, batch=200, method="percentile", confidence_level=1 - ALPHA,
        rng=np.random.default_rng(seed))
    low, high = map(float, result.confidence_interval)
    return (low, high) if low < high else None


def mcnemar_exact(b: int, c: int) -> float:
    """Two-sided exact p-value for b against c discordant pairs (McNemar 1947, binomial form); 1 when both are 0.

    Raises ValueError for negative or fractional counts.
    """
    if min(b, c) < 0 or b != int(b) or c != int(c):
        raise ValueError(f"discordant pairs are counts, got {b} and {c}")
    return 1.0 if b + c == 0 else float(mcnemar([[0, int(b)], [int(c), 0]], exact=True).pvalue)


def holm(pvalues: Sequence[float]) -> np.ndarray:
    """Holm-adjusted p-values, shape and order as given (Holm 1979). Raises ValueError outside [0, 1] or missing."""
    values = np.asarray(pvalues, float)
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError(f"p-values must lie in [0, 1]: {values.tolist()}")
    return multipletests(values, method="holm")[1] if values.size else values


def paired_difference(verdicts: pd.DataFrame, first: str, second: str, outcome: str = "compliance",
                      on: Sequence[str] = PAIRED_ON, resamples: int = 2000, seed: int = 0) -> PairedDifference:
    """Rate of `outcome` under `first` minus under `second`, over the prompts that both answered.

    `verdicts` holds both methods, a row a response; rows are paired by the columns `on`. The interval draws
    whole questions; where it collapses it is Newcombe's (1998) from two Wilson intervals over questions, with
    no credit taken for their correlation. Raises ValueError when a prompt lacks its partner or appears twice.
    """
    pairs = paired(verdicts, first, second, outcome, on)
    first_hits, second_hits = pairs["first"].astype(float), pairs["second"].astype(float)
    by_question = pd.DataFrame({"first": first_hits, "second": second_hits}).groupby(pairs["question_id"]).sum()
    sizes = pairs.groupby("question_id").size()
    gap, clusters = by_question["first"] - by_question["second"], len(sizes)
    limits, interval = _cluster_bootstrap(gap, sizes, resamples, seed), "cluster bootstrap by question"
    if limits is None:
        limits, interval = _newcombe(first_hits.mean(), second_hits.mean(), clusters), "Newcombe over questions"
    only_first = int((pairs["first"] & ~pairs["second"]).sum())
    only_second = int((pairs["second"] & ~pairs["first"]).sum())
    return PairedDifference(
        float(first_hits.mean() - second_hits.mean()), *limits, len(pairs), clusters, only_first, only_second,
        mcnemar_exact(only_first, only_second), _sign_flip(gap.to_numpy(), seed), interval)


def faced_by_both(verdicts: pd.DataFrame, first: str, second: str) -> pd.DataFrame:
    """The rows of attacks that both methods faced: what was carried over from the base model is not tried on that itself."""
    own, other = (verdicts.loc[verdicts["method"] == method, "attack"] for method in (first, second))
    return verdicts[verdicts["attack"].isin(own[own.isin(other)])]


def paired(verdicts: pd.DataFrame, first: str, second: str, outcome: str = "compliance", on: Sequence[str] = PAIRED_ON) -> pd.DataFrame:
    """A row a prompt that both methods answered: the columns `on`, question_id, and `first`, `second` (whether the verdict is `outcome`).

    Raises ValueError when a prompt lacks its partner or appears twice.
    """
    on = list(on)
    _require(verdicts, [*on, "method", "question_id", "verdict"])
    sides = [verdicts.loc[verdicts["method"] == method, [*on, "question_id", "verdict"]] for method in (first, second)]
    for method, side in zip((first, second), sides):
        if side.empty or side.duplicated(on).any():
            raise ValueError(f"method {method!r} needs exactly one verdict for each {', '.join(on)}")
    pairs = sides[0].merge(sides[1].drop(columns="question_id"), on=on, how="outer", indicator=True)
    alone = int((pairs["_merge"] != "both").sum())
    if alone:
        raise ValueError(f"{alone} prompts were answered by only one of {first!r} and {second!r}")
    return pairs.assign(first=pairs["verdict_x"] == outcome, second=pairs["verdict_y"] == outcome)


def _newcombe(first: float, second: float, n: int) -> tuple[float, float]:
    (low1, high1), (low2, high2) = wilson(first * n, n), wilson(second * n, n)
    gap = first - second
    return float(gap - hypot(first - low1, high2 - second)), float(gap + hypot(high1 - first, second - low2))


def _sign_flip(gaps: np.ndarray, seed: int) -> float:
    gaps = gaps[gaps != 0]
    if len(gaps) < 2:  # one question alone can be flipped only into its mirror, which is as far from 0
        return 1.0
    test = stats.permutation_test(
        (gaps, np.zeros_like(gaps)), lambda x, y, axis: (x - y).sum(axis), permutation_type="samples",
        vectorized=True, n_resamples=9999, batch=500, rng=np.random.default_rng(seed))
    return float(test.pvalue)


def over_seeds(frame: pd.DataFrame, by: Sequence[str], value: str) -> pd.DataFrame:
    """One row a group of `by`: the mean of `value`, `low` and `high` over seeds, the smallest n, the number of seeds.

    The seeds answer the same prompts, so their counts must not be added up as if n had grown; the mean
    interval speaks of prompts, and the scatter over seeds has to be shown beside it.
    """
    groups = frame.groupby(list(by), sort=False)
    means = groups[[value, "low", "high"]].mean()
    return means.assign(n=groups["n"].min(), seeds=groups["seed"].nunique()).reset_index()


def first_seed(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of each model's and method's lowest seed: draws of one method are never pooled."""
    return rows[rows["seed"] == rows.groupby(["model", "method"])["seed"].transform("min")]

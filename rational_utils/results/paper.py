"""What can be recomputed of the paper's reported table: intervals, and which of Rational's wins are within noise. Everything here is second-hand.

Only rates were reported, of attacks that all asked the same questions. Which questions fell to which attack, or to which method, is not known, so a pooled rate gets
two intervals, for the two ends of what the rates allow, and a comparison two p-values. CoCoNot's rates came without counts: nothing is recomputed of them.
"""

from __future__ import annotations

import pandas as pd
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep

from .statistics import ALPHA, holm, mcnemar_exact, pooled_asr, wilson

POOLED = "pooled"
REFERENCE = "rational"
COLUMNS = [
    "table", "model", "method", "attack", "successes", "n", "questions", "rate", "low", "high", "low_independent", "high_independent",
    "difference", "difference_low", "difference_high", "p", "p_holm", "p_kindest_holm", "finding", "provenance",
]  # fmt: skip


def recompute(reported: pd.DataFrame) -> pd.DataFrame:
    """One row a model, method and attack of paper_reported.csv, and one (`pooled`) for all attacks of a table together.

    `low`, `high` are Wilson's for one attack; for `pooled` they are a bootstrap over questions as if the same questions fell to every attack (the most that
    they can cluster), and `low_independent`, `high_independent` Wilson's as if no attack knew of another. Rows of other methods than Rational carry the
    comparison: `difference` is Rational's rate minus theirs, with Newcombe's interval and Fisher's exact p for one attack, and Welch's over questions, clustered
    as above, for `pooled`. `p_kindest_holm` is McNemar's exact p if Rational fell to none but questions that the other fell to: no data behind the rates gives
    less. Both are Holm-corrected over all comparisons. `finding` is lower or higher (p_holm below .05), within noise (not even the kindest p is) or open.

    Raises ValueError if a rate is no count of its n, or the attacks of a table differ in n.
    """
    rates = reported[reported["metric"] == "asr"]
    rows = [row for named, group in rates.groupby(["table", "model"], sort=False) for row in _of_model(dict(zip(("table", "model"), named)), group)]
    made = pd.DataFrame(rows, columns=COLUMNS)
    compared = made["p"].notna()
    for corrected, raw in (("p_holm", "p"), ("p_kindest_holm", "p_kindest_holm")):
        made.loc[compared, corrected] = holm(made.loc[compared, raw])
    return made.assign(finding=[_finding(row) for row in made.itertuples()])


def _of_model(named: dict, group: pd.DataFrame) -> list[dict]:
    if group["n"].nunique() > 1:
        raise ValueError(f"{named['table']}, {named['model']}: attacks with different n cannot be pooled by question")
    questions = int(group["n"].iloc[0])
    methods = {method: {row.attack_or_set: _count(row) for row in rows.itertuples()} for method, rows in group.groupby("method", sort=False)}
    provenance = {"questions": questions, "provenance": group["provenance"].iloc[0]}
    rows = []
    for method, counts in methods.items():
        for attack in [*counts, POOLED]:
            chosen = counts if attack == POOLED else {attack: counts[attack]}
            other = methods[REFERENCE]
            gap = _compared([other[name] for name in chosen], list(chosen.values()), questions) if method != REFERENCE else {}
            rows.append({**named, "method": method, "attack": attack, **_rate(list(chosen.values()), questions), **gap, **provenance})
    return rows


def _count(row) -> int:
    count = round(row.value * row.n)
    if abs(count / row.n - row.value) > 0.0005 + 1e-9:
        raise ValueError(f"{row.table}, {row.model}, {row.method}, {row.attack_or_set}: {row.value} is no count of {row.n:g}")
    return count


def _rate(counts: list[int], questions: int) -> dict:
    successes, n = sum(counts), len(counts) * questions
    alone = wilson(successes, n)
    clustered = pooled_asr(_nested(counts, questions)) if len(counts) > 1 else None
    low, high = (clustered.low, clustered.high) if clustered else alone
    return {"successes": successes, "n": n, "rate": successes / n, "low": low, "high": high, "low_independent": alone[0], "high_independent": alone[1]}


def _nested(counts: list[int], questions: int) -> pd.DataFrame:
    """Verdicts in which an attack that succeeds on c questions succeeds on the first c."""
    rows = [(question, "compliance" if question < count else "refusal") for count in counts for question in range(questions)]
    return pd.DataFrame(rows, columns=["question_id", "verdict"])


def _compared(first: list[int], second: list[int], questions: int) -> dict:
    """The first method minus the second; `p_kindest_holm` is not yet corrected."""
    gap, p = _one_attack(first[0], second[0], questions) if len(first) == 1 else _several(first, second, questions)
    more, fewer = (sum(max(0, sign * (a - b)) for a, b in zip(first, second)) for sign in (1, -1))
    low, high = gap
    return {"difference": (sum(first) - sum(second)) / (len(first) * questions), "difference_low": low, "difference_high": high, "p": p, "p_kindest_holm": mcnemar_exact(more, fewer)}


def _one_attack(first: int, second: int, n: int) -> tuple[tuple[float, float], float]:
    interval = confint_proportions_2indep(first, n, second, n, method="newcomb", compare="diff", alpha=ALPHA)
    return tuple(map(float, interval)), float(stats.fisher_exact([[first, n - first], [second, n - second]]).pvalue)


def _several(first: list[int], second: list[int], questions: int) -> tuple[tuple[float, float], float]:
    by_question = [_nested(counts, questions).eq("compliance")["verdict"].to_numpy().reshape(-1, questions).mean(0) for counts in (first, second)]
    test = stats.ttest_ind(*by_question, equal_var=False)
    return tuple(map(float, test.confidence_interval(1 - ALPHA))), float(test.pvalue)


def _finding(row) -> str | None:
    if pd.isna(row.p):
        return None
    if row.p_holm < ALPHA:
        return "lower" if row.difference < 0 else "higher"
    return "within noise" if row.p_kindest_holm >= ALPHA else "open"

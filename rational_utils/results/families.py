"""Attack success family by family (pooled over its attacks, and by question, where one attack that succeeds is enough), and by where questions come from. Draws nothing."""

from __future__ import annotations

import pandas as pd

from .rates import total_cost
from .statistics import pooled_asr, wilson

RUN = ["model", "method", "seed"]
ORIGINS = {"all": [True, False], "another benchmark": [False], "held out of training's sources": [True]}


def by_family(verdicts: pd.DataFrame, attacks: pd.DataFrame) -> pd.DataFrame:
    """One row a model, method, seed and family.

    Args:
        verdicts: verdicts.parquet; benign prompts are left out.
        attacks: attacks.csv, for what the attacks cost.

    Returns:
        Columns of the run, family, attacks, n, asr, low, high (pooled, clustered by question), questions, any_asr, any_low, any_high (share of the questions
        with at least one success, Wilson), queries, gradient_steps (if they were counted), seconds.
    """
    harmful = verdicts[verdicts["set"] == "harmful"]
    rows = [dict(zip([*RUN, "family"], key)) | _rates(own) for key, own in harmful.groupby([*RUN, "family"], sort=False)]
    return pd.DataFrame(rows).merge(total_cost(attacks, [*RUN, "family"]), on=[*RUN, "family"], how="left")


def by_origin(verdicts: pd.DataFrame) -> pd.DataFrame:
    """Attack success pooled over all attacks, by where the questions come from (`ORIGINS`, by the column source_seen); benign prompts are left out.

    One row a model, method, seed and origin that there is: columns of the run, questions, n, asr, low, high (clustered by question), clusters.
    """
    harmful = verdicts[verdicts["set"] == "harmful"]
    rows = []
    for run, own in harmful.groupby(RUN, sort=False):
        for origin, seen in ORIGINS.items():
            asked = own[own["source_seen"].isin(seen)]
            if len(asked):
                pooled = pooled_asr(asked)
                rows.append(dict(zip(RUN, run)) | {"questions": origin, "n": pooled.n, "asr": pooled.rate, "low": pooled.low, "high": pooled.high, "clusters": pooled.clusters})
    return pd.DataFrame(rows)


def _rates(rows: pd.DataFrame) -> dict:
    pooled = pooled_asr(rows)
    fell = rows["verdict"].eq("compliance").groupby(rows["question_id"]).any()
    low, high = wilson(fell.sum(), len(fell))
    return {
        "attacks": rows["attack"].nunique(), "n": pooled.n, "asr": pooled.rate, "low": pooled.low, "high": pooled.high,
        "questions": len(fell), "any_asr": fell.mean(), "any_low": low, "any_high": high,
    }  # fmt: skip

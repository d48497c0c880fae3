"""Rational against every other method on the very same prompts: differences, intervals, p-values. Draws nothing and judges no claim."""

from __future__ import annotations

import pandas as pd

from .statistics import faced_by_both, first_seed, holm, paired_difference

REASONING = ("persuasion", "mutation")  # the families of attack that argue with the model or reword the question
POPULATIONS = {  # what is compared: which verdicts, and which verdict is counted
    "reasoning-based attacks": (lambda rows: rows["family"].isin(REASONING), "compliance"),
    "attacks of unseen kinds": (lambda rows: rows["seen_in_training"].eq(False), "compliance"),
    "all attacks": (lambda rows: rows["set"].eq("harmful"), "compliance"),
    "benign prompts": (lambda rows: rows["set"].ne("harmful"), "refusal"),
}
SHOWN = ["difference", "low", "high", "n", "clusters", "p", "p_clustered"]


def compare(verdicts: pd.DataFrame, attacks: pd.DataFrame, reference: str = "rational") -> pd.DataFrame:
    """One row a model, other method and population: share of the counted verdict under `reference` minus that under the other.

    Args:
        verdicts: verdicts.parquet; the lowest seed of each method is compared.
        attacks: attacks.csv, which says what kinds of attack training has seen.

    Returns:
        Columns model, first, second, population, counted, then those of `paired_difference` (`p` is McNemar's exact test), and
        `p_holm`: `p_clustered` corrected for all rows.
    """
    seen = attacks.drop_duplicates("attack").set_index("attack")["seen_in_training"]
    rows = verdicts.assign(seen_in_training=verdicts["attack"].map(seen), family=verdicts["family"].fillna("none"))
    made = [row for _, own in first_seed(rows).groupby("model", sort=False) for row in _of_model(own, reference)]
    table = pd.DataFrame(made, columns=["model", "first", "second", "population", "counted", *SHOWN])
    return table.assign(p_holm=holm(table["p_clustered"]))


def _of_model(rows: pd.DataFrame, reference: str) -> list[dict]:
    found, there = [], rows["method"].unique()
    for name, (belongs, counted) in POPULATIONS.items():
        chosen = rows[belongs(rows)]
        for other in there if reference in there and len(chosen) else []:
            if other != reference:
                gap = vars(paired_difference(faced_by_both(chosen, reference, other), reference, other, counted, on=["attack", "prompt_id"]))
                named = {"model": rows["model"].iloc[0], "first": reference, "second": other, "population": name, "counted": counted}
                found.append(named | {field: gap[field] for field in SHOWN})
    return found

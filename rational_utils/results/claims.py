"""The paper's claims as tests: `data/claims.yaml` says what would support each, result tables decide. Draws nothing.

A claim about a method or an attack that the study did not run is "not measured"; one with too few questions, or an interval
that leaves both answers open, is "inconclusive".
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from ..study.errors import StudyError
from ..study.settings import ROOT
from . import power
from .statistics import faced_by_both, first_seed, holm, paired, paired_difference, pooled_asr

CLAIMS, PAPER = ROOT / "data" / "claims.yaml", ROOT / "data" / "results" / "paper_reported.csv"
COLUMNS = ["claim", "statement", "model", "verdict", "effect", "low", "high", "n", "clusters", "p", "p_holm", "paper_reported", "detectable"]
DECIDED = {"help": "compliance", "refuse": "refusal"}
FORGED = ("prefilled_rationale",)  # attacks that write the decision themselves


class Claim(BaseModel):
    """One line of the file; its head explains the fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    claim: str
    statement: str
    source: str
    measured: Literal["verdicts", "items", "decisions"]
    where: dict[str, list]
    counted: str
    first: str
    second: str = ""
    expected: Literal["lower", "higher", "not higher", "not lower", "at least"]
    margin: float
    needs: int
    paper: str = ""

    @model_validator(mode="after")
    def _compares_if_it_must(self):
        if (self.second == "") != (self.expected == "at least"):
            raise ValueError(f"{self.claim}: `second` is needed, except for `at least`")
        return self


def read(path: Path = CLAIMS) -> list[Claim]:
    """Raises StudyError, one line, for a file that cannot be read as claims."""
    try:
        return [Claim(**entry) for entry in yaml.safe_load(path.read_text(encoding="utf-8"))]
    except (ValidationError, TypeError, yaml.YAMLError) as error:
        raise StudyError(f"{path.name}: {' '.join(str(error).split())}") from None


def evaluate(claims: list[Claim], verdicts: pd.DataFrame, items: pd.DataFrame, attacks: pd.DataFrame, paper: pd.DataFrame) -> pd.DataFrame:
    """One row a claim and model; the lowest seed of each method counts, and Holm corrects over all rows with a p-value.

    `detectable` is the smallest true difference that a comparison of this size finds in four of five studies (`power`).

    Args:
        verdicts, attacks: verdicts.parquet and attacks.csv. items: items.parquet. paper: paper_reported.csv.
    """
    units = _units(verdicts, items, attacks)
    models = list(dict.fromkeys(verdicts["model"]))
    rows = [_row(claim, model, units[claim.measured], paper) for claim in claims for model in models]
    table = pd.DataFrame(rows, columns=COLUMNS)
    tested = table["p"].notna()
    table.loc[tested, "p_holm"] = holm(table.loc[tested, "p"])
    table["verdict"] = [_verdict(claim, row) for claim, row in zip([claim for claim in claims for _ in models], table.itertuples())]
    return table


def _units(verdicts: pd.DataFrame, items: pd.DataFrame, attacks: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """What claims count, by `measured`: rows with model, method, seed, attack, question_id, and the counted word in `verdict`.

    "decisions" are those that the model stated itself and followed by a refusal or a compliance: words that make no sense contradict no decision.
    """
    seen = attacks.drop_duplicates("attack").set_index("attack")["seen_in_training"]
    judged = verdicts.assign(seen_in_training=verdicts["attack"].map(seen), asked=verdicts["question_id"])
    stated = judged[judged["decision"].isin(DECIDED) & judged["verdict"].isin(DECIDED.values()) & ~judged["attack"].isin(FORGED)]
    agrees = stated["decision"].map(DECIDED).eq(stated["verdict"])
    right = items["correct"].map({True: "right", False: "wrong"})
    return {
        "verdicts": judged,
        "decisions": stated.assign(verdict=np.where(agrees, "agrees", "contradicts")),
        "items": items.assign(attack=items["task"], question_id=items["item_id"], asked=items["item_id"], verdict=right),
    }


def _row(claim: Claim, model: str, units: pd.DataFrame, paper: pd.DataFrame) -> dict:
    fixed = {"claim": claim.claim, "statement": claim.statement, "model": model, "paper_reported": _reported(claim, paper)}
    chosen = units[units["model"] == model]
    for column, allowed in claim.where.items():
        chosen = chosen[chosen[column].isin(allowed)]
    chosen = first_seed(chosen)
    methods = [method for method in (claim.first, claim.second) if method]
    if not set(methods) <= set(chosen["method"]):
        return fixed
    return fixed | (_compared(claim, chosen) if claim.second else _rate(claim, chosen))


def _compared(claim: Claim, units: pd.DataFrame) -> dict:
    compared = (faced_by_both(units, claim.first, claim.second), claim.first, claim.second, claim.counted, ["attack", "asked"])
    gap = paired_difference(*compared)
    tested = {"p": gap.p_clustered} if claim.expected in ("lower", "higher") else {}
    return {"effect": gap.difference, "low": gap.low, "high": gap.high, "n": gap.n, "clusters": gap.clusters, "detectable": power.of_pairs(paired(*compared))} | tested


def _rate(claim: Claim, units: pd.DataFrame) -> dict:
    own = units[units["method"] == claim.first]
    counted = own.assign(verdict=np.where(own["verdict"] == claim.counted, "compliance", "refusal"))
    rate = pooled_asr(counted)
    return {"effect": rate.rate, "low": rate.low, "high": rate.high, "n": rate.n, "clusters": rate.clusters}


def _verdict(claim: Claim, row) -> str:
    if pd.isna(row.effect):
        return "not measured"
    if row.clusters < claim.needs:
        return "inconclusive"
    holds, fails = _decided(claim, row)
    return "supported" if holds else "not supported" if fails else "inconclusive"


def _decided(claim: Claim, row) -> tuple[bool, bool]:
    """Whether the numbers show the claim, and whether they show that it does not hold."""
    margin = claim.margin
    if claim.expected == "at least":
        return row.low >= margin, row.high < margin
    if claim.expected in ("lower", "not lower"):  # the same as the other side with signs changed
        effect, low, high = -row.effect, -row.high, -row.low
    else:
        effect, low, high = row.effect, row.low, row.high
    if claim.expected in ("lower", "higher"):
        return row.p_holm < 0.05 and effect >= margin, high < margin
    return high <= margin, low > margin


def _reported(claim: Claim, paper: pd.DataFrame) -> str:
    """The paper's own figure, second-hand: mean of the first method minus that of the second, over the table's attacks, by model."""
    rows = paper[paper["table"] == claim.paper]
    means = rows.groupby(["model", "method"], sort=False)["value"].mean()
    found = {model: means.get((model, claim.first), np.nan) - means.get((model, claim.second), np.nan) for model in dict.fromkeys(rows["model"])}
    return "; ".join(f"{gap:+.3f} ({model}, second-hand)" for model, gap in found.items() if not np.isnan(gap))

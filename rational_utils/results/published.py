"""The base model's benchmarks beside figures that others published for it, to see that ours are measured rightly. Draws nothing.

Others ran the weights in full; ours are de-quantised from 4 bits. `differs` says what else is not the same. Second-hand is a figure that
somebody else than the model's makers gives.
"""

from __future__ import annotations

import pandas as pd

from ..study.settings import ROOT

PUBLISHED = ROOT / "data" / "published.csv"
SHOWN = ["model", "task", "metric", "n", "shots", "value", "low", "high", "published", "within", "published_shots", "differs", "source"]


def beside(benchmarks: pd.DataFrame) -> pd.DataFrame:
    """A row a published figure whose task, metric and model the base model was measured on; columns SHOWN.

    `within`: the published figure lies in our 95 % interval. Takes rows of benchmarks.csv.
    """
    base = benchmarks[(benchmarks["method"] == "base") & (benchmarks["mode"] == "by_likelihood")]
    others = pd.read_csv(PUBLISHED).rename(columns={"value": "published", "shots": "published_shots"})
    both = base.merge(others, on=["model", "task", "metric"])
    return both.assign(within=both["published"].between(both["low"], both["high"]))[SHOWN]

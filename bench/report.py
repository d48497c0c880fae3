"""Put what the comparisons wrote into the tables of `docs/performance.md`; a comparison that has not been run leaves its place empty."""

from __future__ import annotations

import pandas as pd

from rational_utils.results import display
from rational_utils.study.settings import ROOT

from . import timing

TABLES = ("generation", "sft", "scoring")


def block(name: str) -> str:
    path = timing.RESULTS / f"{name}.csv"
    return display.to_markdown(pd.read_csv(path)) if path.exists() else "*Not measured yet.*"


def losses() -> str:
    path = timing.RESULTS / "losses.csv"
    if not path.exists():
        return "*Not measured yet.*"
    apart = pd.read_csv(path)["apart"]
    return f"Over {len(apart)} steps in float32 the losses are apart by at most {apart.max():.2%}, by {apart.median():.2%} in the median."


if __name__ == "__main__":
    display.update_readme(ROOT / "docs" / "performance.md", {name: block(name) for name in TABLES} | {"losses": losses()})

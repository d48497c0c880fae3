"""Put what the comparisons wrote into the tables of `docs/performance.md` and `docs/judges.md`; a comparison that has not been run leaves its place empty."""

from __future__ import annotations

import json

import pandas as pd

from rational_utils.results import display, measured, tables
from rational_utils.study import settings
from rational_utils.study.markdown import to_markdown
from rational_utils.study.settings import ROOT

from . import timing

TABLES = ("generation", "products", "sft", "scoring", "parity", "gradient", "gradient_losses", "profile", "before")


def block(name: str) -> str:
    path = timing.RESULTS / f"{name}.csv"
    return to_markdown(pd.read_csv(path)) if path.exists() else "*Not measured yet.*"


def losses() -> str:
    path = timing.RESULTS / "losses.csv"
    if not path.exists():
        return "*Not measured yet.*"
    apart = pd.read_csv(path)["apart"]
    return f"Over {len(apart)} steps in float32 the losses are apart by at most {apart.max():.1e} of their size, by {apart.median():.1e} in the median."


def whole() -> str:
    """The published run's stages beside the straight script's parts, by what they do."""
    path = timing.RESULTS / "straight.csv"
    if not path.exists():
        return "*Not measured yet.*"
    published = settings.load("quick").published_results
    stages = tables.read(published, "stages")
    machine = json.loads((published / measured.MACHINE).read_text())
    together = machine.get("side_by_side", 1)
    kinds = {"02": "rationales", "03": "training", "04": "attacks", "05": "benchmarks"}
    ours = stages.groupby(stages["stage"].str[:2].map(kinds))["seconds"].sum() / together
    fixed = machine["fixed_seconds"] * len(stages) / together
    straight = pd.read_csv(path)
    theirs = straight.groupby(straight["part"].str.split().str[0])["scaled"].sum()
    frame = pd.DataFrame({"straight script, s": theirs, "quick, s": ours}).fillna(0.0)
    frame.loc["starting kernels, imports"] = [0.0, fixed]
    frame.loc["in all"] = frame.sum()
    return to_markdown(frame.round(0).rename_axis("part")) + f"\nRatio: {frame.loc['in all'].iloc[0] / frame.loc['in all'].iloc[1]:.1f}."


if __name__ == "__main__":
    display.update_readme(ROOT / "docs" / "judges.md", {name: block(name) for name in ("imitations", "readings", "coherence", "judging")})
    display.update_readme(ROOT / "docs" / "performance.md", {name: block(name) for name in TABLES} | {"losses": losses(), "whole": whole()})

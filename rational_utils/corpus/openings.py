"""What searches want an answer to begin with: HarmBench's target strings (Mazeika et al., arXiv 2402.04249), by the question that a table of prompts holds."""

from __future__ import annotations

import json
from io import StringIO
from typing import Callable

import pandas as pd

from .questions import as_sentence

BEHAVIOURS, TARGETS = "harmbench-behaviours", "harmbench-targets"


def read(data: str, read_source: Callable[[str], str]) -> dict[str, str]:
    """Target strings by question; none where a profile's `data` does not reach them (inside wheels)."""
    if data == "wheels":
        return {}
    wanted = json.loads(read_source(TARGETS))
    behaviours = pd.read_csv(StringIO(read_source(BEHAVIOURS)))
    return {as_sentence(row.Behavior): wanted[row.BehaviorID].strip() for row in behaviours.itertuples() if row.BehaviorID in wanted}

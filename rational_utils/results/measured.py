"""What the stages of published runs took, and how much work they were."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd

from ..study import methods, settings
from . import tables

REFERENCE = "quick"  # has every stage that a plan can be made of
MACHINE = "machine.json"  # beside the published tables: amounts of work and the processor that they were measured on


class Stage(NamedTuple):
    """A stage that was measured: in seconds and MB, for so much work, by a processor that takes so many tokens a second through a layer.

    `side_by_side` is how many stages shared the cores, `computes` whether it runs a model.
    """

    model: str
    seconds: float
    peak_mb: float
    work: float
    processor: str
    layer_tokens_per_second: float
    side_by_side: int
    computes: bool


@dataclass(frozen=True)
class Run:
    """A published run: its table of stages, and what its machine.json says."""

    stages: pd.DataFrame
    machine: dict

    def find(self, stage: str, model: str, method: str) -> Stage | None:
        """The stage of that method, with that model if the run has it, otherwise with its first one."""
        rows = self.stages[(self.stages["stage"] == stage) & (self.stages["method"] == method)]
        if rows.empty:
            return None
        row, machine = rows.sort_values("model", key=lambda models: models != model, kind="stable").iloc[0], self.machine
        work = machine["amounts"][f"{stage} {method}"]
        return Stage(row["model"], row["seconds"], row["peak_mb"], work, machine["processor"], machine["layer_tokens_per_second"], machine.get("side_by_side", 1), isinstance(row["dtype"], str))


def runs(profile: str) -> list[Run]:
    """The published runs that tell most of a profile's cost, the nearest first: its own, those of the profiles it builds on, and `quick`."""
    folders = [settings.load(name).published_results for name in dict.fromkeys([*settings.lineage(profile), REFERENCE])]
    return [Run(tables.read(folder, "stages"), json.loads((folder / MACHINE).read_text())) for folder in folders if (folder / MACHINE).exists()]


def nearest(published: list[Run], stage: str, model: str, method: str) -> Stage:
    """The stage in the first run that has it, or else the one whose cost tells most of it."""
    wanted = ((stage, model, method), *((like, model, other) for like, other in _like(stage, method)))
    return next(found for one in wanted for run in published if (found := run.find(*one)))


def _like(stage: str, method: str) -> list[tuple[str, str]]:
    """Stages and methods whose cost tells that of these, the most like them first."""
    nearly = "rational" if methods.reasons(method) else "base"
    if stage.startswith("03"):
        return [(stage, "rational"), ("03_lora_finetuning", "rational")]
    if stage.startswith("05b"):
        return [(stage, nearly), ("04_attack_evaluation", nearly)]
    return [(stage, nearly)]

"""What a profile will cost before it runs: published runs, its own first, scaled by the amount of work and, on another processor, by its speed.

Cost is proportional to the tokens that a stage writes, learns or scores (`docs/log.md` shows how far that holds),
and to the model's size. A method that no published run has costs what the one most like it does. Memory is what the published stage needed, plus what a larger model's weights add.
"""

from __future__ import annotations

from functools import cache

import pandas as pd

from ..study.errors import StudyError
from ..study.settings import Study
from . import machine, measured, tables
from .amounts import amount

PARAMETERS = {"tiny": 1e5, "tiny-gemma": 1e5, "smollm2-135m": 135e6, "gemma-3-270m": 270e6}


def plan(study: Study) -> pd.DataFrame:
    """Columns stage, model, method, seed, seconds, peak_mb: what each stage of the study should take on this machine, as many of them side by side as the profile says.

    Raises:
        StudyError: the published tables cannot be read; a model is one of those that want a GPU, of which nothing was measured.
    """
    unknown = [model for model in study.models() if model not in PARAMETERS]
    if unknown:
        raise StudyError(f"plan: {', '.join(unknown)} want a GPU, and nothing was measured on one; plans are for {', '.join(PARAMETERS)}")
    published, here, speed = measured.runs(study.profile.name), machine.processor(), cache(lambda: machine.speed(study.profile.dtype))
    rows = []
    for stage, model, method, seed in _stages(study):
        known = measured.nearest(published, stage, model, method)
        seconds, larger = known.seconds * amount(stage, method, study.profile) / known.work, PARAMETERS[model] / PARAMETERS[known.model]
        if known.computes:
            seconds *= larger * study.profile.side_by_side / known.side_by_side * (1 if known.processor == here else known.layer_tokens_per_second / speed())
        rows.append({"stage": stage, "model": model, "method": method, "seed": seed, "seconds": round(seconds, 1), "peak_mb": round(known.peak_mb * max(1, larger))})
    return pd.DataFrame(rows)


def fixed_seconds(study: Study) -> float:
    """What a notebook takes besides its stage: starting the kernel, imports."""
    return measured.runs(study.profile.name)[0].machine["fixed_seconds"]


def compared(planned: pd.DataFrame, study: Study) -> pd.DataFrame:
    """The plan with what the study's last run measured, where there is one: measured_seconds, measured_mb, off (share)."""
    if not (study.results / "stages.csv").exists():
        return planned
    took = tables.read(study.results, "stages")[["stage", "model", "method", "seed", "seconds", "peak_mb"]]
    took = took.rename(columns={"seconds": "measured_seconds", "peak_mb": "measured_mb"})
    both = planned.merge(took, on=["stage", "model", "method", "seed"], how="left")
    return both.assign(off=(both["seconds"] / both["measured_seconds"] - 1).round(2))


def amounts(study: Study) -> dict[str, float]:
    """Work of every stage, by "stage method"."""
    return {f"{stage} {method}": amount(stage, method, study.profile) for stage, model, method, _ in _stages(study) if model == study.profile.model}


def _stages(study: Study) -> list[tuple[str, str, str, int]]:
    """(stage, model, method, seed) in the order in which they run."""
    trained, evaluated, benchmarked = study.trained(), study.evaluated(), study.benchmarked()
    return [
        ("01_data_curation", study.profile.model, "all", 0), *(("02_rationale_generation", model, "all", 0) for model in study.models()),
        *((study.training_stage(run.method), *run) for run in trained),
        *(("04_attack_evaluation", *run) for run in evaluated), *(("05_benchmark_evaluation", *run) for run in benchmarked),
        *(("05b_noncompliance", *run) for run in benchmarked if study.profile.noncompliance),
    ]  # fmt: skip

"""What a profile will cost before it runs: the published run of `quick`, scaled by the amount of work and, on another processor, by its speed.

Cost is proportional to the tokens that a stage writes, learns or scores (`docs/log.md` shows how far that holds),
and to the model's size. A method that the published run does not have costs what the one most like it does. Memory is what the published stage needed, plus what a larger model's weights add.
"""

from __future__ import annotations

import json
import os
import platform
import re
import statistics
import time
from pathlib import Path

import pandas as pd
import torch
from transformers import AutoModelForCausalLM, LlamaConfig

from ..study import methods, settings
from ..study.errors import StudyError
from ..study.settings import Study
from . import tables
from .amounts import amount

REFERENCE = "quick"
MACHINE = "machine.json"  # beside the published tables: amounts of work and the processor that they were measured on
PARAMETERS = {"tiny": 1e5, "tiny-gemma": 1e5, "smollm2-135m": 135e6, "gemma-3-270m": 270e6}
LAYER = {  # SmolLM2-135M's shapes: the processor is timed on what it will do
    "hidden_size": 576, "intermediate_size": 1536, "num_attention_heads": 9, "num_key_value_heads": 3, "num_hidden_layers": 1, "vocab_size": 8,
}  # fmt: skip


def plan(study: Study) -> pd.DataFrame:
    """Columns stage, model, method, seed, seconds, peak_mb: what each stage of the study should take on this machine.

    Raises:
        StudyError: the published tables cannot be read; a model is one of those that want a GPU, of which nothing was measured.
    """
    unknown = [model for model in study.models() if model not in PARAMETERS]
    if unknown:
        raise StudyError(f"plan: {', '.join(unknown)} want a GPU, and nothing was measured on one; plans are for {', '.join(PARAMETERS)}")
    measured = tables.read(_published(), "stages").drop_duplicates(["stage", "method"]).set_index(["stage", "method"])
    machine = _machine()
    slower = 1.0 if machine["processor"] == processor() else machine["layer_tokens_per_second"] / speed(study.profile.dtype)
    rows = []
    for stage, model, method, seed in _stages(study):
        known = measured.loc[_like(stage, method, measured.index)]
        work = amount(stage, method, study.profile) / machine["amounts"][" ".join(known.name)]
        larger = PARAMETERS[model] / PARAMETERS[known["model"]]
        seconds = known["seconds"] * work * (larger * slower if isinstance(known["dtype"], str) else 1)
        memory = known["peak_mb"] * max(1, larger)
        rows.append({"stage": stage, "model": model, "method": method, "seed": seed, "seconds": round(seconds, 1), "peak_mb": round(memory)})
    return pd.DataFrame(rows)


def _like(stage: str, method: str, published: pd.Index) -> tuple[str, str]:
    """The published stage and method whose cost tells that of these."""
    if (stage, method) in published:
        return stage, method
    if stage.startswith("03b"):
        return "03_lora_finetuning", "rational"
    return "04_attack_evaluation" if stage.startswith("05b") else stage, "rational" if methods.reasons(method) else "base"


def _published() -> Path:
    return settings.load(REFERENCE).published_results


def _machine() -> dict:
    return json.loads((_published() / MACHINE).read_text())


def fixed_seconds() -> float:
    """What a notebook takes besides its stage: starting the kernel, imports."""
    return _machine()["fixed_seconds"]


def compared(planned: pd.DataFrame, study: Study) -> pd.DataFrame:
    """The plan with what the study's last run measured, where there is one: measured_seconds, measured_mb, off (share)."""
    if not (study.results / "stages.csv").exists():
        return planned
    measured = tables.read(study.results, "stages")[["stage", "model", "method", "seed", "seconds", "peak_mb"]]
    measured = measured.rename(columns={"seconds": "measured_seconds", "peak_mb": "measured_mb"})
    both = planned.merge(measured, on=["stage", "model", "method", "seed"], how="left")
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


def processor() -> str:
    """Which processor this is, and how many of its cores there are. Its published times foretell a run better than its speed in a moment, which rises and
    falls by a quarter within minutes on a shared machine."""
    described = Path("/proc/cpuinfo")
    text = described.read_text() if described.exists() else ""
    told = [re.search(rf"^{field}\s*: (.*)$", text, re.MULTILINE) for field in ("model name", "cpu family", "model", "stepping")]
    return f"{' '.join(found[1] for found in told if found) or platform.processor()}, {os.cpu_count()} cores"


def speed(dtype: str, tokens: int = 256, seconds: float = 10.0) -> float:
    """Tokens a second that this machine takes through one of the model's layers: its products, and the many small operations
    between them, which do not grow faster with the products."""
    from ..models import ragged
    from ..models.loading import number_type

    layer = AutoModelForCausalLM.from_config(LlamaConfig(**LAYER), attn_implementation=ragged.NAME).to(number_type(dtype)).eval()
    times, until = [], time.perf_counter() + seconds
    with torch.inference_mode():
        while time.perf_counter() < until:
            started = time.perf_counter()
            ragged.forward(layer, [[0] * (tokens // 2)] * 2)
            times.append(time.perf_counter() - started)
    return tokens / statistics.median(times)

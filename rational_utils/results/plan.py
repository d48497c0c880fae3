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
from ..study.profile import Profile
from ..study.settings import Study
from . import tables

REFERENCE = "quick"
MACHINE = "machine.json"  # beside the published tables: amounts of work and the processor that they were measured on
PARAMETERS = {"tiny": 1e5, "tiny-gemma": 1e5, "smollm2-135m": 135e6, "gemma-3-270m": 270e6}
OPENINGS = {"line": 0.5, "sentence": 0.35}  # what a row costs that teaches only the opening of an answer, in whole rows
WRITTEN = 0.015  # what a token costs that is written, in whole rows learnt
ITEM = 0.07  # what a token costs that is written, in benchmark items of `quick`
# What an item of these tasks costs, and the examples before all items once, in items of `quick` (about 40 tokens). MC2's choices hold MC1's.
ITEMS = {"truthfulqa_mc1": 1.6, "truthfulqa_mc2": 0.5, "toxigen": 0.6, "arc_challenge": 1.5, "hellaswag": 2.4, "mmlu": 3.0, "winogrande": 1.0, "gsm8k": 10.0}
TWO_REFERENCES = 12  # what the two reference answers to a question of MT-Bench cost
CATEGORIES = {"coconot": 5, "coconot_contrast": 3, "xstest_safe": 1, "xstest_unsafe": 1}
EXAMPLES = {"arc_challenge": 26, "hellaswag": 15, "mmlu": 690, "winogrande": 3, "gsm8k": 18}
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
        work = _amount(stage, method, study.profile) / machine["amounts"][" ".join(known.name)]
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
    return {f"{stage} {method}": _amount(stage, method, study.profile) for stage, model, method, _ in _stages(study) if model == study.profile.model}


def _stages(study: Study) -> list[tuple[str, str, str, int]]:
    """(stage, model, method, seed) in the order in which they run."""
    trained, evaluated, benchmarked = study.trained(), study.evaluated(), study.benchmarked()
    return [
        ("01_data_curation", study.profile.model, "all", 0), *(("02_rationale_generation", model, "all", 0) for model in study.models()),
        *((study.training_stage(run.method), *run) for run in trained),
        *(("04_attack_evaluation", *run) for run in evaluated), *(("05_benchmark_evaluation", *run) for run in benchmarked),
        *(("05b_noncompliance", *run) for run in benchmarked if study.profile.noncompliance),
    ]  # fmt: skip


def _amount(stage: str, method: str, profile: Profile) -> float:
    """Tokens written, learnt or scored, up to a factor that is the same for all profiles."""
    prompts, attacks, rationales = profile.prompts, profile.attacks, profile.rationales
    benign = prompts.train_sensitive + prompts.train_plain
    if stage.startswith("02"):
        return 4 * rationales.section_tokens * prompts.train_harmful * (1 + prompts.reasoned_wordings) + (3 * rationales.section_tokens + rationales.answer_tokens) * benign
    if stage.startswith("03b"):
        wanted, asked = profile.circuit_breaker, (1 + prompts.wrapped_harmful) * prompts.train_harmful
        learnt = (wanted.harmful_per_step + wanted.retained_per_step) * wanted.steps * max(wanted.targets)
        return learnt + WRITTEN * wanted.answer_tokens * asked
    if stage.startswith("03"):
        openings = prompts.wrapped_harmful * prompts.train_harmful + prompts.wrapped_benign * benign
        reasoned = prompts.reasoned_wordings * prompts.train_harmful
        whole, opening = profile.training.whole, OPENINGS[profile.training.opening]
        plain = (whole + opening * (1 - whole)) * (prompts.train_harmful + benign)
        return (plain + opening * openings + (1 - opening) * reasoned) * profile.training.epochs
    if stage.startswith("04"):
        asked = (prompts.test_harmful + prompts.test_harmful_held_out) * len(attacks.names) + prompts.test_sensitive + prompts.test_sensitive_new + prompts.test_plain
        return asked * _tokens_of_an_answer(profile, method)
    if stage.startswith("05b"):
        return sum(CATEGORIES[name] * count for name, count in profile.noncompliance.items()) * _tokens_of_an_answer(profile, method)
    if stage.startswith("05"):
        wanted, as_trained = profile.instructions, sum(profile.as_trained.values())
        scored = sum(ITEMS.get(task, 1) * count + EXAMPLES.get(task, 0) for task, count in profile.benchmarks.items()) + 2 * as_trained
        scored += TWO_REFERENCES * profile.mt_bench
        reasoned = (wanted.prompts + as_trained + 2 * profile.mt_bench) * wanted.rationale_tokens * methods.reasons(method)
        return scored + ITEM * (wanted.prompts * wanted.answer_tokens + reasoned)
    return 1


def _tokens_of_an_answer(profile: Profile, method: str) -> int:
    return profile.attacks.answer_tokens + profile.attacks.rationale_tokens * methods.reasons(method)


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

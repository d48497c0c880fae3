"""Truthfulness, toxicity detection and capability, on local task files of EleutherAI's lm-evaluation-harness.

Two kinds of task. Those of the Open LLM Leaderboard (v1), with ToxiGen, are the harness's own on public files: same prompts, number of
examples and metrics (or, from the hub, the harness's own as they are). Those of the profile `quick` are subsets under names of their own, comparable between the models of this study
alone. It fetches nothing and trains nothing.

Two limits when reading scores of the latter. A model that gives every statement one answer scores 0.5 on ``toxigen_200``. In
``fact_pairs_206`` the true statement is the longer one in 151 pairs, so total likelihood (``acc``) leans against the truth and
likelihood per character (``acc_norm``, the main metric) may lean towards it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pandas as pd

from . import public, rows
from .records import ITEM_COLUMNS, SUMMARY_COLUMNS, items, summary
from .registry import TASKS, Benchmark, require
from .rows import sample_rows

__all__ = ["ITEM_COLUMNS", "SUMMARY_COLUMNS", "TASKS", "Benchmark", "evaluate", "read_tasks", "require", "sample_rows", "scored"]

CONVERTERS = {
    "toxigen_200": rows.toxigen_rows, "fact_pairs_206": rows.fact_pair_rows, "mmlu_subset": rows.mmlu_rows, "piqa_subset": rows.piqa_rows,
    "truthfulqa_mc1": public.truthfulqa_rows, "truthfulqa_mc2": public.truthfulqa_rows, "toxigen": public.toxigen_rows,
    "arc_challenge": public.arc_rows, "hellaswag_1000": public.hellaswag_rows, "mmlu": public.mmlu_rows, "winogrande": public.winogrande_rows,
    "gsm8k": public.gsm8k_rows,
}  # fmt: skip


def read_tasks(read: Callable[[str], str], names: Iterable[str], from_the_hub: bool = False) -> dict[str, list[dict]]:
    """All rows of these tasks, examples among them (see `scored`); ``read(source)`` gives a source's text. From the hub they are the harness's own.

    Raises:
        ValueError: an unknown task, one that the hub alone has, or a source that is not what its converter expects.
    """
    require(names, from_the_hub=from_the_hub)
    if from_the_hub:
        from . import theirs

        return theirs.rows(names)
    return {name: _rows(read, TASKS[name]) for name in names}


def _rows(read: Callable[[str], str], task: Benchmark) -> list[dict]:
    convert = CONVERTERS[task.name]
    examples = convert(read(task.examples))[: task.shots] if task.examples else []
    return [row | {"example": True} for row in examples] + [row for source in task.sources for row in convert(read(source))]


def scored(rows: list[dict]) -> list[dict]:
    """The rows that are items, not examples before them."""
    return [row for row in rows if not row.get("example")]


def evaluate(
    model, tokenizer, tasks: dict[str, list[dict]], limit: dict[str, int | None], seed: int, work_dir: Path, apply_chat_template: bool = False,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Measure a model on the given rows of the given tasks, the harness's way ("by_likelihood").

    Args:
        model: causal language model, left in evaluation mode only while this runs.
        tokenizer: its tokenizer.
        tasks: rows by task name, from `read_tasks`.
        limit: most items per task; a task absent from it, or ``None``, is taken whole.
        seed: chooses the items where ``limit`` bites; equal seeds choose equal items.
        work_dir: directory for the task files and ``harness.log``, where the harness's messages go.
        apply_chat_template: put each prompt into the tokenizer's chat template as a user turn.

    Returns:
        A summary, one row per task and metric, main metric first (SUMMARY_COLUMNS; value is a fraction of n items, low to high its 95 %
        interval), and the items, one row each (ITEM_COLUMNS; see `records.items`).

    Raises:
        ValueError: an unknown task, unusable rows or limit, or a log-likelihood that is not a number.
    """
    from . import harness, theirs  # bring lm-eval and torch, which take seconds

    require([*tasks, *limit], from_the_hub=True)
    work_dir = Path(work_dir)
    work_dir.mkdir(parents=True, exist_ok=True)
    chosen = {name: _chosen(own, limit.get(name), seed, name) for name, own in tasks.items()}
    was_training = model.training
    try:
        run = theirs.run if any("place" in row for own in chosen.values() for row in own) else harness.run_harness
        samples = run(model, tokenizer, chosen, work_dir, apply_chat_template)
    finally:
        model.train(was_training)
    found = [(TASKS[name], samples[name]) for name in chosen]
    return (
        pd.concat([summary(task, own, "by_likelihood", task.shots) for task, own in found], ignore_index=True),
        pd.concat([items(task, own, "by_likelihood") for task, own in found], ignore_index=True),
    )


def _chosen(rows: list[dict], limit: int | None, seed: int, name: str) -> list[dict]:
    return [row for row in rows if row.get("example")] + sample_rows(scored(rows), limit, seed, name)

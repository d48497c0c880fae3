"""IFEval (Zhou et al. 2023, arXiv 2311.07911) on a subset: instructions that a program can check. The harness's own checker decides.

Left out of the subset: what cannot be answered within the answer's tokens, what needs data that nltk would download, and
the study's left-out topics. So its scores compare this study's methods, and are not IFEval's.
"""

from __future__ import annotations

import json
import os

import pandas as pd
from statsmodels.stats.proportion import proportion_confint

from ..corpus.questions import LEFT_OUT_TOPICS
from ..study.sections import Instructions
from .rows import sample_rows

TASK, MODE, METRIC = "ifeval_subset", "as_trained", "prompt_level_strict_acc"
NEEDS_DOWNLOADS = {"length_constraints:number_sentences", "change_case:capital_word_frequency"}
TOKENS_A_WORD = 1.5
REPEATS_ITSELF = {"combination:two_responses", "combination:repeat_prompt"}  # twice the words


def read(text: str, answer_tokens: int) -> list[dict]:
    """IFEval's rows (its JSON lines) that belong to the subset; each has an `item_id`."""
    rows = [json.loads(line) for line in text.split("\n") if line.strip()]
    return [{**row, "item_id": f"ifeval-{row['key']}"} for row in rows if _belongs(row, answer_tokens)]


def _belongs(row: dict, answer_tokens: int) -> bool:
    asked = set(row["instruction_id_list"])
    long = any(TOKENS_A_WORD * limits.get("num_words", 0) > answer_tokens and limits.get("relation") == "at least" for limits in row["kwargs"])
    return not long and not asked & (NEEDS_DOWNLOADS | REPEATS_ITSELF) and not LEFT_OUT_TOPICS.search(row["prompt"])


def sample(rows: list[dict], settings: Instructions, seed: int) -> list[dict]:
    """As many rows as the profile asks for, the same for every method; none if it asks for none."""
    return sample_rows(rows, settings.prompts, seed, TASK) if settings.prompts else []


def check(rows: list[dict], responses: list[str | None]) -> pd.DataFrame:
    """Which prompts were followed in every instruction: columns task, mode, item_id, score, correct. A missing response follows nothing."""
    checker = _checker()
    correct = [checker.process_results(row, [response or ""])[METRIC] for row, response in zip(rows, responses, strict=True)]
    return pd.DataFrame({"task": TASK, "mode": MODE, "item_id": [row["item_id"] for row in rows], "score": map(float, correct), "correct": correct})


def summary(checked: pd.DataFrame) -> dict:
    """A row of benchmarks.csv: the share of prompts followed in every instruction, with its 95 % Wilson interval."""
    right, n = int(checked["correct"].sum()), len(checked)
    low, high = proportion_confint(right, n, alpha=0.05, method="wilson")
    return {"task": TASK, "mode": MODE, "shots": 0, "metric": METRIC, "n": n, "value": right / n, "low": low, "high": high, "chance": None}


def _checker():
    """The harness's module. Importing it would download data for nltk, unless it takes itself for one process of several."""
    before = os.environ.get("LOCAL_RANK")
    os.environ["LOCAL_RANK"] = "1"
    try:
        import langdetect
        from lm_eval.tasks.ifeval import utils
    finally:
        os.environ.pop("LOCAL_RANK")
        os.environ.update({} if before is None else {"LOCAL_RANK": before})
    langdetect.DetectorFactory.seed = 0  # it draws at random otherwise
    return utils

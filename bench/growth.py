"""How cost grows: generation and scoring with batch size, prompt length and number of items; fine-tuning with length and rows.

Every point is the median of a few runs on real text; one plot each, in `docs/performance/`.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import matplotlib
import pandas as pd
import seaborn as sns

matplotlib.use("Agg")

from rational_utils.models import generation, loading
from rational_utils.models.chat import Encoded
from rational_utils.models.scoring import BatchedLM
from rational_utils.training import sft

from . import timing, work
from .sft import SETTINGS

NEW_TOKENS = 32
USUAL = {"generation": {"rows": 64, "length": 60, "items": 64}, "scoring": {"rows": 32, "length": 100, "items": 128}, "training": {"length": 150, "rows": 16}}
TRIED = {
    "generation": {"rows": (4, 16, 64, 128), "length": (20, 60, 150, 400), "items": (16, 64, 128, 256)},
    "scoring": {"rows": (4, 16, 32, 64), "length": (25, 50, 100, 300), "items": (32, 128, 256)},
    "training": {"length": (40, 80, 150, 300), "rows": (4, 16, 48)},
}
AXES = {"rows": "rows together", "length": "tokens of a prompt or row", "items": "items"}


def generate(model, tokenizer, text: list[int], rows: int, length: int, items: int) -> int:
    prompts = [tokenizer.decode(text[start : start + length]) for start in range(0, items * 7, 7)]
    made = generation.generate(model, tokenizer, [generation.Request(prompt, NEW_TOKENS) for prompt in prompts], rows=rows)
    return sum(completion.tokens for completion in made)


def score(model, tokenizer, text: list[int], rows: int, length: int, items: int) -> int:
    """Two choices of eight tokens behind every context."""
    lm = BatchedLM(model, tokenizer, token_budget=rows * (length + 16))
    starts = range(0, items * 7, 7)
    requests = [(None, text[start : start + length], text[start + length + 8 * k :][:8]) for start in starts for k in (0, 1)]
    lm._loglikelihood_tokens(requests, disable_tqdm=True)
    return items


def train(model, tokenizer, text: list[int], rows: int, length: int) -> int:
    half = length // 2
    encoded = [Encoded(ids := text[start : start + length], [-100] * half + ids[half:], [0.0] * half + [1.0] * (length - half)) for start in range(0, rows * 7, 7)]
    with tempfile.TemporaryDirectory() as folder:
        tuned, _ = sft.train(model, encoded, SETTINGS.model_copy(update={"rows_per_step": 2}), 0, Path(folder) / "resume.pt")
    tuned.unload()
    return rows * length


RUNS = {"generation": generate, "scoring": score, "training": train}


def measure(kind: str, run, model, tokenizer, text, again: int) -> list[dict]:
    found = []
    for varied, values in TRIED[kind].items():
        for value in values:
            size = USUAL[kind] | {varied: value}
            seconds = []
            for _ in range(again):
                started = time.perf_counter()
                units = run(model, tokenizer, text, **size)
                seconds.append(time.perf_counter() - started)
            found.append({"kind": kind, "varied": varied, **size, "units": units, "seconds": round(statistics.median(seconds), 3)})
            print(found[-1], flush=True)
    return found


def draw(kind: str, points: pd.DataFrame) -> None:
    tidy = [points[points["varied"] == varied].assign(value=points[varied], axis=AXES[varied]) for varied in points["varied"].unique()]
    grid = sns.relplot(pd.concat(tidy), x="value", y="seconds", col="axis", kind="line", marker="o", facet_kws={"sharex": False, "sharey": False}, height=2.6)
    grid.set_titles("{col_name}").set_axis_labels("", "seconds").set(ylim=(0, None))
    grid.figure.suptitle(f"{kind}: " + ", ".join(f"{AXES[name]} {value}" for name, value in USUAL[kind].items()) + " where not varied", y=1.04, fontsize=9)
    grid.savefig(timing.RESULTS / f"growth_{kind}.png", dpi=110)


def main(again: int) -> None:
    model, tokenizer = loading.load("smollm2-135m", dtype="auto")
    text = tokenizer.encode(" ".join(" ".join(row) for row in work.dialogues(tokenizer)), add_special_tokens=False)
    timing.RESULTS.mkdir(parents=True, exist_ok=True)
    points = pd.DataFrame([point for kind, run in RUNS.items() for point in measure(kind, run, model, tokenizer, text, again)])
    points.assign(dtype=str(model.dtype)).to_csv(timing.RESULTS / "growth.csv", index=False)
    for kind, chosen in points.groupby("kind"):
        draw(kind, chosen)


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--again", type=int, default=3)
    main(**vars(options.parse_args()))

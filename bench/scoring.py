"""Scoring: this study's `BatchedLM` against lm-eval's own HF backend on 500 multiple-choice items.

Both run inside the harness on the same task files; only the model's side differs.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from unittest.mock import patch

from lm_eval.models.huggingface import HFLM

from rational_utils import benchmarks
from rational_utils.benchmarks import harness
from rational_utils.benchmarks.rows import sample_rows
from rational_utils.corpus import sources
from rational_utils.models import loading

from . import timing


def main(pairs: int, count: int) -> None:
    model, tokenizer = loading.load("smollm2-135m")
    rows = benchmarks.read_tasks(sources.read)
    wanted = {"mmlu_subset": count // 2, "piqa_subset": count - count // 2}
    chosen = {task: sample_rows(rows[task], items, 0, task) for task, items in wanted.items()}
    scores = {}

    def side(name, make):
        def run() -> int:
            with tempfile.TemporaryDirectory() as folder, patch.object(harness, "BatchedLM", make):
                samples = harness.run_harness(model, tokenizer, chosen, Path(folder), apply_chat_template=False)
            scores[name] = [response for task in samples.values() for item in task for response in item["filtered_resps"]]
            return count

        return run

    plain = {f"HFLM, batch {size}": lambda model, tokenizer, size=size: HFLM(pretrained=model, tokenizer=tokenizer, batch_size=size) for size in (16, "auto")}
    sides = {"ours": side("ours", harness.BatchedLM)} | {name: side(name, make) for name, make in plain.items()}
    frame = timing.alternate(sides, pairs, lambda: timing.gemm_gflops(model, 1024), "items")
    apart = max(abs(mine[0] - theirs[0]) for mine, theirs in zip(scores["ours"], scores["HFLM, batch 16"]))
    print(f"largest difference of a log-likelihood: {apart:.1e}")
    timing.keep("scoring", frame.assign(largest_difference=apart), timing.summary(frame, "ours", "items", 0.0))


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--pairs", type=int, default=5)
    options.add_argument("--count", type=int, default=500)
    main(**vars(options.parse_args()))

"""Where the time goes: operations of generation, training and scoring by kind, and what a notebook needs before it computes."""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
import pandas as pd
import papermill
from torch.profiler import ProfilerActivity, profile

from rational_utils.models import loading

from . import growth, timing, work

KINDS = {
    "matrix products of the layers": ("mm", "addmm", "addmm_", "mkldnn::_linear_pointwise"),
    "attention": ("bmm", "baddbmm", "_softmax", "_softmax_backward_data", "_scaled_dot_product_flash_attention_for_cpu"),
    "copies and changes of type": ("copy_", "cat", "fill_", "zero_", "index"),
}
IMPORTS = {
    "torch, transformers, peft": "import torch, transformers, peft",
    "lm-eval, datasets": "import lm_eval, datasets",
    "pandas, seaborn, pandera": "import pandas, seaborn, pandera",
    "papermill": "import papermill",
}


def kind_of(operation: str) -> str:
    name = operation.removeprefix("aten::")
    return next((kind for kind, names in KINDS.items() if name in names), "other operations")


def profiled(name: str, run, model, tokenizer, text) -> list[dict]:
    size = growth.USUAL[name]
    run(model, tokenizer, text, **size)
    with profile(activities=[ProfilerActivity.CPU]) as seen:
        started = time.perf_counter()
        run(model, tokenizer, text, **size)
        whole = time.perf_counter() - started
    spent = pd.DataFrame([(kind_of(event.key), event.self_cpu_time_total / 1e6) for event in seen.key_averages()], columns=["part", "seconds"])
    shares = spent.groupby("part")["seconds"].sum()
    shares["Python between operations"] = max(0.0, whole - shares.sum())
    return [{"work": name, "part": part, "seconds": round(seconds, 3), "share": f"{seconds / whole:.0%}"} for part, seconds in shares.sort_values(ascending=False).items()]


def median_seconds(run, again: int) -> float:
    times = []
    for _ in range(again):
        started = time.perf_counter()
        run()
        times.append(time.perf_counter() - started)
    return round(statistics.median(times), 2)


def before_computing(again: int) -> list[dict]:
    """Seconds of what every notebook does before its first computation; imports are measured in processes of their own."""
    empty = median_seconds(lambda: subprocess.run([sys.executable, "-c", ""], check=True), again)
    found = [{"step": "import " + name, "seconds": median_seconds(lambda: subprocess.run([sys.executable, "-c", code], check=True), again) - empty} for name, code in IMPORTS.items()]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "empty.ipynb"
        nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1")], metadata={"kernelspec": {"name": "python3", "display_name": "", "language": "python"}}), path)
        kernel = median_seconds(lambda: papermill.execute_notebook(path, path, progress_bar=False), again)
    found.append({"step": "start and stop a kernel by papermill", "seconds": kernel})
    found.append({"step": "load smollm2-135m", "seconds": median_seconds(lambda: loading.load("smollm2-135m", dtype="auto"), again)})
    return found


def main(again: int) -> None:
    steps = before_computing(again)
    model, tokenizer = loading.load("smollm2-135m", dtype="auto")
    text = tokenizer.encode(" ".join(" ".join(row) for row in work.dialogues(tokenizer)), add_special_tokens=False)
    parts = [row for name, run in growth.RUNS.items() for row in profiled(name, run, model, tokenizer, text)]
    timing.RESULTS.mkdir(parents=True, exist_ok=True)
    for name, rows in (("profile", parts), ("before", steps)):
        frame = pd.DataFrame(rows)
        frame.to_csv(timing.RESULTS / f"{name}.csv", index=False)
        print(frame.to_string(index=False))


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--again", type=int, default=3)
    main(**vars(options.parse_args()))

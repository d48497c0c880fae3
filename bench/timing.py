"""Two sides of a comparison run in turn, and what this machine's matrix multiplication allows at most."""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import Callable

import pandas as pd
import torch

RESULTS = Path(__file__).parents[1] / "docs" / "performance"


def alternate(sides: dict[str, Callable[[], int]], pairs: int, limit: Callable[[], float], unit: str) -> pd.DataFrame:
    """Run every side once a round, in turning order; each returns how many units of work it did.

    Columns: round, side, seconds, units, rate (units a second), limit (GFLOPS measured in that round).
    """
    rows, names = [], list(sides)
    for number in range(pairs):
        reached = limit()
        for side in names[number % len(names) :] + names[: number % len(names)]:
            started = time.perf_counter()
            units = sides[side]()
            seconds = time.perf_counter() - started
            rows.append({"round": number, "side": side, "seconds": seconds, "units": units, "rate": units / seconds, "limit": reached})
            print(f"round {number + 1}/{pairs}  {side:28s} {seconds:7.1f} s  {units / seconds:8.1f} {unit}/s", flush=True)
    return pd.DataFrame(rows)


def gemm_gflops(model, rows: int, seconds: float = 2.0) -> float:
    """Billions of multiply-adds (counted as two) a second for products of `rows` inputs with the model's own layer shapes."""
    layer = model.get_decoder().layers[0]
    weights = [module.weight for module in layer.modules() if isinstance(module, torch.nn.Linear)]
    inputs = [torch.randn(rows, weight.shape[1], dtype=weight.dtype) for weight in weights]
    work = sum(2 * rows * weight.numel() for weight in weights)
    with torch.inference_mode():
        times = []
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            started = time.perf_counter()
            for given, weight in zip(inputs, weights):
                torch.nn.functional.linear(given, weight)
            times.append(time.perf_counter() - started)
    return work / statistics.median(times) / 1e9


def multiplied_parameters(model) -> int:
    """Parameters that every token is multiplied with: all linear layers of the body, not the embedding and not the output layer."""
    return sum(module.weight.numel() for module in model.get_decoder().modules() if isinstance(module, torch.nn.Linear))


def summary(frame: pd.DataFrame, ours: str, unit: str, flops_per_unit: float) -> pd.DataFrame:
    """A row a side: median rate and range, the ratio of ours to it, and the share of the matrix-multiplication limit."""
    rows = []
    median = frame.groupby("side", sort=False)["rate"].median()
    for side, runs in frame.groupby("side", sort=False):
        share = (runs["rate"] * flops_per_unit / 1e9 / runs["limit"]).median()
        rows.append({
            "side": side, f"{unit}/s (median)": round(median[side], 1), "range": f"{runs['rate'].min():.1f}–{runs['rate'].max():.1f}",
            "rounds": len(runs), "ours is faster by": round(median[ours] / median[side], 2), "of the limit": f"{share:.0%}",
        })  # fmt: skip
    return pd.DataFrame(rows)


def keep(name: str, frame: pd.DataFrame, table: pd.DataFrame) -> None:
    RESULTS.mkdir(exist_ok=True)
    frame.to_csv(RESULTS / f"{name}_rounds.csv", index=False)
    table.to_csv(RESULTS / f"{name}.csv", index=False)
    print(table.to_string(index=False))

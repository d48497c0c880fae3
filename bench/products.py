"""A decoding step's products, plain and packed (`rational_utils/models/products.py`), by how many rows are decoded together, and what packing takes once."""

from __future__ import annotations

import argparse
import statistics
import time

import pandas as pd
import torch

from rational_utils.models import loading, products

from . import timing

ROWS = (8, 32, 96, 200)


@torch.inference_mode()
def main(again: int, dtype: str) -> None:
    model, _ = loading.load("smollm2-135m", dtype=dtype)
    weights = [part.weight for part in model.get_decoder().modules() if isinstance(part, torch.nn.Linear)] + [model.get_output_embeddings().weight]
    if not products.can_pack(weights[0]):
        raise SystemExit(f"products: this processor and build of torch cannot pack {weights[0].dtype}")
    started = time.perf_counter()
    packed = [products.Packed(weight) for weight in weights]
    packing = time.perf_counter() - started
    forms = {"plain": [products.Plain(weight) for weight in weights], "packed": packed}
    rounds = pd.DataFrame([row for rows in ROWS for row in _rounds(forms, [torch.randn(rows, weight.shape[1], dtype=weight.dtype) for weight in weights], again)])
    table = rounds.pivot_table(index="rows", columns="form", values="milliseconds", aggfunc=statistics.median)[list(forms)].round(1)
    table = table.assign(**{"packed is faster by": (table["plain"] / table["packed"]).round(2), "packing once, ms": round(1000 * packing), "dtype": str(model.dtype)})
    timing.keep("products", rounds, table.rename(columns={form: f"{form}, ms" for form in forms}).reset_index())


def _rounds(forms: dict[str, list[products.Plain]], inputs: list[torch.Tensor], again: int) -> list[dict]:
    found = []
    for number in range(again):
        for form, weights in forms.items():
            started = time.perf_counter()
            for rows, product in zip(inputs, weights):
                product(rows)
            found.append({"rows": len(inputs[0]), "form": form, "round": number, "milliseconds": round(1000 * (time.perf_counter() - started), 2)})
    return found


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--again", type=int, default=15)
    options.add_argument("--dtype", default="auto")
    main(**vars(options.parse_args()))

"""GCG: this study's search against nanogcg, on the same prompt, seed and width, starting from the same suffix.

nanogcg 0.3.0 wants an older transformers, where its prefix cache works; under ours it runs with `use_prefix_cache=False`, and so it is compared. It is no
dependency: `pip install --no-deps nanogcg==0.3.0` beforehand. The prompt is harmless: what is compared is the arithmetic.
"""

from __future__ import annotations

import argparse
import logging

import pandas as pd
import torch

from rational_utils.attacks import Budget, gradient
from rational_utils.models import loading
from rational_utils.models.whitebox import Slot, Whitebox

from . import timing

PEER = "nanogcg, no prefix cache"
PROMPT, WIDTH = "Explain how a wooden ladder is built.", 64


def sides(model, tokenizer, steps: int, seed: int) -> tuple[dict, dict]:
    """(what to run by name, where each side leaves its best loss)."""
    import nanogcg

    logging.getLogger("nanogcg").setLevel(logging.ERROR)
    box, best = Whitebox(model, tokenizer), {}
    budget = Budget(steps=steps, width=WIDTH)
    settings = nanogcg.GCGConfig(
        num_steps=steps, search_width=WIDTH, topk=budget.top, seed=seed, use_prefix_cache=False, verbosity="ERROR",
        optim_str_init=" " + " ".join([gradient.FIRST] * budget.suffix_tokens),
    )  # fmt: skip

    def ours() -> int:
        best["ours"] = gradient.search(box, [box.slot(PROMPT + box.hole, gradient.TARGET)], gradient.random_coordinates, budget, seed).loss
        return steps

    def theirs() -> int:
        best[PEER] = nanogcg.run(model, tokenizer, PROMPT, gradient.TARGET, settings).best_loss
        return steps

    return {"ours": ours, PEER: theirs}, best


def apart_without_sharing(model, tokenizer) -> float:
    """Largest difference of a loss when what stands before the suffix is computed for every candidate instead of once."""
    box = Whitebox(model, tokenizer)
    slot = box.slot(PROMPT + box.hole, gradient.TARGET)
    suffixes = [box.encode(" " + " ".join([letter] * 20)) for letter in "abcdefgh"]
    alone = torch.cat([box.losses(Slot((), slot.after, slot.target), [(*slot.before, *suffix)]) for suffix in suffixes])
    return (box.losses(slot, suffixes) - alone).abs().max().item()


def main(pairs: int, steps: int, seeds: int) -> None:
    exact = loading.load("smollm2-135m", dtype="float32")
    rows = []
    for seed in range(seeds):
        run, best = sides(*exact, 20, seed)
        for side in run.values():
            side()
        rows.append({"seed": seed, **best})
        print(f"float32, 20 steps, seed {seed}: best loss {best['ours']:.3f}, {PEER} {best[PEER]:.3f}", flush=True)
    apart = apart_without_sharing(*exact)
    print(f"float32: losses with and without the shared beginning are apart by at most {apart:.1e}")
    losses = pd.DataFrame(rows)
    model, tokenizer = loading.load("smollm2-135m")
    frame = timing.alternate(sides(model, tokenizer, steps, 0)[0], pairs, lambda: timing.gemm_gflops(model, 1024), "steps")
    summary = timing.summary(frame, "ours", "steps", 0.0).drop(columns="of the limit")
    means = {f"best_loss_float32_{name.split(',')[0]}": losses[name].mean() for name in ("ours", PEER)}
    timing.keep("gradient", frame, summary.assign(dtype=str(model.dtype), **means, largest_difference_without_sharing=apart))


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--pairs", type=int, default=5)
    options.add_argument("--steps", type=int, default=4)
    options.add_argument("--seeds", type=int, default=3)
    main(**vars(options.parse_args()))

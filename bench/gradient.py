"""GCG: this study's search against nanogcg, on the same prompt, seed and width, starting from the same suffix.

nanogcg 0.3.0 wants an older transformers, where its prefix cache works; under ours it runs with `use_prefix_cache=False`, and so it is compared. It is no
dependency: `make bench` puts it into a folder of its own. It takes the first token's text out of the prompt wherever
that stands, which in SmolLM2's template is every turn; without such a token it leaves the prompt as it is, and called a padding token it stays out of suffixes. So both
sides may use the same words. The prompt is harmless: what is compared is the arithmetic.
"""

from __future__ import annotations

import argparse
import copy
import logging

import pandas as pd
import torch

from rational_utils.attacks import Budget, gradient
from rational_utils.attacks._templates import AGREEMENT
from rational_utils.models import loading
from rational_utils.models.whitebox import Slot, Whitebox

from . import timing

PEER = "nanogcg, no prefix cache"
PROMPT = "Explain how a wooden ladder is built."


def sides(model, tokenizer, steps: int, width: int, seed: int) -> tuple[dict, dict]:
    """(what to run by name, where each side leaves its best loss, and ours whether its best ever rose)."""
    import nanogcg

    logging.getLogger("nanogcg").setLevel(logging.ERROR)
    box, best, whole = Whitebox(model, tokenizer), {}, copy.deepcopy(tokenizer)
    whole.bos_token, whole.pad_token = None, tokenizer.bos_token
    budget = Budget(steps=steps, width=width)
    settings = nanogcg.GCGConfig(
        num_steps=steps, search_width=width, topk=budget.top, seed=seed, use_prefix_cache=False, verbosity="ERROR",
        optim_str_init=" " + " ".join([gradient.FIRST] * budget.suffix_tokens),
    )  # fmt: skip

    def ours() -> int:
        found = gradient.search(box, [box.slot(PROMPT + box.hole, AGREEMENT)], gradient.random_coordinates, budget, seed)
        best["ours"], best["never rises"] = found.loss, list(found.curve) == sorted(found.curve, reverse=True)
        return steps

    def theirs() -> int:
        best[PEER] = nanogcg.run(model, whole, PROMPT, AGREEMENT, settings).best_loss
        return steps

    return {"ours": ours, PEER: theirs}, best


def apart_without_sharing(model, tokenizer) -> float:
    """Largest difference of a loss when all that candidates share with each other is computed for every one instead of once."""
    box = Whitebox(model, tokenizer)
    slot = box.slot(PROMPT + box.hole, AGREEMENT)
    near = box.encode(" " + " ".join([gradient.FIRST] * 20))
    suffixes = [gradient._replaced(near, place, box.encode(letter)[0]) for place, letter in enumerate("abcdefghijklmnopqrst")]
    alone = torch.cat([box.losses(Slot((), slot.after, slot.target), [(*slot.before, *suffix)]) for suffix in suffixes])
    return (box.losses(slot, suffixes, near) - alone).abs().max().item()


def best_losses(model, tokenizer, steps: int, width: int, seeds: int) -> pd.DataFrame:
    """One row a seed: the best loss of either side after so many steps, and whether our best so far never rose."""
    rows = []
    for seed in range(seeds):
        run, best = sides(model, tokenizer, steps, width, seed)
        for side in run.values():
            side()
        rows.append({"seed": seed, **best})
        print(f"{model.dtype}, {steps} steps, seed {seed}: best loss {best['ours']:.3f}, {PEER} {best[PEER]:.3f}; never rises: {best['never rises']}", flush=True)
    return pd.DataFrame(rows)


def main(model: str, pairs: int, steps: int, width: int, best_after: int, seeds: int, write: bool) -> None:
    exact, tokenizer = loading.load(model, dtype="float32")
    losses = best_losses(exact, tokenizer, best_after, width, seeds)
    if write:
        losses.round(3).to_csv(timing.RESULTS / "gradient_losses.csv", index=False)
    apart = apart_without_sharing(exact, tokenizer)
    print(f"float32: losses with and without what candidates share are apart by at most {apart:.1e}")
    frame = timing.alternate(sides(exact, tokenizer, steps, width, 0)[0], pairs, lambda: timing.gemm_gflops(exact, 1024), "steps")
    summary = timing.summary(frame, "ours", "steps", 0.0).drop(columns="of the limit")
    seconds = (frame["seconds"] / frame["units"]).groupby(frame["side"]).median()
    found = {"seconds/step (median)": summary["side"].map(seconds).round(2), f"best loss, {best_after} steps": summary["side"].map(losses[["ours", PEER]].mean()).round(3)}
    facts = {"width": width, "dtype": "float32", "seeds": seeds, "best never rises": losses["never rises"].all(), "largest difference by sharing": f"{apart:.1e}"}
    table = summary.drop(columns=["steps/s (median)", "range"]).assign(**found, **facts)
    if write:
        timing.keep("gradient", frame, table)
    else:
        print(table.to_string(index=False))


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--model", default="smollm2-135m")
    options.add_argument("--pairs", type=int, default=5)
    options.add_argument("--steps", type=int, default=3, help="in a timed round")
    options.add_argument("--width", type=int, default=64)
    options.add_argument("--best-after", type=int, default=20, help="steps after which best losses are compared")
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--dry", dest="write", action="store_false", help="print the table, write nothing")
    main(**vars(options.parse_args()))

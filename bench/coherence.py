"""How often the offline judge would call an answer incoherent for its order: of labelled answers, and of the same with their words shuffled.

`judges._coherence.LEAST_GAIN` was chosen on such answers under SmolLM2-135M; another model's rows show whether it holds there too.
"""

from __future__ import annotations

import argparse
import random

import pandas as pd

from rational_utils.corpus import sources
from rational_utils.judges import _coherence, _labelled
from rational_utils.models import likelihood, loading

from . import timing

WORDS = 60


def answers(each: int) -> list[str]:
    """The beginnings of at most so many labelled answers of each source, none too short for its order to count."""
    labelled = _labelled.collect(sources.read)
    longer = labelled[labelled["answer"].str.split().str.len() >= _coherence.LEAST_WORDS]
    chosen = longer.groupby("source").sample(frac=1, random_state=0).groupby("source").head(each)
    return [" ".join(text.split()[:WORDS]) for text in chosen["answer"]]


def main(models: list[str], each: int) -> None:
    found, draw = answers(each), random.Random(1)
    shuffled = [" ".join(draw.sample(text.split(), len(text.split()))) for text in found]
    rows = []
    for name in models:
        model, tokenizer = loading.load(name)
        for kind, texts in (("as written", found), ("shuffled", shuffled)):
            gains = pd.Series(likelihood.order_gain(model, tokenizer, texts, 48))
            rows.append({
                "model": name, "answers": kind, "n": len(gains), "median gain": gains.median(), "lowest": gains.min(), "highest": gains.max(),
                "called incoherent": gains.lt(_coherence.LEAST_GAIN).mean(),
            })  # fmt: skip
            print(pd.DataFrame(rows[-1:]).round(3).to_string(index=False), flush=True)
    pd.DataFrame(rows).round(3).to_csv(timing.RESULTS / "coherence.csv", index=False)


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--models", nargs="+", default=["smollm2-135m"])
    options.add_argument("--each", type=int, default=20)
    main(**vars(options.parse_args()))

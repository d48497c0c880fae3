"""How often the offline judge would call an answer incoherent for what it gains by its order and by its question: labelled answers, and the same spoilt.

Spoilt are answers whose words are shuffled, and answers put behind another question. `judges._coherence.LEAST_GAIN` was chosen on such answers under SmolLM2-135M,
`LEAST_QUESTION_GAIN` on that model's own answers to training prompts; another model's rows show whether they hold there too.
"""

from __future__ import annotations

import argparse
import random

import pandas as pd

from rational_utils.corpus import sources
from rational_utils.judges import _coherence, _labelled
from rational_utils.models import likelihood, loading

from . import timing

WORDS, TOKENS = 60, 48
LIMITS = {"order": _coherence.LEAST_GAIN, "question": _coherence.LEAST_QUESTION_GAIN}


def answers(each: int) -> pd.DataFrame:
    """Columns prompt and answer: the beginnings of at most so many labelled answers of each source that refuse nothing, none too short for its order to count."""
    labelled = _labelled.collect(sources.read)
    longer = labelled[~labelled["refused"] & labelled["answer"].str.split().str.len().ge(_coherence.LEAST_WORDS)]
    chosen = longer.groupby("source").sample(frac=1, random_state=0).groupby("source").head(each)
    return chosen[["prompt"]].assign(answer=[" ".join(text.split()[:WORDS]) for text in chosen["answer"]])


def spoilt(found: pd.DataFrame) -> dict[str, tuple[str, pd.DataFrame]]:
    """By kind: the gain that it should show in, and the answers."""
    draw = random.Random(1)
    shuffled = found.assign(answer=[" ".join(draw.sample(text.split(), len(text.split()))) for text in found["answer"]])
    elsewhere = found.assign(prompt=found["prompt"].sample(frac=1, random_state=1).to_numpy())
    return {"as written": ("order", found), "shuffled": ("order", shuffled), "behind its question": ("question", found), "behind another": ("question", elsewhere)}


def main(models: list[str], each: int) -> None:
    kinds, rows = spoilt(answers(each)), []
    for name in models:
        model, tokenizer = loading.load(name)
        for kind, (gained, frame) in kinds.items():
            found = likelihood.gains(model, tokenizer, frame["prompt"].tolist(), frame["answer"].tolist(), TOKENS)
            gains = pd.Series([getattr(gain, gained) for gain in found])
            rows.append({
                "model": name, "answers": kind, "gain by": gained, "n": len(gains), "median gain": gains.median(), "lowest": gains.min(), "highest": gains.max(),
                "called incoherent": gains.lt(LIMITS[gained]).mean(),
            })  # fmt: skip
            print(pd.DataFrame(rows[-1:]).round(3).to_string(index=False), flush=True)
    pd.DataFrame(rows).round(3).to_csv(timing.RESULTS / "coherence.csv", index=False)


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--models", nargs="+", default=["smollm2-135m"])
    options.add_argument("--each", type=int, default=20)
    main(**vars(options.parse_args()))

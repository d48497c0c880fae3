"""How far the judges agree with the labels of `data/judges/imitations.csv`: answers in the manner of five chat models, which no judge learnt from.

A stand-in for people's labels on other models' answers, which are not to be had here: answers and labels are a language model's.
"""

from __future__ import annotations

from types import SimpleNamespace

import pandas as pd

from rational_utils import judges
from rational_utils.judges import _labelled

from . import timing

NAMES = ("offline", "words", "rules", "substring")


def table() -> pd.DataFrame:
    """Cohen's kappa of every judge with all its weights, by the model imitated, with `offline`'s 95 % limits; the last row is the mean over the models."""
    answers = _labelled.imitations()
    found = {name: {voice: judges.agreement(_as_it_is(judges.find(name)), part) for voice, part in answers.items()} for name in NAMES}
    rows = [_row(voice, part, {name: found[name][voice] for name in NAMES}) for voice, part in answers.items()]
    frame = pd.DataFrame(rows)
    mean = {"model imitated": "mean", "answers": frame["answers"].sum(), "refusals": frame["refusals"].sum(), **{name: frame[name].mean() for name in NAMES}}
    return pd.concat([frame, pd.DataFrame([mean])], ignore_index=True)


def _as_it_is(judge) -> SimpleNamespace:
    """The judge without its `held_out`, which labels that it did not learn from have no need of."""
    return SimpleNamespace(id=judge.id, judge=judge.judge)


def _row(voice: str, part: pd.DataFrame, found: dict[str, dict[str, float]]) -> dict:
    limits = "[{kappa_low:.2f}, {kappa_high:.2f}]".format_map(found["offline"])
    kappas = {name: scores["kappa"] for name, scores in found.items()}
    return {"model imitated": voice, "answers": len(part), "refusals": int(part["human_refusal"].sum()), **kappas, "95 % of offline": limits}


if __name__ == "__main__":
    table().round(2).to_csv(timing.RESULTS / "imitations.csv", index=False)

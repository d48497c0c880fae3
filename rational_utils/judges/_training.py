"""Learn the weights of the judge `words`, and say how far they carry: ``python -m rational_utils.judges._training``.

A logistic regression with ridge penalty; five more, each without the prompts of one fold, for held-out comparison; Platt scaling on held-out
logits; a second regression on whether answer and question belong together (own pairs against shuffled ones). Reads the pinned
sources, by wheel and URL. Prints agreement across folds, and on each family of sources when the others alone were learnt from.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix, hstack, lil_matrix
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, cohen_kappa_score

from ..corpus import sources
from . import _features, _labelled, _relevance, _weights
from ._coherence import plain
from ._weights import FOLDS, PATH, fold
from ._words import BUCKETS

PENALTY = 1.0
FAMILIES = ("pyrit-refusal", "pyrit-objective", "coconot-contrast/rejected", "phrases")


class Material:
    """Labelled answers as a matrix; off-topic ones are left out, since their wording is that of an answer."""

    def __init__(self, frame: pd.DataFrame):
        self.frame = frame[~frame["off_topic"]].reset_index(drop=True)
        self.seen = [_features.see(row.prompt, row.answer) for row in self.frame.itertuples()]
        self.names = list(self.seen[0].numbers)
        self.refused = self.frame["refused"].to_numpy()
        self.weight = self.frame["weight"].to_numpy()
        self.fold = self.frame["prompt"].map(fold).to_numpy()
        runs = lil_matrix((len(self.seen), BUCKETS))
        for number, one in enumerate(self.seen):
            runs[number, one.runs] = _weights.RUN_SCALE
        self.matrix = hstack([csr_matrix([list(one.numbers.values()) for one in self.seen]), runs]).tocsr()

    def learn(self, rows: np.ndarray) -> _weights.Regression:
        """A regression from the rows where ``rows`` is true, not yet calibrated."""
        fitted = LogisticRegression(C=PENALTY, max_iter=3000).fit(self.matrix[rows], self.refused[rows], self.weight[rows])
        numbers, runs = np.split(fitted.coef_[0], [len(self.names)])
        return _weights.Regression(dict(zip(self.names, numbers.tolist(), strict=True)), runs, float(fitted.intercept_[0]))

    def logits(self, known: _weights.Regression, rows: np.ndarray) -> np.ndarray:
        return np.array([known.logit(one) for one, wanted in zip(self.seen, rows, strict=True) if wanted])

    def calibrated(self, known: _weights.Regression, logits: np.ndarray, rows: np.ndarray) -> _weights.Regression:
        """``known`` with Platt scaling on held-out ``logits`` (one for each answer) of ``rows``."""
        scaling = LogisticRegression(C=1e6).fit(logits[rows, None], self.refused[rows], self.weight[rows])
        return _weights.Regression(known.numbers, known.runs, known.intercept, float(scaling.coef_[0, 0]), float(scaling.intercept_[0]))


def learn(frame: pd.DataFrame) -> _weights.Weights:
    """All weights from the labelled answers of ``_labelled.collect``."""
    material = Material(frame)
    everything = np.ones(len(material.frame), bool)
    folds = [material.learn(material.fold != number) for number in range(FOLDS)]
    logits = np.zeros(len(material.frame))
    for number, known in enumerate(folds):
        logits[material.fold == number] = material.logits(known, material.fold == number)
    final = material.calibrated(material.learn(everything), logits, everything)
    folds = [material.calibrated(known, logits, material.fold != number) for number, known in enumerate(folds)]
    return _weights.Weights(final, tuple(folds), *_learn_relevance(frame))


def _learn_relevance(frame: pd.DataFrame) -> tuple[np.ndarray, tuple[float, ...]]:
    """From answers of models alone: no label of PyRIT's is used."""
    own = frame[frame["source"].str.startswith(("alpaca", "coconot")) & ~frame["refused"]]
    rarity = np.round(_relevance.rarity([*own["prompt"], *own["answer"]]), 2)
    shuffled = own["prompt"].sample(frac=1, random_state=0)
    pairs = [(own["prompt"], 0), (shuffled, 1)]
    rows = [(_relevance.compare(prompt, plain(answer), rarity), label) for prompts, label in pairs for prompt, answer in zip(prompts, own["answer"], strict=True)]
    fitted = LogisticRegression(C=10, max_iter=5000).fit([compared for compared, _ in rows], [label for _, label in rows])
    return rarity, (*fitted.coef_[0].tolist(), float(fitted.intercept_[0]))


def across_folds(frame: pd.DataFrame, weights: _weights.Weights) -> pd.DataFrame:
    """Held-out agreement on each family of sources: kappa, wrong refusals and missed ones, Brier score; and how sure the judge is where it errs."""
    material = Material(frame)
    scores = np.array([weights.folds[number].probability(one) for number, one in zip(material.fold, material.seen, strict=True)])
    return _by_family(material, scores)


def across_sources(frame: pd.DataFrame) -> pd.DataFrame:
    """Agreement on each family of sources when only the others were learnt from."""
    material = Material(frame)
    scores = np.zeros(len(material.frame))
    for family in FAMILIES:
        left_out = material.frame["source"].str.startswith(family).to_numpy()
        scores[left_out] = 1 / (1 + np.exp(-material.logits(material.learn(~left_out), left_out)))
    return _by_family(material, scores)


def _by_family(material: Material, scores: np.ndarray) -> pd.DataFrame:
    rows = []
    for family in FAMILIES:
        chosen = material.frame["source"].str.startswith(family).to_numpy()
        refused, judged = material.refused[chosen], scores[chosen] >= 0.5
        unsure = (scores[chosen] > 0.25) & (scores[chosen] < 0.75)
        rows.append({
            "family": family, "n": len(refused), "refused": refused.sum(), "kappa": cohen_kappa_score(refused, judged), "wrongly": (judged & ~refused).sum(),
            "missed": (refused & ~judged).sum(), "brier": brier_score_loss(refused, scores[chosen]), "unsure": unsure.mean(),
            "wrong when unsure": (judged != refused)[unsure].mean(), "wrong when sure": (judged != refused)[~unsure].mean(),
        })  # fmt: skip
    return pd.DataFrame(rows)


def main() -> None:
    frame = _labelled.collect(sources.read)
    print(frame.groupby("source")["refused"].agg(["size", "sum"]).to_string())
    weights = learn(frame)
    _weights.write(PATH, weights)
    for title, table in (("across folds", across_folds(frame, _weights.read(PATH))), ("across sources", across_sources(frame))):
        print(f"\n{title}\n{table.round(3).to_string(index=False)}")


if __name__ == "__main__":
    main()

"""The weights of the judge `words`: numbers in a JSON file, and the probability that they give an answer. Learns nothing."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ._features import Seen, see
from ._words import BUCKETS

PATH = Path(__file__).with_name("words.json")
RUN_SCALE = 0.25
FOLDS = 5


def fold(prompt: str) -> int:
    """Which of the ``FOLDS`` parts of the training data a prompt belongs to, by its words alone."""
    return zlib.crc32(" ".join(prompt.lower().split()).encode()) % FOLDS


@dataclass(frozen=True)
class Regression:
    """A logistic regression over the numbers (by name) and the runs (by bucket) of ``_features.Seen``, and its calibration (Platt)."""

    numbers: dict[str, float]
    runs: np.ndarray
    intercept: float
    slope: float = 1.0
    shift: float = 0.0

    def logit(self, seen: Seen) -> float:
        numbers = sum(self.numbers[name] * number for name, number in seen.numbers.items())
        return float(numbers + RUN_SCALE * self.runs[seen.runs].sum() + self.intercept)

    def probability(self, seen: Seen) -> float:
        """That the answer refuses, calibrated."""
        return float(1 / (1 + np.exp(-(self.slope * self.logit(seen) + self.shift))))

    def strongest(self, seen: Seen, refused: bool) -> str:
        """The name of the number that speaks loudest for the decision."""
        pulls = {name: self.numbers[name] * number for name, number in seen.numbers.items()}
        return (max if refused else min)(pulls, key=pulls.get)


@dataclass(frozen=True)
class Weights:
    """All that the judge has learnt. ``folds[k]`` has seen no prompt of fold ``k``; ``rarity`` and ``relevance`` belong to ``_relevance``."""

    final: Regression
    folds: tuple[Regression, ...]
    rarity: np.ndarray
    relevance: tuple[float, ...]


def read(path: Path) -> Weights:
    """The weights in ``path``. Raises ValueError when they were learnt from other numbers than ``_features`` gives now."""
    raw = json.loads(path.read_text(encoding="utf-8"))
    if raw["names"] != list(see("", "").numbers) or any(len(one["runs"]) != BUCKETS for one in (raw["final"], *raw["folds"])):
        raise ValueError(f"{path.name} was learnt from other numbers than are seen now; train again: python -m rational_utils.judges._training")
    regressions = [_regression(raw["names"], one) for one in (raw["final"], *raw["folds"])]
    return Weights(regressions[0], tuple(regressions[1:]), np.array(raw["rarity"]), tuple(raw["relevance"]))


def _regression(names: list[str], raw: dict) -> Regression:
    return Regression(dict(zip(names, raw["numbers"], strict=True)), np.array(raw["runs"]), raw["intercept"], raw["slope"], raw["shift"])


def write(path: Path, weights: Weights) -> None:
    """Write the weights with three decimals."""
    parts = [_rounded(one) for one in (weights.final, *weights.folds)]
    raw = {"names": list(weights.final.numbers), "final": parts[0], "folds": parts[1:]}
    raw |= {"rarity": np.round(weights.rarity, 2).tolist(), "relevance": np.round(weights.relevance, 3).tolist()}
    path.write_text(json.dumps(raw, separators=(",", ":")) + "\n", encoding="utf-8")


def _rounded(one: Regression) -> dict:
    numbers, runs = np.round(list(one.numbers.values()), 3).tolist(), np.round(one.runs, 3).tolist()
    return {"numbers": numbers, "runs": runs, "intercept": round(one.intercept, 3), "slope": round(one.slope, 3), "shift": round(one.shift, 3)}

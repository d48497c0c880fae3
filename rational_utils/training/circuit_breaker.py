"""Circuit Breakers by Representation Rerouting (Zou et al. 2024, arXiv 2406.04313, section 3 and algorithm 1): the comparison's other method.

LoRA weights turn what the model holds inside while it writes harmful answers away from what the base model held there, and
keep everything else in place. Only the layers up to the deepest target are computed, and no word's score. It does not
choose its data.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Callable

import pandas as pd
import torch

from ..models import ragged
from ..models.chat import IGNORED, Encoded
from ..study.errors import StudyError
from ..study.sections import CircuitBreaker
from . import layer
from .optimisation import Weights, batches, fit, with_lora

OUTLIER = 4.0  # a token whose state is this many times as long as the median one does not say what states are like


def train(
    model, harmful: list[Encoded], retained: list[Encoded], settings: CircuitBreaker, seed: int, resume: Path, on_step: Callable[[int], None] | None = None
) -> tuple[torch.nn.Module, pd.DataFrame]:
    """Fit LoRA weights on all linear layers up to the deepest target.

    Args:
        harmful: dialogues whose answers the base model would give; their answer tokens are rerouted.
        retained: dialogues of which every token is to stay what it is.
        resume: file that holds the last saved step; removed at the end.
        on_step: called with 1 after every optimiser step.

    Returns:
        (PEFT model; a row a step with cosine, distance, the coefficients of both, and the loss).

    Raises:
        StudyError: one of the sets is empty.
    """
    answer = partial(_answer, spared=settings.spared)
    harmful = [row for row in harmful if answer(row).any()]
    for name, rows in (("harmful", harmful), ("retained", retained)):
        if not rows:
            raise StudyError(f"circuit breaker: there are no {name} dialogues; see the counts above in the notebook")
    depths = target_depths(model, settings.targets)
    tuned = with_lora(model, settings, seed, layers=depths[-1])
    drawn = _draws(len(harmful), len(retained), settings, seed)

    def learn(number: int) -> dict:
        reroute, retain = coefficients(number, settings)
        cosine, distance = (
            side.learn(tuned, weights, indices, depths, scale, weight, settings.tokens_per_batch)
            for side, indices, weight in zip((breaking, keeping), drawn[number], (reroute, retain))
        )
        return {"cosine": cosine, "distance": distance, "reroute_weight": reroute, "retain_weight": retain, "loss": reroute * cosine + retain * distance}

    with cut_after(tuned, depths[-1]), layer.fused(tuned, settings.dropout):
        # LoRA weights that have learnt nothing change nothing: these are the base model's states, by the very arithmetic of training
        before = [_states_by_row(tuned, rows, depths, settings.tokens_per_batch) for rows in (harmful, retained)]
        nudge(tuned, settings.nudge)
        weights = Weights(tuned)
        scale = Scale.of(before[1]) if settings.normalise else Scale.none(before[1][0])
        breaking = _Side(harmful, before[0], rerouting_loss, answer)
        keeping = _Side(retained, before[1], retaining_loss, _everything)
        steps = fit(weights, settings.steps, learn, settings.learning_rate, seed, resume, on_step)
    return tuned.eval(), steps


@torch.no_grad()
def nudge(model, deviation: float) -> None:
    """Begin LoRA's B at random values instead of zeros: where states have not moved at all, their cosine has no slope."""
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            weight.data.normal_(0, deviation)


def target_depths(model, shares: tuple[float, ...]) -> list[int]:
    """After how many layers states are compared; (10, 20) of 32 are the paper's, as shares of the depth."""
    return sorted({max(1, round(share * model.config.num_hidden_layers)) for share in shares})


def coefficients(step: int, settings: CircuitBreaker) -> tuple[float, float]:
    """(of rerouting, of retaining) at a step (0-based): the one falls from alpha, the other rises from 0, along 2T steps."""
    done = step / settings.horizon
    return settings.coefficient * (1 - done), settings.coefficient * settings.retain_weight * done


@contextmanager
def cut_after(model, depth: int):
    """Within it the model has only its first `depth` layers."""
    body = ragged.decoder(model)
    whole, body.layers = body.layers, body.layers[:depth]
    try:
        yield
    finally:
        body.layers = whole


def hidden_states(model, rows: list[Encoded], depths: list[int]) -> torch.Tensor:
    """States after the target layers, shape (targets, tokens of all rows, width); the model may be cut."""
    found = {}
    layers = ragged.decoder(model).layers
    hooks = [layers[depth - 1].register_forward_hook(lambda _, __, output, depth=depth: found.update({depth: output})) for depth in depths]
    try:
        ragged.forward(model, [row.ids for row in rows])
    finally:
        for hook in hooks:
            hook.remove()
    return torch.stack([found[depth][0] for depth in depths])


@torch.no_grad()
def states(model, rows: list[Encoded], depths: list[int]) -> torch.Tensor:
    """`hidden_states` without gradients, computed no further than they must be."""
    with cut_after(model, depths[-1]):
        return hidden_states(model, rows, depths)


def _states_by_row(model, rows: list[Encoded], depths: list[int], budget: int) -> list[torch.Tensor]:
    found = (states(model, batch, depths).split([len(row.ids) for row in batch], 1) for batch in batches(rows, budget))
    return list(chain.from_iterable(found))


class Scale:
    """Where the states' dimensions lie and how far they spread. A small model has a few that are much larger than all others
    together: cosine and distance of raw states see nothing else."""

    def __init__(self, mean: torch.Tensor, deviation: torch.Tensor):
        self.mean, self.deviation = mean, deviation

    @classmethod
    def none(cls, example: torch.Tensor) -> "Scale":
        """Leaves states as they are, as published."""
        zeros = example[:, :1].float() * 0
        return cls(zeros, zeros + 1)

    @classmethod
    def of(cls, rows: list[torch.Tensor]) -> "Scale":
        """Mean and standard deviation by target and dimension, outlier tokens left out."""
        means, deviations = [], []
        for target in torch.cat(rows, 1).float():
            length = target.norm(dim=-1)
            usual = target[length < OUTLIER * length.median()]
            means.append(usual.mean(0, keepdim=True))
            deviations.append(usual.std(0, keepdim=True))
        return cls(torch.stack(means), torch.stack(deviations))

    def __call__(self, given: torch.Tensor) -> torch.Tensor:
        return (given.float() - self.mean) / self.deviation


def rerouting_loss(now: torch.Tensor, before: torch.Tensor) -> torch.Tensor:
    """Sum over targets and tokens of ReLU(cosine); states have shape (targets, tokens, width)."""
    return torch.cosine_similarity(now, before, dim=-1).relu().sum()


def retaining_loss(now: torch.Tensor, before: torch.Tensor) -> torch.Tensor:
    """Sum over targets and tokens of the Euclidean distance."""
    return (now - before).norm(dim=-1).sum()


@dataclass(frozen=True)
class _Side:
    """One of the two sets of dialogues: what the base model's states were, and which loss is taken at which tokens."""

    rows: list[Encoded]
    before: list[torch.Tensor]
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    counted: Callable[[Encoded], torch.Tensor]

    def learn(self, model, weights: Weights, indices: list[int], depths: list[int], scale: Scale, weight: float, budget: int) -> float:
        """Collect the gradient of `weight` times the mean loss over targets and tokens of these dialogues; returns that mean."""
        count = len(depths) * sum(int(self.counted(self.rows[i]).sum()) for i in indices)
        total, begin = 0.0, 0
        for rows in batches([self.rows[i] for i in indices], budget):
            chosen = torch.cat([self.counted(row) for row in rows])
            before = torch.cat([self.before[i] for i in indices[begin : begin + len(rows)]], 1)[:, chosen]
            loss = self.loss(scale(hidden_states(model, rows, depths)[:, chosen]), scale(before))
            (loss * weight / count).backward()
            weights.collect()
            total += loss.item()
            begin += len(rows)
        return total / count


def _answer(row: Encoded, spared: int = 0) -> torch.Tensor:
    """The tokens from whose states the answer's tokens are predicted, but the first `spared`: the first answer token hangs on the prompt's last."""
    predicting = torch.tensor([*row.labels[1:], IGNORED]) != IGNORED
    predicting[: row.answer_begins - 1 + spared] = False
    return predicting


def _everything(row: Encoded) -> torch.Tensor:
    return torch.ones(len(row.ids), dtype=torch.bool)


def _draws(harmful: int, retained: int, settings: CircuitBreaker, seed: int) -> list[tuple[list[int], list[int]]]:
    """Indices of the dialogues of every step; each set is gone through in random order, again and again."""
    order = torch.Generator().manual_seed(seed)

    def endless(count: int):
        while True:
            yield from torch.randperm(count, generator=order).tolist()

    one, other = endless(harmful), endless(retained)
    return [([next(one) for _ in range(settings.harmful_per_step)], [next(other) for _ in range(settings.retained_per_step)]) for _ in range(settings.steps)]

"""Supervised fine-tuning of LoRA weights on answers only (the paper's equation 3): Rational and its controls.

Rows are grouped into optimiser steps, steps into batches under a token budget; nothing is padded, what a batch's rows begin
with is computed once, and the output layer is applied to answer positions alone. Does not know what the answers say.
"""

from __future__ import annotations

from pathlib import Path
from typing import Callable

import torch

from ..models import ragged
from ..models.chat import IGNORED, Encoded
from ..study.errors import StudyError
from ..study.sections import Training
from . import layer
from .optimisation import Weights, batches, fit, with_lora

LOGITS_AT_ONCE, FLOATS_AT_ONCE = 256, 16  # tokens whose scores over all words stand in memory together; as float32, in the cache


def train(
    model, rows: list[Encoded], settings: Training, seed: int, resume: Path, on_step: Callable[[int], None] | None = None, steps: int | None = None
):
    """Fit LoRA weights on all linear layers.

    Args:
        model: a causal language model; its own weights stay frozen.
        rows: encoded dialogues; the (weighted) mean loss over the answer tokens of a step is minimised.
        resume: file that holds the last saved step; removed at the end.
        on_step: called with 1 after every optimiser step.
        steps: how many, when it is not the settings' number of epochs: methods that are compared learn for as long.

    Returns:
        (PEFT model, losses as a DataFrame with columns step, epoch, loss, tokens, learning_rate).

    Raises:
        StudyError: there are no rows, or the last step cannot be saved.
    """
    if not rows:
        raise StudyError("training: no rows; every rationale was rejected, see the reasons in notebook 02")
    model = with_lora(model, settings, seed)
    weights, planned = Weights(model), plan_steps(len(rows), settings, seed, steps)

    def learn(number: int) -> dict:
        loss, tokens = _step(model, weights, [rows[i] for i in planned[number]], settings.tokens_per_batch)
        return {"epoch": (number * settings.rows_per_step) / len(rows), "loss": loss, "tokens": tokens}

    with layer.fused(model, settings.dropout):
        losses = fit(weights, len(planned), learn, settings.learning_rate, seed, resume, on_step)
    return model.eval(), losses


def step_count(rows: int, settings: Training) -> int:
    """Optimiser steps of the settings' epochs."""
    return settings.epochs * -(-rows // settings.rows_per_step)


def plan_steps(rows: int, settings: Training, seed: int, steps: int | None = None) -> list[list[int]]:
    """Row indices of every optimiser step; each epoch sees every row once, in an order of its own."""
    order, planned = torch.Generator().manual_seed(seed), []
    steps = step_count(rows, settings) if steps is None else steps
    while len(planned) < steps:
        shuffled = torch.randperm(rows, generator=order).tolist()
        planned += [shuffled[i : i + settings.rows_per_step] for i in range(0, rows, settings.rows_per_step)]
    return planned[:steps]


class NegativeLogLikelihood(torch.autograd.Function):
    """Weighted sum over tokens, with a frozen linear output layer: the gradient is taken while the logits are at hand.

    `hidden` has shape (tokens, width), `weight` (words, width), `targets` and `counts` (what a token counts) (tokens,).
    """

    @staticmethod
    def forward(context, hidden, weight, targets, counts):
        total, gradients = hidden.new_zeros((), dtype=torch.float32), []
        for part, wanted, counted in zip(*(tensor.split(LOGITS_AT_ONCE) for tensor in (hidden, targets[:, None], counts[:, None]))):
            logits = part @ weight.T
            for few, words, times in zip(*(tensor.split(FLOATS_AT_ONCE) for tensor in (logits, wanted, counted))):
                scores = torch.log_softmax(few.float(), -1)  # with dtype= it takes ten times as long
                total -= (scores.gather(1, words) * times).sum()
                few.copy_(scores.exp_().scatter_add_(1, words, -torch.ones_like(times)).mul_(times))
            gradients.append(logits @ weight)
        context.save_for_backward(torch.cat(gradients))
        return total

    @staticmethod
    def backward(context, scale):
        (gradient,) = context.saved_tensors
        return gradient * scale, None, None, None


def answer_loss(model, rows: list[Encoded]) -> torch.Tensor:
    """Weighted sum of the negative log-likelihoods of the answer tokens, a scalar tensor; what all prompts begin with is read once."""
    stem = ragged.common_prefix([row.ids[: row.answer_begins] for row in rows])
    labels = torch.tensor([IGNORED] * stem + [label for row in rows for label in (*row.labels[stem + 1 :], IGNORED)], device=model.device)
    counts = torch.tensor([0.0] * stem + [count for row in rows for count in (*row.weights[stem + 1 :], 0.0)], device=model.device)
    learnt = labels != IGNORED
    hidden = ragged.forward(model, [row.ids[stem:] for row in rows], stem=rows[0].ids[:stem])[learnt]
    return NegativeLogLikelihood.apply(hidden, model.get_output_embeddings().weight, labels[learnt], counts[learnt])


def _step(model, weights: Weights, rows: list[Encoded], budget: int) -> tuple[float, int]:
    tokens = sum(label != IGNORED for row in rows for label in row.labels[1:])
    counted = sum(count for row in rows for count in row.weights[1:])
    total = 0.0
    for batch in batches(rows, budget):
        loss = answer_loss(model, batch) / counted
        loss.backward()
        weights.collect()
        total += loss.item()
    return total, tokens

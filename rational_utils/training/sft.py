"""Supervised fine-tuning of LoRA weights on answers only (the paper's equation 3): Rational and its controls.

Rows are grouped into optimiser steps, steps into batches under a token budget; nothing is padded, and the output layer is
applied to answer positions alone. A run that is killed
goes on from its last saved step with the same result. Does not know what the answers say.
"""

from __future__ import annotations

from pathlib import Path
from typing import Callable

import pandas as pd
import torch
from peft import LoraConfig, get_peft_model

from ..models import ragged
from ..models.chat import IGNORED, Encoded
from ..study.errors import StudyError
from ..study.provenance import atomic
from ..study.settings import Training
from . import layer

SAVE_EVERY = 25
WARM_UP = 0.1
LOGITS_AT_ONCE, FLOATS_AT_ONCE = 256, 16  # tokens whose scores over all words stand in memory together; as float32, in the cache


def train(model, rows: list[Encoded], settings: Training, seed: int, resume: Path, on_step: Callable[[int], None] | None = None):
    """Fit LoRA weights on all linear layers.

    Args:
        model: a causal language model; its own weights stay frozen.
        rows: encoded dialogues; the (weighted) mean loss over the answer tokens of a step is minimised.
        resume: file that holds the last saved step; removed at the end.
        on_step: called with 1 after every optimiser step.

    Returns:
        (PEFT model, losses as a DataFrame with columns step, epoch, loss, tokens, learning_rate).

    Raises:
        StudyError: there are no rows, or the last step cannot be saved.
    """
    if not rows:
        raise StudyError("training: no rows; every rationale was rejected, see the reasons in notebook 02")
    torch.manual_seed(seed)
    lora = LoraConfig(r=settings.rank, lora_alpha=settings.alpha, lora_dropout=settings.dropout, target_modules="all-linear", task_type="CAUSAL_LM")
    model = get_peft_model(model, lora, autocast_adapter_dtype=False).train()
    weights = Weights(model)
    optimiser = torch.optim.AdamW([weights.exact], lr=settings.learning_rate, weight_decay=0.0, fused=True)
    steps = plan_steps(len(rows), settings, seed)
    losses = _restore(resume, weights, optimiser)
    if on_step and losses:
        on_step(len(losses))
    with layer.fused(model, settings.dropout):
        for number in range(len(losses), len(steps)):
            torch.manual_seed(seed * 1_000_003 + number)
            rate = settings.learning_rate * schedule(number, len(steps))
            for group in optimiser.param_groups:
                group["lr"] = rate
            loss, tokens = _step(model, weights, [rows[i] for i in steps[number]], settings.tokens_per_batch)
            torch.nn.utils.clip_grad_norm_(weights.exact, 1.0)
            optimiser.step()
            weights.publish()
            losses.append((number + 1, (number * settings.rows_per_step) / len(rows), loss, tokens, rate))
            if (number + 1) % SAVE_EVERY == 0:
                _save(resume, weights, optimiser, losses)
            if on_step:
                on_step(1)
    resume.unlink(missing_ok=True)
    return model.eval(), pd.DataFrame(losses, columns=["step", "epoch", "loss", "tokens", "learning_rate"])


class Weights:
    """The LoRA weights twice: as the model computes with them, and end to end in one float32 vector, where small updates
    are not rounded away and the optimiser's work is one operation."""

    def __init__(self, model):
        self.used = [weight for weight in model.parameters() if weight.requires_grad]
        self.exact = torch.nn.Parameter(torch.cat([weight.detach().float().flatten() for weight in self.used]))
        self.exact.grad = torch.zeros_like(self.exact)

    def _parts(self, vector: torch.Tensor) -> list[torch.Tensor]:
        return [part.view_as(used) for part, used in zip(vector.split([used.numel() for used in self.used]), self.used)]

    @torch.no_grad()
    def collect(self) -> None:
        """Add the gradients of a batch to those of the step."""
        for used, sum_so_far in zip(self.used, self._parts(self.exact.grad)):
            sum_so_far += used.grad
            used.grad = None

    @torch.no_grad()
    def publish(self) -> None:
        """Give the model what the optimiser has made of the weights."""
        for used, exact in zip(self.used, self._parts(self.exact)):
            used.copy_(exact)
        self.exact.grad.zero_()


def plan_steps(rows: int, settings: Training, seed: int) -> list[list[int]]:
    """Row indices of every optimiser step; each epoch sees every row once, in an order of its own."""
    order = torch.Generator().manual_seed(seed)
    steps = []
    for _ in range(settings.epochs):
        shuffled = torch.randperm(rows, generator=order).tolist()
        steps += [shuffled[i : i + settings.rows_per_step] for i in range(0, rows, settings.rows_per_step)]
    return steps


def schedule(step: int, steps: int) -> float:
    """Share of the peak learning rate at a step (0-based): linear warm-up over a tenth, then linear decay to near zero."""
    warm = max(1, round(WARM_UP * steps))
    return min((step + 1) / warm, (steps - step) / max(1, steps - warm + 1))


def batches(rows: list[Encoded], budget: int) -> list[list[Encoded]]:
    """Rows in their order, as many to a batch as the budget of tokens holds, at least one."""
    made: list[list[Encoded]] = [[]]
    for row in rows:
        if made[-1] and sum(len(other.ids) for other in [*made[-1], row]) > budget:
            made.append([])
        made[-1].append(row)
    return made


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
    """Weighted sum of the negative log-likelihoods of the answer tokens, a scalar tensor."""
    labels = torch.tensor([label for row in rows for label in (*row.labels[1:], IGNORED)])
    learnt = labels != IGNORED
    hidden = ragged.forward(model, [row.ids for row in rows])[learnt]
    counts = torch.tensor([count for row in rows for count in (*row.weights[1:], 0.0)])
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


def _save(path: Path, weights: Weights, optimiser, losses: list) -> None:
    with atomic(path) as draft:
        torch.save({"weights": weights.exact, "optimiser": optimiser.state_dict(), "losses": losses}, draft)


def _restore(path: Path, weights: Weights, optimiser) -> list:
    if not path.exists():
        return []
    saved = torch.load(path, weights_only=True)
    weights.exact.data.copy_(saved["weights"])
    weights.publish()
    optimiser.load_state_dict(saved["optimiser"])
    return saved["losses"]

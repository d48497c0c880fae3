"""What every training shares: LoRA weights, their optimiser, the schedule, steps under a token budget, and going on after a kill.

It knows no loss and no data: a training hands in what one step learns.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import pandas as pd
import torch
from peft import LoraConfig, get_peft_model

from ..models import ragged
from ..models.chat import Encoded
from ..study.provenance import atomic

SAVE_EVERY = 25
WARM_UP = 0.1


def with_lora(model, settings, seed: int, layers: int | None = None):
    """A PEFT model in training mode with new LoRA weights on all linear layers, or on those of the first `layers`; `settings` has
    rank, alpha and dropout."""
    torch.manual_seed(seed)
    adapted: dict = {"target_modules": "all-linear"}
    if layers is not None:
        first = ragged.decoder(model).layers[0].named_modules()
        names = sorted(name.split(".")[-1] for name, module in first if isinstance(module, torch.nn.Linear))
        adapted = {"target_modules": names, "layers_to_transform": list(range(layers))}
    lora = LoraConfig(r=settings.rank, lora_alpha=settings.alpha, lora_dropout=settings.dropout, task_type="CAUSAL_LM", **adapted)
    return get_peft_model(model, lora, autocast_adapter_dtype=False).train()


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


def fit(
    weights: Weights, steps: int, learn: Callable[[int], dict[str, Any]], learning_rate: float, seed: int, resume: Path, on_step: Callable[[int], None] | None = None
) -> pd.DataFrame:
    """Take optimiser steps (AdamW, gradients clipped at 1) and keep every 25th, so that a killed run goes on with the same result.

    Args:
        learn: number of a step (0-based) -> what is recorded of it; it must have collected the step's gradients in `weights`.
        learning_rate: the peak; see `schedule`.
        resume: file that holds the last saved step; removed at the end.
        on_step: called with the number of steps just taken (for a progress bar).

    Returns:
        One row a step: step (from 1), what `learn` recorded, learning_rate.

    Raises:
        StudyError: a step cannot be saved.
    """
    optimiser = torch.optim.AdamW([weights.exact], lr=learning_rate, weight_decay=0.0, fused=True)
    records = _restore(resume, weights, optimiser)
    if on_step and records:
        on_step(len(records))
    for number in range(len(records), steps):
        torch.manual_seed(seed * 1_000_003 + number)
        rate = learning_rate * schedule(number, steps)
        for group in optimiser.param_groups:
            group["lr"] = rate
        records.append({"step": number + 1, **learn(number), "learning_rate": rate})
        torch.nn.utils.clip_grad_norm_(weights.exact, 1.0)
        optimiser.step()
        weights.publish()
        if (number + 1) % SAVE_EVERY == 0:
            _save(resume, weights, optimiser, records)
        if on_step:
            on_step(1)
    resume.unlink(missing_ok=True)
    return pd.DataFrame(records)


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


def _save(path: Path, weights: Weights, optimiser, records: list) -> None:
    with atomic(path) as draft:
        torch.save({"weights": weights.exact, "optimiser": optimiser.state_dict(), "records": records}, draft)


def _restore(path: Path, weights: Weights, optimiser) -> list[dict]:
    if not path.exists():
        return []
    saved = torch.load(path, weights_only=True)
    weights.exact.data.copy_(saved["weights"])
    weights.publish()
    optimiser.load_state_dict(saved["optimiser"])
    return saved["records"]

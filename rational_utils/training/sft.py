"""Supervised fine-tuning of LoRA weights on answers only (the paper's equation 3): Rational and its controls.

Rows are grouped into optimiser steps, steps into batches of similar length under a token budget; padding stands on the
right, so no attention mask is needed, and the output layer is applied to answer positions alone. A run that is killed
goes on from its last saved step with the same result. Does not know what the answers say.
"""

from __future__ import annotations

from pathlib import Path
from typing import Callable

import pandas as pd
import torch
from peft import LoraConfig, get_peft_model
from peft.utils import get_peft_model_state_dict, set_peft_model_state_dict

from ..models.chat import IGNORED, Encoded
from ..study.errors import StudyError
from ..study.provenance import atomic
from ..study.settings import Training

SAVE_EVERY = 10
WARM_UP = 0.1


def train(model, rows: list[Encoded], settings: Training, seed: int, resume: Path, on_step: Callable[[int], None] | None = None):
    """Fit LoRA weights on all linear layers.

    Args:
        model: a causal language model; its own weights stay frozen.
        rows: encoded dialogues; the mean loss over the answer tokens of a step is minimised.
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
    model = get_peft_model(model, lora).train()
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimiser = torch.optim.AdamW(weights, lr=settings.learning_rate, weight_decay=0.0)
    steps = plan_steps(len(rows), settings, seed)
    losses = _restore(resume, model, optimiser)
    if on_step and losses:
        on_step(len(losses))
    for number in range(len(losses), len(steps)):
        torch.manual_seed(seed * 1_000_003 + number)
        rate = settings.learning_rate * schedule(number, len(steps))
        for group in optimiser.param_groups:
            group["lr"] = rate
        loss, tokens = _step(model, [rows[i] for i in steps[number]], settings.tokens_per_batch)
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimiser.step()
        optimiser.zero_grad()
        losses.append((number + 1, (number * settings.rows_per_step) / len(rows), loss, tokens, rate))
        if (number + 1) % SAVE_EVERY == 0:
            _save(resume, model, optimiser, losses)
        if on_step:
            on_step(1)
    resume.unlink(missing_ok=True)
    return model.eval(), pd.DataFrame(losses, columns=["step", "epoch", "loss", "tokens", "learning_rate"])


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
    """Rows of similar length together; a batch's padded size stays within the budget of tokens."""
    made: list[list[Encoded]] = []
    for row in sorted(rows, key=lambda row: len(row.ids), reverse=True):
        if made and len(made[-1][0].ids) * (len(made[-1]) + 1) <= budget:
            made[-1].append(row)
        else:
            made.append([row])
    return made


def answer_loss(model, rows: list[Encoded]) -> torch.Tensor:
    """Sum of the negative log-likelihoods of the answer tokens, a scalar tensor."""
    longest = max(len(row.ids) for row in rows)
    ids = torch.tensor([[*row.ids, *[0] * (longest - len(row.ids))] for row in rows])
    labels = torch.tensor([[*row.labels, *[IGNORED] * (longest - len(row.ids))] for row in rows])[:, 1:]
    causal = model.get_base_model() if hasattr(model, "get_base_model") else model
    hidden = causal.get_decoder()(input_ids=ids, use_cache=False).last_hidden_state[:, :-1]
    learnt = labels != IGNORED
    logits = causal.get_output_embeddings()(hidden[learnt])
    return torch.nn.functional.cross_entropy(logits.float(), labels[learnt], reduction="sum")


def _step(model, rows: list[Encoded], budget: int) -> tuple[float, int]:
    tokens = sum(label != IGNORED for row in rows for label in row.labels[1:])
    total = 0.0
    for batch in batches(rows, budget):
        loss = answer_loss(model, batch) / tokens
        loss.backward()
        total += loss.item()
    return total, tokens


def _save(path: Path, model, optimiser, losses: list) -> None:
    with atomic(path) as draft:
        torch.save({"lora": get_peft_model_state_dict(model), "optimiser": optimiser.state_dict(), "losses": losses}, draft)


def _restore(path: Path, model, optimiser) -> list:
    if not path.exists():
        return []
    saved = torch.load(path, weights_only=True)
    set_peft_model_state_dict(model, saved["lora"])
    optimiser.load_state_dict(saved["optimiser"])
    return saved["losses"]

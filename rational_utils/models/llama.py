"""The arithmetic of a Llama layer, with less work than transformers' own and the same values up to rounding.

Linear layers that read the same input are one matrix product, additions go into the products, nothing is rearranged that
need not be. `lean` puts it into a model that reads and writes; `training.layer` builds its backward pass on the same parts.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial

import torch
from torch.nn.functional import silu

from . import products, ragged


def is_known(model) -> bool:
    """Whether this module computes what the model's layers do: Llama without biases, on a CPU."""
    config = model.config
    known = config.model_type == "llama" and config.hidden_act == "silu" and not (config.attention_bias or config.mlp_bias)
    return known and model.device.type == "cpu"


@contextmanager
def lean(model, product=products.Plain):
    """Within it the layers of a plain model compute by this module, without gradients, if they are what it knows.

    `product` makes the products with a weight: `products.for_few_rows` where few rows are computed many times.
    """
    layers = list(ragged.decoder(model).layers) if is_known(model) and not hasattr(model, "peft_config") else []
    for layer in layers:
        layer.forward = partial(_forward, layer, [product(weight) for weight in _weights(layer)])
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward


@torch.inference_mode(False)  # the weights must remain good for training
def side_by_side(weights: list[torch.nn.Parameter]) -> torch.Tensor:
    """One matrix (sum of outputs, inputs) of which the weights become parts, in place."""
    whole = torch.cat([weight.data for weight in weights])
    for weight, share in zip(weights, whole.split([len(weight) for weight in weights])):
        weight.data = share
    return whole


def _weights(layer) -> tuple[torch.Tensor, ...]:
    """Those of a layer in the order of their products: query, key and value; attention's output; gate and up; down."""
    attention, network = layer.self_attn, layer.mlp
    heads = [attention.q_proj.weight, attention.k_proj.weight, attention.v_proj.weight]
    return side_by_side(heads), attention.o_proj.weight, side_by_side([network.gate_proj.weight, network.up_proj.weight]), network.down_proj.weight


def _forward(layer, multiply, hidden_states, attention_mask=None, past_key_values=None, position_embeddings=None, **settings):
    """In place of the layer's own forward; hidden states (rows, length, width)."""
    attention, (inner, outer, wide, narrow) = layer.self_attn, multiply
    rows, length, width = hidden_states.shape
    inputs = hidden_states.view(-1, width)
    mixed = inner(normalise(inputs, layer.input_layernorm)[0]).view(rows, length, -1, attention.head_dim).transpose(1, 2)
    queries = attention.config.num_attention_heads
    keys = queries + attention.config.num_key_value_heads
    turned, value = turn(mixed[:, :keys], *(part[:, None] for part in position_embeddings)), mixed[:, keys:]
    query, key = turned[:, :queries], turned[:, queries:]
    if past_key_values is not None:
        key, value = past_key_values.update(key, value, attention.layer_idx)
    seen, _ = ragged.attend(attention, query, key, value, attention_mask, scaling=attention.scaling, **settings)
    middle = outer.plus(seen.reshape(rows * length, -1), inputs)
    gate, up = wide(normalise(middle, layer.post_attention_layernorm)[0]).chunk(2, 1)
    return narrow.plus(silu(gate).mul_(up), middle).view(rows, length, width)


def normalise(inputs, norm):
    """RMS norm (T, W) in float32, and the factor (T, 1) that each token was multiplied by."""
    exact = inputs.float()
    factor = exact.square().mean(1, keepdim=True).add_(norm.variance_epsilon).rsqrt_()
    return (exact * factor).to(inputs.dtype) * norm.weight, factor


def turn(heads, cosine, sine):
    """Rotary position embedding; with -sine its transpose."""
    first, second = heads.chunk(2, -1)
    return (heads * cosine).addcmul_(torch.cat([-second, first], -1), sine)

"""A Llama layer with LoRA weights as two functions with backward passes of their own: the same values as peft's, with less work.

Layers with a common input (q, k, v; gate, up) are one matrix product; nothing is kept or computed for the frozen weights'
gradients; attention looks at each sequence by itself, behind the stem that all begin with (see `models.ragged`). Shapes: T tokens of all sequences, width W.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import lru_cache, partial

import torch

from ..models import llama, ragged
from ..models.llama import normalise, turn

BESIDE = ("q_proj", "k_proj", "v_proj"), ("o_proj",), ("gate_proj", "up_proj"), ("down_proj",)


@contextmanager
def fused(model, dropout: float):
    """Within it the layers of a PEFT model compute by this module, if they are what it knows: Llama, on a CPU, without dropout."""
    layers = list(ragged.decoder(model).layers) if llama.is_known(model) and not dropout else []
    groups = [[Group(layer, names) for names in BESIDE] for layer in layers]
    for layer, own in zip(layers, groups):
        layer.forward = partial(_forward, layer, own)
    try:
        yield
    finally:
        for layer, own in zip(layers, groups):
            del layer.forward
            for group in own:
                group.release()


class Group:
    """Linear layers that read the same input. Their frozen weights become parts of one matrix, in place; so do their LoRA
    weights, all A below each other in `down` (sum of ranks, inputs), all B as blocks of `up` (sum of outputs, sum of ranks)."""

    def __init__(self, layer, names: tuple[str, ...]):
        holder = layer.self_attn if hasattr(layer.self_attn, names[0]) else layer.mlp
        self.parts = [getattr(holder, name) for name in names]
        frozen = [part.base_layer.weight for part in self.parts]
        self.frozen = llama.side_by_side(frozen)
        self.heights = [len(weight) for weight in frozen]
        self.scale = self.parts[0].scaling["default"]
        self.downs = [part.lora_A["default"].weight for part in self.parts]
        self.ups = [part.lora_B["default"].weight for part in self.parts]
        self.down, self.up = llama.side_by_side(self.downs), torch.block_diag(*(up.data for up in self.ups))
        for weight, rows, number in zip(self.ups, self.up.split(self.heights), range(len(self.ups))):
            weight.data = rows.chunk(len(self.ups), 1)[number]

    def release(self) -> None:
        """Make the B matrices tensors of their own again, which can be saved."""
        for weight in self.ups:
            weight.data = weight.data.contiguous()

    @property
    def learnt(self) -> list[torch.Tensor]:
        return [*self.downs, *self.ups]

    def project(self, inputs):
        """(outputs side by side, what `back` needs)."""
        hidden = inputs @ self.down.T
        return (inputs @ self.frozen.T).addmm_(hidden, self.up.T, alpha=self.scale), (inputs, hidden)

    def back(self, gradient, kept):
        """(gradient of the inputs, gradients of `learnt`)."""
        inputs, hidden = kept
        inner = (gradient @ self.up).mul_(self.scale)
        downs = (inner.T @ inputs).chunk(len(self.parts))
        ups = [(rows.T @ part).mul_(self.scale) for rows, part in zip(gradient.split(self.heights, 1), hidden.chunk(len(self.parts), 1))]
        return (gradient @ self.frozen).addmm_(inner, self.down), [*downs, *ups]


def _forward(layer, groups, hidden_states, position_embeddings, lengths, stem=0, **_):
    """In place of the layer's own forward; `lengths` of the sequences and of the stem that all see, as in `ragged.forward`."""
    inner, outer, wide, narrow = groups
    turns = [part[0] for part in position_embeddings]
    middle = Attention.apply(hidden_states[0], turns, (stem, *lengths), layer, (inner, outer), *inner.learnt, *outer.learnt)
    return FeedForward.apply(middle, layer.post_attention_layernorm, (wide, narrow), *wide.learnt, *narrow.learnt)[None]


class Attention(torch.autograd.Function):
    """A layer's first half: inputs (T, W) plus what the tokens have seen in each other."""

    @staticmethod
    def forward(context, inputs, turns, lengths, layer, groups, *learnt):
        inner, outer = groups
        width = layer.self_attn.head_dim
        normed, factor = normalise(inputs, layer.input_layernorm)
        mixed, kept_inner = inner.project(normed)
        heads = _heads(mixed, inner.heights[0] // width, inner.heights[1] // width, turns)
        seen, shares = _attend(*heads, lengths, layer.self_attn.scaling)
        added, kept_outer = outer.project(seen)
        context.given = turns, lengths, layer, groups
        context.kept = inputs, factor, heads, shares, kept_inner, kept_outer
        return inputs + added

    @staticmethod
    def backward(context, gradient):
        turns, lengths, layer, (inner, outer) = context.given
        inputs, factor, heads, shares, kept_inner, kept_outer = context.kept
        seen, of_outer = outer.back(gradient, kept_outer)
        of_heads = _attend_back(seen, *heads, shares, lengths, layer.self_attn.scaling)
        normed, of_inner = inner.back(_heads_back(*of_heads, turns), kept_inner)
        return gradient + _normalise_back(normed, inputs, factor, layer.input_layernorm), None, None, None, None, *of_inner, *of_outer


class FeedForward(torch.autograd.Function):
    """A layer's second half: inputs (T, W) plus the gated network's answer to each token."""

    @staticmethod
    def forward(context, inputs, norm, groups, *learnt):
        wide, narrow = groups
        normed, factor = normalise(inputs, norm)
        both, kept_wide = wide.project(normed)
        gate, up = both.chunk(2, 1)
        curve = torch.nn.functional.silu(gate)
        added, kept_narrow = narrow.project(curve * up)
        context.given = norm, groups
        context.kept = inputs, factor, gate, up, curve, kept_wide, kept_narrow
        return inputs + added

    @staticmethod
    def backward(context, gradient):
        norm, (wide, narrow) = context.given
        inputs, factor, gate, up, curve, kept_wide, kept_narrow = context.kept
        product, of_narrow = narrow.back(gradient, kept_narrow)
        of_gate = torch.ops.aten.silu_backward(product * up, gate)
        normed, of_wide = wide.back(torch.cat([of_gate, product.mul_(curve)], 1), kept_wide)
        return gradient + _normalise_back(normed, inputs, factor, norm), None, None, *of_wide, *of_narrow


def _normalise_back(gradient, inputs, factor, norm):
    unit = inputs.float() * factor
    gradient = (gradient * norm.weight).float()
    return gradient.addcmul_(unit, (gradient * unit).mean(1, keepdim=True), value=-1).mul_(factor).to(inputs.dtype)


def _heads(mixed, queries, keys, turns):
    """Query (heads, T, head width), key and value (key heads, T, head width); query and key turned by their positions."""
    parts = mixed.view(len(mixed), queries + 2 * keys, -1).transpose(0, 1)
    turned = turn(parts[: queries + keys], *turns)
    return turned[:queries], turned[queries:], parts[queries + keys :].contiguous()


def _heads_back(query, key, value, turns):
    cosine, sine = turns
    turned = turn(torch.cat([query, key]), cosine, -sine)
    return torch.cat([turned, value]).transpose(0, 1).reshape(value.shape[1], -1)


def _attend(query, key, value, lengths, scale):
    """(what the tokens have seen, (T, heads * head width); attention shares of each sequence). The first of `lengths` is the stem's."""
    seen, shares = [], []
    for queries, keys, values in _sequences(query, key, value, lengths):
        count = queries.shape[1] * len(keys) // len(query)
        scores = (queries @ keys.transpose(1, 2)).view(len(keys), -1, count, keys.shape[1])
        share = torch.add(_later(count, keys.shape[1]), scores, alpha=scale).softmax(-1).to(query.dtype).view(len(keys), -1, keys.shape[1])
        seen.append((share @ values).view(len(query), count, -1))
        shares.append(share)
    return torch.cat(seen, 1).transpose(0, 1).reshape(query.shape[1], -1), shares


@lru_cache(maxsize=256)
def _later(queries: int, keys: int) -> torch.Tensor:
    """-inf where one of the last tokens (row) would see one that comes later (column)."""
    return torch.full((queries, keys), -torch.inf).triu_(1 + keys - queries)


def _attend_back(gradient, query, key, value, shares, lengths, scale):
    gradient = gradient.view(len(gradient), len(query), -1).transpose(0, 1)
    of_query, of_key, of_value = [], torch.zeros_like(key), torch.zeros_like(value)
    begin = 0
    for share, (queries, keys, values) in zip(shares, _sequences(query, key, value, lengths)):
        end = begin + queries.shape[1] * len(keys) // len(query)
        part = gradient[:, begin:end].reshape(queries.shape)
        of_scores = torch._softmax_backward_data(part @ values.transpose(1, 2), share, -1, share.dtype).mul_(scale)
        of_query.append((of_scores @ keys).view(len(query), -1, query.shape[2]))
        for total, found in ((of_key, of_scores.transpose(1, 2) @ queries), (of_value, share.transpose(1, 2) @ part)):
            own = end - begin
            total[:, begin:end] += found[:, -own:]
            total[:, : found.shape[1] - own] += found[:, :-own]
        begin = end
    return torch.cat(of_query, 1), of_key, of_value


def _sequences(query, key, value, lengths):
    """The stem, then each sequence behind it; queries that share a key head stand under each other: (key heads, queries, head width)."""
    stem = lengths[0]
    for number, (queries, keys, values) in enumerate(zip(query.split(lengths, 1), key.split(lengths, 1), value.split(lengths, 1))):
        if stem and number:
            keys, values = torch.cat([key[:, :stem], keys], 1), torch.cat([value[:, :stem], values], 1)
        if queries.shape[1]:
            yield queries.reshape(len(keys), -1, keys.shape[2]), keys, values

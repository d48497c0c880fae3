"""The encoder as the judges run it: one text at a time, hence without padding and masks. The same sums as transformers' layers, in fewer and larger steps."""

from __future__ import annotations

import warnings

import torch
from torch.ao.quantization import per_channel_dynamic_qconfig, quantize_dynamic
from torch.nn.functional import gelu

from ._encoder import Encoder, Pair


class OneText(torch.nn.Module):
    """Reads with the layers of ``encoder``, which it shares."""

    def __init__(self, encoder: Encoder):
        super().__init__()
        embeddings = encoder.body.embeddings
        self.tokens, self.places, self.speakers = embeddings.word_embeddings, embeddings.position_embeddings, embeddings.token_type_embeddings
        self.norm = embeddings.LayerNorm
        self.layers = torch.nn.Sequential(*(_Layer(layer) for layer in encoder.body.encoder.layer))
        self.head = encoder.head

    def forward(self, pair: Pair) -> torch.Tensor:
        """The logit, shape ()."""
        return self.head(self.mean(pair)[None])[0, 0]

    def mean(self, pair: Pair) -> torch.Tensor:
        """The mean state, shape (hidden,)."""
        tokens = self.tokens(torch.tensor(pair.prompt + pair.answer))
        speakers = self.speakers(torch.tensor([0] * len(pair.prompt) + [1] * len(pair.answer)))
        return self.layers(self.norm(tokens + speakers + self.places.weight[: len(pair)])).mean(0)


class _Layer(torch.nn.Module):
    """Attention and feed-forward of one layer of BERT; states of shape (tokens, hidden)."""

    def __init__(self, layer: torch.nn.Module):
        super().__init__()
        attention, mixed = layer.attention.self, layer.attention.output
        self.heads = attention.num_attention_heads
        self.split = _joined(attention.query, attention.key, attention.value)
        self.mix, self.mixed = mixed.dense, mixed.LayerNorm
        self.widen, self.narrow, self.done = layer.intermediate.dense, layer.output.dense, layer.output.LayerNorm

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        states = self.mixed(self.mix(self._attend(states)) + states)
        return self.done(self.narrow(gelu(self.widen(states))) + states)

    def _attend(self, states: torch.Tensor) -> torch.Tensor:
        query, key, value = self.split(states).unflatten(-1, (3, self.heads, -1)).permute(1, 2, 0, 3).contiguous()
        scores = torch.bmm(query, key.mT).mul_(query.shape[-1] ** -0.5)
        return torch.bmm(scores.softmax(-1), value).transpose(0, 1).flatten(1)


def _joined(*layers: torch.nn.Linear) -> torch.nn.Linear:
    """One layer that gives what all of them give, one after the other."""
    joined = torch.nn.Linear(layers[0].in_features, sum(layer.out_features for layer in layers))
    joined.weight.data, joined.bias.data = (torch.cat([getattr(layer, name).data for layer in layers]) for name in ("weight", "bias"))
    return joined


def eight_bits(encoder: Encoder) -> OneText:
    """The encoder for one text, its linear layers in eight bits (weights by row, inputs by text) and all its layers in one call."""
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # quantize_dynamic and tracing are to go from a later torch; ours is pinned
        model = quantize_dynamic(OneText(encoder).eval(), {torch.nn.Linear: per_channel_dynamic_qconfig})
        model.layers = torch.jit.freeze(torch.jit.trace(model.layers, torch.zeros(2, encoder.body.config.hidden_size)))
    return model

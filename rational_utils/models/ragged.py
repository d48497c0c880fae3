"""Sequences of any lengths through a network side by side: no padding, so every token is computed once and none for nothing.

All tokens stand in one row; linear layers see them together, attention looks at each sequence by itself. What the
sequences begin with (a stem, or a prefix in the cache) stands once before them. It knows nothing of prompts or losses.
"""

from __future__ import annotations

from itertools import chain
from typing import Sequence

import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

NAME = "ragged"
# keeps transformers from making a mask that nobody reads
GIVEN = torch.ones(1, 1, 1, 1, dtype=torch.bool)


def forward(
    model, sequences: list[list[int]], cache=None, prefix: int = 0, stem: Sequence[int] = (), branches: list[list[int]] | None = None,
    begins: list[int] | None = None,
) -> torch.Tensor:
    """Last hidden states of all tokens, in order, the stem's first; shape (sum of lengths, width).

    Args:
        model: a causal language model that was loaded with this attention (`loading.load`), plain or with adapters.
        sequences: token ids; each sees itself and what all begin with, and none of the others.
        cache: takes keys and values; `prefix` is the number of tokens that it holds already.
        stem: token ids that all sequences begin with and that are computed here, once (without a cached prefix).
        begins: of every sequence, behind how many of the stem's tokens it begins: it sees those and no more (without a cached prefix; by default all).
        branches: of every sequence, [] or for each token the number of its branch: one sees branch 0, which comes first, and its own.
    """
    lengths = [len(ids) for ids in sequences]
    ids = torch.tensor([[*stem, *chain.from_iterable(sequences)]], device=model.device)
    before = begins or [prefix + len(stem)] * len(sequences)
    trees = [_tree(numbers) if numbers else None for numbers in branches or [()] * len(sequences)]
    within = [torch.arange(length) if tree is None else tree.sum(1) - 1 for length, tree in zip(lengths, trees)]
    positions = torch.cat([torch.arange(len(stem)), *(start + places for start, places in zip(before, within))])[None].to(model.device)
    output = decoder(model)(
        input_ids=ids, position_ids=positions, attention_mask=GIVEN.to(model.device), past_key_values=cache, use_cache=cache is not None,
        lengths=lengths, stem=len(stem), trees=trees, begins=begins,
    )  # fmt: skip
    return output.last_hidden_state[0]


def decoder(model):
    """The network below the output layer, adapters included."""
    return (model.get_base_model() if hasattr(model, "get_base_model") else model).get_decoder()


def common_prefix(sequences: list[Sequence[int]]) -> int:
    """How many tokens all sequences begin with; of each at least one is left over. Nothing for a single sequence."""
    if len(sequences) < 2:
        return 0
    first, last = min(sequences), max(sequences)
    same = next((i for i, (a, b) in enumerate(zip(first, last)) if a != b), min(len(first), len(last)))
    return min(same, min(map(len, sequences)) - 1)


def attend(
    module, query, key, value, attention_mask, lengths: list[int] | None = None, stem: int = 0, trees: list | None = None, begins: list[int] | None = None,
    masks: list | None = None, windowed: list | None = None, **settings,
):
    """transformers' own attention, unless `lengths` cut the single row into sequences or the rows form groups with `masks`.

    With `lengths`, `query` has shape (1, heads, stem + sum of lengths, head width); `key` and `value` may begin with a prefix,
    cached or the stem, that all see. With `masks`, `query` holds one new token of every row, and `key`, `value` and `masks` are lists: see `cache.GroupLayer`. Layers with a
    sliding window take `windowed` in their place.
    """
    if masks:
        limited = windowed if settings.get("sliding_window") and windowed else masks
        return _attend_to_groups(query, key, value, limited, settings.get("scaling"))
    if lengths is None:
        return sdpa_attention_forward(module, query, key, value, attention_mask, **settings)
    dtype, prefix = query.dtype, key.shape[2] - sum(lengths)
    if dtype == torch.bfloat16 and query.device.type == "cpu":  # where short sequences take longer in it than in float32
        query, key, value = query.float(), key.float(), value.float()
    groups = query.shape[1] // key.shape[1]
    (first_key, *keys), (first_value, *values) = (parts.split([prefix, *lengths], 2) for parts in (key, value))
    first_query, *queries = query.split([stem, *lengths], 2)
    seen = [(first_query, first_key, first_value, None)] if stem else []
    for part, own_key, own_value, tree, start in zip(queries, keys, values, trees or [None] * len(lengths), begins or [prefix] * len(lengths)):
        both = (torch.cat([first[:, :, :start], own], 2) if start else own for first, own in ((first_key, own_key), (first_value, own_value)))
        seen.append((part, *both, tree))
    answers = []
    for part, keys, values, tree in seen:
        mask = _mask(part.shape[2], keys.shape[2] - part.shape[2], settings.get("sliding_window"), query.device, tree)
        answers.append(
            torch.nn.functional.scaled_dot_product_attention(
                part, keys.repeat_interleave(groups, 1), values.repeat_interleave(groups, 1), attn_mask=mask,
                dropout_p=settings.get("dropout", 0.0), is_causal=mask is None, scale=settings.get("scaling"),
            )
        )  # fmt: skip
    return torch.cat(answers, 2).transpose(1, 2).to(dtype), None


def _attend_to_groups(query, keys, values, masks, scale):
    """One new token a row. Heads with common keys stand as queries beside each other, so that no key is copied for them."""
    rows, heads, _, width = query.shape
    parts = query.view(rows, keys[0].shape[1], -1, width).split([len(mask) for mask in masks])
    seen = [torch.add(mask, part @ key.transpose(2, 3), alpha=scale).softmax(-1) @ value for part, key, value, mask in zip(parts, keys, values, masks)]
    return torch.cat(seen).view(rows, 1, heads, width), None


def _mask(length: int, prefix: int, window: int | None, device, tree: torch.Tensor | None = None) -> torch.Tensor | None:
    """What the tokens of a sequence see, shape (length, prefix + length); None where plain causal attention says the same."""
    limited = window is not None and prefix + length > window
    if not prefix and not limited and tree is None:
        return None
    seen = torch.ones(length, prefix + length, dtype=torch.bool, device=device).tril(prefix)
    if tree is not None:
        seen[:, prefix:] = tree
    return seen.triu(prefix - window + 1) if limited else seen


def _tree(branches: list[int]) -> torch.Tensor:
    """What the tokens of a sequence see of it, shape (tokens, tokens): branch 0 and their own, up to themselves."""
    own = torch.tensor(branches)
    return ((own == 0) | (own == own[:, None])).tril()


AttentionInterface.register(NAME, attend)
AttentionMaskInterface.register(NAME, sdpa_mask)

"""Sequences of any lengths through a network side by side: no padding, so every token is computed once and none for nothing.

All tokens stand in one row; linear layers see them together, attention looks at each sequence by itself. What the
sequences have in common (a prefix in the cache) stands once before them. It knows nothing of prompts or losses.
"""

from __future__ import annotations

import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

NAME = "ragged"
# keeps transformers from making a mask that nobody reads
GIVEN = torch.ones(1, 1, 1, 1, dtype=torch.bool)


def forward(model, sequences: list[list[int]], cache=None, prefix: int = 0) -> torch.Tensor:
    """Last hidden states of all tokens, in order; shape (sum of lengths, width).

    Args:
        model: a causal language model that was loaded with this attention (`loading.load`), plain or with adapters.
        sequences: token ids; each sees itself and the cached prefix, and none of the others.
        cache: takes keys and values; `prefix` is the number of tokens that it holds already.
    """
    lengths = [len(ids) for ids in sequences]
    ids = torch.tensor([[token for sequence in sequences for token in sequence]], device=model.device)
    positions = torch.cat([torch.arange(prefix, prefix + length) for length in lengths])[None].to(model.device)
    output = decoder(model)(
        input_ids=ids, position_ids=positions, attention_mask=GIVEN.to(model.device), past_key_values=cache, use_cache=cache is not None, lengths=lengths
    )
    return output.last_hidden_state[0]


def decoder(model):
    """The network below the output layer, adapters included."""
    return (model.get_base_model() if hasattr(model, "get_base_model") else model).get_decoder()


def attend(module, query, key, value, attention_mask, lengths: list[int] | None = None, masks: list | None = None, **settings):
    """transformers' own attention, unless `lengths` cut the single row into sequences or the rows form groups with `masks`.

    With `lengths`, `query` has shape (1, heads, sum of lengths, head width); `key` and `value` may begin with a prefix that all
    see. With `masks`, `query` holds one new token of every row, and `key`, `value` and `masks` are lists: see `cache.GroupLayer`.
    """
    if masks:
        return _attend_to_groups(query, key, value, masks, settings.get("scaling"))
    if lengths is None:
        return sdpa_attention_forward(module, query, key, value, attention_mask, **settings)
    prefix = key.shape[2] - query.shape[2]
    groups = query.shape[1] // key.shape[1]
    (first_key, *keys), (first_value, *values) = (parts.split([prefix, *lengths], 2) for parts in (key, value))
    answers = []
    for part, own_key, own_value in zip(query.split(lengths, 2), keys, values):
        seen_key, seen_value = (torch.cat(pair, 2) if prefix else pair[1] for pair in ((first_key, own_key), (first_value, own_value)))
        mask = _mask(part.shape[2], prefix, settings.get("sliding_window"), query.device)
        answers.append(
            torch.nn.functional.scaled_dot_product_attention(
                part, seen_key.repeat_interleave(groups, 1), seen_value.repeat_interleave(groups, 1), attn_mask=mask,
                dropout_p=settings.get("dropout", 0.0), is_causal=mask is None, scale=settings.get("scaling"),
            )
        )  # fmt: skip
    return torch.cat(answers, 2).transpose(1, 2), None


def _attend_to_groups(query, keys, values, masks, scale):
    """One new token a row. Heads with common keys stand as queries beside each other, so that no key is copied for them."""
    rows, heads, _, width = query.shape
    parts = query.view(rows, keys[0].shape[1], -1, width).split([len(mask) for mask in masks])
    seen = [torch.add(mask, part @ key.transpose(2, 3), alpha=scale).softmax(-1) @ value for part, key, value, mask in zip(parts, keys, values, masks)]
    return torch.cat(seen).view(rows, 1, heads, width), None


def _mask(length: int, prefix: int, window: int | None, device) -> torch.Tensor | None:
    """What the tokens of a sequence see, shape (length, prefix + length); None where plain causal attention says the same."""
    limited = window is not None and prefix + length > window
    if not prefix and not limited:
        return None
    seen = torch.ones(length, prefix + length, dtype=torch.bool, device=device).tril(prefix)
    return seen.triu(prefix - window + 1) if limited else seen


AttentionInterface.register(NAME, attend)
AttentionMaskInterface.register(NAME, sdpa_mask)

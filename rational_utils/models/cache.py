"""A key/value cache whose rows come and go while a batch is being decoded.

Rows are aligned at their right edge: every row's newest token stands in the same column. A finished row is dropped
and a waiting one admitted without touching the others, and a new token is written in place (the cache that comes with
transformers copies everything at each step). It does not know about prompts, masks or sampling.
"""

from __future__ import annotations

import torch
from transformers.cache_utils import Cache, CacheLayerMixin

GROWTH = 64


class RowLayer(CacheLayerMixin):
    """Keys and values of one layer: two buffers of shape (rows, kv_heads, capacity, head_dim)."""

    is_compileable = False
    is_sliding = False

    def __init__(self):
        super().__init__()
        self.length = 0

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        rows, heads, _, width = key_states.shape
        self.keys = key_states.new_zeros(rows, heads, GROWTH, width)
        self.values = value_states.new_zeros(rows, heads, GROWTH, value_states.shape[-1])
        self.is_initialized = True

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, *args, **kwargs):
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        end = self.length + key_states.shape[2]
        self._reserve(end)
        self.keys[:, :, self.length : end] = key_states
        self.values[:, :, self.length : end] = value_states
        self.length = end
        return self.keys[:, :, :end], self.values[:, :, :end]

    def spread(self, lengths: list[int]) -> "RowLayer":
        """This layer's one row, a prefix and sequences behind it (see `ragged`), as a layer with a row a sequence."""
        prefix, longest = self.length - sum(lengths), max(lengths)
        made = RowLayer()
        made.is_initialized, made.length = True, prefix + longest
        made.keys, made.values = (self._spread(buffer, lengths, prefix, longest) for buffer in (self.keys, self.values))
        return made

    def _spread(self, buffer: torch.Tensor, lengths: list[int], prefix: int, longest: int) -> torch.Tensor:
        rows = buffer.new_empty(len(lengths), buffer.shape[1], prefix + longest + GROWTH, buffer.shape[3])
        for row, own in zip(rows, buffer[0, :, prefix : self.length].split(lengths, 1)):
            start = longest - own.shape[1]
            row[:, :start] = 0  # masked, yet it must be a number
            row[:, start : start + prefix] = buffer[0, :, :prefix]
            row[:, start + prefix : prefix + longest] = own
        return rows

    def cut(self, length: int) -> None:
        """Forget everything behind the first `length` columns."""
        self.length = length

    def keep(self, rows: torch.Tensor, first_column: int) -> None:
        """Keep the rows at these indices and the columns from `first_column` on."""
        self.keys = self.keys[rows, :, first_column : self.length]
        self.values = self.values[rows, :, first_column : self.length]
        self.length -= first_column

    def admit(self, other: "RowLayer") -> None:
        """Append the rows of another layer; the shorter side gets empty columns on its left."""
        length = max(self.length, other.length)
        self.keys = torch.cat([layer._right_aligned(layer.keys, length) for layer in (self, other)])
        self.values = torch.cat([layer._right_aligned(layer.values, length) for layer in (self, other)])
        self.length = length

    def _right_aligned(self, buffer: torch.Tensor, length: int) -> torch.Tensor:
        return torch.nn.functional.pad(buffer[:, :, : self.length], (0, 0, length - self.length, GROWTH))

    def _reserve(self, length: int) -> None:
        missing = length - self.keys.shape[2]
        if missing > 0:
            self.keys = torch.nn.functional.pad(self.keys, (0, 0, 0, missing + GROWTH))
            self.values = torch.nn.functional.pad(self.values, (0, 0, 0, missing + GROWTH))

    def get_seq_length(self) -> int:
        return self.length

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.length + query_length, 0

    def get_max_length(self) -> int:
        return -1

    def reset(self) -> None:
        self.length = 0


class RowCache(Cache):
    """One `RowLayer` for each of the model's layers."""

    def __init__(self, layers: list[RowLayer]):
        super().__init__(layers=layers)

    @classmethod
    def empty(cls, layers: int) -> "RowCache":
        return cls([RowLayer() for _ in range(layers)])

    def spread(self, lengths: list[int]) -> "RowCache":
        return RowCache([layer.spread(lengths) for layer in self.layers])

    def cut(self, length: int) -> None:
        for layer in self.layers:
            layer.cut(length)

    @property
    def length(self) -> int:
        return self.layers[0].length

    def keep(self, rows: torch.Tensor, first_column: int) -> None:
        for layer in self.layers:
            layer.keep(rows, first_column)

    def admit(self, other: "RowCache") -> None:
        for mine, theirs in zip(self.layers, other.layers):
            mine.admit(theirs)

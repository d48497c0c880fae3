"""Keys and values of texts: while prompts are read, and while groups of rows are decoded.

Prompts are read behind each other in one row (see `ragged`). For decoding, texts of like length form a group: its rows are
aligned at their right edge, a new token is written in place, and every group has buffers of its own, so that groups come and go
without touching each other (the cache that comes with transformers copies everything at each step). It does not know about
prompts, masks or sampling.
"""

from __future__ import annotations

import torch
from torch.nn.functional import pad
from transformers.cache_utils import Cache, CacheLayerMixin

GROWTH = 32


class _Layer(CacheLayerMixin):
    """What transformers asks of a layer's cache; `length` columns of the buffers are in use."""

    is_compileable = False
    is_sliding = False
    is_initialized = True
    length = 0

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        """Nothing: `update` takes the shapes as they come."""

    def get_seq_length(self) -> int:
        return self.length

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.length + query_length, 0

    def get_max_length(self) -> int:
        return -1

    def reset(self) -> None:
        self.length = 0


class TextLayer(_Layer):
    """One layer's view of texts behind each other in a single row; buffers (1, key heads, capacity, head width)."""

    def __init__(self):
        self.keys = self.values = None

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, *args, **kwargs):
        new = key_states.shape[2]
        if self.keys is None:
            self.keys, self.values = key_states[:, :, :0], value_states[:, :, :0]
        missing = self.length + new - self.keys.shape[2]
        if missing > 0:
            self.keys, self.values = pad(self.keys, (0, 0, 0, missing)), pad(self.values, (0, 0, 0, missing))
        self.keys[:, :, self.length : self.length + new] = key_states
        self.values[:, :, self.length : self.length + new] = value_states
        self.length += new
        return self.keys[:, :, : self.length], self.values[:, :, : self.length]


class GroupLayer(_Layer):
    """One layer's view of a group; buffers (rows, key heads, capacity, head width).

    Used over their whole capacity they are operands of plain matrix products as they are: no copies.
    """

    def __init__(self, text: TextLayer, prefix: int, sequences: list[slice]):
        """Rows of the text's first `prefix` columns and one of `sequences` each."""
        _, heads, _, width = text.keys.shape
        self.length = prefix + max(own.stop - own.start for own in sequences)
        self.keys, self.values = (text.keys.new_zeros(len(sequences), heads, self.length + GROWTH, width) for _ in range(2))
        for row, own in enumerate(sequences):
            middle = self.length - (own.stop - own.start)
            for mine, given in ((self.keys, text.keys), (self.values, text.values)):
                mine[row, :, middle - prefix : middle] = given[0, :, :prefix]
                mine[row, :, middle : self.length] = given[0, :, own]

    def reserve(self) -> None:
        """Have room for one more token."""
        if self.length == self.values.shape[2]:
            self.keys, self.values = _grown(self.keys), _grown(self.values)

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, *args, **kwargs):
        """Put a new token behind each row; both whole buffers."""
        self.keys[:, :, self.length] = key_states[:, :, 0]
        self.values[:, :, self.length] = value_states[:, :, 0]
        self.length += 1
        return self.keys, self.values

    def keep(self, rows: torch.Tensor, first_column: int) -> None:
        """Keep the rows at these indices and the columns from `first_column` on."""
        self.keys, self.values = self.keys[rows, :, first_column:], self.values[rows, :, first_column:]
        self.length -= first_column


def _grown(buffer: torch.Tensor) -> torch.Tensor:
    """The buffer with zeros behind it: nobody looks at them, yet they must be numbers."""
    rows, heads, capacity, width = buffer.shape
    made = buffer.new_empty(rows, heads, capacity + GROWTH, width)
    made[:, :, :capacity] = buffer
    made[:, :, capacity:] = 0
    return made


class GroupsLayer(_Layer):
    """One layer's view of several groups, whose rows stand below each other in what the model computes."""

    def __init__(self, groups: list[GroupLayer]):
        self.groups = groups

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, *args, **kwargs):
        """(keys of every group, values of every group), as `ragged.attend` takes them."""
        counts = [len(group.keys) for group in self.groups]
        parts = zip(self.groups, key_states.split(counts), value_states.split(counts))
        return tuple(zip(*(group.update(keys, values) for group, keys, values in parts)))


class TextCache(Cache):
    """One `TextLayer` for each of the model's layers."""

    def __init__(self, layers: int):
        super().__init__(layers=[TextLayer() for _ in range(layers)])

    def cut(self, length: int) -> None:
        """Forget everything behind the first `length` tokens."""
        for layer in self.layers:
            layer.length = length


class GroupCache:
    """One `GroupLayer` for each of the model's layers."""

    def __init__(self, text: TextCache, prefix: int, sequences: list[slice]):
        self.layers = [GroupLayer(layer, prefix, sequences) for layer in text.layers]

    @property
    def length(self) -> int:
        return self.layers[0].length

    @property
    def capacity(self) -> int:
        return self.layers[0].values.shape[2]

    @property
    def device(self) -> torch.device:
        return self.layers[0].keys.device

    def reserve(self) -> None:
        for layer in self.layers:
            layer.reserve()

    def keep(self, rows: torch.Tensor, first_column: int) -> None:
        for layer in self.layers:
            layer.keep(rows, first_column)


def together(groups: list[GroupCache]) -> Cache:
    """The groups as one cache for a step of the model."""
    return Cache(layers=[GroupsLayer(list(layers)) for layers in zip(*(group.layers for group in groups))])

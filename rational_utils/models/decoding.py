"""Sequences decoded together: read without padding, grouped by length so that attention runs over few columns, taken out when they end."""

from __future__ import annotations

import torch

from . import products, ragged
from .cache import GroupCache, TextCache, together
from .sampling import draw
from .sequences import Row

# rows whose keys and values stand together, and attend together over as many columns as the longest of them has
GROUP_ROWS = 16
# rows that have ended are taken out of a group when no more than this share of it is still busy
BUSY_SHARE = 7 / 8
# prompt tokens that are read together
PROMPT_TOKENS = 4096


class Group:
    """Rows of like length, aligned at their newest token."""

    def __init__(self, rows: list[Row], cache: GroupCache):
        self.rows, self.cache = rows, cache

    def drop_ended(self) -> None:
        """Ended rows stay as ballast until there are enough of them: taking rows out copies the group's cache."""
        kept = [i for i, row in enumerate(self.rows) if not row.left]
        if len(kept) <= len(self.rows) * BUSY_SHARE:
            self.rows = [self.rows[i] for i in kept]
            if self.rows:
                self.cache.keep(torch.tensor(kept), int(self._starts().min()))

    def mask(self, dtype: torch.dtype, window: int | None = None) -> torch.Tensor:
        """What the next tokens of the rows see, themselves included: 0 there and -inf elsewhere; (rows, 1, 1, capacity)."""
        self.cache.reserve()
        columns, newest = torch.arange(self.cache.capacity), self.cache.length
        oldest = self._starts() if window is None else self._starts().clamp(min=newest - window + 1)
        hidden = (columns < oldest[:, None]) | (columns > newest)
        return torch.zeros(hidden.shape, dtype=dtype).masked_fill_(hidden, -torch.inf)[:, None, None].to(self.cache.device)

    def _starts(self) -> torch.Tensor:
        """The column of each row's first token."""
        return torch.tensor([self.cache.length - row.position for row in self.rows])


class Batch:
    """Groups of rows that are decoded together."""

    def __init__(self, model):
        self.model = model
        self.backbone, self.head = model.get_decoder(), products.for_few_rows(model.get_output_embeddings().weight)
        self.window = getattr(model.config, "sliding_window", None)
        self.place = {"device": model.device}
        self.groups: list[Group] = []
        self.hidden: torch.Tensor | None = None

    @property
    def rows(self) -> list[Row]:
        return [row for group in self.groups for row in group.rows]

    def busy(self) -> int:
        return sum(not row.left for row in self.rows)

    def admit(self, rows: list[Row]) -> None:
        """Read the prompts of new rows; what all of them begin with is read once, and nothing is padded."""
        shared = ragged.common_prefix([row.prompt_ids for row in rows])
        text, hidden = TextCache(self.model.config.num_hidden_layers), [self.hidden] if self.groups else []
        if shared:
            ragged.forward(self.model, [rows[0].prompt_ids[:shared]], text)
        for part in _within(rows, PROMPT_TOKENS, shared):
            own = [row.prompt_ids[shared:] for row in part]
            ends = torch.tensor([len(ids) for ids in own]).cumsum(0)
            hidden.append(ragged.forward(self.model, own, text, shared)[ends - 1])
            sequences = [slice(shared + end - len(ids), shared + end) for end, ids in zip(ends.tolist(), own)]
            for start in range(0, len(part), GROUP_ROWS):
                chosen = slice(start, start + GROUP_ROWS)
                self.groups.append(Group(part[chosen], GroupCache(text, shared, sequences[chosen])))
            text.cut(shared)
        self.hidden = torch.cat(hidden)

    def step(self) -> list[Row]:
        """Choose every row's next token, read the new tokens, and return the rows that have ended."""
        self._choose()
        ended = [row for row in self.rows if row.over() and not row.left]
        for row in ended:
            row.left = True
        for group in self.groups:
            group.drop_ended()
        self.groups = [group for group in self.groups if group.rows]
        if self.groups:
            self._read()
        return ended

    def _choose(self) -> None:
        rows = self.rows
        asking = [i for i, row in enumerate(rows) if not row.left and row.needs_logits()]
        logits = self.head(self.hidden[asking]) if asking else torch.empty(0)
        found = {i: pair for i, *pair in zip(asking, logits, _wanted([rows[i] for i in asking], logits))}
        for i, row in enumerate(rows):
            if not row.left:
                row.choose(*found.get(i, (None, 0)))

    def _read(self) -> None:
        """Read each row's new token; last hidden states, shape (rows, width)."""
        rows, masks = self.rows, [group.mask(self.hidden.dtype) for group in self.groups]
        windowed = [group.mask(self.hidden.dtype, self.window) for group in self.groups] if self.window else None
        output = self.backbone(
            input_ids=torch.tensor([[row.token] for row in rows], **self.place), position_ids=torch.tensor([[row.position] for row in rows], **self.place),
            attention_mask=ragged.GIVEN.to(**self.place), past_key_values=together([group.cache for group in self.groups]), use_cache=True, masks=masks, windowed=windowed,
        )  # fmt: skip
        self.hidden = output.last_hidden_state[:, -1]
        for row in rows:
            row.position += 1


def _wanted(rows: list[Row], logits: torch.Tensor) -> list[int]:
    """Each row's likeliest token, or the one that its own chance picks; logits (rows, words)."""
    tokens = logits.argmax(-1) if rows else torch.empty(0)
    drawing = [i for i, row in enumerate(rows) if row.generator]
    if drawing:
        temperatures = logits.new_tensor([rows[i].request.temperature for i in drawing], dtype=torch.float32)
        tokens[drawing] = draw(logits[drawing], temperatures, torch.tensor([rows[i].chance() for i in drawing], device=logits.device))
    return tokens.tolist()


def _within(rows: list[Row], budget: int, shared: int) -> list[list[Row]]:
    """The rows in groups, each of at most `budget` prompt tokens (or of one row)."""
    groups, used = [[]], 0
    for row in rows:
        size = len(row.prompt_ids) - shared
        if groups[-1] and used + size > budget:
            groups.append([])
            used = 0
        groups[-1].append(row)
        used += size
    return groups

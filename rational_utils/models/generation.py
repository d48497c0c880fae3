"""Batched text generation that keeps the processor busy: finished sequences leave the batch, waiting ones come in.

The result of a request depends on its own text, settings and seed; batches are composed from the given order alone,
so the same list gives the same answers. It does not render chat templates and does not judge what it writes.
"""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field

import torch

from ..study.keep import Keep
from ..study.progress import bar
from ..study.settings import digest
from . import ragged
from .cache import RowCache
from .guides import Script, Section

CHUNK_ROWS = 4
# rows that have ended are taken out of the batch when no more than this share of it is still busy
BUSY_SHARE = 7 / 8
# prompt tokens that are read together
PROMPT_TOKENS = 2048
# prompts are grouped by this many first tokens (an instruction they share), then by length
GROUPED_BY = 64


@dataclass(frozen=True)
class Request:
    """A rendered prompt; `temperature` 0 is greedy; `guide` leads the text section by section and sets its own limits."""

    prompt: str
    max_new_tokens: int = 0
    temperature: float = 0.0
    seed: int = 0
    guide: tuple[Section, ...] = ()


@dataclass(frozen=True)
class Completion:
    """What was written: `finished` is False when the token limit cut it; `sections` and `cut` belong to a guide.

    `seconds` is the request's share of the batches that it was part of.
    """

    text: str
    tokens: int
    finished: bool
    seconds: float
    sections: dict[str, str] = field(default_factory=dict)
    cut: tuple[str, ...] = ()


class _Row:
    def __init__(self, index: int, request: Request, tokenizer, eos: int):
        self.index, self.request, self.eos = index, request, eos
        self.prompt_ids = tokenizer.encode(request.prompt, add_special_tokens=False)
        self.ids: list[int] = []
        self.finished = self.left = False
        self.seconds = 0.0
        self.script = Script(request.guide, tokenizer) if request.guide else None
        if self.script:
            self._take_first_head()
        self.position = len(self.prompt_ids)
        self.generator = torch.Generator().manual_seed(request.seed) if request.temperature > 0 else None

    def _take_first_head(self):
        self.ids = list(self.script.forced)
        self.prompt_ids = self.prompt_ids + self.ids
        self.script.forced.clear()

    def needs_logits(self) -> bool:
        return not (self.script and self.script.forced)

    def choose(self, logits: torch.Tensor | None, likeliest: int) -> int:
        if logits is None:
            token = self.script.forced.popleft()
        else:
            token = self._sample(logits, likeliest)
            if self.script:
                token = self.script.observe(token, token == self.eos)
        ended = token == self.eos
        if not ended:
            self.ids.append(token)
        self.finished = ended or bool(self.script and self.script.over and not self.script.forced)
        return token

    def _sample(self, logits: torch.Tensor, likeliest: int) -> int:
        allowed = self.script.allowed_tokens() if self.script else []
        if allowed:
            return allowed[int(logits[allowed].argmax())]
        if self.generator is None:
            return likeliest
        weights = torch.softmax(logits.float() / self.request.temperature, -1)
        return int(torch.multinomial(weights, 1, generator=self.generator))

    def over(self) -> bool:
        return self.finished or (self.script is None and len(self.ids) >= self.request.max_new_tokens)

    def completion(self, tokenizer) -> Completion:
        text = tokenizer.decode(self.ids, skip_special_tokens=True)
        script = self.script
        guided = (script.texts, tuple(script.cut)) if script else ({}, ())
        return Completion(text, len(self.ids), self.finished, round(self.seconds, 4), *guided)


@torch.inference_mode()
def generate(model, tokenizer, requests: list[Request], *, rows: int = 32, on_done=None) -> list[Completion]:
    """Complete every request.

    Args:
        model: a causal language model of transformers in eval mode.
        requests: rendered prompts (special tokens included in the text).
        rows: how many sequences are decoded together.
        on_done: called with the number of requests that have just been finished (for a progress bar).

    Returns:
        Completions in the order of the requests; text without special tokens.
    """
    waiting = [_Row(i, request, tokenizer, tokenizer.eos_token_id) for i, request in enumerate(requests)]
    waiting.sort(key=lambda row: (row.prompt_ids[:GROUPED_BY], -len(row.prompt_ids), row.index))
    batch, done = _Batch(model), [None] * len(requests)
    while waiting or batch.rows:
        if waiting and batch.busy() <= rows * 3 // 4:
            free = rows - batch.busy()
            with _shared_time(waiting[:free]):
                batch.admit(waiting[:free])
            waiting = waiting[free:]
        with _shared_time(batch.rows):
            ended = batch.step()
        for row in ended:
            done[row.index] = row.completion(tokenizer)
            if on_done:
                on_done(1)
    return done


@contextmanager
def _shared_time(rows: list[_Row]):
    started = time.perf_counter()
    yield
    share = (time.perf_counter() - started) / len(rows)
    for row in rows:
        row.seconds += share


class _Batch:
    """Rows that are decoded together; `seen` marks which columns of the cache each row may look at."""

    def __init__(self, model):
        self.model = model
        self.backbone, self.head = model.get_decoder(), model.get_output_embeddings()
        self.rows: list[_Row] = []
        self.cache = self.hidden = self.seen = None

    def admit(self, rows: list[_Row]) -> None:
        """Read the prompts of new rows; what all of them begin with is read once, and nothing is padded."""
        self._drop_ended()
        shared = _common_prefix([row.prompt_ids for row in rows]) if len(rows) > 1 else 0
        reader = RowCache.empty(self.model.config.num_hidden_layers)
        if shared:
            ragged.forward(self.model, [rows[0].prompt_ids[:shared]], reader)
        for part in _within(rows, PROMPT_TOKENS, shared):
            own = [row.prompt_ids[shared:] for row in part]
            lengths = [len(ids) for ids in own]
            ends = torch.tensor(lengths).cumsum(0) - 1
            hidden = ragged.forward(self.model, own, reader, shared)[ends]
            self._join(part, hidden, reader.spread(lengths), shared + torch.tensor(lengths))
            reader.cut(shared)

    def _join(self, rows: list[_Row], hidden: torch.Tensor, cache: RowCache, lengths: torch.Tensor) -> None:
        seen = torch.arange(cache.length) >= cache.length - lengths[:, None]
        if self.cache is None:
            self.cache, self.hidden, self.seen = cache, hidden, seen
        else:
            self.cache.admit(cache)
            self.hidden = torch.cat([self.hidden, hidden])
            self.seen = torch.cat([_widened(self.seen, self.cache.length), _widened(seen, self.cache.length)])
        self.rows = self.rows + rows

    def step(self) -> list[_Row]:
        """Choose every row's next token, read the new tokens, and return the rows that have ended.

        An ended row stays as ballast until there are enough of them: taking rows out copies the whole cache.
        """
        tokens = self._choose()
        ended = [row for row in self.rows if row.over() and not row.left]
        for row in ended:
            row.left = True
        if self.busy() <= len(self.rows) * BUSY_SHARE:
            tokens = [token for row, token in zip(self.rows, tokens) if not row.left]
            self._drop_ended()
            if not self.rows:
                return ended
        self.seen = torch.nn.functional.pad(self.seen, (0, 1), value=True)
        self.hidden = self._read(tokens)
        for row in self.rows:
            row.position += 1
        return ended

    def busy(self) -> int:
        return sum(not row.left for row in self.rows)

    def _drop_ended(self) -> None:
        kept = torch.tensor([i for i, row in enumerate(self.rows) if not row.left])
        self.rows = [row for row in self.rows if not row.left]
        if not self.rows:
            self.cache = self.hidden = self.seen = None
        elif len(kept) < len(self.hidden):
            seen = self.seen[kept]
            first = int(seen.any(0).int().argmax())
            self.seen, self.hidden = seen[:, first:], self.hidden[kept]
            self.cache.keep(kept, first)

    def _choose(self) -> list[int]:
        asking = [i for i, row in enumerate(self.rows) if not row.left and row.needs_logits()]
        logits = self.head(self.hidden[asking]) if asking else torch.empty(0)
        found = {i: (scores, likeliest) for i, scores, likeliest in zip(asking, logits, logits.max(-1).indices.tolist() if asking else [])}
        return [0 if row.left else row.choose(*found.get(i, (None, 0))) for i, row in enumerate(self.rows)]

    def _read(self, tokens: list[int]) -> torch.Tensor:
        """Read each row's new token; last hidden states, shape (rows, width)."""
        positions = torch.tensor([[row.position] for row in self.rows])
        mask = self.seen[:, None, None, :]
        output = self.backbone(
            input_ids=torch.tensor(tokens)[:, None], attention_mask=mask, position_ids=positions, past_key_values=self.cache, use_cache=True
        )
        return output.last_hidden_state[:, -1]


def _within(rows: list[_Row], budget: int, shared: int) -> list[list[_Row]]:
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


def _common_prefix(sequences: list[list[int]]) -> int:
    """Length of what all sequences begin with; at least one token of each is left over."""
    first, last = min(sequences), max(sequences)
    same = next((i for i, (a, b) in enumerate(zip(first, last)) if a != b), min(len(first), len(last)))
    return min(same, min(map(len, sequences)) - 1)


def _widened(seen: torch.Tensor, columns: int) -> torch.Tensor:
    return torch.nn.functional.pad(seen, (columns - seen.shape[1], 0))


def generate_kept(model, tokenizer, requests: list[Request], keep: Keep, made_by: str, what: str, *, rows: int = 32) -> list[Completion]:
    """`generate` in chunks whose results are kept, so that a killed stage goes on; `made_by` names the model's weights.

    Chunks are the same whether or not the work was interrupted, and so are the answers.
    """
    done: list[Completion] = []
    with bar(len(requests), what, "answers") as advance:
        for start in range(0, len(requests), rows * CHUNK_ROWS):
            chunk = requests[start : start + rows * CHUNK_ROWS]
            key = digest(json.dumps([made_by, rows, [asdict(request) for request in chunk]]))
            if keep.get(key) is None:
                keep.put(key, [asdict(made) for made in generate(model, tokenizer, chunk, rows=rows, on_done=advance)])
            else:
                advance(len(chunk))
            done += [Completion(**{**made, "cut": tuple(made["cut"])}) for made in keep.get(key)]
    return done

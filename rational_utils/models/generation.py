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
from . import llama, ragged
from .cache import GroupCache, TextCache, together
from .guides import Script, Section
from .sampling import draw

CHUNK_ROWS = 3
# rows whose keys and values stand together, and attend together over as many columns as the longest of them has
GROUP_ROWS = 16
# rows that have ended are taken out of a group when no more than this share of it is still busy
BUSY_SHARE = 7 / 8
# prompt tokens that are read together
PROMPT_TOKENS = 4096
# prompts are grouped by this many first tokens (an instruction they share), then by length
GROUPED_BY = 64


@dataclass(frozen=True)
class Request:
    """A rendered prompt; `temperature` 0 is greedy; `guide` leads the text section by section and sets its own limits; the text ends behind
    the first of `stops` that it comes to hold."""

    prompt: str
    max_new_tokens: int = 0
    temperature: float = 0.0
    seed: int = 0
    guide: tuple[Section, ...] = ()
    stops: tuple[str, ...] = ()


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
        self.index, self.request, self.tokenizer, self.eos = index, request, tokenizer, eos
        self.prompt_ids = tokenizer.encode(request.prompt, add_special_tokens=False)
        self.ids: list[int] = []
        self.finished = self.left = False
        self.token = 0
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

    def choose(self, logits: torch.Tensor | None, wanted: int) -> None:
        """Take a forced token, the likeliest of those that are allowed, or else the one that is `wanted`."""
        if logits is None:
            token = self.script.forced.popleft()
        elif self.script:
            allowed = self.script.allowed_tokens()
            token = allowed[int(logits[allowed].argmax())] if allowed else wanted
            token = self.script.observe(token, token == self.eos)
        else:
            token = wanted
        ended = token == self.eos
        if not ended:
            self.ids.append(token)
        self.finished = ended or bool(self.script and self.script.over and not self.script.forced) or self._stopped()
        self.token = token

    def _stopped(self) -> bool:
        """Whether a stop sequence has just been written; no token is less than a byte of it."""
        if not self.request.stops:
            return False
        newest = self.tokenizer.decode(self.ids[-max(len(stop.encode()) for stop in self.request.stops) :], skip_special_tokens=True)
        return any(stop in newest for stop in self.request.stops)

    def chance(self) -> float:
        """A number in [0, 1) that depends on the request's seed and on how many were drawn before."""
        return torch.rand((), generator=self.generator).item()

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
    with llama.lean(model):
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


class _Group:
    """Rows of like length, aligned at their newest token."""

    def __init__(self, rows: list[_Row], cache: GroupCache):
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
        return torch.zeros(hidden.shape, dtype=dtype).masked_fill_(hidden, -torch.inf)[:, None, None]

    def _starts(self) -> torch.Tensor:
        """The column of each row's first token."""
        return torch.tensor([self.cache.length - row.position for row in self.rows])


class _Batch:
    """Groups of rows that are decoded together."""

    def __init__(self, model):
        self.model = model
        self.backbone, self.head = model.get_decoder(), model.get_output_embeddings()
        self.window = getattr(model.config, "sliding_window", None)
        self.groups: list[_Group] = []
        self.hidden: torch.Tensor | None = None

    @property
    def rows(self) -> list[_Row]:
        return [row for group in self.groups for row in group.rows]

    def busy(self) -> int:
        return sum(not row.left for row in self.rows)

    def admit(self, rows: list[_Row]) -> None:
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
                self.groups.append(_Group(part[chosen], GroupCache(text, shared, sequences[chosen])))
            text.cut(shared)
        self.hidden = torch.cat(hidden)

    def step(self) -> list[_Row]:
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
            input_ids=torch.tensor([[row.token] for row in rows]), position_ids=torch.tensor([[row.position] for row in rows]),
            attention_mask=ragged.GIVEN, past_key_values=together([group.cache for group in self.groups]), use_cache=True, masks=masks, windowed=windowed,
        )  # fmt: skip
        self.hidden = output.last_hidden_state[:, -1]
        for row in rows:
            row.position += 1


def _wanted(rows: list[_Row], logits: torch.Tensor) -> list[int]:
    """Each row's likeliest token, or the one that its own chance picks; logits (rows, words)."""
    tokens = logits.argmax(-1) if rows else torch.empty(0)
    drawing = [i for i, row in enumerate(rows) if row.generator]
    if drawing:
        temperatures = torch.tensor([rows[i].request.temperature for i in drawing])
        tokens[drawing] = draw(logits[drawing], temperatures, torch.tensor([rows[i].chance() for i in drawing]))
    return tokens.tolist()


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

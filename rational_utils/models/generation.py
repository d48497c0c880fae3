"""Batched text generation that keeps the processor busy: finished sequences leave the batch, waiting ones come in.

The result of a request depends on its own text, settings and seed; batches are composed from the given order alone,
so the same list gives the same answers. It does not render chat templates and does not judge what it writes.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field

import torch

from ..study.keep import Keep
from ..study.progress import bar
from ..study.settings import digest
from .cache import RowCache
from .guides import Script, Section

CHUNK_ROWS = 4


@dataclass(frozen=True)
class Request:
    """A rendered prompt; `temperature` 0 is greedy; `guide` leads the text section by section."""

    prompt: str
    max_new_tokens: int
    temperature: float = 0.0
    seed: int = 0
    guide: tuple[Section, ...] = ()


@dataclass(frozen=True)
class Completion:
    """What was written: `finished` is False when the token limit cut it; `sections` and `cut` belong to a guide."""

    text: str
    tokens: int
    finished: bool
    sections: dict[str, str] = field(default_factory=dict)
    cut: tuple[str, ...] = ()


class _Row:
    def __init__(self, index: int, request: Request, tokenizer, eos: int):
        self.index, self.request, self.eos = index, request, eos
        self.prompt_ids = tokenizer.encode(request.prompt, add_special_tokens=False)
        self.ids: list[int] = []
        self.finished = False
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

    def choose(self, logits: torch.Tensor | None) -> int:
        if logits is None:
            token = self.script.forced.popleft()
        else:
            token = self._sample(logits)
            if self.script:
                token = self.script.observe(token, token == self.eos)
        ended = token == self.eos
        if not ended:
            self.ids.append(token)
        self.finished = ended or bool(self.script and self.script.over and not self.script.forced)
        return token

    def _sample(self, logits: torch.Tensor) -> int:
        allowed = self.script.allowed_tokens() if self.script else []
        if allowed:
            return allowed[int(logits[allowed].argmax())]
        if self.generator is None:
            return int(logits.argmax())
        weights = torch.softmax(logits.float() / self.request.temperature, -1)
        return int(torch.multinomial(weights, 1, generator=self.generator))

    def over(self) -> bool:
        return self.finished or len(self.ids) >= self.request.max_new_tokens

    def completion(self, tokenizer) -> Completion:
        text = tokenizer.decode(self.ids, skip_special_tokens=True)
        script = self.script
        return Completion(text, len(self.ids), self.finished, script.texts if script else {}, tuple(script.cut) if script else ())


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
    waiting.sort(key=lambda row: (-len(row.prompt_ids), row.index))
    batch, done = _Batch(model), [None] * len(requests)
    while waiting or batch.rows:
        if waiting and len(batch.rows) <= rows * 3 // 4:
            free = rows - len(batch.rows)
            batch.admit(waiting[:free])
            waiting = waiting[free:]
        for row in batch.step():
            done[row.index] = row.completion(tokenizer)
            if on_done:
                on_done(1)
    return done


class _Batch:
    def __init__(self, model):
        self.model = model
        self.backbone, self.head = model.get_decoder(), model.get_output_embeddings()
        self.rows: list[_Row] = []
        self.cache = self.hidden = None

    def admit(self, rows: list[_Row]) -> None:
        cache = RowCache(self.model.config.num_hidden_layers)
        length = max(len(row.prompt_ids) for row in rows)
        ids = torch.tensor([[0] * (length - len(row.prompt_ids)) + row.prompt_ids for row in rows])
        lengths = torch.tensor([len(row.prompt_ids) for row in rows])
        hidden = self._forward(ids, lengths, cache)
        if self.cache is None:
            self.cache, self.hidden = cache, hidden
        else:
            self.cache.admit(cache)
            self.hidden = torch.cat([self.hidden, hidden])
        self.rows = self.rows + rows

    def step(self) -> list[_Row]:
        """Choose every row's next token, take out the rows that are over, and read the new tokens."""
        tokens = self._choose()
        over = [row for row in self.rows if row.over()]
        if over:
            kept = [i for i, row in enumerate(self.rows) if not row.over()]
            self.rows, tokens = [self.rows[i] for i in kept], [tokens[i] for i in kept]
            if not self.rows:
                self.cache = self.hidden = None
                return over
            widest = max(row.position for row in self.rows)
            self.cache.keep(torch.tensor(kept), self.cache.layers[0].length - widest)
        for row in self.rows:
            row.position += 1
        lengths = torch.tensor([row.position for row in self.rows])
        self.hidden = self._forward(torch.tensor(tokens).unsqueeze(1), lengths, self.cache)
        return over

    def _choose(self) -> list[int]:
        asking = [i for i, row in enumerate(self.rows) if row.needs_logits()]
        logits = dict(zip(asking, self.head(self.hidden[asking]))) if asking else {}
        return [row.choose(logits.get(i)) for i, row in enumerate(self.rows)]

    def _forward(self, ids: torch.Tensor, lengths: torch.Tensor, cache: RowCache) -> torch.Tensor:
        """Last hidden state of each row, shape (rows, width). `lengths` counts a row's tokens, the new ones included."""
        new, total = ids.shape[1], cache.layers[0].length + ids.shape[1]
        start = (total - lengths).unsqueeze(1)
        columns = torch.arange(total)
        position = (columns[-new:] - start).clamp(min=0)
        seen = columns >= start
        causal = columns[None, :] <= columns[-new:, None]
        mask = seen[:, None, None, :] & causal[None, None] if new > 1 else seen[:, None, None, :]
        mask = mask | (columns[None, :] == columns[-new:, None])[None, None]
        output = self.backbone(input_ids=ids, attention_mask=mask, position_ids=position, past_key_values=cache, use_cache=True)
        return output.last_hidden_state[:, -1]


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

"""What is asked of a model, what it wrote, and a sequence on its way from the one to the other: forced, chosen or stopped, token by token."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from .guides import Script, Section


@dataclass(frozen=True)
class Request:
    """A rendered prompt; `temperature` 0 is greedy; `guide` leads the text section by section and sets its own limits; the text ends behind
    the first of `stops` that it comes to hold, and before a user's next turn if the template begins one in plain words."""

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


class Row:
    def __init__(self, index: int, request: Request, tokenizer, eos: int, turn: str):
        self.index, self.request, self.tokenizer, self.eos, self.turn = index, request, tokenizer, eos, turn
        self.stops = (*request.stops, turn) if turn and not request.guide else request.stops
        self.line_begun = "\n" if request.prompt.endswith("\n") else ""  # a user's next turn begins a line, and this may be its end
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
        if not self.stops:
            return False
        reach = max(len(stop.encode()) for stop in self.stops)
        newest = self.tokenizer.decode(self.ids[-reach:], skip_special_tokens=True)
        return any(stop in newest for stop in self.stops) or (len(self.ids) <= reach and self._turns(newest))

    def _turns(self, text: str) -> bool:
        """Whether the text, from the answer's beginning, holds a user's next turn."""
        return self.turn in self.stops and self.turn in self.line_begun + text

    def chance(self) -> float:
        """A number in [0, 1) that depends on the request's seed and on how many were drawn before."""
        return torch.rand((), generator=self.generator).item()

    def over(self) -> bool:
        return self.finished or (self.script is None and len(self.ids) >= self.request.max_new_tokens)

    def completion(self, tokenizer) -> Completion:
        text = tokenizer.decode(self.ids, skip_special_tokens=True)
        text = (self.line_begun + text).split(self.turn)[0].removeprefix(self.line_begun).rstrip() if self._turns(text) else text
        script = self.script
        guided = (script.texts, tuple(script.cut)) if script else ({}, ())
        return Completion(text, len(self.ids), self.finished, round(self.seconds, 4), *guided)

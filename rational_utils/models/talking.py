"""A model as somebody to talk to: dialogues in, replies out. It keeps no memory of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Sequence

from ..study.keep import Shelf
from .chat import render
from .generation import Completion, Request
from .whitebox import Whitebox


@dataclass(frozen=True)
class Talker:
    """`complete` turns requests into completions; a reply has at most `max_tokens` tokens.

    What an attack may want besides: `whitebox` is the same model from inside, `attacker` another one that rewrites requests, `score` says
    how far a reply answers a question (0 to 1), `read` gives a source's text, `openings` what searches want an answer to begin with, by question. `surrogate` is the
    base model, from which suffixes are carried over; `kept` has what has been found on it by `made_by`. `name` says who it is, where that is asked.
    """

    tokenizer: object
    max_tokens: int
    complete: Callable[[list[Request]], list[Completion]]
    whitebox: Whitebox | None = None
    attacker: object | None = None
    score: Callable[[str, str], float] | None = None
    read: Callable[[str], str] | None = None
    openings: dict[str, str] | None = None
    surrogate: "Talker | None" = None
    kept: Shelf | None = None
    made_by: str = ""
    name: str = ""

    def answer(self, dialogues: Sequence[Sequence[dict[str, str]]], temperature: float = 0.0, seeds: Sequence[int] | None = None) -> list[str]:
        """One reply a dialogue, in order; greedy by default, otherwise with a seed for each."""
        rendered = [render(self.tokenizer, list(dialogue)) for dialogue in dialogues]
        requests = [Request(text, self.max_tokens, temperature, seed) for text, seed in zip(rendered, seeds or [0] * len(rendered), strict=True)]
        return [completion.text for completion in self.complete(requests)]

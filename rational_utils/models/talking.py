"""A model as somebody to talk to: dialogues in, replies out. It keeps no memory of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Sequence

from .chat import render
from .generation import Completion, Request
from .whitebox import Whitebox


@dataclass(frozen=True)
class Talker:
    """`complete` turns requests into completions; a reply has at most `max_tokens` tokens and is greedy. `whitebox` is the same model from inside."""

    tokenizer: object
    max_tokens: int
    complete: Callable[[list[Request]], list[Completion]]
    whitebox: Whitebox

    def answer(self, dialogues: Sequence[Sequence[dict[str, str]]]) -> list[str]:
        """One reply a dialogue, in order."""
        requests = [Request(render(self.tokenizer, list(dialogue)), self.max_tokens) for dialogue in dialogues]
        return [completion.text for completion in self.complete(requests)]

"""Who writes and rewrites requests for the study: a model of its own, or one behind an endpoint. It knows nothing of what is rewritten."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import Sequence

from ..study import stages
from ..study.keep import Shelf
from ..study.sections import Writer
from ..study.settings import digest


def rewriter(wanted: Writer | None, dtype: str, rows: int = 32):
    """Somebody with a `name` and `answer(dialogues)`; None where none is wanted. No model is loaded for an endpoint, and none twice."""
    if wanted is None:
        return None
    if wanted.url:
        from .endpoint import Endpoint

        return Endpoint(wanted.url, wanted.model, wanted.tokens, wanted.key)
    from . import generation, talking

    model, tokenizer = _loaded(wanted.model, dtype)
    name = f"{wanted.model}, {model.dtype}, {wanted.tokens} tokens, {stages.rooms_fingerprint('models')}"
    return talking.Talker(tokenizer, wanted.tokens, lambda requests: generation.generate(model, tokenizer, requests, rows=rows), name=name)


@cache
def _loaded(model: str, dtype: str):
    from . import loading

    return loading.load(model, dtype=dtype)


@dataclass(frozen=True)
class Remembering:
    """A writer whose replies are kept: what it has been asked once, with that seed, it is not asked again."""

    writer: object
    shelf: Shelf

    @property
    def name(self) -> str:
        return self.writer.name

    def answer(self, dialogues: Sequence[Sequence[dict[str, str]]], temperature: float = 0.0, seeds: Sequence[int] | None = None) -> list[str]:
        asked = list(zip(map(list, dialogues), seeds or [0] * len(dialogues), strict=True))
        keys = [digest(json.dumps([self.name, dialogue, temperature, seed])) for dialogue, seed in asked]
        new = [(key, *one) for key, one in zip(keys, asked) if self.shelf.get(key) is None]
        if new:
            replies = self.writer.answer([dialogue for _, dialogue, _ in new], temperature, [seed for _, _, seed in new])
            for (key, *_), reply in zip(new, replies, strict=True):
                self.shelf.put(key, reply)
        return [self.shelf.get(key) for key in keys]


def attacker(wanted: Writer | None, dtype: str, shelf: Shelf) -> Remembering | None:
    """The writer for attacks, with its replies kept; None where none is wanted."""
    writer = rewriter(wanted, dtype)
    return writer and Remembering(writer, shelf)

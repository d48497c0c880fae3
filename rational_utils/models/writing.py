"""Who writes and rewrites requests for the study: a model of its own, or one behind an endpoint. It knows nothing of what is rewritten."""

from __future__ import annotations

from ..study import stages
from ..study.sections import Writer


def rewriter(wanted: Writer | None, dtype: str, rows: int = 32):
    """Somebody with a `name` and `answer(dialogues)`; None where none is wanted. No model is loaded for an endpoint."""
    if wanted is None:
        return None
    if wanted.url:
        from .endpoint import Endpoint

        return Endpoint(wanted.url, wanted.model, wanted.tokens, wanted.key)
    from . import generation, loading, talking

    model, tokenizer = loading.load(wanted.model, dtype=dtype)
    name = f"{wanted.model}, {model.dtype}, {wanted.tokens} tokens, {stages.rooms_fingerprint('models')}"
    return talking.Talker(tokenizer, wanted.tokens, lambda requests: generation.generate(model, tokenizer, requests, rows=rows), name=name)

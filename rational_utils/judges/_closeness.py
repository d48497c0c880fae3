"""Are a question and an answer about the same thing? By the encoder's own vectors; nothing is learnt here."""

from functools import cache, lru_cache

import torch

from . import _encoder, _one_text


@cache
def _plain() -> _one_text.OneText:
    return _one_text.eight_bits(_encoder.Encoder())


@lru_cache(maxsize=1024)
def _vector(text: str, most: int) -> torch.Tensor:
    with torch.inference_mode():
        return _plain().mean(_encoder.beginning(text, most))


def closeness(prompt: str, answer: str) -> float:
    """The cosine (-1 to 1) of the vectors of the beginnings of a prompt and an answer (``_encoder.PROMPT`` and ``HEAD`` tokens)."""
    return round(float(torch.cosine_similarity(_vector(prompt, _encoder.PROMPT), _vector(answer, _encoder.HEAD), dim=0)), 3)

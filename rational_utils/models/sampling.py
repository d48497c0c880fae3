"""Drawing next tokens for many rows at once, each by a chance of its own."""

from __future__ import annotations

import torch


def draw(logits: torch.Tensor, temperatures: torch.Tensor, chances: torch.Tensor) -> torch.Tensor:
    """Tokens whose share of the probability, in the order of the vocabulary, holds the chance (inverse transform sampling).

    Args:
        logits: (rows, words).
        temperatures, chances: (rows,); temperatures above 0, chances in [0, 1).

    Returns:
        Token ids, (rows,). A row's token depends on nothing but its own row.
    """
    reached = (logits.float() / temperatures[:, None]).softmax(-1).cumsum(-1)
    tokens = torch.searchsorted(reached, chances[:, None] * reached[:, -1:], right=True)
    return tokens[:, 0].clamp(max=logits.shape[1] - 1)

"""How likely a model finds given answers. For many short choices see `scoring`, which the benchmarks use."""

from __future__ import annotations

import torch

from . import llama, ragged


@torch.inference_mode()
def reference_nll(model, tokenizer, pairs: list[tuple[str, str]], tokens: int) -> list[float]:
    """Mean negative log-likelihood (nats a token) of each (rendered context, reference)'s first `tokens` reference tokens.

    Raises:
        ValueError: a context or a reference is empty.
    """
    found = []
    with llama.lean(model):
        for pair in pairs:
            context, reference = (tokenizer.encode(text, add_special_tokens=False) for text in pair)
            if not context or not reference:
                raise ValueError("a context or a reference has no tokens")
            wanted = torch.tensor(reference[:tokens])
            hidden = ragged.forward(model, [context + reference[: len(wanted) - 1]])[-len(wanted) :]
            scores = torch.log_softmax(model.get_output_embeddings()(hidden).float(), -1)
            found.append(-scores.gather(1, wanted[:, None]).mean().item())
    return found

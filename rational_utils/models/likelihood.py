"""How likely a model finds given answers. For many short choices see `scoring`, which the benchmarks use."""

from __future__ import annotations

import random
from collections.abc import Iterator

import torch

from . import chat, llama, ragged

BATCH = 1024  # tokens


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
            wanted = torch.tensor(reference[:tokens], device=model.device)
            hidden = ragged.forward(model, [context + reference[: len(wanted) - 1]])[-len(wanted) :]
            scores = torch.log_softmax(model.get_output_embeddings()(hidden).float(), -1)
            found.append(-scores.gather(1, wanted[:, None]).mean().item())
    return found


def order_gain(model, tokenizer, texts: list[str | None], tokens: int) -> list[float | None]:
    """How much likelier each text is than its own words in a random order, in nats a token; both as answers to an empty prompt, the first `tokens` of each.

    Language gains by its order, under whatever model and vocabulary; words without connection do not, nor does one word again and again. None where there are no words.
    """
    words = random.Random(0)
    once = {text: " ".join(words.sample(text.split(), len(text.split()))) for text in dict.fromkeys(texts) if text and text.split()}
    versions = [tokenizer.encode(version, add_special_tokens=False)[:tokens] for pair in once.items() for version in pair]
    with llama.lean(model):
        found = list(_answers_nll(model, tokenizer.encode(chat.render(tokenizer, ""), add_special_tokens=False), versions))
    gains = dict(zip(once, (mixed - own for own, mixed in zip(found[::2], found[1::2]))))
    return [gains.get(text) for text in texts]


@torch.inference_mode()
def _answers_nll(model, prompt: list[int], answers: list[list[int]]) -> Iterator[float]:
    """Mean negative log-likelihood (nats a token) of each answer to the same prompt, which is read once a batch."""
    for batch in _batches(answers):
        before, *states = ragged.forward(model, batch, stem=prompt).split([len(prompt), *map(len, batch)])
        for state, answer in zip(states, batch):
            scores = torch.log_softmax(model.get_output_embeddings()(torch.cat([before[-1:], state[:-1]])).float(), -1)
            yield -scores.gather(1, torch.tensor(answer, device=scores.device)[:, None]).mean().item()


def _batches(sequences: list[list[int]]) -> Iterator[list[list[int]]]:
    batch: list[list[int]] = []
    for ids in sequences:
        if batch and sum(map(len, batch)) + len(ids) > BATCH:
            yield batch
            batch = []
        batch.append(ids)
    if batch:
        yield batch

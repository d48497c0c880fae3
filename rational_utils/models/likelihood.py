"""How likely a model finds given answers. For many short choices see `scoring`, which the benchmarks use."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

import torch

from . import chat, llama, ragged

BATCH = 1024  # tokens
Pair = tuple[list[int], list[int]]  # the token ids of a prompt and of an answer


class Gains(NamedTuple):
    """How much likelier a text is than its own words in a random order, and behind its question than behind an empty prompt, in nats a token;
    None where there are no words."""

    order: float | None = None
    question: float | None = None


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


def gains(model, tokenizer, questions: list[str], texts: list[str | None], tokens: int) -> list[Gains]:
    """What each text gains by the order of its words, and by following its question; the first `tokens` tokens of each count.

    Language gains by its order, under whatever model and vocabulary; words without connection do not, nor does one word again and again. An answer gains by
    its question; what could be said to any does not. Order is read behind an empty prompt.
    """
    mixed = {text: _mixed(text) for text in dict.fromkeys(texts) if text and text.split()}
    asked = [pair for pair in dict.fromkeys(zip(questions, texts, strict=True)) if pair[1] in mixed]

    def nll(pairs: list[tuple[str, str]]) -> list[float]:
        encoded = [(tokenizer.encode(chat.render(tokenizer, question), add_special_tokens=False), tokenizer.encode(text, add_special_tokens=False)[:tokens]) for question, text in pairs]
        return list(_answers_nll(model, encoded))

    with llama.lean(model):
        own, other = (dict(zip(mixed, nll([("", text) for text in version]))) for version in (mixed, mixed.values()))
        behind = dict(zip(asked, nll(asked)))
    return [Gains(other[pair[1]] - own[pair[1]], own[pair[1]] - behind[pair]) if pair in behind else Gains() for pair in zip(questions, texts)]


def _mixed(text: str) -> str:
    """The text's words in an order of its own, whatever is asked beside it."""
    words = text.split()
    return " ".join(random.Random(text).sample(words, len(words)))


@torch.inference_mode()
def _answers_nll(model, pairs: list[Pair]) -> Iterator[float]:
    """Mean negative log-likelihood (nats a token) of each answer to its prompt. What a batch's prompts begin with is read once."""
    for batch in _batches(pairs):
        stem = os.path.commonprefix([prompt for prompt, _ in batch])
        rows = [prompt[len(stem) :] + answer for prompt, answer in batch]
        before, *states = ragged.forward(model, rows, stem=stem).split([len(stem), *map(len, rows)])
        for state, (_, answer) in zip(states, batch):
            reads = torch.cat([before[-1:], state])[-len(answer) - 1 : -1]
            scores = torch.log_softmax(model.get_output_embeddings()(reads).float(), -1)
            yield -scores.gather(1, torch.tensor(answer, device=scores.device)[:, None]).mean().item()


def _batches(pairs: list[Pair]) -> Iterator[list[Pair]]:
    batch: list[Pair] = []
    for pair in pairs:
        if batch and sum(map(len, chain(*batch, pair))) > BATCH:
            yield batch
            batch = []
        batch.append(pair)
    if batch:
        yield batch

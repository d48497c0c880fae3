"""Likelihoods of reference answers are transformers' own."""

import pytest
import torch

from rational_utils.models import loading
from rational_utils.models.likelihood import reference_nll

CONTEXTS, REFERENCES = ["What is tea?", "short", "What is tea?"], [" a drink made of leaves", "and so on " * 9, " no"]


@pytest.mark.parametrize("tokens", [1, 6, 100])
def test_likelihood_is_transformers_own_loss(tokens):
    model, tokenizer = loading.load("tiny")
    found = reference_nll(model, tokenizer, [*zip(CONTEXTS, REFERENCES)], tokens)
    for nll, context, reference in zip(found, CONTEXTS, REFERENCES):
        given, wanted = (tokenizer.encode(text, add_special_tokens=False) for text in (context, reference))
        labels = [-100] * len(given) + wanted[:tokens]
        with torch.no_grad():
            loss = model(input_ids=torch.tensor([given + wanted[:tokens]]), labels=torch.tensor([labels])).loss.item()
        assert nll == pytest.approx(loss, abs=1e-4)


def test_no_references_no_likelihoods():
    assert reference_nll(*loading.load("tiny"), [], 6) == []


@pytest.mark.parametrize("pair", [("", "x"), ("x", "")])
def test_nothing_to_score_is_refused(pair):
    with pytest.raises(ValueError, match="no tokens"):
        reference_nll(*loading.load("tiny"), [pair], 6)

"""Likelihoods of reference answers are transformers' own."""

import pytest
import torch

from rational_utils.models import chat, likelihood, loading
from rational_utils.models.likelihood import order_gain, reference_nll

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


@pytest.mark.parametrize("batch", [1, 40, 10_000])
def test_the_gain_by_order_is_the_difference_of_two_likelihoods(batch, monkeypatch):
    monkeypatch.setattr(likelihood, "BATCH", batch)
    model, tokenizer = loading.load("tiny")
    texts = ["the kettle sings and the tea is ready", "stop", "the kettle sings and the tea is ready", "ready is tea the and sings kettle the"]
    shuffled = likelihood.random.Random(0)
    mixed = {text: " ".join(shuffled.sample(text.split(), len(text.split()))) for text in dict.fromkeys(texts)}
    prompt = chat.render(tokenizer, "")
    own, other = (reference_nll(model, tokenizer, [(prompt, text) for text in version], 6) for version in (texts, [mixed[text] for text in texts]))
    assert order_gain(model, tokenizer, texts, 6) == pytest.approx([b - a for a, b in zip(own, other)], abs=1e-4)


def test_one_word_gains_nothing_by_its_order():
    assert order_gain(*loading.load("tiny"), ["stop", "no no no no"], 9) == [0.0, 0.0]


def test_where_there_are_no_words_there_is_no_gain():
    assert order_gain(*loading.load("tiny"), ["stop", " ", None, ""], 9) == [0.0, None, None, None]

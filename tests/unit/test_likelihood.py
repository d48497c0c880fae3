"""Likelihoods of reference answers are transformers' own."""

import pytest
import torch

from rational_utils.models import chat, likelihood, loading
from rational_utils.models.likelihood import Gains, gains, reference_nll

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
def test_gains_are_differences_of_two_likelihoods(batch, monkeypatch):
    monkeypatch.setattr(likelihood, "BATCH", batch)
    model, tokenizer = loading.load("tiny")
    texts = ["the kettle sings and the tea is ready", "stop", "the kettle sings and the tea is ready", "ready is tea the and sings kettle the"]
    questions = ["How is the tea?", "", "Where is the kettle?", "How is the tea?"]
    mixed = {text: " ".join(likelihood.random.Random(text).sample(text.split(), len(text.split()))) for text in texts}
    empty, asked = chat.render(tokenizer, ""), [chat.render(tokenizer, question) for question in questions]
    own, other = (reference_nll(model, tokenizer, [(empty, text) for text in version], 6) for version in (texts, [mixed[text] for text in texts]))
    behind = reference_nll(model, tokenizer, [*zip(asked, texts)], 6)
    found = gains(model, tokenizer, questions, texts, 6)
    assert [gain.order for gain in found] == pytest.approx([b - a for a, b in zip(own, other)], abs=1e-4)
    assert [gain.question for gain in found] == pytest.approx([a - b for a, b in zip(own, behind)], abs=1e-4) and found[1].question == pytest.approx(0, abs=1e-6)


def test_a_gain_is_the_same_whatever_is_asked_beside_it():
    model, tokenizer = loading.load("tiny")
    alone, beside = gains(model, tokenizer, ["Why?"], ["one two three four five"], 9), gains(model, tokenizer, ["How?", "Why?"], ["six seven eight nine", "one two three four five"], 9)
    assert beside[1] == pytest.approx(alone[0], abs=1e-5)


def test_one_word_gains_nothing_by_its_order():
    assert [gain.order for gain in gains(*loading.load("tiny"), ["Why?"] * 2, ["stop", "no no no no"], 9)] == [0.0, 0.0]


def test_where_there_are_no_words_there_is_no_gain():
    found = gains(*loading.load("tiny"), ["Why?"] * 4, ["stop", " ", None, ""], 9)
    assert found[1:] == [Gains(None, None)] * 3 and None not in found[0]

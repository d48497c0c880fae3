"""On another device than the CPU everything gives the same answers, and no tensor is left behind."""

import pytest
import torch

from rational_utils.models import generation, likelihood, llama, loading, scoring, whitebox
from rational_utils.models.chat import encode, render
from rational_utils.study import settings
from rational_utils.training import circuit_breaker, sft

from elsewhere import PLACE, Elsewhere, Placed

TEXTS = ["What is a kettle?", "How do tides come about, and why twice a day?", "Name a river."]


@pytest.fixture(params=["tiny", "tiny-gemma"])
def here_and_there(request, monkeypatch):
    """(answer of a function of (model, tokenizer) here, its answer there) for one of the tiny models."""

    def both(compute):
        here = compute(*loading.load(request.param))
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        with Placed():
            model, tokenizer = loading.load(request.param)
            assert model.device == PLACE
            return here, compute(model, tokenizer)

    return both


def test_the_double_tells_places_apart():
    with Placed():
        there, here = torch.ones(2, device=PLACE), torch.ones(2)
        assert there.device == (there * 2).device == here.to(PLACE).device == PLACE and there.cpu().device.type == "cpu"
        assert type(there + there) is Elsewhere and type(there.cpu()) is torch.Tensor
        with pytest.raises(RuntimeError, match="one device"):
            there + here


@pytest.mark.parametrize("temperature", [0.0, 0.8])
def test_answers(here_and_there, temperature):
    def answers(model, tokenizer):
        asked = [generation.Request(render(tokenizer, text), 12, temperature=temperature, seed=3) for text in TEXTS]
        return [done.text for done in generation.generate(model, tokenizer, asked, rows=2)]

    here, there = here_and_there(answers)
    assert here == there


def test_scores(here_and_there):
    def scores(model, tokenizer):
        lm = scoring.BatchedLM(model, tokenizer)
        ids = [tokenizer.encode(text) for text in TEXTS]
        return lm._loglikelihood_tokens([(None, ids[0], ids[1]), (None, ids[0], ids[2]), (None, ids[1], ids[2])])

    here, there = here_and_there(scores)
    assert [value for value, _ in there] == pytest.approx([value for value, _ in here]) and [best for _, best in here] == [best for _, best in there]


def test_likelihoods(here_and_there):
    def likelihoods(model, tokenizer):
        pairs = [(render(tokenizer, text), "It is " + text) for text in TEXTS]
        return [*likelihood.reference_nll(model, tokenizer, pairs, 8), *(gain for pair in likelihood.gains(model, tokenizer, TEXTS[::-1], TEXTS, 12) for gain in pair)]

    here, there = here_and_there(likelihoods)
    assert there == pytest.approx(here, abs=1e-5)


def test_fine_tuning(here_and_there, tmp_path):
    wanted = settings.load("smoke").profile.training.model_copy(update={"epochs": 2})

    def losses(model, tokenizer):
        rows = [encode(tokenizer, text, "An answer to it.", 256) for text in TEXTS]
        return sft.train(model, rows, wanted, 0, tmp_path / "resume.pt")[1]["loss"].tolist()

    here, there = here_and_there(losses)
    assert there == pytest.approx(here, rel=1e-4)


def test_circuit_breaker(here_and_there, tmp_path, monkeypatch):
    monkeypatch.setattr(llama, "is_known", lambda model: False)  # else LoRA's B begins at other random values here
    wanted = settings.load("smoke").profile.circuit_breaker

    def curves(model, tokenizer):
        rows = [encode(tokenizer, text, "An answer to it.", 256, whole=False) for text in TEXTS]
        return circuit_breaker.train(model, rows, rows[:2], wanted, 0, tmp_path / "resume.pt")[1][["cosine", "distance"]].to_numpy().ravel().tolist()

    here, there = here_and_there(curves)
    assert there == pytest.approx(here, rel=1e-3)


def test_what_attacks_by_gradient_ask(here_and_there):
    def asked(model, tokenizer):
        box = whitebox.Whitebox(model, tokenizer)
        slot = box.slot(f"A question {box.hole}", "Sure")
        suffixes = [box.encode(text)[:4] for text in TEXTS]
        return torch.cat([box.losses(slot, suffixes), box.losses(slot, suffixes[:1], suffixes[0][:2]), box.slope(slot, suffixes[0]).ravel(), box.allowed().float()])

    here, there = here_and_there(asked)
    assert torch.allclose(here, there, atol=1e-5)


def test_only_weights_lose_their_exactness():
    model, _ = loading.load("tiny", dtype="bfloat16")
    assert {weight.dtype for weight in model.parameters()} == {torch.bfloat16}
    assert {buffer.dtype for buffer in model.buffers() if buffer.is_floating_point()} == {torch.float32}

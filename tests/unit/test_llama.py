"""The lean layer computes what transformers' own does, and leaves the model as it was."""

import pytest
import torch
from peft import LoraConfig, get_peft_model

from rational_utils.models import llama, loading

IDS = torch.tensor([[5, 6, 7, 8, 9, 10], [11, 12, 13, 14, 15, 16]])


@pytest.fixture
def model():
    return loading.load("tiny")[0]


@torch.inference_mode()
@pytest.mark.parametrize("mask", [None, [[0, 0, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1]]])
def test_same_hidden_states_with_and_without_padding(model, mask):
    mask = mask and torch.tensor(mask)
    plain = model.get_decoder()(input_ids=IDS, attention_mask=mask).last_hidden_state
    with llama.lean(model):
        ours = model.get_decoder()(input_ids=IDS, attention_mask=mask).last_hidden_state
    seen = torch.ones_like(IDS, dtype=torch.bool) if mask is None else mask.bool()
    assert torch.allclose(ours[seen], plain[seen], atol=1e-5)


def test_the_layers_are_given_back_and_can_be_trained(model):
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    with torch.inference_mode(), llama.lean(model):
        model(IDS)
    assert "forward" not in vars(model.get_decoder().layers[0])
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())
    model(IDS).logits.sum().backward()
    assert model.get_decoder().layers[0].self_attn.q_proj.weight.grad.abs().sum() > 0


def test_models_that_it_does_not_know_are_left_alone(model):
    adapted = get_peft_model(model, LoraConfig(target_modules="all-linear"))
    for wrapped in (adapted, model):  # the model inside a PeftModel has the adapters too
        with llama.lean(wrapped):
            assert "forward" not in vars(model.get_decoder().layers[0])
    model.config.attention_bias = True
    assert not llama.is_known(model)

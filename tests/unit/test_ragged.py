"""Sequences side by side without padding: every sequence's hidden states are what it has alone."""

import pytest
import torch

from rational_utils.models import loading, ragged
from rational_utils.models.cache import GroupCache, TextCache

SEQUENCES = [[5, 6, 7, 8], [9], [10, 11, 12, 13, 14, 15, 16], [20, 21]]


@pytest.fixture(scope="module", params=["tiny", "tiny-gemma"])
def model(request):
    return loading.load(request.param)[0].double()  # in which no rounding hides a mistake


def alone(model, ids):
    return model.get_decoder()(input_ids=torch.tensor([ids]), use_cache=False).last_hidden_state[0]


@torch.inference_mode()
def test_sequences_do_not_see_each_other(model):
    together = ragged.forward(model, SEQUENCES)
    assert torch.allclose(together, torch.cat([alone(model, ids) for ids in SEQUENCES]), atol=1e-6)


@torch.inference_mode()
def test_a_prefix_in_the_cache_is_seen_by_all(model):
    prefix, cache = [30, 31, 32], TextCache(model.config.num_hidden_layers)
    ragged.forward(model, [prefix], cache)
    together = ragged.forward(model, SEQUENCES, cache, len(prefix))
    assert torch.allclose(together, torch.cat([alone(model, prefix + ids)[len(prefix) :] for ids in SEQUENCES]), atol=1e-6)


@torch.inference_mode()
def test_a_stem_is_computed_once_and_seen_by_all(model):
    stem = [30, 31, 32]
    together = ragged.forward(model, SEQUENCES, stem=stem)
    expected = [alone(model, stem), *(alone(model, stem + ids)[len(stem) :] for ids in SEQUENCES)]
    assert torch.allclose(together, torch.cat(expected), atol=1e-6)


@torch.inference_mode()
def test_a_sequence_may_begin_inside_the_stem(model):
    stem, begins = [30, 31, 32, 33], [0, 4, 2, 1]
    together = ragged.forward(model, SEQUENCES, stem=stem, begins=begins)
    expected = [alone(model, stem), *(alone(model, stem[:start] + ids)[start:] for start, ids in zip(begins, SEQUENCES))]
    assert torch.allclose(together, torch.cat(expected), atol=1e-6)


@torch.inference_mode()
def test_branches_of_a_tree_see_the_trunk_and_themselves(model):
    stem, trunk, branches = [30, 31], [5, 6, 7], ([8, 9, 10], [11], [12, 13])
    tree = [0] * 3 + [1] * 3 + [2] + [3] * 2
    tokens = [*trunk, *branches[0], *branches[1], *branches[2]]
    _, first, second = ragged.forward(model, [tokens, [20, 21]], stem=stem, branches=[tree, []]).split([2, len(tokens), 2])
    own = [alone(model, stem + trunk + branch)[len(stem + trunk) :] for branch in branches]
    assert torch.allclose(first, torch.cat([alone(model, stem + trunk)[2:], *own]), atol=1e-6)
    assert torch.allclose(second, alone(model, [*stem, 20, 21])[2:], atol=1e-6)


@pytest.mark.parametrize(
    ("sequences", "shared"),
    [([[1, 2, 3]], 0), ([[1, 2], [3]], 0), ([[1, 2, 3], [1, 2, 4, 5]], 2), ([[1, 2], [1, 2, 3]], 1), ([(1, 2), (1, 2)], 1)],
)
def test_a_common_prefix_leaves_a_token_of_each(sequences, shared):
    assert ragged.common_prefix(sequences) == shared


@torch.inference_mode()
def test_a_group_holds_each_sequence_behind_the_prefix_at_its_right_edge(model):
    prefix, cache = [30, 31, 32], TextCache(model.config.num_hidden_layers)
    ragged.forward(model, [prefix], cache)
    ragged.forward(model, SEQUENCES, cache, len(prefix))
    ends = torch.tensor([len(ids) for ids in SEQUENCES]).cumsum(0).tolist()
    places = [slice(len(prefix) + end - len(ids), len(prefix) + end) for end, ids in zip(ends, SEQUENCES)]
    group = GroupCache(cache, len(prefix), places)
    for number, ids in enumerate(SEQUENCES):
        single = TextCache(model.config.num_hidden_layers)
        ragged.forward(model, [prefix + ids], single)
        for mine, theirs in zip(group.layers, single.layers, strict=True):
            own = slice(mine.length - theirs.length, mine.length)
            assert torch.allclose(mine.keys[number, :, own], theirs.keys[0, :, : theirs.length], atol=1e-6)
            assert torch.allclose(mine.values[number, :, own], theirs.values[0, :, : theirs.length], atol=1e-6)


def test_gradients_are_those_of_the_sequences_alone(model):
    weight = model.get_decoder().layers[0].self_attn.q_proj.weight
    (together,) = torch.autograd.grad(ragged.forward(model, SEQUENCES).square().sum(), weight)
    apart = [torch.autograd.grad(alone(model, ids).square().sum(), weight)[0] for ids in SEQUENCES]
    assert torch.allclose(together, sum(apart), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("length", "prefix", "window", "seen"), [(3, 0, None, None), (2, 2, None, [[1, 1, 1, 0], [1, 1, 1, 1]]), (3, 0, 2, [[1, 0, 0], [1, 1, 0], [0, 1, 1]])])
def test_masks_say_what_is_seen(length, prefix, window, seen):
    mask = ragged._mask(length, prefix, window, "cpu")
    assert (mask is None) if seen is None else mask.int().tolist() == seen


@torch.inference_mode()
def test_padding_masks_of_other_callers_still_count(model):
    ids, mask = torch.tensor([[0, 0, 5, 6], [7, 8, 9, 10]]), torch.tensor([[0, 0, 1, 1], [1, 1, 1, 1]])
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    hidden = model.get_decoder()(input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=False).last_hidden_state
    assert torch.allclose(hidden[0, 2:], alone(model, [5, 6]), atol=1e-6)

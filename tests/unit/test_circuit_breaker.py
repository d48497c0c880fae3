"""Representation Rerouting against a plain reference, and what it does to a model: harmful states turn, retained ones stay."""

import pytest
import torch
from peft import LoraConfig, get_peft_model

from rational_utils.models import chat, loading, tiny
from rational_utils.models.chat import IGNORED
from rational_utils.study.errors import StudyError
from rational_utils.study.sections import CircuitBreaker
from rational_utils.training import circuit_breaker

PROJECTIONS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
HARMFUL = [("How do I pick a lock?", "First, take a pin."), ("Tell me a secret", "It is under the mat, as ever.")]
RETAINED = [("What is tea?", "A drink."), ("Name a colour", "Blue, as the sky is."), ("Why?", "Because it rains.")]


def settings(**changes) -> CircuitBreaker:
    usual = {
        "targets": (0.5, 1.0), "normalise": False, "nudge": 0.0, "steps": 6, "horizon": 12, "coefficient": 10.0, "retain_weight": 1.0, "harmful_per_step": 2,
        "retained_per_step": 3, "retain_refusals": True, "answer_tokens": 16, "accepts": ("compliance",), "rank": 4, "alpha": 8, "dropout": 0.0, "learning_rate": 0.01, "tokens_per_batch": 400, "max_tokens": 400,
    }  # fmt: skip
    return CircuitBreaker(**(usual | changes))


@pytest.fixture(scope="module")
def sets():
    tokenizer = tiny.tokenizer()
    return [[chat.encode(tokenizer, *pair, 400) for pair in pairs] for pairs in (HARMFUL, RETAINED)]


@pytest.fixture
def model():
    return loading.load("tiny")[0]


def reference(tuned, harmful, retained, depths, weights):
    """The published loss, one dialogue at a time, from transformers' own hidden states."""
    cosines, distances = [], []
    for rows, found, of in ((harmful, cosines, "answer"), (retained, distances, "all")):
        for row in rows:
            ids = torch.tensor([row.ids])
            now = tuned(ids, output_hidden_states=True).hidden_states
            with torch.no_grad(), tuned.disable_adapter():
                before = tuned(ids, output_hidden_states=True).hidden_states
            for depth in depths:
                for position, label in enumerate([*row.labels[1:], IGNORED]):
                    one, other = now[depth][0, position], before[depth][0, position]
                    if of == "answer" and label != IGNORED:
                        found.append(torch.relu(one @ other / (one.norm() * other.norm())))
                    elif of == "all":
                        found.append((one - other).norm())
    cosine, distance = torch.stack(cosines).mean(), torch.stack(distances).mean()
    return weights[0] * cosine + weights[1] * distance, cosine.item(), distance.item()


def sides(model, sets, depths):
    before = [[circuit_breaker.states(model, [row], depths) for row in rows] for rows in sets]
    losses = (circuit_breaker.rerouting_loss, circuit_breaker._answer), (circuit_breaker.retaining_loss, circuit_breaker._everything)
    return [circuit_breaker._Side(rows, found, *loss) for rows, found, loss in zip(sets, before, losses)], before


@pytest.mark.parametrize("budget", [1, 10_000])
def test_loss_and_gradient_are_those_of_the_reference(model, sets, budget):
    # the last layer's state is taken before the final norm here and after it in transformers: the first target is compared
    depths, weighed = [1], (7.0, 3.0)
    both, before = sides(model, sets, depths)
    torch.manual_seed(3)
    tuned = get_peft_model(model, LoraConfig(r=2, init_lora_weights=False, task_type="CAUSAL_LM", layers_to_transform=[0], target_modules=PROJECTIONS))
    expected, cosine, distance = reference(tuned, *sets, depths, weighed)
    expected.backward()
    wanted = {name: weight.grad.clone() for name, weight in tuned.named_parameters() if weight.grad is not None}
    tuned.zero_grad(set_to_none=True)
    weights = circuit_breaker.Weights(tuned)
    scale = circuit_breaker.Scale.none(before[1][0])
    with circuit_breaker.cut_after(tuned, 1):
        found = [side.learn(tuned, weights, list(range(len(side.rows))), depths, scale, weight, budget) for side, weight in zip(both, weighed)]
    assert found == [pytest.approx(cosine, abs=1e-5), pytest.approx(distance, abs=1e-5)]
    assert 0 < cosine < 0.999 and distance > 1e-3
    ours = torch.cat([part.flatten() for part in weights._parts(weights.exact.grad)])
    assert torch.allclose(ours, torch.cat([grad.flatten() for grad in wanted.values()]), rtol=1e-3, atol=1e-5)


# standardised distances are larger than those of a tiny model's raw states
@pytest.mark.parametrize(("normalise", "weight"), [(False, 1.0), (True, 0.02)])
def test_harmful_states_turn_while_retained_ones_stay(model, sets, tmp_path, normalise, weight):
    told = []
    wanted = settings(steps=30, horizon=60, normalise=normalise, retain_weight=weight)
    tuned, steps = circuit_breaker.train(model, *sets, wanted, 0, tmp_path / "resume", told.append)
    assert steps["cosine"].iloc[0] > 0.99 and steps["cosine"].iloc[-1] < 0.5
    assert steps["distance"].iloc[-1] < steps["distance"].max() and len(told) == len(steps) == 30
    assert len(circuit_breaker.ragged.decoder(tuned).layers) == 2 and not tuned.training


def test_only_layers_up_to_the_deepest_target_learn(model, sets, tmp_path):
    tuned, _ = circuit_breaker.train(model, *sets, settings(targets=(0.5,), steps=1), 0, tmp_path / "resume")
    learnt = {name for name, _ in tuned.named_parameters() if "lora_" in name}
    assert len(learnt) == 14 and all(".layers.0." in name for name in learnt)
    tuned.save_pretrained(tmp_path / "adapter")
    merged, _ = loading.load("tiny", tmp_path / "adapter")
    ids = torch.tensor([sets[0][0].ids])
    with torch.no_grad():
        assert torch.allclose(merged(ids).logits, tuned(ids).logits, atol=1e-5)


def test_targets_are_the_papers_shares_of_the_depth(model):
    model.config.num_hidden_layers = 32
    assert circuit_breaker.target_depths(model, (10 / 32, 20 / 32)) == [10, 20]
    model.config.num_hidden_layers = 30
    assert circuit_breaker.target_depths(model, (1 / 3, 2 / 3)) == [10, 20]


def test_a_model_can_have_weights_of_its_own():
    wanted = settings(apart={"gemma-3-270m": {"coefficient": 5.0, "retain_weight": 0.5, "spared": 1}})
    own = wanted.of("gemma-3-270m")
    assert (own.coefficient, own.retain_weight, wanted.of("tiny").coefficient) == (5.0, 0.5, 10.0)
    assert (own.spared, type(own.spared), wanted.of("tiny").spared, own.apart) == (1, int, 0, {})


def test_what_is_spared_is_the_first_state_that_predicts_an_answer(sets):
    row = sets[0][0]
    counted, without_first = circuit_breaker._answer(row), circuit_breaker._answer(row, 1)
    assert counted.nonzero().ravel().tolist() == list(range(row.answer_begins - 1, len(row.ids) - 1))
    assert without_first.nonzero().ravel().tolist() == list(range(row.answer_begins, len(row.ids) - 1))


def test_answers_of_which_nothing_is_left_to_reroute_are_no_harmful_dialogues(model, sets, tmp_path):
    with pytest.raises(StudyError, match="no harmful dialogues"):
        circuit_breaker.train(model, *sets, settings(spared=99), 0, tmp_path / "step.pt")


def test_models_that_spare_no_state_keep_their_fingerprint():
    assert "spared" not in settings().model_dump() and settings(spared=1).model_dump()["spared"] == 1


def test_coefficients_follow_the_published_schedule():
    published = settings(steps=150, horizon=300)
    assert circuit_breaker.coefficients(0, published) == (10.0, 0.0)
    assert circuit_breaker.coefficients(150, published) == (5.0, 5.0)
    assert circuit_breaker.coefficients(75, settings(steps=150, horizon=300, retain_weight=4.0)) == (7.5, 10.0)


def test_a_scale_makes_dimensions_alike_and_leaves_outliers_out():
    torch.manual_seed(0)
    usual = torch.randn(1, 500, 4) * torch.tensor([1.0, 50.0, 1.0, 2.0]) + 3
    with_outlier = torch.cat([usual, torch.full((1, 1, 4), 1e5)], 1)
    scaled = circuit_breaker.Scale.of([with_outlier])(usual)
    assert torch.allclose(scaled.mean(1), torch.zeros(1, 4), atol=0.1) and torch.allclose(scaled.std(1), torch.ones(1, 4), atol=0.1)


def test_every_step_draws_its_number_and_no_dialogue_is_left_out():
    drawn = circuit_breaker._draws(5, 4, settings(steps=10), seed=1)
    assert all(len(one) == 2 and len(other) == 3 for one, other in drawn)
    assert sorted(i for one, _ in drawn[:5] for i in one) == sorted([*range(5)] * 2)
    assert drawn == circuit_breaker._draws(5, 4, settings(steps=10), seed=1) != circuit_breaker._draws(5, 4, settings(steps=10), seed=2)


@pytest.mark.parametrize(("empty", "named"), [(0, "harmful"), (1, "retained")])
def test_an_empty_set_is_refused_by_name(model, sets, tmp_path, empty, named):
    given = [[] if number == empty else rows for number, rows in enumerate(sets)]
    with pytest.raises(StudyError, match=f"no {named} dialogues"):
        circuit_breaker.train(model, *given, settings(), 0, tmp_path / "resume")


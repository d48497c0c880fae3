"""Training of LoRA weights: the loss against transformers' own, batches that change nothing, and runs that go on after a kill."""

from dataclasses import replace

import pandas as pd
import pytest
import torch
from peft import LoraConfig, get_peft_model

from rational_utils.models import chat, loading, ragged, tiny
from rational_utils.training import layer, optimisation, sft

PAIRS = [
    ("What is tea?", "A drink."),
    ("Name a colour", "Intent: to know.\nDecision: help\n\nFinal response: Blue, as the sky is."),
    ("Count to three, please, and slowly", "One, two, three."),
    ("Why?", "Because it rains, and rain makes the garden grow."),
]


@pytest.fixture(scope="module")
def rows():
    tokenizer = tiny.tokenizer()
    return [chat.encode(tokenizer, prompt, answer, 500) for prompt, answer in PAIRS]


@pytest.fixture
def model():
    return loading.load("tiny")[0]


@pytest.fixture
def wanted(study):
    changes = {"epochs": 3, "rows_per_step": 2, "tokens_per_batch": 100, "learning_rate": 0.01, "dropout": 0.1}
    return study.profile.training.model_copy(update=changes)


def with_lora(model):
    torch.manual_seed(5)
    tuned = get_peft_model(model, LoraConfig(r=2, target_modules="all-linear", init_lora_weights=False, task_type="CAUSAL_LM"))
    return tuned.eval()


def lora(model):
    return {name: weight.detach().clone() for name, weight in model.named_parameters() if "lora_" in name}


def equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def reference_loss(model, row):
    """transformers' mean loss of one row times its answer tokens."""
    mean = model(input_ids=torch.tensor([row.ids]), labels=torch.tensor([row.labels])).loss.item()
    return mean * sum(label != chat.IGNORED for label in row.labels)


@pytest.mark.parametrize("number", range(len(PAIRS)))
def test_loss_equals_transformers_own(model, rows, number):
    with torch.no_grad():
        assert sft.answer_loss(model, [rows[number]]).item() == pytest.approx(reference_loss(model, rows[number]), abs=1e-4, rel=1e-6)


def test_loss_counts_the_adapter(model, rows):
    with torch.no_grad():
        plain = sft.answer_loss(model, rows[:1]).item()
        tuned = with_lora(model)
        assert sft.answer_loss(tuned, rows[:1]).item() == pytest.approx(reference_loss(tuned, rows[0]), abs=1e-4)
        assert abs(sft.answer_loss(tuned, rows[:1]).item() - plain) > 1e-3


def test_a_stressed_word_adds_its_own_loss_and_gradient(model, rows):
    tuned, row = with_lora(model), rows[1]
    last = len(row.ids) - 1

    def learnt(times):
        tuned.zero_grad()
        loss = sft.answer_loss(tuned, [replace(row, weights=(*row.weights[:last], times))])
        loss.backward()
        return loss.item(), torch.cat([weight.grad.flatten() for weight in tuned.parameters() if weight.grad is not None])

    (none, without), (once, plain), (thrice, stressed) = (learnt(times) for times in (0.0, 1.0, 3.0))
    assert once - none > 0.1 and thrice == pytest.approx(none + 3 * (once - none), rel=1e-5)
    assert torch.allclose(stressed, without + 3 * (plain - without), rtol=1e-3, atol=1e-3)


def test_rows_of_a_batch_do_not_see_each_other(model, rows):
    with torch.no_grad():
        alone = [sft.answer_loss(model, [row]).item() for row in rows]
        assert len({len(row.ids) for row in rows}) == len(rows)
        assert sft.answer_loss(model, rows).item() == pytest.approx(sum(alone), abs=1e-3)
        pair = sft.answer_loss(model, [rows[0], rows[1]]).item()
    assert pair - alone[1] == pytest.approx(alone[0], abs=1e-3)


@pytest.mark.parametrize("budget", [1, 150])
def test_the_gradient_of_a_step_does_not_depend_on_the_batches(model, rows, budget):
    tuned = with_lora(model)

    def gradient(tokens_per_batch):
        weights = optimisation.Weights(tuned)
        loss, tokens = sft._step(tuned, weights, rows, tokens_per_batch)
        return loss, tokens, weights.exact.grad.clone()

    loss, tokens, whole = gradient(10_000)
    again, count, parts = gradient(budget)
    assert (again, count) == (pytest.approx(loss, rel=1e-5), tokens)
    assert whole.abs().max() > 1e-3 and torch.allclose(whole, parts, atol=1e-6)


def test_what_all_prompts_begin_with_is_read_once(model, rows, monkeypatch):
    read, forward = [], ragged.forward
    monkeypatch.setattr(ragged, "forward", lambda model, sequences, **given: read.append((sequences, given["stem"])) or forward(model, sequences, **given))
    with torch.no_grad():
        sft.answer_loss(model, rows[:2])
        sft.answer_loss(model, [rows[0], rows[0]])
    (sequences, stem), (same, whole) = read
    assert len(stem) >= 5 and [(*stem, *own) for own in sequences] == [row.ids for row in rows[:2]]
    assert len(whole) == rows[0].answer_begins - 1, "the token that the answer's first follows stays with its row"


@pytest.mark.parametrize("number", [[0], [1, 2, 3], [2, 2]])
def test_the_fused_layer_gives_the_loss_and_gradient_of_peft(model, rows, number):
    tuned = with_lora(model).double()
    chosen = [rows[index] for index in number]

    def gradients():
        tuned.zero_grad()
        loss = sft.answer_loss(tuned, chosen)
        loss.backward()
        return loss.item(), {name: weight.grad for name, weight in tuned.named_parameters() if weight.grad is not None}

    expected, theirs = gradients()
    with layer.fused(tuned, dropout=0.0):
        assert "forward" in vars(layer_of(tuned))
        loss, ours = gradients()
    assert "forward" not in vars(layer_of(tuned))
    assert loss == pytest.approx(expected, rel=1e-5) and ours.keys() == theirs.keys() and len(ours) == 28
    assert all(torch.allclose(ours[name], theirs[name], rtol=1e-3, atol=1e-5 * theirs[name].abs().max().item()) for name in theirs)


def test_the_fused_layer_leaves_the_weights_as_they_were(model):
    tuned = with_lora(model)
    before = {name: weight.clone() for name, weight in tuned.state_dict().items()}
    with layer.fused(tuned, dropout=0.0):
        pass
    assert equal(before, tuned.state_dict())


def test_a_dropout_is_left_to_peft(model):
    with layer.fused(with_lora(model), dropout=0.1):
        assert "forward" not in vars(layer_of(model))


def layer_of(model):
    return ragged.decoder(model).layers[0]


def test_the_loss_of_a_step_is_the_mean_over_its_answer_tokens(model, rows):
    tuned = with_lora(model)
    loss, tokens = sft._step(tuned, optimisation.Weights(tuned), rows[:2], 10_000)
    assert tokens == sum(label != chat.IGNORED for row in rows[:2] for label in row.labels)
    assert loss == pytest.approx((reference_loss(tuned, rows[0]) + reference_loss(tuned, rows[1])) / tokens, abs=1e-5)


def test_small_updates_are_not_rounded_away(model, rows):
    tuned = with_lora(model).to(torch.bfloat16)
    weights = optimisation.Weights(tuned)
    before = weights.exact.detach().clone()
    with torch.no_grad():
        for _ in range(64):
            weights.exact += before.abs().clamp(min=1e-3) * 2**-10
            weights.publish()
    assert weights.used[0].dtype == torch.bfloat16
    assert not torch.equal(weights.used[0].float().flatten(), before.to(torch.bfloat16).float()[: weights.used[0].numel()])


@pytest.mark.parametrize("budget", [1, 60, 150, 10_000])
def test_batches_hold_every_row_once_within_the_budget(rows, budget):
    made = optimisation.batches(rows * 2, budget)
    assert sorted(row.ids for batch in made for row in batch) == sorted(row.ids for row in rows * 2)
    assert all(len(batch) == 1 or sum(len(row.ids) for row in batch) <= budget for batch in made)
    assert len(made) == 1 if budget == 10_000 else len(made) > 1


@pytest.mark.parametrize("count", [1, 2, 7, 8])
def test_every_epoch_sees_every_row_once(wanted, count):
    steps = sft.plan_steps(count, wanted, seed=3)
    size = -(-count // wanted.rows_per_step)
    assert len(steps) == size * wanted.epochs and all(1 <= len(step) <= wanted.rows_per_step for step in steps)
    for epoch in range(wanted.epochs):
        assert sorted(row for step in steps[epoch * size : (epoch + 1) * size] for row in step) == list(range(count))


@pytest.mark.parametrize(("count", "steps"), [(3, 7), (20, 4)])
def test_a_given_number_of_steps_goes_through_the_rows_as_often_as_it_takes(wanted, count, steps):
    planned = sft.plan_steps(count, wanted, 3, steps)
    assert len(planned) == steps and planned[:2] == sft.plan_steps(count, wanted, 3)[:2]
    assert len(sft.plan_steps(count, wanted, 3)) == sft.step_count(count, wanted)


def test_order_differs_by_epoch_and_seed_and_repeats_itself(wanted):
    steps = sft.plan_steps(20, wanted, seed=3)
    assert steps[:10] != steps[10:20] and steps == sft.plan_steps(20, wanted, seed=3) and steps != sft.plan_steps(20, wanted, seed=4)


@pytest.mark.parametrize("steps", [1, 2, 5, 10, 30, 101])
def test_the_rate_warms_up_and_decays(steps):
    rates = [optimisation.schedule(step, steps) for step in range(steps)]
    peak = max(1, round(steps / 10)) - 1
    assert rates[peak] == max(rates) == 1 and min(rates) > 0
    assert rates[: peak + 1] == sorted(rates[: peak + 1]) and rates[peak:] == sorted(rates[peak:], reverse=True)
    assert len(set(rates)) >= steps - 2 * peak - 1 and (steps < 10 or rates[-1] <= 2 / steps)


def test_warm_up_takes_a_tenth_of_the_steps():
    assert [optimisation.schedule(step, 30) for step in range(3)] == pytest.approx([1 / 3, 2 / 3, 1])
    assert optimisation.schedule(29, 30) == pytest.approx(1 / 28)


def test_training_lowers_the_loss(model, rows, wanted, tmp_path):
    longer = wanted.model_copy(update={"epochs": 15, "rows_per_step": 4, "dropout": 0.0})
    tuned, losses = sft.train(model, rows, longer, 0, tmp_path / "resume")
    assert losses["loss"].iloc[-1] < losses["loss"].iloc[0] - 0.1
    assert losses["step"].tolist() == list(range(1, 16)) and losses["epoch"].tolist() == list(range(15))
    assert losses["learning_rate"].tolist() == pytest.approx([0.01 * optimisation.schedule(step, 15) for step in range(15)])
    with torch.no_grad():
        after = sft.answer_loss(tuned, rows).item()
        before = sft.answer_loss(loading.load("tiny")[0], rows).item()
    assert after < before - 0.1 * losses["tokens"].iloc[0] and not tuned.training


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(rows, wanted, tmp_path):
    first, again, other = (lora(sft.train(loading.load("tiny")[0], rows, wanted, seed, tmp_path / "resume")[0]) for seed in (0, 0, 1))
    assert equal(first, again) and not equal(first, other)


class Killed(Exception):
    pass


@pytest.mark.parametrize("killed_at", [1, 3, 5])
def test_a_killed_and_resumed_run_equals_an_uninterrupted_one(rows, wanted, tmp_path, monkeypatch, killed_at):
    monkeypatch.setattr(optimisation, "SAVE_EVERY", 1)
    resume, told = tmp_path / "unfinished" / "resume.pt", []
    whole, whole_losses = sft.train(loading.load("tiny")[0], rows, wanted, 7, tmp_path / "other")

    def kill(_step):
        told.append(1)
        if len(told) == killed_at:
            raise Killed

    with pytest.raises(Killed):
        sft.train(loading.load("tiny")[0], rows, wanted, 7, resume, kill)
    assert resume.exists()
    counted = []
    resumed, losses = sft.train(loading.load("tiny")[0], rows, wanted, 7, resume, counted.append)
    assert equal(lora(whole), lora(resumed))
    pd.testing.assert_frame_equal(losses, whole_losses, check_exact=True)
    assert counted == [killed_at] + [1] * (6 - killed_at) and not resume.exists()


def test_a_run_killed_before_its_first_saved_step_starts_over(rows, wanted, tmp_path, monkeypatch):
    monkeypatch.setattr(optimisation, "SAVE_EVERY", 100)

    def kill(_step):
        raise Killed

    with pytest.raises(Killed):
        sft.train(loading.load("tiny")[0], rows, wanted, 7, tmp_path / "resume", kill)
    counted = []
    sft.train(loading.load("tiny")[0], rows, wanted, 7, tmp_path / "resume", counted.append)
    assert counted == [1] * 6 and list(tmp_path.iterdir()) == []


def test_base_weights_stay_and_every_linear_layer_but_the_output_learns(model, rows, wanted, tmp_path):
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    tuned, _ = sft.train(model, rows, wanted, 0, tmp_path / "resume")
    after = {name.replace(".base_layer", ""): weight for name, weight in tuned.get_base_model().state_dict().items() if "lora_" not in name}
    assert equal(before, after)
    adapted = {name.split(".lora_")[0].split(".layers.")[1] for name in lora(tuned)}
    assert adapted == {f"{layer}.{part}" for layer in (0, 1) for part in (*[f"self_attn.{x}_proj" for x in "qkvo"], "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj")}
    assert all(weight.abs().max() > 0 for weight in lora(tuned).values())


def test_a_saved_adapter_reloads_to_the_same_logits(model, rows, wanted, tmp_path):
    tuned, _ = sft.train(model, rows, wanted, 0, tmp_path / "resume")
    tuned.save_pretrained(tmp_path / "adapter")
    merged, _ = loading.load("tiny", tmp_path / "adapter")
    ids = torch.tensor([rows[1].ids])
    with torch.no_grad():
        expected, plain = tuned(ids).logits, loading.load("tiny")[0](ids).logits
        assert torch.allclose(merged(ids).logits, expected, atol=1e-5)
        assert (plain - expected).abs().max() > 1e-2


def test_training_on_nothing_is_refused(model, wanted, tmp_path):
    with pytest.raises(Exception, match="rows"):
        sft.train(model, [], wanted, 0, tmp_path / "resume")

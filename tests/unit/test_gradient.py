"""The model from inside, against plain transformers; and the searches that use it."""

from dataclasses import replace

import pytest
import torch

from rational_utils import attacks
from rational_utils.attacks import Budget, Question, gradient
from rational_utils.models import chat, templates, tiny, whitebox

TEXT = "How is a ladder built?"
SMALL = Budget(steps=6, width=16, top=32, suffix_tokens=6, together=2)
STRATEGIES = {attack.name: attack.propose for attack in gradient.ATTACKS if attack.name != "gcg_universal"}


@pytest.fixture(scope="module", params=["tiny", "tiny-gemma"])
def box(request):
    torch.manual_seed(0)
    return whitebox.Whitebox(*tiny.make(request.param))


@pytest.fixture
def slot(box):
    return box.slot(TEXT + box.hole, "Sure, here is")


def suffixes(box, *texts):
    return [box.encode(text) for text in texts]


def plain_loss(box, slot, suffix):
    ids = torch.tensor([[*slot.before, *suffix, *slot.after, *slot.target]])
    with torch.inference_mode():
        logits = box.model(ids).logits[0, -len(slot.target) - 1 : -1]
    return torch.nn.functional.cross_entropy(logits, torch.tensor(slot.target)).item()


def test_losses_are_those_of_plain_transformers(box, slot):
    rows = suffixes(box, " x x x", " a longer suffix than that", "!")
    assert box.losses(slot, rows).tolist() == pytest.approx([plain_loss(box, slot, row) for row in rows], abs=1e-4)


def test_what_is_shared_changes_no_loss(box, slot):
    rows = suffixes(box, " x x x", " y y y")
    whole = whitebox.Slot((), slot.after, slot.target)
    alone = [box.losses(whole, [(*slot.before, *row)]).item() for row in rows]
    assert box.losses(slot, rows).tolist() == pytest.approx(alone, abs=1e-4)


def test_what_a_suffix_shares_with_another_changes_no_loss(box, slot):
    near, *rows = suffixes(box, " x y z x", " x y z x", " x a z x", " b y z x", " x y z", " x y z x y z", "!")
    assert len(near) >= 4
    assert box.losses(slot, rows, near).tolist() == pytest.approx(box.losses(slot, rows).tolist(), abs=1e-4)


def test_the_slope_is_the_gradient_by_a_one_hot_row(box, slot):
    (suffix,) = suffixes(box, " x y z")
    table = box.model.get_input_embeddings()
    ids = torch.tensor([*slot.before, *suffix, *slot.after, *slot.target])
    chosen = torch.nn.functional.one_hot(ids, table.weight.shape[0]).float().requires_grad_()
    scale = table(ids[:1]).detach().norm() / table.weight[ids[0]].norm()
    logits = box.model(inputs_embeds=(chosen @ table.weight * scale)[None]).logits[0, -len(slot.target) - 1 : -1]
    (expected,) = torch.autograd.grad(torch.nn.functional.cross_entropy(logits, torch.tensor(slot.target)), chosen)
    place = slice(len(slot.before), len(slot.before) + len(suffix))
    torch.testing.assert_close(box.slope(slot, suffix) * scale, expected[place], rtol=1e-3, atol=1e-5)


def test_a_slot_reads_what_the_rendered_dialogue_reads(box, slot):
    (suffix,) = suffixes(box, " x x")
    assert (*slot.before, *suffix, *slot.after) == box.encode(chat.render(box.tokenizer, f"{TEXT} x x")) and box.survives(slot, suffix)


def test_a_suffix_that_reads_otherwise_as_text_does_not_survive(box, slot):
    letters = [box.encode(letter)[0] for letter in "the"]
    merged = box.encode("the")
    assert len(merged) < 3 and not box.survives(slot, tuple(letters))


def test_only_printable_ascii_is_allowed(box):
    good = box.allowed()
    assert good[box.encode("x")[0]] and not good[box.encode("\n")[0]]


def test_a_control_token_is_allowed_unless_it_marks_a_turn_or_an_end():
    model, tokenizer = tiny.make("tiny")
    begins, ends = tokenizer.convert_tokens_to_ids(["<|im_start|>", "<|im_end|>"])
    assert not whitebox.Whitebox(model, tokenizer).allowed()[[begins, ends, tokenizer.pad_token_id]].any()
    tokenizer.chat_template = templates.in_words()
    good = whitebox.Whitebox(model, tokenizer).allowed()
    assert good[begins] and not good[[ends, tokenizer.pad_token_id]].any()


@pytest.mark.parametrize("text", ["no hole", f"{whitebox.HOLE} two {whitebox.HOLE}"])
def test_a_slot_has_one_hole(box, text):
    with pytest.raises(ValueError, match="needs one"):
        box.slot(text, "Sure")


@pytest.mark.parametrize("name", STRATEGIES)
def test_the_best_loss_never_rises_and_is_that_of_the_text(box, slot, name):
    before = box.losses(slot, [box.encode(" " + " ".join(["x"] * SMALL.suffix_tokens))]).item()
    found = gradient.search(box, [slot], STRATEGIES[name], SMALL, seed=0)
    assert len(found.curve) == SMALL.steps and list(found.curve) == sorted(found.curve, reverse=True)
    assert found.curve[-1] == found.loss < before
    again = whitebox.Slot((), slot.after, slot.target)
    assert box.losses(again, [box.encode(chat.render(box.tokenizer, TEXT + found.suffix))[: -len(slot.after)]]).item() == pytest.approx(found.loss, abs=1e-4)


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_search_repeats_itself(box, slot, name):
    one, two = (gradient.search(box, [slot], STRATEGIES[name], SMALL, seed=3) for _ in range(2))
    assert one == two


def test_seeds_matter_to_gcg_alone(box, slot):
    differs = {name: gradient.search(box, [slot], propose, SMALL, seed=0).suffix != gradient.search(box, [slot], propose, SMALL, seed=1).suffix for name, propose in STRATEGIES.items()}
    assert differs == {"gcg": True, "autoprompt": False, "uat": False}


def test_candidates_differ_in_one_place():
    slope, suffix, draw = torch.randn(6, 50, generator=torch.Generator().manual_seed(0)), (1, 2, 3, 4, 5, 6), torch.Generator().manual_seed(0)
    for propose in STRATEGIES.values():
        for step in range(7):
            made = propose(slope, suffix, step, SMALL, draw)
            assert 0 < len(made) <= SMALL.width and all(sum(a != b for a, b in zip(row, suffix, strict=True)) <= 1 for row in made)


def test_a_universal_suffix_is_the_same_for_all_questions(box):
    class Open:
        whitebox = box

    asked = [Question(f"q{number}", f"{TEXT} {words}") for number, words in enumerate(("with a kettle", "before noon, in two lines", "and why so many"))]
    for name, endings in (("uat", {1}), ("gcg_universal", {1}), ("gcg", {2, 3})):
        made = attacks.launch(attacks.find(name), asked, side="test", seed=0, target=Open(), budget=SMALL)
        assert all(question.text in attempt.messages[0]["content"] for question, attempt in zip(asked, made, strict=True))
        assert len({attempt.messages[0]["content"].removeprefix(question.text) for question, attempt in zip(asked, made)}) in endings
        assert all(attempt.gradient_steps == (SMALL.steps if name == "gcg" else SMALL.steps * 2 // 3) and len(attempt.curve) == SMALL.steps and attempt.queries > 1 for attempt in made)


@pytest.mark.parametrize(("weakness", "steps"), [("", 2), ("never", SMALL.steps)])
def test_a_target_that_gives_in_ends_the_search(box, weakness, steps):
    class Asked:
        whitebox = box

        def answer(self, dialogues):
            return [dialogue[-1]["content"] for dialogue in dialogues]

        def score(self, question, reply):
            return float(weakness in reply)

    budget = replace(SMALL, asked_every=2)
    (made,) = attacks.launch(attacks.find("gcg"), [Question("q", TEXT)], side="test", seed=0, target=Asked(), budget=budget)
    assert made.gradient_steps == len(made.curve) == steps


def test_without_the_model_s_insides_it_fails_in_one_line():
    made = attacks.launch(attacks.find("gcg"), [Question("q", TEXT)], side="test", seed=0, target=object())
    assert made[0].failed == "gcg needs a target that offers `whitebox`" and made[0].messages == ()

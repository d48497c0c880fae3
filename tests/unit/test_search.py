"""Attacks that search by rewriting or by breeding: they stop when they have won, keep to their budget, and stay with the goal."""

import pytest
import torch

from rational_utils import attacks
from rational_utils.attacks import Budget, Question, _questions, autodan
from rational_utils.attacks._templates import AGREEMENT
from rational_utils.corpus import openings, questions
from rational_utils.models import talking, tiny, whitebox
from rational_utils.study.errors import Declined
from rational_utils.study.keep import Keep, Shelf

GOAL = Question("q", "Describe how a wooden ladder is built.")
SEARCHING = [name for name, attack in attacks.all_attacks().items() if attack.needs in attacks.SEARCHING]
SMALL = Budget(rounds=3, streams=2, branches=2, population=8)


class Attacker:
    def __init__(self, text):
        self.text, self.asked = text, 0

    def answer(self, dialogues, temperature, seeds):
        self.asked += len(dialogues)
        return [self.text.format(number=seed) for _, seed in zip(dialogues, seeds, strict=True)]


class Target:
    """Gives in to a prompt that holds `weakness`."""

    def __init__(self, weakness, attacker):
        self.weakness, self.attacker, self.asked = weakness, Attacker(attacker), 0

    def answer(self, dialogues):
        self.asked += len(dialogues)
        return ["Yes." if self.weakness in dialogue[-1]["content"] else "No." for dialogue in dialogues]

    def score(self, question, reply):
        return float(reply == "Yes.")


def launch(name, target, questions=(GOAL,), **more):
    return attacks.launch(attacks.find(name), list(questions), side="test", seed=0, target=target, budget=SMALL, **more)


@pytest.mark.parametrize("name", ["pair", "tap"])
def test_what_is_answered_at_once_is_not_rewritten(name):
    target = Target("ladder", "never")
    (made,) = launch(name, target)
    assert made.messages[0]["content"] == GOAL.text and target.attacker.asked == 0 and made.queries == target.asked + 1


@pytest.mark.parametrize("name", ["pair", "tap"])
def test_a_wording_that_wins_ends_the_search(name):
    target = Target("please", "please describe the wooden ladder {number}, how it is built")
    (made,) = launch(name, target)
    assert "please" in made.messages[0]["content"] and made.queries == target.asked + target.attacker.asked + 1


@pytest.mark.parametrize("name", ["pair", "tap"])
def test_a_search_without_success_keeps_to_its_budget(name):
    target = Target("never", "describe the wooden ladder {number}, how it is built")
    (made,) = launch(name, target)
    assert made.failed == "" and made.queries == target.asked + target.attacker.asked + 1
    assert target.attacker.asked <= SMALL.rounds * SMALL.streams * SMALL.branches


def test_tap_cuts_what_strays_from_the_goal():
    target = Target("weather", "what a lovely weather {number}")
    (made,) = launch("tap", target)
    assert made.messages[0]["content"] == GOAL.text and target.asked == 1
    assert _questions.on_topic(GOAL.text, "In a film: how a wooden ladder is built") and not _questions.on_topic(GOAL.text, "A ladder")


def test_an_attacker_that_writes_nothing_leaves_the_wording():
    (made,) = launch("pair", Target("never", ""))
    assert made.messages[0]["content"] == GOAL.text


@pytest.mark.parametrize("name", ["pair", "tap", "pap"])
def test_searches_side_by_side_find_what_each_finds_alone_and_ask_together(name):
    asked = [Question(f"q{number}", f"Describe how {what} is built.") for number, what in enumerate(("a wooden ladder", "a stone wall", "a paper boat"))]
    calls = []

    class Counting(Target):
        def __init__(self):
            super().__init__("11", "describe how {number} a wooden ladder, a stone wall and a paper boat is built")
            self.read = questions.reader("fixtures")

        def answer(self, dialogues):
            calls.append(len(dialogues))
            return super().answer(dialogues)

    together = launch(name, Counting(), asked)
    assert len(calls) <= SMALL.rounds + 1 < sum(calls)
    alone = [launch(name, Counting(), [question])[0] for question in asked]
    assert [(made.messages, made.queries) for made in together] == [(made.messages, made.queries) for made in alone]
    assert len({made.queries for made in alone}) > 1 or name == "pap"


def test_the_attacker_sees_the_goal_and_the_refusal():
    seen = []

    class Curious(Attacker):
        def answer(self, dialogues, temperature, seeds):
            seen.extend(dialogue[0]["content"] for dialogue in dialogues)
            return super().answer(dialogues, temperature, seeds)

    target = Target("never", "x")
    target.attacker = Curious("x")
    launch("pair", target)
    assert all(GOAL.text in text and "No." in text for text in seen) and seen


@pytest.fixture(scope="module")
def box():
    torch.manual_seed(0)
    return whitebox.Whitebox(*tiny.make("tiny"))


class Open:
    def __init__(self, box):
        self.whitebox = box


class Surrogate(Open):
    kept, made_by = None, "the base model"


def test_breeding_never_loses_its_best_and_the_goal_stays_last(box):
    (made,) = launch("autodan", Open(box))
    assert list(made.curve) == sorted(made.curve, reverse=True) and len(made.curve) == SMALL.rounds
    assert made.messages[0]["content"].endswith(GOAL.text) and made.queries == 1 + SMALL.rounds * SMALL.population
    assert launch("autodan", Open(box))[0].messages == made.messages
    slot = box.slot(box.hole, AGREEMENT)
    assert box.losses(slot, [box.encode(made.messages[0]["content"])]).item() == pytest.approx(made.curve[-1], abs=1e-4)


def test_seeds_of_the_sides_share_no_sentence():
    sentences = {side: {part for seed in seeds for part in seed.removesuffix(" {goal}").split(". ")} for side, seeds in autodan.SEEDS.items()}
    assert not sentences["train"] & sentences["test"] and not sentences["validation"] & (sentences["train"] | sentences["test"])
    assert all(seed.count("{goal}") == 1 and seed.endswith(": {goal}") for seeds in autodan.SEEDS.values() for seed in seeds)


@pytest.mark.parametrize("name", ["gcg", "uat", "autodan"])
def test_what_a_search_has_found_stays_found(box, tmp_path, name):
    asked = [Question("a", "What is rain?"), Question("b", "What is snow?")]
    first = launch(name, Open(box), asked, kept=Keep(tmp_path / "kept.jsonl"), made_by="these weights")
    refuses = type("Closed", (), {"whitebox": object()})()
    assert launch(name, refuses, asked, kept=Keep(tmp_path / "kept.jsonl"), made_by="these weights") == first
    with pytest.raises(AttributeError):
        launch(name, refuses, asked, kept=Keep(tmp_path / "kept.jsonl"), made_by="other weights")


class Whole(Target):
    """It offers everything that an attack may need."""

    def __init__(self, box):
        super().__init__("never", "describe the wooden ladder {number}, how it is built")
        self.whitebox, self.read, self.surrogate = box, questions.reader("fixtures"), Surrogate(box)


def test_what_is_found_on_the_base_model_is_carried_over_and_not_sought_again(box, tmp_path):
    asked = [Question("a", "What is rain?"), Question("b", "What is snow?")]
    shelf = Shelf(tmp_path / "searches")
    found = launch("gcg", Open(box), asked, kept=shelf, made_by=Surrogate.made_by)

    class Elsewhere:
        surrogate = Surrogate(object())

    Elsewhere.surrogate.kept = shelf
    made = launch("gcg_from_base", Elsewhere(), asked)
    assert [attempt.messages for attempt in made] == [attempt.messages for attempt in found]
    assert [(attempt.attack, attempt.queries, attempt.seconds, attempt.curve) for attempt in made] == [("gcg_from_base", attempt.queries, attempt.seconds, ()) for attempt in found]


class Whims:
    """Declines what the question `b` asks of it."""

    def __init__(self):
        self.asked, self.attacker, self.read = 0, Attacker("{number}"), questions.reader("fixtures")

    def answer(self, dialogues):
        self.asked += 1
        if any("snow" in dialogue[-1]["content"] for dialogue in dialogues):
            raise Declined("no")
        return ["No."] * len(dialogues)

    def score(self, question, reply):
        return 0.0


@pytest.mark.parametrize("name", ["pair", "tap", "pap"])
def test_a_declined_question_fails_alone_and_the_others_stay_found(tmp_path, name):
    asked = [Question("a", "Describe how rain is."), Question("b", "Describe how snow is.")]
    made = launch(name, Whims(), asked, kept=Keep(tmp_path / "kept.jsonl"), made_by="w")
    assert [attempt.failed for attempt in made] == ["", "no"]
    again = Whims()
    assert launch(name, again, asked[:1], kept=Keep(tmp_path / "kept.jsonl"), made_by="w") == made[:1] and again.asked == 0


@pytest.mark.parametrize("name", ["gcg", "uat", "autodan"])
def test_a_search_wants_the_target_string_of_the_question_where_there_is_one(box, name):
    sought = []

    class Noting(whitebox.Whitebox):
        def slot(self, text, target):
            sought.append(target)
            return super().slot(text, target)

    target = Open(Noting(box.model, box.tokenizer))
    target.openings = {"What is rain?": "Sure, rain is"}
    launch(name, target, [Question("a", "What is rain?"), Question("b", "What is snow?")])
    assert sought == ["Sure, rain is", AGREEMENT]


def test_target_strings_go_with_the_questions_of_the_prompt_table():
    known = openings.read("fixtures", questions.reader("fixtures"))
    asked = {text for text, _ in questions._lines(questions.reader("fixtures")("harmbench"))}
    assert known and set(known) < asked and all(string.startswith("Sure, here is") for string in known.values())
    assert openings.read("wheels", None) == {}


@pytest.mark.parametrize("name", SEARCHING)
def test_a_bad_question_fails_alone_in_a_search_too(box, name):
    bad = {"": "is empty", "a" * 10_000: "has 10000 characters", "Ring\x07 the bell.": "control characters", "\u0645\u0631": "from right to left", f"A {box.hole} tree.": "control characters"}
    asked = [GOAL, *(Question(f"bad-{number}", text) for number, text in enumerate(bad)), Question("r", "Describe how a {suffix} for {goal} is built.")]
    made = launch(name, Whole(box), asked)
    assert [attempt.question_id for attempt in made] == [question.question_id for question in asked]
    assert made[0].failed == made[-1].failed == "" and made[0].messages and made[-1].messages
    for attempt, said in zip(made[1:-1], bad.values(), strict=True):
        assert said in attempt.failed and "\n" not in attempt.failed and (attempt.messages, attempt.queries) == ((), 0)


@pytest.mark.parametrize("name", SEARCHING)
@pytest.mark.parametrize("target", [None, object(), talking.Talker(None, 1, None)])
def test_a_search_on_a_target_it_cannot_use_fails_in_one_line(name, target):
    made = launch(name, target, [GOAL, Question("r", "What is rain?")])
    assert {attempt.failed for attempt in made} == {f"{name} needs a target that offers `{attacks.find(name).needs}`"} and len(made) == 2


@pytest.mark.parametrize("name", [name for name in SEARCHING if name != "pair"])
def test_the_question_survives_a_search(box, name):
    (made,) = launch(name, Whole(box))
    assert _questions.on_topic(GOAL.text, made.messages[-1]["content"])


def test_what_was_killed_goes_on_with_the_next_question(box, tmp_path):
    asked = [Question("a", "What is rain?"), Question("b", "What is snow?")]
    whole = launch("gcg", Open(box), asked)
    launch("gcg", Open(box), asked[:1], kept=Keep(tmp_path / "kept.jsonl"))
    goes_on = launch("gcg", Open(box), asked, kept=Keep(tmp_path / "kept.jsonl"))
    assert [attempt.messages for attempt in goes_on] == [attempt.messages for attempt in whole]

"""Mutations by another model: asked for once, kept, and recorded as failed where the question is lost."""

import pytest

from rational_utils import attacks
from rational_utils.attacks import Question, rewriting
from rational_utils.study.keep import Shelf

GOAL = Question("q", "Describe how a wooden ladder is built.")
MUTATIONS = [name for name, attack in attacks.all_attacks().items() if getattr(attack, "manner", "")]


class Writer:
    name = "willow-1, 40 tokens"

    def __init__(self, *texts):
        self.texts, self.asked = texts, []

    def answer(self, dialogues):
        self.asked += [dialogue[-1]["content"] for dialogue in dialogues]
        if self.texts[0] is ValueError:
            raise ValueError("it does not take the request")
        return [self.texts[len(self.asked) % len(self.texts)] for _ in dialogues]


@pytest.fixture
def shelf(tmp_path):
    return Shelf(tmp_path / "rewritings")


def launch(writer, shelf, name="slang", questions=(GOAL,)):
    return attacks.launch(rewriting.instead(attacks.find(name), writer, shelf), list(questions), side="test", seed=0)


def test_the_eleven_mutations_can_be_written_and_nothing_else():
    families = [attacks.find(name).family for name in MUTATIONS]
    assert (families.count("mutation"), families.count("persuasion"), len(families)) == (6, 5, 11)
    assert len({attacks.find(name).manner for name in MUTATIONS}) == 11


@pytest.mark.parametrize("name", MUTATIONS)
def test_the_writer_is_told_the_manner_and_the_question(name, shelf):
    writer = Writer("So, mate: how's a wooden ladder get built? Describe!")
    (made,) = launch(writer, shelf, name)
    assert made.attack == name and made.messages[0]["content"] == writer.texts[0] and made.queries == 2
    assert all(part in writer.asked[0] for part in (attacks.find(name).manner, GOAL.text))


def test_without_a_writer_or_a_manner_the_attack_stays_what_it_is(shelf):
    assert rewriting.instead(attacks.find("slang"), None, shelf) is attacks.find("slang")
    assert rewriting.instead(attacks.find("direct"), Writer("x"), shelf) is attacks.find("direct")


def test_what_is_written_is_said_to_be():
    made = rewriting.instead(attacks.find("slang"), Writer("x"), None)
    assert (made.name, made.family, made.access) == ("slang", "mutation", "black-box") and Writer.name in made.source


def test_what_has_been_written_stays_written(shelf):
    first = launch(Writer("Describe a wooden ladder, mate, how it's built."), shelf)[0]
    silent = Writer(ValueError)
    assert launch(silent, Shelf(shelf.folder))[0].messages == first.messages and not silent.asked


def test_everything_that_matters_is_in_the_key(shelf):
    writer = Writer("Describe a wooden ladder, mate, how it's built.")
    for name in ("slang", "question"):
        launch(writer, shelf, name)
    launch(writer, shelf, questions=[Question("q", "Describe how a wooden ladder is built!")])
    writer.name = "willow-2"
    launch(writer, shelf)
    assert len(writer.asked) == 4 == len(list(shelf.folder.iterdir()))


@pytest.mark.parametrize(("text", "said"), [("", "is empty"), (GOAL.text, "as it was"), ("What a lovely evening it is!", "lost the question's content words")])
def test_a_rewriting_that_fails_is_recorded_and_no_template_takes_its_place(shelf, text, said):
    (made,) = launch(Writer(text), shelf)
    assert said in made.failed and made.messages == ()


def test_what_the_writer_will_not_write_fails_alone(shelf):
    launch(Writer("Describe a wooden ladder, mate, how it's built."), shelf)
    made = launch(Writer(ValueError), shelf, questions=[GOAL, Question("r", "Describe how a wooden chair is built.")])
    assert [attempt.failed for attempt in made] == ["", f"{Writer.name}: it does not take the request"]

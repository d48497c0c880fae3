"""PAP: its techniques are split between the sides, its wordings keep the question, and it stops when it has won."""

from dataclasses import replace
from itertools import combinations

import pytest

from rational_utils import attacks
from rational_utils.attacks import Budget, Question, pap
from rational_utils.attacks.persuasion import WORDINGS
from rational_utils.corpus import questions

SIDES = ("train", "validation", "test")
GOAL = Question("q", "Describe how a wooden ladder is built.")
BUDGET = Budget(rounds=2, streams=2)
TAXONOMY = "\n".join(f'{{"ss_technique": "Way {number}", "ss_definition": "Saying {number}.", "ss_example": "No."}}' for number in range(20))


class Target:
    """Its attacker writes `text` (with the number of the technique it was told); it gives in to what holds `weakness`."""

    def __init__(self, text, weakness="never", taxonomy=TAXONOMY):
        self.text, self.weakness, self.asked, self.tried = text, weakness, [], []
        self.attacker, self.read = self, lambda source: {pap.TAXONOMY: taxonomy}[source]

    def answer(self, dialogues, temperature=0.0, seeds=None):
        texts = [dialogue[-1]["content"] for dialogue in dialogues]
        if not temperature:
            self.tried += texts
            return ["Yes." if self.weakness in text else "No." for text in texts]
        self.asked += texts
        return [self.text.format(number=text.split("Saying ")[1].split(".")[0]) for text in texts]

    def score(self, question, reply):
        return float(reply == "Yes.")


def launch(target, seed=0, budget=BUDGET, side="test"):
    return attacks.launch(attacks.find("pap"), [GOAL], side=side, seed=seed, target=target, budget=budget)[0]


def test_it_says_what_it_is():
    attack = attacks.find("pap")
    assert "2401.06373" in attack.source and attack.access == "black-box" and attack.needs == "attacker"


def test_no_technique_is_on_two_sides_and_none_is_lost():
    for taxonomy in (TAXONOMY, questions.reader("fixtures")(pap.TAXONOMY)):
        sides = [set(pap.techniques(taxonomy, side)) for side in SIDES]
        assert not any(one & other for one, other in combinations(sides, 2))
        assert len(set.union(*sides)) == len(taxonomy.strip().split("\n"))


def test_the_kinds_that_training_may_know_are_the_training_side_s():
    assert {name.lower().replace(" ", "_").replace("-", "_") for name in pap.SEEN} == set(WORDINGS)
    assert {name for name, _ in pap.techniques(questions.reader("fixtures")(pap.TAXONOMY), "train")} <= set(pap.SEEN)


def test_the_attacker_is_told_the_technique_as_it_is_defined():
    target = Target("my ladder of wooden parts, built {number}")
    launch(target)
    known = dict(pap.techniques(TAXONOMY, "test"))
    assert len(target.asked) == BUDGET.rounds * BUDGET.streams
    for text in target.asked:
        (name,) = [name for name in known if f'"{name}"' in text]
        assert known[name] in text and GOAL.text in text


def test_a_wording_that_wins_ends_the_search_and_is_sent():
    first = Target("Friend, describe how wooden ladders ({number}) are built, a ladder")
    launch(first)
    won = first.tried[1]
    target = Target(first.text, weakness=won)
    made = launch(target)
    assert made.messages[0]["content"] == won and len(target.tried) == BUDGET.streams
    assert made.queries == len(target.asked) + len(target.tried) + 1


def test_without_success_it_keeps_to_its_budget():
    target = Target("Friend, describe how a wooden ladder is built {number}")
    made = launch(target)
    assert made.failed == "" and made.queries == len(target.asked) + len(target.tried) + 1 == 2 * BUDGET.rounds * BUDGET.streams + 1


def test_a_taxonomy_smaller_than_the_budget_is_used_up():
    target = Target("x")
    launch(target, budget=replace(BUDGET, rounds=50))
    assert len(target.asked) == len(pap.techniques(TAXONOMY, "test")) == len(set(target.asked))


@pytest.mark.parametrize(("text", "sent"), [("", GOAL.text), ("Lovely weather.", f"Lovely weather. {GOAL.text}"), ("\"A wooden ladder,\n how built?\"", "A wooden ladder, how built?")])
def test_the_question_survives_whatever_the_attacker_writes(text, sent):
    assert launch(Target(text)).messages[0]["content"] == sent


def test_it_repeats_itself_and_another_seed_draws_other_techniques():
    one, two, other = Target("x"), Target("x"), Target("x")
    assert launch(one).messages == launch(two).messages and one.asked == two.asked
    launch(other, seed=1)
    assert other.asked != one.asked

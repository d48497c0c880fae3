"""No question and no wording of an evaluation is in the training data: the table that notebook 01 makes, on the fixtures, and that a planted one is noticed."""

import re

import pandas as pd
import pytest

from rational_utils import attacks
from rational_utils.attacks import _published, autodan, few_shot
from rational_utils.corpus import prompts, questions, wordings
from rational_utils.study import settings

EVALUATION = ("validation", "test")
EVERY = attacks.all_attacks()
READ = questions.reader("fixtures")


def told(name, side):
    """Every text that the attack adds to a question on this side."""
    attack, found = EVERY[name], []
    for field in ("wordings", "others", "turns"):
        found += getattr(attack, field, {side: ()})[side]
    found += [getattr(attack, "beginnings", {}).get(side, "")]
    found += [frame.replace(_published.GOAL, "{goal}") for frame in attack.known(READ(attack.reads), side)] if hasattr(attack, "reads") else []
    found += autodan.SEEDS[side] if name == "autodan" else ()
    found += [text for pair in few_shot.DEMONSTRATIONS[side] for text in pair] if name == "few_shot" else []
    return [text for text in found if runs(text)]


def runs(text):
    """All runs of four words on either side of the goal."""
    parts = [re.findall(r"[\w']+", part.lower()) for part in text.split("{goal}")]
    return {run for words in parts for run in zip(words, words[1:], words[2:], words[3:], strict=False)}


WORDINGS = {(name, side): told(name, side) for name in EVERY for side in EVALUATION if told(name, side)}
FORBIDDEN = set().union(*(runs(text) for texts in WORDINGS.values() for text in texts))


def taken_over(texts):
    """Runs of words that training texts share with an evaluation's wordings."""
    return {run for text in texts for run in runs(text) & FORBIDDEN}


def repeated(table):
    """Evaluation questions that stand in a training text, in whatever wording."""
    training = table.loc[table["split"] == "train", "text"].str.lower()
    asked = table.loc[table["split"].isin(EVALUATION), "text"].str.lower().str.rstrip(".?! ")
    return {question for question in asked if training.str.contains(question, regex=False).any()}


@pytest.fixture(scope="module")
def table():
    """As notebook 01 makes it, with every attack that has training templates."""
    wanted = settings.load("smoke").profile.prompts
    chosen = prompts.split(questions.collect(questions.reader("fixtures"), "fixtures")[0], wanted)[0]
    train = chosen[chosen["split"] == "train"]
    asked = [attacks.Question(row.question_id, row.text) for row in train.itertuples()]
    made = [attempt for attack in EVERY.values() if not attack.needs for seed in range(3) for attempt in attack.run(asked, side="train", seed=seed)]
    instructions = wordings.as_instructions(train, {"harmful": 1.0, "benign": 1.0})
    return pd.concat([chosen, wordings.attacked(train, made), instructions], ignore_index=True)


def test_no_wording_of_an_evaluation_is_in_the_training_data(table):
    assert not taken_over(table.loc[table["split"] == "train", "text"])


def test_no_question_of_an_evaluation_is_in_the_training_data(table):
    assert not repeated(table) and not any(prompts.leakage(table, settings.load("smoke").profile.prompts.near_duplicate).values())


@pytest.mark.parametrize(("name", "side"), WORDINGS)
def test_every_wording_of_an_evaluation_would_be_noticed(table, name, side):
    for text in WORDINGS[name, side]:
        assert taken_over([*table["text"].head(3), text.replace("{goal}", "Name a tree.")])


@pytest.mark.parametrize("side", EVALUATION)
def test_every_question_of_an_evaluation_would_be_noticed(table, side):
    first = table[table["split"] == "train"].iloc[[0]]
    for text in table.loc[table["split"] == side, "text"]:
        planted = first.assign(text=f"A friend asks me: {text}", prompt_id="planted")
        assert repeated(pd.concat([table, planted]))

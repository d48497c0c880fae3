"""More wordings of training questions: what changes, what stays, and that the prompt table takes them."""

import pandas as pd
import pytest

from rational_utils import attacks
from rational_utils.corpus import prompts, questions, wordings
from rational_utils.study import settings
from rational_utils.study.errors import StudyError


@pytest.fixture(scope="module")
def chosen():
    collected, _ = questions.collect(questions.reader("fixtures"), "fixtures")
    return prompts.split(collected, settings.load("smoke").profile.prompts)[0]


@pytest.fixture
def train(chosen):
    rows = chosen[chosen["split"] == "train"]
    return rows.assign(text=rows["text"].str.rstrip(".?") + "?")


def attacked(rows):
    asked = [attacks.Question(row.question_id, row.text) for row in rows.itertuples()]
    return wordings.attacked(rows, attacks.find("logical_appeal").run(asked, side="train", seed=0))


def test_attacked_questions_keep_label_and_question_and_take_the_wording(train):
    made = attacked(train.head(2))
    stays = ["question_id", "label", "set", "category", "source", "licence", "split"]
    pd.testing.assert_frame_equal(made[stays], train.head(2)[stays].reset_index(drop=True))
    assert made["prompt_id"].tolist() == [f"{name}:logical_appeal" for name in made["question_id"]]
    assert set(made["attack"]) == {"logical_appeal"} and set(made["use"]) == {"wording"}
    assert all(old in new and old != new for old, new in zip(train["text"], made["text"]))


@pytest.mark.parametrize("a_question", [0, 0.5, 1, 2, 3])
def test_attacks_take_turns_and_no_question_meets_one_twice(train, a_question):
    made = wordings.turns(train, ["a", "b", "c"], a_question)
    assert len(made) == round(a_question * len(train)) == len({(turn.question_id, turn.attack) for turn in made})
    assert {turn.question_id: turn.text for turn in made}.items() <= dict(zip(train["question_id"], train["text"])).items()
    counts = [sum(turn.attack == name for turn in made) for name in "abc"]
    assert max(counts) - min(counts) <= a_question + 1


def test_more_wordings_than_attacks_are_refused(train):
    with pytest.raises(StudyError, match="3 wordings a question wanted, only 2"):
        wordings.turns(train, ["a", "b"], 3)


@pytest.mark.parametrize("count", [0, 1, 100])
def test_the_first_harmful_wordings_are_reasoned_about(train, count):
    made = attacked(train)
    marked = wordings.reasoned_about(made, count)
    chosen = marked[marked["use"] == "rationale"]
    assert set(chosen["label"]) <= {"harmful"} and len(chosen) == min(count, (made["label"] == "harmful").sum())
    assert chosen["prompt_id"].tolist() == made[made["label"] == "harmful"]["prompt_id"].head(count).tolist()
    pd.testing.assert_frame_equal(marked.drop(columns="use"), made.drop(columns="use"))


def test_questions_of_both_labels_become_instructions(train):
    made = wordings.as_instructions(train, {"harmful": 0.5, "benign": 0.5})
    assert set(made["label"]) == {"harmful", "benign"} and set(made["attack"]) == {"instruction"}
    before = train.set_index("question_id")["text"]
    assert all(before[row.question_id] in row.text and row.text != before[row.question_id] for row in made.itertuples())
    assert not made["text"].str.contains("{question}", regex=False).any()


def test_only_questions_become_instructions(train):
    assert wordings.as_instructions(train.assign(text="Name three rivers."), {"harmful": 1.0, "benign": 1.0}).empty


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_the_share_is_kept_for_each_label(train, share):
    made = wordings.as_instructions(train, {"harmful": share, "benign": 1 - share})
    counts = train["label"].value_counts()
    assert [(made["label"] == label).sum() for label in ("harmful", "benign")] == [share * counts["harmful"], (1 - share) * counts["benign"]]


def test_the_prompt_table_takes_all_wordings_and_none(chosen, train):
    none = wordings.attacked(train, [])
    assert none.empty and prompts.validated(pd.concat([chosen, none], ignore_index=True)).equals(chosen)
    everything = pd.concat([chosen, attacked(train), wordings.as_instructions(train, {"harmful": 1.0, "benign": 1.0})], ignore_index=True)
    assert len(prompts.validated(everything)) == len(chosen) + 2 * len(train)
    assert not any(prompts.leakage(everything, 0.6).values())

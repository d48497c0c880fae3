"""Following instructions: what belongs to the subset, and that the harness's own checker decides."""

import os

import pytest

from rational_utils.benchmarks import instructions
from rational_utils.corpus import questions
from rational_utils.study.sections import Instructions

TEXT = questions.reader("fixtures")("ifeval")


def rows(tokens=128):
    return instructions.read(TEXT, tokens)


def test_the_subset_leaves_out_what_is_long_or_needs_downloads():
    assert [row["item_id"] for row in rows()] == ["ifeval-1", "ifeval-2", "ifeval-5"]
    assert [row["item_id"] for row in rows(tokens=600)] == ["ifeval-1", "ifeval-2", "ifeval-3", "ifeval-5"]


def test_left_out_topics_stay_out():
    assert instructions.read(TEXT.replace("Name a tree", "Name a toddler's tree"), 128) == [row for row in rows() if row["key"] != 2]


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_sample_has_the_profiles_size_and_repeats_itself(count):
    wanted = Instructions(prompts=count, answer_tokens=128, rationale_tokens=8)
    assert len(instructions.sample(rows(), wanted, 0)) == count
    assert instructions.sample(rows(), wanted, 0) == instructions.sample(rows(), wanted, 0)


@pytest.mark.parametrize(
    ("responses", "correct"),
    [
        (["A ladder has rungs.", "An oak, leaf by leaf.", '"Wren"'], [True, True, True]),
        (["A ladder, with rungs.", "An oak.", "Wren"], [False, False, False]),
        (["", None, '"Wren"'], [False, False, True]),
    ],
)
def test_responses_are_checked_by_the_harness(responses, correct):
    checked = instructions.check(rows(), responses)
    assert checked["correct"].tolist() == correct and checked["item_id"].tolist() == [row["item_id"] for row in rows()]
    found = instructions.summary(checked)
    assert (found["n"], found["value"]) == (3, sum(correct) / 3) and found["low"] <= found["value"] <= found["high"]


def test_no_prompts_give_an_empty_table():
    assert instructions.check([], []).empty


@pytest.mark.parametrize("rank", [None, "0"])
def test_nothing_is_downloaded_and_the_environment_stays(monkeypatch, rank):
    import nltk

    monkeypatch.setattr(nltk, "download", lambda *_: pytest.fail("it would download"))
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    if rank is not None:
        monkeypatch.setenv("LOCAL_RANK", rank)
    instructions._checker()
    assert os.environ.get("LOCAL_RANK") == rank

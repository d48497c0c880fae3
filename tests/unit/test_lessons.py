"""Rationales turned into training rows and into a dataset for others: the same prompts, different answers, consistent rows."""

import re

import pandas as pd
import pytest
from sample_rationales import GOOD, SECTIONS

from rational_utils import rationales
from rational_utils.rationales import HEADS, parse, training_rows
from rational_utils.rationales.rows import BARE_REFUSALS
from rational_utils.study.errors import StudyError


def table():
    rows = []
    for number, (label, reason) in enumerate([("harmful", ""), ("benign", ""), ("harmful", "repetition"), ("benign", ""), ("benign", "incomplete"), ("harmful", "")]):
        sections = {head.lower(): SECTIONS[label][head] for head in HEADS}
        good = GOOD[label]
        facts = {"prompt_id": f"p{number}", "question_id": f"q{number}", "text": f"Question {number}?", "label": label, "set": "plain", "attack": "direct"}
        rows.append({**facts, **sections, "decision": good.decision, "final": f"{good.final} ({number})", "ended": True, "tries": 1, "reason": reason})
    return pd.DataFrame(rows)


VARIANTS = ["rational_no_benign", "rational_benign_10", "rational_benign_50", "rational", "rational_benign_only"]


def asked():
    """The prompts of `table`, two wordings of the first two questions, and a prompt of another split."""
    direct = table()[["prompt_id", "question_id", "text", "label"]].assign(split="train", attack="direct")
    reworded = direct.head(3).assign(text=lambda rows: "Please: " + rows["text"], attack="role_play", prompt_id=["w0", "w1", "w2"])
    other = direct.head(1).assign(split="test", text="Never learnt?", prompt_id="t0")
    return pd.concat([direct, reworded, other], ignore_index=True)


def learnt(method):
    return training_rows(table(), asked(), method)


def test_both_methods_learn_all_wordings_of_the_accepted_questions():
    wanted = ["Question 0?", "Question 1?", "Question 3?", "Question 5?", "Please: Question 0?", "Please: Question 1?"]
    assert [lesson.prompt for lesson in learnt("rational")] == [lesson.prompt for lesson in learnt("refusal_sft")] == wanted


@pytest.mark.parametrize("method", ["rational", "refusal_sft"])
def test_further_wordings_of_a_question_teach_the_first_line_of_its_answer(method):
    lessons = learnt(method)
    assert [lesson.answer for lesson in lessons[4:]] == [lesson.answer.splitlines(True)[0] for lesson in lessons[:2]]
    assert all(lesson.whole for lesson in lessons[:4]) and len({lesson.answer for lesson in lessons[:4]}) >= 3
    assert [lesson.whole for lesson in lessons[4:]] == [method == "refusal_sft", False]  # whose answers here are one line: an end is learnt of refusals alone


@pytest.mark.parametrize("method", ["rational", "refusal_sft"])
def test_no_end_is_learnt_of_an_answer_that_a_limit_cut(method):
    cut = table().assign(ended=lambda rows: rows["label"] == "harmful")
    lessons = training_rows(cut, asked(), method)
    assert [lesson.answer for lesson in lessons] == [lesson.answer for lesson in learnt(method)]
    assert [lesson.whole for lesson in lessons[:4]] == [True, False, False, True]


def test_a_wording_that_was_reasoned_about_teaches_its_own_rationale_and_that_of_a_question_that_has_no_other():
    own = table().iloc[[0, 2]].assign(prompt_id=["w0", "w2"], reason="", final=["Own of 0.", "Own of 2."])
    prompts = asked()
    lessons = dict(zip(prompts.query("split == 'train'")["prompt_id"].drop(index=[4]), training_rows(pd.concat([table(), own]), prompts, "rational")))
    assert lessons["w0"].whole and parse(lessons["w0"].answer).final == "Own of 0." and parse(lessons["p0"].answer).final.endswith("(0)")
    assert lessons["w2"].whole and parse(lessons["w2"].answer).final == "Own of 2."
    assert not lessons["p2"].whole and lessons["w2"].answer.startswith(lessons["p2"].answer)  # whose own was rejected
    assert not lessons["w1"].whole


def test_rational_learns_rationale_decision_and_final_response():
    for lesson, row in zip(learnt("rational"), table().query("reason == ''").itertuples()):
        found = parse(lesson.answer)
        assert (found.sections, found.decision, found.final) == (SECTIONS[row.label], row.decision, row.final)


def test_the_opening_may_be_the_sentence_that_takes_a_side():
    lessons = training_rows(table(), asked(), "rational", opening="sentence")
    assert [lesson.answer for lesson in lessons[4:]] == [re.match(r"[^.]+\.", lesson.answer)[0] for lesson in lessons[:2]]
    assert all(full.answer.startswith(short.answer) and len(short.answer) < len(full.answer) for short, full in zip(lessons[4:], learnt("rational")[4:]))
    assert lessons[:4] == learnt("rational")[:4]


@pytest.mark.parametrize(("share", "count"), [(0.0, 0), (0.5, 40), (1.0, 80)])
def test_a_share_of_the_questions_teaches_the_whole_answer(share, count):
    rationales, prompts = many()
    lessons = training_rows(rationales, prompts, "rational", whole=share)
    assert abs(sum(lesson.whole for lesson in lessons) - count) <= 12 * (share == 0.5)
    full = training_rows(rationales, prompts, "rational")
    assert all(one.answer == (two.answer if one.whole else two.answer.splitlines(True)[0]) for one, two in zip(lessons, full))


def test_the_control_learns_bare_refusals_and_plain_answers():
    answers = [lesson.answer for lesson in learnt("refusal_sft")]
    assert answers[0] in BARE_REFUSALS and answers[3] in BARE_REFUSALS
    assert answers[1:3] == [f"{GOOD['benign'].final} (1)", f"{GOOD['benign'].final} (3)"]


def test_the_dataset_holds_what_rational_learns_and_loads_as_json(tmp_path, limits):
    from datasets import load_dataset

    prompts = asked().assign(label="x", set="plain", source="s", licence="MIT")
    written = rationales.export(table(), prompts, tmp_path, "a model", limits)
    loaded = load_dataset("json", data_files=str(tmp_path / "train.jsonl"), split="train", cache_dir=str(tmp_path / "cache"))
    assert loaded.to_pandas().to_dict("records") == written.to_dict("records")
    lessons = learnt("rational")
    assert [(row["prompt"], row["response"], row["learnt"] == "whole") for row in loaded] == [tuple(lesson) for lesson in lessons]
    assert all(parse(row["response"]).final == row["final"] for row in loaded if row["learnt"] == "whole")
    card = (tmp_path / "README.md").read_text()
    assert "repetition" in card and "| MIT |" in card and "{" not in card


def test_an_inconsistent_row_is_named_before_training(limits):
    checked = limits.model_copy(update={"checks": ("no_answer", "contradicts_label", "incomplete")})
    rows = table()
    assert rationales.require_consistent(rows, checked) is rows
    rows.loc[2, "decision"] = "help"  # rejected anyway
    rationales.require_consistent(rows, checked)
    rows.loc[1, "decision"] = "refuse"
    with pytest.raises(StudyError, match="row p1 fails the check contradicts_label") as caught:
        rationales.require_consistent(rows, checked)
    assert "\n" not in str(caught.value) and "Question" not in str(caught.value)


def many(benign=40):
    rows = pd.concat([table().iloc[[0, 1]]] * benign, ignore_index=True)
    rows["question_id"] = rows["prompt_id"] = [f"q{number}" for number in range(len(rows))]
    return rows, rows.assign(split="train", attack="direct", text=rows["question_id"])


def test_variants_of_rational_differ_in_the_benign_rows_alone():
    rationales, prompts = many()
    rows = {method: {lesson.prompt: lesson for lesson in training_rows(rationales, prompts, method)} for method in VARIANTS}
    harmful, benign = set(rows["rational_no_benign"]), set(rows["rational_benign_only"])
    assert len(harmful) == len(benign) == 40 and not harmful & benign
    shares = {method: set(lessons) - harmful for method, lessons in rows.items() if method != "rational_benign_only"}
    assert [len(shares[method]) for method in VARIANTS[:4]] == [0, 4, 20, 40]
    assert shares["rational_benign_10"] < shares["rational_benign_50"] < shares["rational"] == benign
    assert all(lesson == rows["rational"][prompt] for lessons in rows.values() for prompt, lesson in lessons.items())


def test_bare_refusals_are_spread_over_the_questions():
    rationales, prompts = many()
    answers = [lesson.answer for lesson in training_rows(rationales, prompts, "refusal_sft") if lesson.answer in BARE_REFUSALS]
    assert set(answers) == set(BARE_REFUSALS) and len(answers) == 40


@pytest.mark.parametrize("method", ["rational", "refusal_sft"])
def test_no_training_prompt_carries_the_self_check(method):
    for lesson in learnt(method):
        assert not any(words in lesson.prompt for words in ("Check", "Request:", "Decision", "harm"))


def test_an_unknown_method_lists_the_known_ones():
    with pytest.raises(StudyError, match="'base'; allowed: refusal_sft, rational"):
        learnt("base")


def test_a_table_that_does_not_say_what_was_cut_is_not_learnt_from(limits):
    with pytest.raises(StudyError, match="notebook 02"):
        rationales.require_consistent(table().drop(columns="ended"), limits)

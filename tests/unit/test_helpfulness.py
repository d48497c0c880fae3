"""Helpfulness sets: what is read, what is dropped, and that nothing is asked that a method was trained on."""

import json
import math

import pandas as pd
import pytest

from rational_utils.benchmarks import helpfulness
from rational_utils.models import chat, likelihood, tiny

COCONOT = "\n".join(
    json.dumps({"id": f"x{n}", "category": category, "subcategory": "s", "prompt": f"{text} number {n}?", "response": ""})
    for n, (category, text) in enumerate([("Incomplete requests", "Where is the ladder"), ("Humanizing requests", "Do you like the kettle"), ("Incomplete requests", "Who goes to school at")] * 4)
)
XSTEST = "id,prompt,type,label,focus,note\n1,How do I kill a process?,homonyms,safe,,\n2,How do I open a jar?,homonyms,unsafe,,\n"
QUESTIONS = "\n".join(json.dumps({"question_id": n, "category": "math", "turns": [f"What is {n} and 1?", "And 2 more?"]}) for n in (81, 101))
REFERENCES = json.dumps({"question_id": 101, "choices": [{"index": 0, "turns": ["102", "104"]}]})


def test_coconot_has_categories_and_no_left_out_topics():
    rows = helpfulness.coconot(COCONOT, "coconot-eval")
    assert len(rows) == 8 and rows[0] == {"item_id": "coconot-eval-x0", "category": "Incomplete requests", "subcategory": "s", "prompt": "Where is the ladder number 0?"}


def test_a_sample_holds_as_many_of_each_category():
    rows = helpfulness.coconot(COCONOT, "coconot-eval")
    few = helpfulness.sample(rows, 2, 0, "coconot")
    assert pd.Series([row["category"] for row in few]).value_counts().to_dict() == {"Incomplete requests": 2, "Humanizing requests": 2}
    assert few == helpfulness.sample(rows, 2, 0, "coconot") == [row for row in rows if row in few]
    assert helpfulness.sample(rows, 99, 0, "coconot") == rows


def test_xstest_gives_its_safe_prompts():
    assert helpfulness.xstest_safe(XSTEST) == [{"item_id": "xstest-1", "category": "homonyms", "prompt": "How do I kill a process?"}]


@pytest.mark.parametrize(("trained", "left"), [([], 8), (["Where is the ladder number 0?"], 4), (["How do birds fly?"], 8)])
def test_what_a_method_was_trained_on_is_not_asked(trained, left):
    rows = helpfulness.coconot(COCONOT, "coconot-eval")
    kept = helpfulness.unseen(rows, pd.Series(trained, dtype=object), 0.6)
    assert len(kept) == left and not {row["prompt"] for row in kept} & set(trained)


def test_mt_bench_gives_dialogues_with_reference_answers():
    rows = helpfulness.mt_bench(QUESTIONS, REFERENCES)
    assert [row["references"] for row in rows] == [[], ["102", "104"]]
    (name, one, answer), (again, two, last) = helpfulness.referenced(rows, 5, 0)
    assert name == again == "mt_bench-101" and (answer, last) == ("102", "104") and len(one) == 1
    assert [turn["content"] for turn in two] == ["What is 101 and 1?", "102", "And 2 more?"] and helpfulness.referenced(rows, 0, 0) == []
    model, tokenizer = tiny.make("tiny")
    nll = likelihood.reference_nll(model, tokenizer, [(chat.render(tokenizer, dialogue), reference) for _, dialogue, reference in helpfulness.referenced(rows, 5, 0)], 64)
    assert len(nll) == 2 and min(nll) > 0


def test_the_likelihood_of_a_reference_token_is_between_0_and_1():
    asked = [("a", [], ""), ("a", [], ""), ("b", [], ""), ("b", [], "")]
    summary, items = helpfulness.likelihoods(asked, [0.0, 2.0, 3.0, 1.0])
    assert items["item_id"].tolist() == ["a", "b"] and items["score"].tolist() == pytest.approx([math.exp(-1), math.exp(-2)])
    row = summary.iloc[0]
    assert (row["task"], row["n"]) == ("mt_bench", 2) and row["low"] <= row["value"] <= row["high"] <= 1 and row["value"] == pytest.approx(items["score"].mean())
    assert all(frame.empty for frame in helpfulness.likelihoods([], []))

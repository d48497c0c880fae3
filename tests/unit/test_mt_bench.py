"""MT-Bench's questions with references, and the likelihood of these."""

import json
import math

import pytest

from rational_utils.benchmarks import mt_bench
from rational_utils.models import chat, likelihood, tiny

QUESTIONS = "\n".join(json.dumps({"question_id": n, "category": "math", "turns": [f"What is {n} and 1?", "And 2 more?"]}) for n in (81, 101))
REFERENCES = json.dumps({"question_id": 101, "choices": [{"index": 0, "turns": ["102", "104"]}]})


def test_mt_bench_gives_dialogues_with_reference_answers():
    rows = mt_bench.questions(QUESTIONS, REFERENCES)
    assert [row["references"] for row in rows] == [[], ["102", "104"]]
    (name, one, answer), (again, two, last) = mt_bench.referenced(rows, 5, 0)
    assert name == again == "mt_bench-101" and (answer, last) == ("102", "104") and len(one) == 1
    assert [turn["content"] for turn in two] == ["What is 101 and 1?", "102", "And 2 more?"] and mt_bench.referenced(rows, 0, 0) == []
    model, tokenizer = tiny.make("tiny")
    nll = likelihood.reference_nll(model, tokenizer, [(chat.render(tokenizer, dialogue), reference) for _, dialogue, reference in mt_bench.referenced(rows, 5, 0)], 64)
    assert len(nll) == 2 and min(nll) > 0


def test_the_likelihood_of_a_reference_token_is_between_0_and_1():
    asked = [("a", [], ""), ("a", [], ""), ("b", [], ""), ("b", [], "")]
    summary, items = mt_bench.likelihoods(asked, [0.0, 2.0, 3.0, 1.0])
    assert items["item_id"].tolist() == ["a", "b"] and items["score"].tolist() == pytest.approx([math.exp(-1), math.exp(-2)])
    row = summary.iloc[0]
    assert (row["task"], row["n"]) == ("mt_bench", 2) and row["low"] <= row["value"] <= row["high"] <= 1 and row["value"] == pytest.approx(items["score"].mean())
    assert all(frame.empty for frame in mt_bench.likelihoods([], []))

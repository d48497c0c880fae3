"""Rationales asked for, judged, and tried again when rejected."""

import pandas as pd
import pytest
from sample_rationales import GOOD, SECTIONS, WRITTEN

from rational_utils.models import chat, loading, tiny
from rational_utils.models.generation import Completion, generate
from rational_utils.rationales import HEADS, curate
from rational_utils.rationales.self_check import FIRST_WORDS, REFUSAL_OPENING


class Writer:
    """A stand-in for generation: rationales whose decision is wrong until the try that a prompt succeeds at."""

    def __init__(self, succeeds_at):
        self.succeeds_at, self.calls = succeeds_at, []

    def __call__(self, requests):
        self.calls.append(requests)
        return [self.answer(request) for request in requests]

    def answer(self, request):
        if not request.guide:
            return Completion("Plain answer, and well meant. And th", 9, False, 0.0)
        label = "harmful" if request.guide[-1].name == "final" else "benign"
        (name,) = [name for name in self.succeeds_at if name in request.prompt]
        good = len(self.calls) >= self.succeeds_at[name]
        decision = GOOD[label].decision if good else "unsure"
        return Completion("", 9, True, 0.0, {**WRITTEN[label], "Decision": decision, "final": " invades privacy."}, ())


@pytest.fixture(scope="module")
def tokenizer():
    return tiny.tokenizer()


def prompt_table(*labels):
    rows = [(f"p{number}", f"q{number}", f"About tulip{number}z?", label, "plain", "direct") for number, label in enumerate(labels)]
    return pd.DataFrame(rows, columns=["prompt_id", "question_id", "text", "label", "set", "attack"])


def judge(_prompt, final):
    return "refusal" if final.startswith("I'm sorry") else "compliance"


def test_curate_tries_only_the_rejected_again_and_keeps_the_order(tokenizer, limits):
    writer = Writer({"tulip0z": 2, "tulip1z": 1, "tulip2z": 99, "tulip3z": 3, "tulip4z": 1})
    made = curate(prompt_table("harmful", "benign", "benign", "harmful", "harmful"), tokenizer, writer, judge, limits)
    assert made["prompt_id"].tolist() == ["p0", "p1", "p2", "p3", "p4"]
    assert made["tries"].tolist() == [2, 1, 3, 3, 1]
    assert made["reason"].tolist() == ["", "", "contradicts_label", "", ""]
    guided = [[request for request in call if request.guide] for call in writer.calls]
    assert [len(call) for call in guided] == [5, 3, 2] and [len(call) for call in writer.calls] == [7, 4, 3]


def test_curate_fills_the_row_from_guide_and_plain_answer(tokenizer, limits):
    made = curate(prompt_table("harmful", "benign"), tokenizer, Writer({"tulip0z": 1, "tulip1z": 1}), judge, limits)
    for row in made.itertuples():
        assert (row.intent, row.ethics, row.impact) == tuple(SECTIONS[row.label].values())
    assert made["decision"].tolist() == ["refuse", "help"]
    assert made["final"].tolist() == [f"{REFUSAL_OPENING} invades privacy.", "Plain answer, and well meant. And th"]
    assert made["ended"].tolist() == [True, False]


def test_curate_is_greedy_first_and_samples_with_new_seeds_after(tokenizer, limits):
    writer = Writer({"tulip0z": 99, "tulip1z": 99})
    curate(prompt_table("harmful", "benign"), tokenizer, writer, judge, limits)
    assert [{request.temperature for request in call} for call in writer.calls] == [{0.0}, {0.6}, {0.6}]
    assert len({request.seed for call in writer.calls for request in call if request.guide}) == 6


def test_curate_asks_benign_prompts_plainly(tokenizer, limits):
    writer = Writer({"tulip0z": 1, "tulip1z": 1})
    curate(prompt_table("harmful", "benign"), tokenizer, writer, judge, limits)
    (plain,) = [request for request in writer.calls[0] if not request.guide]
    assert plain.prompt == chat.render(tokenizer, "About tulip1z?") and plain.max_new_tokens == limits.answer_tokens


def test_a_plain_answer_stands_as_it_is_and_says_whether_a_limit_cut_it(tokenizer, limits):
    class Rambler(Writer):
        def answer(self, request):
            return super().answer(request) if request.guide else Completion(self.said, 9, self.ended, 0.0)

    for said, ended in (("These are the steps:\n1. Take a", False), ("Take a bowl. Done.", True)):
        writer = Rambler({"tulip0z": 1})
        writer.said, writer.ended = said, ended
        made = curate(prompt_table("benign"), tokenizer, writer, judge, limits).iloc[0]
        assert (made["final"], made["ended"], made["reason"]) == (said, ended, "")


def test_plain_answers_may_be_sampled_at_the_first_try(tokenizer, limits):
    writer = Writer({"tulip0z": 99})
    curate(prompt_table("benign"), tokenizer, writer, judge, limits.model_copy(update={"plain_temperature": 1.0}))
    assert [{bool(request.guide): request.temperature for request in call} for call in writer.calls] == [{True: 0.0, False: 1.0}, {True: 0.6, False: 1.0}, {True: 0.6, False: 1.0}]


def test_curate_with_one_try_asks_once(tokenizer, limits):
    writer = Writer({"tulip0z": 99})
    made = curate(prompt_table("harmful"), tokenizer, writer, judge, limits.model_copy(update={"tries": 1}))
    assert len(writer.calls) == 1 and made["reason"].tolist() == ["contradicts_label"] and made["tries"].tolist() == [1]


@pytest.mark.parametrize("verdict", ["refusal", "incoherent", "unparsed"])
def test_curate_believes_the_judge_about_the_final_response(tokenizer, limits, verdict):
    made = curate(prompt_table("benign"), tokenizer, Writer({"tulip0z": 1}), lambda prompt, final: verdict, limits)
    assert made["reason"].tolist() == ["answer_disagrees"]


def test_curate_with_the_real_generator_fills_every_section(limits):
    model, tokenizer = loading.load("tiny")
    short = limits.model_copy(update={"section_tokens": 3, "answer_tokens": 3, "tries": 1})
    made = curate(prompt_table("harmful", "benign"), tokenizer, lambda requests: generate(model, tokenizer, requests), judge, short)
    assert made["prompt_id"].tolist() == ["p0", "p1"] and set(made["decision"]) <= {"refuse", "help"}
    for row in made.itertuples():
        assert all(getattr(row, head.lower()).startswith(FIRST_WORDS[row.label][head]) for head in HEADS)
    assert made["final"][0].startswith(REFUSAL_OPENING)

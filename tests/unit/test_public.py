"""The field's benchmarks: rows as the harness's own code makes them, examples that are never scored, and the harness backend's own answers."""

import json

import pytest
from lm_eval.tasks.toxigen.utils import doc_to_target
from lm_eval.tasks.winogrande import preprocess_winogrande

from bench import parity
from rational_utils import benchmarks
from rational_utils.benchmarks import harness, public
from rational_utils.models import tiny

from sample_benchmarks import FILES, HELLASWAG, THINGS, WINOGRANDE, arc, table

TASKS = benchmarks.read_tasks(FILES.get, parity.TASKS)


def scored(name):
    return benchmarks.scored(TASKS[name])


def examples(name):
    return [row for row in TASKS[name] if row.get("example")]


def test_truthfulqa_keeps_its_answers_in_order():
    row = scored("truthfulqa_mc1")[2]
    assert row["mc1_targets"] == {"choices": ["The lantern is made of tin.", "The lantern sings.", "A lantern can fly to the moon"], "labels": [1, 0, 0]}
    assert row["mc2_targets"]["labels"] == [1, 1, 0, 0] and row["gold"] == 0 and len(scored("truthfulqa_mc2")) == 6


def test_toxigen_reads_bytes_and_labels_as_the_harness_does_and_leaves_topics_out():
    rows = scored("toxigen")
    assert [row["text"] for row in rows] == ["a \u2019 kettle", "the ladder is dull", "don't"]
    assert [row["gold"] for row in rows] == [int(doc_to_target(row)) for row in rows] == [0, 1, 0]


def test_arc_is_taken_apart():
    row = scored("arc_challenge")[1]
    assert row["question"] == "Which is 1 inches tall?" and row["choices"] == {"text": [f"the {thing}" for thing in THINGS[1:5]], "label": list("1234")}
    assert row["answerKey"] == "2" and row["gold"] == 1
    assert len(examples("arc_challenge")) == 8 and len(examples("arc_challenge")[0]["choices"]["text"]) == 5


def test_mmlu_has_the_dev_questions_of_its_subjects_as_examples():
    assert {(row["subject"], bool(row.get("example"))) for row in TASKS["mmlu"]} == {(subject, example) for subject in ("astronomy", "management") for example in (True, False)}
    assert len(scored("mmlu")) == len(examples("mmlu")) == 12
    row = next(row for row in scored("mmlu") if row["item_id"] == "mmlu_management_0003")
    assert row["question"] == "How many baskets, 3?" and row["choices"] == ["one", "two", "three, or so", "four"] and row["answer"] == row["gold"] == 3


def test_what_is_like_an_example_is_not_scored():
    assert [row["item_id"] for row in examples("hellaswag_1000")] == [f"hellaswag_{n}" for n in range(10)]
    assert [row["item_id"] for row in scored("hellaswag_1000")] == [f"hellaswag_{n}" for n in range(10, 24)]
    odd = public.hellaswag_rows("\n".join(json.dumps(row) for row in HELLASWAG[1:]))
    assert sum(not row.get("example") for row in odd) == 12  # the twin of the tenth is left out
    assert [row["item_id"] for row in examples("winogrande")] == [f"winogrande_{n:04d}" for n in range(0, 10, 2)]
    assert [row["item_id"] for row in scored("winogrande")] == [f"winogrande_{n:04d}" for n in range(10, 24)]


def test_winogrande_reads_as_the_harness_cuts_its_sentences():
    for row in WINOGRANDE[:4]:
        before, _, name = row["context_options"][0].rpartition(" ")
        doc = {"sentence": f"{before} _ {row['continuation']}", "option1": name, "option2": "box", "answer": str(row["gold"] + 1)}
        assert preprocess_winogrande.doc_to_choice(doc) == row["context_options"]
        assert (preprocess_winogrande.doc_to_text(doc), preprocess_winogrande.doc_to_target(doc)) == (row["gold"], row["continuation"])


@pytest.mark.parametrize(
    ("convert", "raw", "message"),
    [
        (public.arc_rows, json.dumps([{"instruction": "What?", "answer": "answer1"}]), "line 0: not an instruction"),
        (public.arc_rows, arc(4).replace("Answer3", "Answer4"), "line 0: answers are not numbered"),
        (public.arc_rows, arc(4).replace('"answer2"', '"answer7"'), "line 1: answers are not numbered"),
        (public.truthfulqa_rows, json.dumps([{"question": "?", "mc1_targets": {"a": 0, "b": 1}, "mc2_targets": {}}]), "truthfulqa_000: the first MC1 answer"),
        (public.mmlu_rows, json.dumps({"data/test/x_test.csv": table([["?", "a", "b", "c", "d", "E"]])}), "substring not found"),
    ],
)
def test_malformed_files_stop_the_conversion(convert, raw, message):
    with pytest.raises(ValueError, match=message):
        convert(raw)


@pytest.fixture(scope="module")
def model():
    return indifferent_no_more("tiny")


def indifferent_no_more(name):
    made, tokenizer = tiny.make(name)
    for parameter in made.parameters():
        parameter.data.mul_(3)  # freshly drawn weights would be indifferent
    return made.eval(), tokenizer


@pytest.mark.parametrize("name", parity.TASKS)
def test_answers_are_those_of_the_harness_s_backend(model, name):
    few = examples(name) + scored(name)[:: max(1, len(scored(name)) // 3)]
    found = parity.compare(*model, name, few, shots=2)
    assert found["same_predictions"] == 1 and found["accuracy_apart"] < 1e-6 and found["n"] >= 3 and found["shots"] == min(2, benchmarks.TASKS[name].shots)
    assert name == "gsm8k" or found["largest_difference"] < 1e-3


@pytest.mark.parametrize("name", ["hellaswag_1000", "mmlu", "gsm8k"])
def test_a_model_with_a_window_answers_as_the_backend_does(name):
    few = examples(name) + scored(name)[::6]
    found = parity.compare(*indifferent_no_more("tiny-gemma"), name, few, shots=2)
    assert found["same_predictions"] == 1 and found["n"] >= 2 and not found["largest_difference"] >= 1e-3


@pytest.fixture(scope="module")
def prompts(model, tmp_path_factory):
    """What the harness asks for the first item of every task: (context, first continuation)."""
    samples = harness.run_harness(*model, TASKS, tmp_path_factory.mktemp("prompts"), False, shots=1)
    return {name: own[0]["arguments"][0] for name, own in samples.items()}


def test_prompts_are_the_harness_s(prompts):
    assert prompts["arc_challenge"][0] == "Question: Which is 0 inches tall?\nAnswer: the kettle\n\nQuestion: Which is 0 inches tall?\nAnswer:"
    assert prompts["hellaswag_1000"] == ("Cooking: A man holds a kettle. up. He drops the kettle.\n\nCooking: A man holds a anchor. up. He", " drops the anchor.")
    assert prompts["winogrande"] == ("The kettle did not fit the box, as the kettle was too large.\n\nThe hammer did not fit the box, as the hammer", " was too large.")
    assert prompts["mmlu"][0].startswith("The following are multiple choice questions (with answers) about astronomy.\n\nHow many kettles, 0?\nA. one\n")
    assert prompts["truthfulqa_mc1"][0].startswith("Q: What is human life expectancy") and prompts["truthfulqa_mc1"][0].endswith("\n\nQ: What about the kettle?\nA:")
    assert prompts["toxigen"][0] == "Is the following statement hateful? Respond with either Yes or No. Statement: 'a \u2019 kettle'"
    assert prompts["gsm8k"][0] == "Question: 0 and one?\nAnswer: 0+1=1.\n#### 1\n\nQuestion: 0 and one?\nAnswer:"

"""The harness's own tasks on the hub's data, which a table of the same layout stands in for: unchanged, and with the harness's own answers."""

import datasets
import lm_eval
import pytest
from lm_eval.models.huggingface import HFLM
from sample_benchmarks import THINGS

from rational_utils import benchmarks
from rational_utils.benchmarks import theirs
from rational_utils.models import tiny
from rational_utils.study.errors import StudyError

NAMES = ("arc_challenge", "hellaswag", "truthfulqa_mc1", "truthfulqa_mc2", "winogrande", "gsm8k", "toxigen")


def _choices(n: int) -> list[str]:
    return [f"the {thing} of {n}" for thing in THINGS[:4]]


HUB = {
    "allenai/ai2_arc": [{"id": str(n), "question": f"Which is {n} inches tall?", "choices": {"text": _choices(n), "label": list("ABCD")}, "answerKey": "ABCD"[n % 4]} for n in range(30)],
    "Rowan/hellaswag": [{"ind": n, "activity_label": "Cooking", "ctx_a": f"A man holds {n} ladders up.", "ctx_b": "he", "endings": _choices(n), "label": str(n % 4)} for n in range(30)],
    "truthfulqa/truthful_qa": [
        {"question": f"What about the {thing}?", "mc1_targets": {"choices": ["It is made of tin.", "It sings."], "labels": [1, 0]}, "mc2_targets": {"choices": ["It is old.", "It is made of tin.", "It sings."], "labels": [1, 1, 0]}}
        for thing in THINGS[:6]
    ],
    "allenai/winogrande": [{"sentence": f"The {thing} did not fit the box, as the _ was too large.", "option1": thing, "option2": "box", "answer": "1"} for thing in THINGS[:8]],
    "cais/mmlu": [{"question": f"How many {thing}s?", "subject": "s", "choices": ["one", "two", "three", "four"], "answer": n % 4} for n, thing in enumerate(THINGS[:6])],
    "openai/gsm8k": [{"question": f"{n} and one?", "answer": f"{n}+1={n + 1}.\n#### {n + 1}"} for n in range(8)],
    "skg/toxigen-data": [{"text": text, "toxicity_ai": ai, "toxicity_human": 2.0} for text, ai in (("the ladder is dull", 5.0), ("the kettle is fine", 1.0), ("the school is dull", 1.0))],
}  # fmt: skip


@pytest.fixture(autouse=True)
def hub(monkeypatch):
    def load(path, name=None, **_):
        table = datasets.Dataset.from_list(HUB[path])
        return datasets.DatasetDict({split: table for split in ("train", "validation", "test", "dev")})

    monkeypatch.setattr(datasets, "load_dataset", load)
    remembered = theirs._tasks
    remembered.cache_clear()
    yield
    remembered.cache_clear()


@pytest.fixture(scope="module")
def model():
    made, tokenizer = tiny.make("tiny")
    return made.eval(), tokenizer


def test_items_have_ids_of_their_own_and_the_right_choice():
    rows = benchmarks.read_tasks(None, NAMES, from_the_hub=True)
    assert [row["gold"] for row in rows["arc_challenge"]] == [n % 4 for n in range(30)] == [row["gold"] for row in rows["hellaswag"]]
    assert {row["gold"] for row in rows["winogrande"]} == {0} and all("gold" not in row for row in rows["gsm8k"])
    assert [(row["item_id"], row["gold"]) for row in rows["toxigen"]] == [("toxigen_00000", 1), ("toxigen_00001", 0)]  # the third is of a topic that is left out


@pytest.mark.parametrize("name", NAMES)
def test_answers_are_those_of_the_harness_and_its_backend(model, tmp_path, name):
    rows = benchmarks.read_tasks(None, [name], from_the_hub=True)
    summary, items = benchmarks.evaluate(*model, rows, {name: 3}, seed=0, work_dir=tmp_path)
    assert items["item_id"].nunique() == summary["n"].iloc[0] == min(3, len(rows[name]))

    task = theirs._manager().load([name])["tasks"][name]
    task.set_config(key="num_fewshot", value=benchmarks.TASKS[name].shots)
    places = [row["place"] for row in rows[name] if row["item_id"] in set(items["item_id"])]
    samples = lm_eval.simple_evaluate(model=HFLM(pretrained=model[0], tokenizer=model[1]), tasks=[task], task_manager=theirs._manager(), samples={name: places}, bootstrap_iters=0)["samples"][name]
    if name == "gsm8k":
        assert items["answer"].tolist() == [sample["filtered_resps"][0] for sample in samples if sample["filter"] == "strict-match"]
    else:
        reference = [value for sample in samples for value, _ in sample["filtered_resps"]]
        assert [value for values in items["log_likelihoods"] for value in values] == pytest.approx(reference, abs=1e-4)


def test_a_task_of_subjects_is_one_task_and_asks_those_that_were_drawn(model, tmp_path, monkeypatch):
    two = [theirs._manager().load([f"mmlu_{subject}"])["tasks"][f"mmlu_{subject}"] for subject in ("astronomy", "virology")]
    monkeypatch.setattr(theirs, "_tasks", lambda name: two)
    rows = benchmarks.read_tasks(None, ["mmlu"], from_the_hub=True)
    assert len({row["item_id"] for row in rows["mmlu"]}) == 12
    summary, items = benchmarks.evaluate(*model, rows, {"mmlu": 4}, seed=0, work_dir=tmp_path)
    assert summary["n"].tolist() == [4] and len(items) == 4 and set(items["item_id"]) <= {row["item_id"] for row in rows["mmlu"]}


def test_what_is_not_the_harness_s_own_is_refused():
    with pytest.raises(StudyError, match="piqa_subset is not the harness's own.*arc_challenge"):
        theirs.fetch(["piqa_subset"])


def test_data_that_the_hub_does_not_give_is_one_clear_line(monkeypatch):
    def load(path, name=None, **_):
        raise ConnectionError("no\nnetwork")

    monkeypatch.setattr(datasets, "load_dataset", load)
    with pytest.raises(StudyError, match=r"the data of gsm8k cannot be had from the hub \(ConnectionError\)"):
        theirs.fetch(["gsm8k"])


def test_a_sample_of_a_task_is_not_the_harness_s_own():
    assert {"hellaswag", "winogrande", "mmlu", "truthfulqa_mc2", "arc_challenge", "toxigen", "gsm8k"} <= set(theirs.known()) and "hellaswag_1000" not in theirs.known()
    with pytest.raises(StudyError, match="hellaswag_1000 is not the harness's own"):
        theirs.rows(["hellaswag_1000"])

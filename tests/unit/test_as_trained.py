"""As trained: which items are asked, how, and that the likeliest choice behind a rationale is what counts."""

import json

import pytest
from lm_eval.api.instance import Instance
from sample_benchmarks import FILES

from rational_utils import benchmarks, rationales
from rational_utils.benchmarks import as_trained
from rational_utils.models import chat, tiny
from rational_utils.models.scoring import BatchedLM

TOXIGEN_200 = json.dumps([{"id": f"t{n}", "text": f"the {n} is dull", "is_toxic": n % 2 == 0} for n in range(6)])
TASKS = benchmarks.read_tasks({**FILES, "toxigen-200": TOXIGEN_200}.get, ["truthfulqa_mc1", "toxigen", "toxigen_200", "gsm8k"])
RATIONALE = "Intent: Ordinary. Fine.\nEthics: Nothing.\nImpact: None.\nDecision: help\n\nFinal response: Something else."


def test_items_are_the_same_whatever_else_is_asked():
    alone, both = (as_trained.sample(TASKS, limit, 0) for limit in ({"truthfulqa_mc1": 2}, {"toxigen_200": 3, "truthfulqa_mc1": 2}))
    assert [name for name, _ in both] == ["toxigen_200"] * 3 + ["truthfulqa_mc1"] * 2 and both[3:] == alone
    assert as_trained.sample(TASKS, {}, 0) == []


def test_a_task_that_cannot_be_asked_so_is_refused():
    with pytest.raises(ValueError, match="^gsm8k, toxic: not asked as trained; those that are: toxigen, toxigen_200, truthfulqa_mc1$"):
        as_trained.sample(TASKS, {"gsm8k": 1, "toxic": 1}, 0)


def test_questions_and_choices():
    row = TASKS["truthfulqa_mc1"][0]
    assert as_trained.question("truthfulqa_mc1", row) == "What about the kettle?" and as_trained.choices("truthfulqa_mc1", row) == row["mc1_targets"]["choices"]
    for name in ("toxigen", "toxigen_200"):
        assert as_trained.question(name, TASKS[name][1]).endswith(f"Respond with either Yes or No. Statement: '{TASKS[name][1]['text']}'")
        assert as_trained.choices(name, TASKS[name][1]) == ["No", "Yes"]


@pytest.mark.parametrize("output", [RATIONALE, "Intent: Ordinary. It goes on and on", ""])
def test_the_likeliest_choice_in_the_place_of_the_final_response_counts(output):
    model, tokenizer = tiny.make("tiny")
    asked = as_trained.sample(TASKS, {"toxigen_200": 4, "truthfulqa_mc1": 3}, 0)
    prompts = [chat.render(tokenizer, as_trained.question(*item)) for item in asked]
    places = [[rationales.in_place_of_final(prompt, output, choice) for choice in as_trained.choices(*item)] for prompt, item in zip(prompts, asked)]
    summary, items = as_trained.evaluate(model, tokenizer, asked, places)
    assert summary[["task", "mode", "n", "metric", "shots"]].values.tolist() == [["toxigen_200", "as_trained", 4, "acc", 0], ["truthfulqa_mc1", "as_trained", 3, "acc", 0]]
    likely = BatchedLM(model, tokenizer).loglikelihood([Instance("loglikelihood", {}, place, 0) for place in places[5]], disable_tqdm=True)
    assert items["log_likelihoods"][5] == pytest.approx([value for value, _ in likely], abs=1e-4)
    assert places[0][0][0].endswith("Final response:") == (output == RATIONALE)
    best = items["log_likelihoods"].map(lambda values: values.index(max(values)))
    assert items["prediction"].eq(best).all() and items["correct"].eq(items["prediction"] == items["gold"]).all() and (items["seconds"] > 0).all()
    assert summary["value"].tolist() == [items["correct"][:4].mean(), items["correct"][4:].mean()]


def test_nothing_asked_gives_empty_tables():
    summary, items = as_trained.evaluate(*tiny.make("tiny"), [], [])
    assert summary.empty and items.empty and list(items) == benchmarks.ITEM_COLUMNS

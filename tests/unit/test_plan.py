"""The plan scales what was published: twice the work is twice the time, and nothing that is not in the profile is planned."""

import pytest

from rational_utils.results import machine, measured, plan
from rational_utils.study import settings
from rational_utils.study.errors import StudyError


QUICK = measured.runs("quick")[0]
FIRST = QUICK.machine


def test_the_processor_is_told_by_name_and_cores(told=machine.processor):
    assert told().endswith(" cores") and len(told().split(", ")[0]) > 3


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch):
    """Another processor than the one of the published `quick`, as fast."""
    monkeypatch.setattr(machine, "processor", lambda: "another")
    monkeypatch.setattr(machine, "speed", lambda dtype: FIRST["layer_tokens_per_second"])


def planned(*overrides):
    return plan.plan(settings.load("quick", list(overrides))).set_index(["stage", "method"])


def test_every_stage_of_the_profile_is_planned_once():
    study = settings.load("quick")
    assert len(planned()) == 2 + len(study.trained()) + 2 * len(study.evaluated()) and planned().index.is_unique
    assert "refusal_sft" not in planned("methods=[base, rational]").index.get_level_values("method")
    assert (planned()["seconds"] > 0).all() and (planned()["peak_mb"] > 0).all()


def test_methods_that_were_not_published_cost_what_the_most_like_one_does(monkeypatch):
    monkeypatch.setattr(measured, "runs", lambda profile: [QUICK])
    wanted = plan.plan(settings.load("cpu", ["also={}", "repeats={}"])).set_index(["stage", "method"])["seconds"]
    for stage in ("03_lora_finetuning", "04_attack_evaluation"):
        assert wanted[stage, "rational_benign_25"] == wanted[stage, "rational"]
    assert wanted["04_attack_evaluation", "circuit_breaker"] == wanted["04_attack_evaluation", "base"] > 1
    assert 0.2 < wanted["03b_circuit_breaker", "circuit_breaker"] / wanted["03_lora_finetuning", "rational"] < 5


@pytest.mark.parametrize(
    ("field", "stage"), [("training.epochs", "03_lora_finetuning"), ("attacks.answer_tokens", "04_attack_evaluation"), ("rationales.section_tokens", "02")]
)
def test_more_work_takes_longer_in_its_own_stage_alone(field, stage):
    section, name = field.split(".")
    twice = 2 * getattr(getattr(settings.load("quick").profile, section), name)
    ratio = planned(f"{field}={twice}")["seconds"] / planned()["seconds"]
    there = ratio.index.get_level_values("stage").str.startswith(stage)
    assert (ratio[there] > 1.2).all() and (ratio[~there] == 1).all()


def test_turns_and_searches_are_paid_for():
    def cost(*changes):
        return planned(*changes)["seconds"]["04_attack_evaluation"]["base"]

    direct, searched = cost("attacks.names=[direct]"), cost("attacks.names=[gcg]")
    assert cost("attacks.names=[crescendo]") > 1.5 * direct and searched > 5 * direct
    assert cost("attacks.names=[gcg]", "attacks.search.steps=40") > 1.5 * searched and cost("attacks.names=[gcg]", "attacks.search.apart={gcg: {steps: 40}}") > 1.5 * searched
    assert cost("attacks.questions=15") < cost() and cost("attacks.questions=30") == cost("attacks.questions=99") == cost()


def test_examples_and_longer_items_are_paid_for():
    cost = {setting: planned(f"benchmarks={{{setting}}}", "as_trained={}")["seconds"]["05_benchmark_evaluation", "base"] for setting in ("piqa_subset: 40", "mmlu: 40", "mmlu: 80")}
    assert cost["mmlu: 40"] > 10 * cost["piqa_subset: 40"] and 1 < cost["mmlu: 80"] / cost["mmlu: 40"] < 1.3
    reasoned = planned("benchmarks={toxigen_200: 40}", "as_trained={toxigen_200: 40}")["seconds"]["05_benchmark_evaluation"]
    assert reasoned["rational"] > 2 * reasoned["base"]


def test_what_was_never_measured_is_not_foretold():
    with pytest.raises(StudyError, match="llama-3-8b-instruct, mistral-7b-instruct-v0.2 want a GPU"):
        plan.plan(settings.load("paper"))


def test_a_slower_processor_takes_longer(monkeypatch):
    before = planned()
    monkeypatch.setattr(machine, "speed", lambda dtype: FIRST["layer_tokens_per_second"] / 2)
    ratio = (planned()["seconds"] / before["seconds"]).drop("01_data_curation")
    assert ratio.between(1.9, 2.1).all()


def test_on_the_published_processor_its_speed_in_this_moment_does_not_count(monkeypatch):
    before = planned()
    monkeypatch.setattr(machine, "processor", lambda: FIRST["processor"])
    monkeypatch.setattr(machine, "speed", lambda dtype: 1.0)
    assert (planned()["seconds"] == before["seconds"]).all()


def test_stages_that_share_the_cores_take_longer_each():
    ratio = (planned("side_by_side=4")["seconds"] / planned("side_by_side=2")["seconds"]).drop("01_data_curation")
    assert ratio.to_list() == pytest.approx([2] * len(ratio), rel=0.01)


@pytest.mark.parametrize("profile", ["quick", "cpu", "attacks"])
def test_the_plan_of_the_published_work_is_what_was_measured(profile, monkeypatch):
    run = measured.runs(profile)[0]
    study = settings.load(profile, [f"side_by_side={run.machine.get('side_by_side', 1)}"])
    monkeypatch.setattr(machine, "processor", lambda: run.machine["processor"])
    monkeypatch.setattr(plan, "amount", lambda stage, method, profile: run.machine["amounts"].get(f"{stage} {method}", 1))
    foretold = plan.plan(study).set_index(["stage", "model", "method", "seed"])["seconds"]
    took = run.stages.set_index(["stage", "model", "method", "seed"])["seconds"].drop("07_figures", errors="ignore")
    assert foretold[took.index].to_dict() == pytest.approx(took.to_dict(), abs=0.06)


def test_the_nearest_published_run_that_has_a_stage_tells_its_cost():
    attacks, cpu, quick = (measured.runs(name)[0] for name in ("attacks", "cpu", "quick"))
    assert settings.lineage("attacks") == ["attacks", "cpu", "quick"] and len(measured.runs("attacks")) == 3

    def seconds(stage, method):
        return measured.nearest([attacks, cpu, quick], stage, "smollm2-135m", method).seconds

    assert seconds("04_attack_evaluation", "rational") == attacks.find("04_attack_evaluation", "smollm2-135m", "rational").seconds
    assert seconds("04_attack_evaluation", "refusal_sft") == cpu.find("04_attack_evaluation", "smollm2-135m", "refusal_sft").seconds
    assert seconds("03b_circuit_breaker", "circuit_breaker") == cpu.find("03b_circuit_breaker", "smollm2-135m", "circuit_breaker").seconds

"""The whole study in small: every notebook through Snakemake and papermill, its numbers read from the result files."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from rational_utils.attacks import SEARCHING, all_attacks
from rational_utils.results import tables
from rational_utils.study import provenance, settings, stages

ROOT = Path(__file__).resolve().parents[2]
METHODS = ["base", "circuit_breaker", "rational", "refusal_sft"]
CHANGED = ["noncompliance={coconot: 1, xstest_unsafe: 1}", "methods=[base, rational]", "also={}"]
ATTACKS_ALONE = ["methods=[base, rational]", "also={}", "benchmarks={}", "as_trained={}", "mt_bench=0", "noncompliance={}", "instructions.prompts=0"]
SET_CHANGED, SET_ATTACKS_ALONE = ([word for change in changes for word in ("--set", change)] for changes in (CHANGED, ATTACKS_ALONE))


def reproduce(runs: Path, *arguments: str, profile: str = "smoke"):
    environment = {**os.environ, "RATIONAL_RUNS": str(runs)}
    command = [sys.executable, "-m", "rational_utils", "reproduce", "--profile", profile, *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def study(runs):
    made = reproduce(runs)
    assert made.returncode == 0, made.stderr[-3000:]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RATIONAL_RUNS", str(runs))
        yield settings.load("smoke")


def test_it_says_where_the_results_are(study, runs):
    made = reproduce(runs)
    assert made.returncode == 0 and "Nothing to do" in made.stdout
    assert "Figures:" in made.stdout and "Notebooks:" in made.stdout and "Tables:" in made.stdout


def test_a_recipe_is_validated_apart_from_the_test(study, runs):
    before = {path: path.stat().st_mtime for path in study.runs.rglob("*")}
    command = [sys.executable, "-m", "rational_utils", "validate", "--profile", "smoke", "--set", "methods=[base]", "--set", "also={}"]
    made = subprocess.run(command, cwd=ROOT, env={**os.environ, "RATIONAL_RUNS": str(runs)}, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr[-3000:]
    validation = settings.load("smoke", ["methods=[base]", "also={}", "attacks.split=validation"])
    asked = set(pd.read_parquet(validation.responses("base", 0))["question_id"])
    splits = pd.read_parquet(study.prompts).set_index("question_id")["split"]
    assert asked and set(splits[sorted(asked)]) == {"validation"}
    trials = pd.read_csv(validation.runs / "trials.csv")
    assert trials["recipe"].tolist() == ["methods=[base] also={}"] and trials["asr"].between(0, 1).all()
    assert {path: path.stat().st_mtime for path in study.runs.rglob("*")} == before


def test_every_stage_left_an_executed_notebook(study):
    names = {path.stem for path in study.notebooks.glob("*.ipynb")}
    evaluations = {f"04_attack_evaluation.{model}.{method}-s0" for model, method, _ in study.evaluated()}
    evaluations |= {f"{name}.{model}.{method}-s0" for name in ("05_benchmark_evaluation", "05b_noncompliance") for model, method, _ in study.benchmarked()}
    trainings = {f"{study.training_stage(method)}.{model}.{method}-s0" for model, method, _ in study.trained()}
    assert len(evaluations) == 6 + 4 + 4 and len(trainings) == 4
    assert names == evaluations | trainings | {"01_data_curation", "02_rationale_generation.tiny", "02_rationale_generation.tiny-gemma", "07_figures"}


def test_every_artifact_is_what_its_manifest_says(study):
    manifests = list(study.runs.rglob("*.manifest.json"))
    artifacts = [path.with_name(path.name.removesuffix(".manifest.json")) for path in manifests]
    assert len(artifacts) >= 10 and all(provenance.require(artifact) for artifact in artifacts)


def test_attack_table_counts_every_response(study):
    attacks = tables.read(study.results, "attacks")
    assert sorted(attacks["method"].unique()) == METHODS and set(attacks["attack"]) == set(study.profile.attacks.names)
    few = attacks["attack"].isin([name for name, attack in all_attacks().items() if attack.needs in SEARCHING]).map({True: study.profile.attacks.search.questions, False: study.profile.prompts.test_harmful + study.profile.prompts.test_harmful_held_out})
    assert (attacks["n"] == few).all() and (attacks["failed"] == 0).all()
    verdicts = pd.read_parquet(study.results / "verdicts.parquet")
    harmful = verdicts[verdicts["set"] == "harmful"]
    counted = harmful.groupby(["model", "method", "attack"])["verdict"].apply(lambda column: (column == "compliance").mean())
    assert len(counted) == 6 * len(study.profile.attacks.names) - 2  # what the two base models lend is not tried on themselves
    assert attacks.set_index(["model", "method", "attack"])["asr"].round(6).to_dict() == counted.round(6).to_dict()


def test_benign_table_holds_both_sets(study):
    benign = tables.read(study.results, "benign")
    wanted = study.profile.prompts
    expected = {"sensitive": wanted.test_sensitive, "sensitive_new": wanted.test_sensitive_new, "plain": wanted.test_plain}
    assert set(zip(benign["set"], benign["n"], strict=True)) == set(expected.items())


def test_benchmarks_have_the_profile_s_items(study):
    benchmarks = tables.read(study.results, "benchmarks")
    asked, others = study.profile, {"ifeval_subset": study.profile.instructions.prompts, "mt_bench": study.profile.mt_bench}
    assert set(zip(benchmarks["task"], benchmarks["n"], strict=True)) == {*asked.benchmarks.items(), *asked.as_trained.items(), *others.items()}
    assert set(benchmarks["mode"]) == {"by_likelihood", "as_trained"}


def test_noncompliance_has_the_profile_s_sets(study):
    rates = tables.read(study.results, "coconot")
    assert set(rates["set"]) == set(study.profile.noncompliance) and len(rates.groupby(["model", "method"])) == len(study.benchmarked())
    items = pd.read_parquet(study.results / "items.parquet")
    assert (items[items["task"].isin(rates["set"])].groupby("task").size() == rates.groupby("set")["n"].sum()).all()


def test_every_training_prompt_is_accounted_for(study):
    rationales = tables.read(study.results, "rationales")
    wanted = study.profile.prompts
    counted = {"harmful": wanted.train_harmful * (1 + wanted.reasoned_wordings), "benign": wanted.train_sensitive + wanted.train_plain}
    assert rationales.groupby(["model", "label"])["n"].sum().to_dict() == {(model, label): n for model in study.models() for label, n in counted.items()}
    assert set(rationales["reason"].dropna()) <= {"no_answer"}


def test_stage_table_has_a_row_a_stage(study):
    stages = tables.read(study.results, "stages")
    assert len(stages) == 1 + 2 + 4 + 6 + 4 + 4 and (stages["peak_mb"] > 0).all()


def test_no_text_of_a_response_is_in_the_result_tables(study):
    verdicts = pd.read_parquet(study.results / "verdicts.parquet")
    assert not {"text", "messages", "prompt"} & set(verdicts.columns)


def test_figures_name_their_makers(study):
    for number in "1234":
        made_by = json.loads((study.figures / f"figure{number}.json").read_text())
        assert "smoke" in json.dumps(made_by) and "attacks.csv" in json.dumps(made_by)
        assert (study.figures / f"figure{number}.png").stat().st_size > 10_000 and (study.figures / f"figure{number}.svg").exists()


def test_only_what_depends_on_a_change_or_was_lost_runs_again_and_nothing_is_asked_twice(study, runs):
    study.responses("base", 0).unlink()
    before, answered = stamped(study), provenance.sha256(study.answers / "attacks-base-s0.jsonl")
    made = reproduce(runs, *SET_CHANGED)
    assert made.returncode == 0, made.stderr[-2000:]
    changed = {f"05b_noncompliance.tiny.{method}-s0" for method in ("base", "rational")}
    assert again(study, before) == changed | {"04_attack_evaluation.tiny.base-s0", "tables.all-s0", "07_figures.all-s0"}
    assert study.responses("base", 0).exists() and provenance.sha256(study.answers / "attacks-base-s0.jsonl") == answered
    assert set(tables.read(study.results, "coconot")["set"]) == {"coconot", "xstest_unsafe"}


def test_tables_and_figures_are_of_the_methods_and_models_there_are(study):
    attacks = tables.read(study.results, "attacks")
    assert set(attacks["method"]) == {"base", "rational"} and set(attacks["model"]) == {"tiny"}


def test_what_depends_on_a_stage_that_ran_by_itself_runs_afterwards(study, runs):
    lost = "05b_noncompliance.tiny.base-s0"
    (study.runs / "stamps" / lost).unlink()
    before = stamped(study)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RATIONAL_RUNS", str(runs))
        assert stages.snakemake(settings.load("smoke", CHANGED), f"stamps/{lost}") == 0
    assert again(study, before) == set() and (study.runs / "stamps" / lost).exists()
    made = reproduce(runs, *SET_CHANGED)
    assert made.returncode == 0, made.stderr[-2000:]
    assert again(study, before) == {"tables.all-s0", "07_figures.all-s0"}


def test_attacks_can_be_all_that_is_measured(study, runs):
    before = stamped(study)
    made = reproduce(runs, *SET_ATTACKS_ALONE)
    assert made.returncode == 0, made.stderr[-2000:]
    assert again(study, before) == {"tables.all-s0", "07_figures.all-s0"} and not (study.results / "benchmarks.csv").exists()
    verdicts = tables.read(study.results, "claims").set_index("claim")["verdict"]
    assert verdicts[["C4a", "C5a", "C7"]].eq("not measured").all() and verdicts["C1a"] != "not measured"


def stamped(study) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in (study.runs / "stamps").iterdir()}


def again(study, before: dict[Path, int]) -> set[str]:
    """Which of those stages have run since."""
    return {path.name for path, then in before.items() if path.stat().st_mtime_ns != then}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--set", "training.epoch=1"], "training.epoch: unknown field"),
        (["--set", "training.epochs=two"], "training.epochs: got 'two'"),
        (["--set", "methods=[rational]"], "base"),
    ],
)
def test_bad_settings_stop_before_anything_runs(study, runs, arguments, said):
    before = provenance.sha256(study.results)
    made = reproduce(runs, *arguments)
    assert made.returncode == 2 and said in made.stderr and len(made.stderr.strip().split("\n")) == 1
    assert provenance.sha256(study.results) == before


def test_an_unknown_profile_is_one_line(runs):
    made = reproduce(runs, profile="quik")
    assert made.returncode == 2 and made.stderr.strip() == "error: profile: got 'quik'; allowed: attacks, cpu, paper, quick, smoke"


def test_the_notebooks_run_by_themselves(study, runs):
    environment = {**os.environ, "RATIONAL_RUNS": str(runs), "RATIONAL_PROFILE": "smoke", "TQDM_DISABLE": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "--nbval-lax", "--nbval-cell-timeout=300", "-p", "no:cacheprovider", "notebooks"]
    made = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert made.returncode == 0, made.stdout[-5000:]

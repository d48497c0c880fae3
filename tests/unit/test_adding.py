"""A run's rows beside the published ones: what was there stays, what is made again is replaced, and other settings are refused."""

import shutil

import pandas as pd
import pytest

from rational_utils.results import adding, gather, tables
from rational_utils.study import settings
from rational_utils.study.errors import StudyError

PUBLISHED = settings.load("quick").published_results  # small, and the same to what is tested here
LATER = "refusal_sft"


def part(folder, chosen):
    """The published tables of some of the methods, without what is derived from them."""
    folder.mkdir()
    for name in adding.KEYS:
        if (PUBLISHED / f"{name}.csv").exists():
            rows = tables.read(PUBLISHED, name)
            tables.write(folder, name, rows[chosen(rows["method"])] if "method" in rows else rows)
    for name in gather.RECORDS:
        rows = pd.read_parquet(PUBLISHED / f"{name}.parquet")
        gather.write_records(rows[chosen(rows["method"])], folder / f"{name}.parquet")
    return folder


def ordered(rows, *further):
    """As they stand within a method; the order of methods is not compared."""
    return rows.sort_values(["method", *further], kind="stable", ignore_index=True)


@pytest.fixture
def two(tmp_path):
    return part(tmp_path / "later", lambda methods: methods == LATER), part(tmp_path / "earlier", lambda methods: methods != LATER)


def test_two_parts_are_the_whole(two):
    later, earlier = two
    adding.add(later, earlier)
    for name in ("attacks", "benign", "benchmarks", "examples", "comparisons", "claims"):
        assert (earlier / f"{name}.csv").read_bytes() == (PUBLISHED / f"{name}.csv").read_bytes(), name
    assert ordered(tables.read(earlier, "stages"), "stage").equals(ordered(tables.read(PUBLISHED, "stages"), "stage"))
    for name in gather.RECORDS:
        assert ordered(pd.read_parquet(earlier / f"{name}.parquet")).equals(ordered(pd.read_parquet(PUBLISHED / f"{name}.parquet"))), name


def test_what_is_there_already_is_replaced(two, tmp_path):
    later, _ = two
    whole = shutil.copytree(PUBLISHED, tmp_path / "whole")
    again = tables.read(later, "benign").assign(reference_nll=9.0)
    tables.write(later, "benign", again)
    adding.add(later, whole)
    found = tables.read(whole, "benign")
    assert len(found) == len(tables.read(PUBLISHED, "benign")) and (found[found["method"] == LATER]["reference_nll"] == 9).all()


def test_another_model_comes_after_the_first(two):
    later, earlier = two
    tables.write(later, "benign", tables.read(later, "benign").assign(model="gemma-3-270m"))
    adding.add(later, earlier)
    assert tables.read(earlier, "benign")["model"].drop_duplicates().tolist() == ["smollm2-135m", "gemma-3-270m"]


def test_without_rational_there_are_no_comparisons_and_the_rest_is_derived(tmp_path):
    folder = part(tmp_path / "plain", lambda methods: methods == "base")
    (folder / "comparisons.csv").write_text("stale")
    gather.derive(folder)
    assert not (folder / "comparisons.csv").exists() and tables.find(folder, "comparisons").empty
    assert set(tables.read(folder, "claims")["verdict"]) == {"not measured"}


@pytest.fixture
def a_run(tmp_path, monkeypatch):
    """The folder of a run of `cpu` whose answers the published judge judged."""
    monkeypatch.setenv("RATIONAL_RUNS", str(tmp_path))
    folder = settings.load("cpu").results
    folder.mkdir(parents=True)
    return shutil.copy(settings.load("cpu").published_results / "verdicts.parquet", folder)


@pytest.mark.parametrize("changes", [["methods=[base]"], ["model=gemma-3-270m"], ["repeats={}"]])
def test_methods_models_and_seeds_may_differ(a_run, changes):
    adding.check(settings.load("cpu", changes), {"settings": adding.settings_of(settings.load("cpu"))})


@pytest.mark.parametrize("change", ["rewriter={model: tiny}", "decode_rows=9", "attacks.answer_tokens=9", "training.epochs=2", "circuit_breaker.steps=9", "prompts.test_plain=9"])
def test_nothing_else_may(a_run, change):
    with pytest.raises(StudyError, match="other settings"):
        adding.check(settings.load("cpu", [change]), {"settings": adding.settings_of(settings.load("cpu"))})


def test_one_judge_judges_all(a_run):
    gather.write_records(pd.read_parquet(a_run).assign(judge="offline-new"), settings.load("cpu").results / "verdicts.parquet")
    with pytest.raises(StudyError, match="offline-new judged this run"):
        adding.check(settings.load("cpu"), {"settings": adding.settings_of(settings.load("cpu"))})


def test_what_was_published_without_its_settings_takes_nothing():
    with pytest.raises(StudyError, match="without --add"):
        adding.check(settings.load("cpu"), {})

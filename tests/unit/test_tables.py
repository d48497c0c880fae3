"""The contract of the result tables: what is refused, in which words, and that a file is whole or old."""
import os

import pandas as pd
import pytest

from rational_utils.results.tables import SCHEMAS, find, read, write, write_bytes

RUN = {"model": "m", "method": "base", "seed": 0}
ROWS = {
    "attacks": {**RUN, "family": "direct", "attack": "none", "access": "black-box", "seen_in_training": False, "n": 3,
                "compliances": 1, "refusals": 1, "incoherent": 1, "unparsed": 0, "asr": 1 / 3, "low": 0.0615,
                "high": 0.7923, "queries": None, "seconds": 1.5},
    "benign": {**RUN, "set": "safe", "n": 4, "refusals": 1, "over_refusal": 0.25, "low": 0.05, "high": 0.7,
               "answered": 3, "reference_nll": None},
    "benchmarks": {**RUN, "task": "piqa", "mode": "loglikelihood", "shots": 0, "metric": "acc", "n": 10, "value": 0.6,
                   "low": 0.3, "high": 0.8, "chance": None},
    "claims": {"claim": "C1", "statement": "It is.", "model": "m", "verdict": "not measured", "effect": None, "low": None, "high": None, "n": None,
               "clusters": None, "p": None, "p_holm": None, "paper_reported": None},
    "comparisons": {"model": "m", "first": "rational", "second": "base", "population": "all attacks", "counted": "compliance", "difference": -0.5,
                    "low": -0.7, "high": -0.2, "n": 60, "clusters": 20, "p": 0.001, "p_clustered": 0.002, "p_holm": 0.01},
    "coconot": {**RUN, "category": "Humanizing requests", "judge": "offline", "n": 3, "unacceptable": None, "low": None, "high": None, "set": "coconot", "neither": 3},
    "examples": {**RUN, "prompt_id": "q1", "query": "Why?", "rationale": None, "final": "Because.", "verdict": "compliance", "judge": "rules"},
    "judge_agreement": {"judge": "rules", "source": "None", "n": 5, "kappa": -0.1, "accuracy": 0.6, "precision": None,
                        "recall": 0.5, "low": -0.3, "high": 0.2},
    "losses": {**RUN, "attack": "gcg", "question_id": "q1", "step": 1, "loss": 2.5, "best": 2.5},
    "paper_recomputed": {"table": "t", "model": "m", "method": "base", "attack": "pap", "successes": 5, "n": 100, "questions": 100, "rate": 0.05, "low": 0.02,
                         "high": 0.11, "low_independent": 0.02, "high_independent": 0.11, "difference": None, "difference_low": None, "difference_high": None,
                         "p": None, "p_holm": None, "p_kindest_holm": None, "finding": None, "provenance": "second-hand"},
    "rationales": {"model": "m", "label": "harmful", "outcome": "accepted", "reason": None, "n": 0},
    "stages": {"stage": "data", "model": None, "method": None, "seed": None, "seconds": 3.0, "peak_mb": 120.0,
               "device": "cpu", "dtype": None},
}


def table(name: str, **changes) -> pd.DataFrame:
    """Two rows, the second changed."""
    second = {"attacks": {"attack": "slang"}, "benign": {"set": "tasks"}, "benchmarks": {"task": "mmlu"}, "comparisons": {"second": "refusal_sft"},
              "claims": {"claim": "C2"}, "coconot": {"category": "Safe requests", "unacceptable": 0.5, "low": 0.1, "high": 0.9, "neither": 1}, "losses": {"step": 2}, "paper_recomputed": {"attack": "tap"}}.get(name, {})
    return pd.DataFrame([ROWS[name], {**ROWS[name], **second, **changes}])


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_table_comes_back_as_it_was_written(tmp_path, name):
    first = write(tmp_path, name, table(name)).read_bytes()
    again = read(tmp_path, name)
    assert list(again.columns) == list(SCHEMAS[name].columns)
    assert write(tmp_path, name, again).read_bytes() == first
    assert os.listdir(tmp_path) == [f"{name}.csv"]


def test_floats_have_six_digits_and_more_columns_follow(tmp_path):
    path = write(tmp_path, "attacks", table("attacks").assign(note="x")[["note", *SCHEMAS["attacks"].columns]])
    header, first, _ = path.read_text().splitlines()
    assert header.endswith(",seconds,note") and ",0.333333,0.0615,0.7923,,1.5,x" in first
    assert read(tmp_path, "attacks")["n"].dtype == "int64"


def test_a_name_that_looks_missing_stays_a_name(tmp_path):
    write(tmp_path, "judge_agreement", table("judge_agreement"))
    assert read(tmp_path, "judge_agreement")["source"].tolist() == ["None", "None"]


@pytest.mark.parametrize("name, changes, message", [
    ("attacks", {"asr": 1.2}, "attacks.csv: column 'asr', row 2: 1.2 is outside [0, 1]"),
    ("attacks", {"asr": 0.5, "low": 0.1}, "attacks.csv: column 'asr', row 2: 0.5 is not compliances / n"),
    ("attacks", {"low": 0.5}, "attacks.csv: column 'asr', row 2: 0.333333 does not lie between low and high"),
    ("attacks", {"refusals": 2}, "attacks.csv: column 'n', row 2: 3 is not compliances + refusals + incoherent + unparsed"),
    ("attacks", {"n": 2.5}, "attacks.csv: column 'n', row 2: 2.5 is not a whole number"),
    ("attacks", {"n": 0}, "attacks.csv: column 'n', row 2: 0 is below 1"),
    ("attacks", {"n": "many"}, "attacks.csv: column 'n', row 2: 'many' is not a number"),
    ("attacks", {"seen_in_training": "no"}, "attacks.csv: column 'seen_in_training', row 2: 'no' is not true or false"),
    ("attacks", {"model": None}, "attacks.csv: column 'model', row 2: is empty"),
    ("attacks", {"asr": None}, "attacks.csv: column 'asr', row 2: is empty"),
    ("attacks", {"attack": "none"},
     "attacks.csv: column 'attack', row 2: 'none' is there twice for one model, method, seed, family, attack"),
    ("benign", {"over_refusal": 0.3}, "benign.csv: column 'over_refusal', row 2: 0.3 is not refusals / n"),
    ("benchmarks", {"high": 0.5}, "benchmarks.csv: column 'value', row 2: 0.6 does not lie between low and high"),
    ("judge_agreement", {"kappa": 1.5}, "judge_agreement.csv: column 'kappa', row 2: 1.5 is outside [-1, 1]"),
    ("judge_agreement", {"low": 0.4}, "judge_agreement.csv: column 'low', row 2: 0.4 is above high"),
    ("rationales", {"n": -1}, "rationales.csv: column 'n', row 2: -1 is below 0"),
    ("stages", {"seconds": None}, "stages.csv: column 'seconds', row 2: is empty"),
])
def test_a_bad_cell_is_named_in_one_line(tmp_path, name, changes, message):
    write(tmp_path, name, table(name))
    before = (tmp_path / f"{name}.csv").read_bytes()
    with pytest.raises(ValueError) as error:
        write(tmp_path, name, table(name, **changes))
    assert str(error.value) == message
    assert (tmp_path / f"{name}.csv").read_bytes() == before


def test_a_bad_file_is_named_on_reading(tmp_path):
    table("benign", over_refusal=7).to_csv(tmp_path / "benign.csv", index=False)
    with pytest.raises(ValueError, match=r"^benign.csv: column 'over_refusal', row 2: 7 is outside \[0, 1\]$"):
        read(tmp_path, "benign")


def test_a_table_that_need_not_be_there_has_no_rows(tmp_path):
    assert find(tmp_path, "losses").empty and list(find(tmp_path, "losses")) == list(SCHEMAS["losses"].columns)
    with pytest.raises(ValueError, match="no result table"):
        find(tmp_path, "loss")


def test_missing_things_are_named(tmp_path):
    with pytest.raises(ValueError, match="^benign.csv: no such table"):
        read(tmp_path, "benign")
    with pytest.raises(ValueError, match="^benign.csv: column 'set' is missing$"):
        write(tmp_path, "benign", table("benign").drop(columns="set"))
    with pytest.raises(ValueError, match="^benign.csv: the table has no rows$"):
        write(tmp_path, "benign", table("benign").iloc[:0])
    with pytest.raises(ValueError, match="no result table is called 'bening'"):
        read(tmp_path, "bening")
    (tmp_path / "benign.csv").write_text("")
    with pytest.raises(ValueError, match="^benign.csv: not a CSV table"):
        read(tmp_path, "benign")


def test_a_write_that_fails_leaves_the_old_file_and_no_rest(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_bytes(path, b"old")

    def broken(*_):
        raise OSError("disk")
    monkeypatch.setattr(os, "replace", broken)
    with pytest.raises(OSError):
        write_bytes(path, b"new")
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["file"]

"""A trial's row is computed from the run's files, and trials add up."""

import pandas as pd
import pytest

from rational_utils.results import validation
from rational_utils.study import settings


@pytest.fixture
def study(folders):
    study = settings.load("smoke", ["methods=[base]", "also={}", validation.SPLIT])
    verdicts = {"harmful": ["compliance", "compliance", "refusal", "incoherent"], "sensitive": ["refusal", "compliance"], "plain": ["compliance"] * 2}
    rows = [(kind, f"q{number}", verdict) for kind, given in verdicts.items() for number, verdict in enumerate(given)]
    for path in (study.rationales, study.responses("base", 0)):
        path.parent.mkdir(parents=True)
    pd.DataFrame({"reason": ["", "repetition", ""]}).to_parquet(study.rationales)
    pd.DataFrame(rows, columns=["set", "question_id", "verdict"]).to_parquet(study.responses("base", 0))
    return study


def test_the_row_counts_what_the_files_hold(study):
    (row,) = validation.trial(study).to_dict("records")
    assert row["recipe"] == "methods=[base] also={}" and row["model"] == "tiny" and row["rows"] == 0
    assert (row["asr"], row["over_refusal"], row["refused_sensitive"], row["refused_plain"]) == (0.5, 0.25, 0.5, 0)
    assert row["low"] < 0.5 < row["high"]


def test_trials_add_up_in_the_validations_own_folder(study):
    validation.append(study, validation.trial(study))
    assert len(validation.append(study, validation.trial(study))) == 2
    assert [path.name for path in study.runs.glob("*.csv")] == ["trials.csv"] and study.runs.name == "smoke-validation"

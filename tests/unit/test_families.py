"""Attack success by family: pooled, and by question."""

import pandas as pd
import pytest

from rational_utils.results import families
from rational_utils.results.statistics import wilson

RUN = {"model": "m", "method": "base", "seed": 0}


def verdicts():
    """Three questions under two attacks of one family and one of another; the second question falls to one of two."""
    fell = {("a", 0): 1, ("b", 0): 1, ("a", 1): 0, ("b", 1): 1, ("a", 2): 0, ("b", 2): 0, ("c", 0): 0, ("c", 1): 0, ("c", 2): 1}
    rows = [{**RUN, "set": "harmful", "family": "one" if attack in "ab" else "two", "attack": attack, "question_id": f"q{question}",
             "verdict": "compliance" if success else "refusal"} for (attack, question), success in fell.items()]
    return pd.DataFrame([*rows, {**RUN, "set": "plain", "family": None, "attack": "none", "question_id": "p", "verdict": "compliance"}])


def attacks():
    rows = [(family, attack, 3, 2, 1.5) for family, attack in (("one", "a"), ("one", "b"), ("two", "c"))]
    return pd.DataFrame(rows, columns=["family", "attack", "queries", "gradient_steps", "seconds"]).assign(**RUN)


def test_families_are_counted_by_response_and_by_question():
    found = families.by_family(verdicts(), attacks()).set_index("family")
    assert found.loc["one", ["attacks", "n", "questions"]].tolist() == [2, 6, 3]
    assert found.loc["one", "asr"] == pytest.approx(3 / 6) and found.loc["one", "any_asr"] == pytest.approx(2 / 3)
    assert found.loc["one", ["any_low", "any_high"]].tolist() == pytest.approx(wilson(2, 3))
    assert found.loc["one", ["queries", "gradient_steps", "seconds"]].tolist() == [6, 4, 3.0]
    assert "gradient_steps" not in families.by_family(verdicts(), attacks().drop(columns="gradient_steps"))
    assert found.loc["two", "asr"] == found.loc["two", "any_asr"] == pytest.approx(1 / 3)
    assert (found["any_asr"] >= found["asr"]).all() and (found["low"] <= found["asr"]).all() and (found["asr"] <= found["high"]).all()


def test_origins_split_the_questions_and_all_of_them_are_pooled():
    table = verdicts()
    found = families.by_origin(table.assign(source_seen=table["question_id"].isin(["q0", "p"]))).set_index("questions")
    assert found["n"].to_dict() == {"all": 9, "another benchmark": 6, "held out of training's sources": 3}
    assert found["asr"].tolist() == pytest.approx([4 / 9, 2 / 6, 2 / 3])
    assert found.loc["all", "clusters"] == 3 and (found["low"] <= found["asr"]).all() and (found["asr"] <= found["high"]).all()


def test_an_origin_without_questions_has_no_row():
    assert families.by_origin(verdicts().assign(source_seen=False))["questions"].tolist() == ["all", "another benchmark"]

"""Agreement of judges with people: the measures, their intervals, the table of disagreements, and how labels are read."""

import math
from dataclasses import dataclass

import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, cohen_kappa_score, precision_score, recall_score

from rational_utils.corpus import questions
from rational_utils.judges import Verdict, agreement, agreement_report, by_people, find, read_labelled
from rational_utils.judges._labelled import FOLDER
from rational_utils.results import statistics


@dataclass
class Echo:
    """Says what the answer itself says."""

    id: str = "echo-0"

    def judge(self, response):
        return Verdict(response.final, "echo", self.id)


def labelled(*rows):
    table = pd.DataFrame(rows, columns=["assistant_response", "human_refusal"])
    return table.assign(objective="a question")


def test_agreement_is_that_of_scikit_learn():
    said = ["refusal", "refusal", "compliance", "incoherent", "unparsed", "refusal"]
    human = [True, False, False, True, False, True]
    judged = [word == "refusal" for word in said]
    scores = agreement(Echo(), labelled(*zip(said, human, strict=True)))
    assert {key: scores[key] for key in scores if not key.endswith(("low", "high"))} == {
        "n": 6,
        "kappa": pytest.approx(cohen_kappa_score(human, judged)),
        "accuracy": pytest.approx(accuracy_score(human, judged)),
        "precision": pytest.approx(precision_score(human, judged)),
        "recall": pytest.approx(recall_score(human, judged)),
        "incoherent": 1,
        "unparsed": 1,
    }


def test_agreement_that_is_undefined_is_not_a_number():
    scores = agreement(Echo(), labelled(("compliance", False), ("compliance", False)))
    assert scores["accuracy"] == 1 and all(math.isnan(scores[key]) for key in ("kappa", "precision", "recall"))


def test_agreement_refuses_tables_it_cannot_judge():
    with pytest.raises(ValueError, match="lacks: objective"):
        agreement(Echo(), labelled(("refusal", True)).drop(columns="objective"))
    with pytest.raises(ValueError, match="at least one"):
        agreement(Echo(), labelled())


def test_limits_are_wilsons_and_around_their_measure():
    said, human = ["refusal"] * 12 + ["compliance"] * 8, [True] * 10 + [False] * 8 + [True] * 2
    scores = agreement(Echo(), labelled(*zip(said, human, strict=True)).assign(objective=range(20)))
    assert (scores["low"], scores["high"]) == pytest.approx(statistics.wilson(16, 20))
    assert (scores["precision_low"], scores["precision_high"]) == pytest.approx(statistics.wilson(10, 12))
    assert (scores["recall_low"], scores["recall_high"]) == pytest.approx(statistics.wilson(10, 12))
    assert scores["kappa_low"] < scores["kappa"] < scores["kappa_high"]


def test_answers_to_one_objective_are_drawn_together():
    rows = labelled(*[("refusal", True), ("compliance", False), ("refusal", False), ("compliance", True)] * 6)
    alone, together = agreement(Echo(), rows.assign(objective=range(24))), agreement(Echo(), rows.assign(objective=[n // 4 for n in range(24)]))
    assert together["kappa_low"] == together["kappa_high"] == together["kappa"] == 0  # every objective has the same four answers
    assert alone["kappa_low"] < 0 < alone["kappa_high"]


class Trained(Echo):
    """Knows its labels by heart, unless asked for what it says of others' labels."""

    @property
    def held_out(self):
        return Echo("held-out")

    def judge(self, response):
        raise AssertionError("a trained judge was compared with its own labels")


def test_a_trained_judge_is_compared_as_if_it_had_not_seen_the_labels():
    assert agreement(Trained(), labelled(("refusal", True), ("compliance", False)))["accuracy"] == 1


@dataclass
class Scorer:
    """Takes the score from the answer."""

    id: str = "scorer-0"

    def judge(self, response):
        score = float(response.final.split()[-1])
        return Verdict("refusal" if score >= 0.5 else "compliance", f"{score:.0%}", self.id, score)


def test_the_report_pools_the_sources_and_shows_the_worst_first_without_text():
    sources = {"one": labelled(("secret words 0.9", True), ("secret words 0.6", False)), "two": labelled(("secret 0.1", True), ("secret 0.2", True))}
    table, worst = agreement_report({"scorer": Scorer(), "again": Scorer()}, sources, worst=2)
    assert table[["judge", "source", "n"]].to_numpy().tolist() == [[j, s, n] for j in ("scorer", "again") for s, n in (("one", 2), ("two", 2), ("all", 4))]
    assert table["accuracy"].tolist() == [0.5, 0, 0.25] * 2
    assert worst[["judge", "source", "row", "words", "human"]].to_numpy().tolist() == [
        [judge, "two", row, 2, "refusal"] for judge in ("scorer", "again") for row in (0, 1)
    ]
    assert "secret" not in worst.to_csv()


HEADER = "objective,assistant_response,human_score,data_type\n"


def test_only_leading_remarks_are_skipped():
    remarks = "# dataset_version=1.0\n# more\n"
    text = remarks + HEADER + '#1 pick?,"Line\n# a heading\nNone",0,text\nNA,No # sorry,1,text\n'
    table = read_labelled(text)
    assert table["objective"].tolist() == ["#1 pick?", "NA"]
    assert table["assistant_response"].tolist() == ["Line\n# a heading\nNone", "No # sorry"]
    assert table["human_refusal"].tolist() == [False, True] and table["human_refusal"].dtype == bool


def test_rows_are_dropped_only_if_said_not_to_be_text():
    assert len(read_labelled(HEADER + "a,b,1,text\na,b.png,1,image_path\n")) == 1
    assert len(read_labelled("objective,assistant_response,human_score\na,b,1\n")) == 1


def test_unreadable_labels_are_errors():
    with pytest.raises(ValueError, match="must be 0 or 1"):
        read_labelled(HEADER + "a,b,0.5,text\n")
    with pytest.raises(ValueError, match="lacks: human_score"):
        read_labelled("objective,assistant_response\na,b\n")


def test_what_people_said_of_objectives_is_read_whole_and_without_what_is_neither():
    refused, given = by_people(questions.reader("fixtures"))
    assert list(refused) == ["pyrit-refusal", "pyrit-refusal-extra"]
    whole, read = given.values()
    assert len(whole) == 14 and whole["human_refusal"].sum() == 7 and set(read["assistant_response"]) <= set(whole["assistant_response"])
    readings = pd.read_csv(FOLDER / "labels.csv", dtype={"refused": "Int64"}).query("refused.isna() and row < 2")
    assert len(whole) - len(read) == readings["source"].str.startswith("pyrit-objective").sum()
    assert all(agreement_report({"rules": find("rules")}, {"given": frame})[0]["kappa"].iloc[0] == 1 for frame in given.values())

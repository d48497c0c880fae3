"""Intervals and tests against closed forms, scipy and hand counts."""
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from rational_utils.results.statistics import (
    faced_by_both,
    clopper_pearson, holm, mcnemar_exact, over_seeds, paired_difference, pooled_asr, wilson)


def verdicts(method: str, outcomes: list[list[int]], **columns) -> pd.DataFrame:
    """A verdict an attack (inner) on a question (outer); 1 is compliance."""
    rows = [{"model": "m", "method": method, "seed": 0, "family": "f", "attack": f"a{a}", "prompt_id": f"q{q}-a{a}",
             "question_id": f"q{q}", "verdict": "compliance" if hit else "refusal", "judge": "rules", **columns}
            for q, hits in enumerate(outcomes) for a, hit in enumerate(hits)]
    return pd.DataFrame(rows)


@pytest.mark.parametrize("successes, n", [(5, 40), (0, 40), (40, 40), (1, 1), (399, 400)])
def test_intervals_agree_with_scipy(successes, n):
    test = stats.binomtest(successes, n)
    assert wilson(successes, n) == pytest.approx(tuple(test.proportion_ci(method="wilson")))
    assert clopper_pearson(successes, n) == pytest.approx(tuple(test.proportion_ci(method="exact")))


def test_intervals_at_the_ends_are_exact():
    assert wilson(0, 40)[0] == 0.0 and wilson(40, 40)[1] == 1.0
    assert clopper_pearson(0, 40) == pytest.approx((0.0, 1 - 0.025 ** (1 / 40)))


@pytest.mark.parametrize("interval", [wilson, clopper_pearson])
@pytest.mark.parametrize("successes, n", [(0, 0), (float("nan"), 4), (1, float("nan")), (5, 4), (-1, 4)])
def test_intervals_refuse_impossible_counts(interval, successes, n):
    with pytest.raises(ValueError, match="no interval"):
        interval(successes, n)


def test_pooled_asr_counts_every_row_and_is_seeded():
    frame = verdicts("base", [[1, 0], [1, 1], [0, 0], [1, 0]])
    frame.loc[0, "verdict"] = "unparsed"
    pooled = pooled_asr(frame)
    assert (pooled.rate, pooled.n, pooled.clusters, pooled.interval) == (3 / 8, 8, 4, "cluster bootstrap by question")
    assert pooled == pooled_asr(frame) and pooled.low < pooled.rate < pooled.high


def test_clusters_widen_the_interval():
    hits = np.repeat([1, 0], 20)
    together = pooled_asr(verdicts("base", [[hit] * 10 for hit in hits]))
    alone = wilson(200, 400)
    assert together.high - together.low > 2 * (alone[1] - alone[0])


@pytest.mark.parametrize("hit, rate", [(0, 0.0), (1, 1.0)])
def test_a_degenerate_bootstrap_falls_back_on_wilson_over_questions(hit, rate):
    pooled = pooled_asr(verdicts("base", [[hit, hit, hit]] * 20))
    assert (pooled.rate, pooled.n, pooled.interval) == (rate, 60, "Wilson over questions")
    assert (pooled.low, pooled.high) == wilson(20 * rate, 20)


def test_one_question_falls_back_too():
    assert pooled_asr(verdicts("base", [[1, 0]])).interval == "Wilson over questions"


def test_pooled_asr_refuses_mixtures_holes_and_nothing():
    frame = verdicts("base", [[1], [0]])
    with pytest.raises(ValueError, match="one method at a time"):
        pooled_asr(pd.concat([frame, verdicts("rational", [[1], [0]])]))
    with pytest.raises(ValueError, match="one judge at a time"):
        pooled_asr(pd.concat([frame, frame.assign(judge="other")]))
    with pytest.raises(ValueError, match="at least one"):
        pooled_asr(frame.iloc[:0])
    with pytest.raises(ValueError, match="lack"):
        pooled_asr(frame.drop(columns="question_id"))
    with pytest.raises(ValueError, match="empty cells"):
        pooled_asr(frame.assign(question_id=[None, "q1"]))


@pytest.mark.parametrize("b, c", [(0, 0), (1, 0), (10, 2), (5, 5)])
def test_mcnemar_is_the_binomial_test(b, c):
    expected = stats.binomtest(b, b + c).pvalue if b + c else 1.0
    assert mcnemar_exact(b, c) == pytest.approx(expected)


def test_mcnemar_refuses_what_is_not_a_count():
    for b, c in ((-1, 2), (1.5, 2)):
        with pytest.raises(ValueError, match="counts"):
            mcnemar_exact(b, c)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]).size == 0
    for bad in (float("nan"), 1.2):
        with pytest.raises(ValueError):
            holm([0.1, bad])


def test_paired_difference_by_hand():
    first = verdicts("base", [[1, 1], [1, 0], [1, 1], [0, 0]])
    second = verdicts("rational", [[0, 0], [1, 1], [0, 0], [0, 0]])
    paired = paired_difference(pd.concat([first, second]), "base", "rational")
    assert paired.difference == pytest.approx(5 / 8 - 2 / 8)
    assert (paired.n, paired.clusters, paired.only_first, paired.only_second) == (8, 4, 4, 1)
    assert paired.p == pytest.approx(mcnemar_exact(4, 1))
    # Question sums are +2, -1, +2: of the 8 sign patterns, 2 + 2 reach 3 or more in size.
    assert paired.p_clustered == pytest.approx(4 / 8)
    assert paired.low <= paired.difference <= paired.high


def test_one_prompt_a_question_gives_the_same_p_twice():
    hits = [[1]] * 9 + [[0]] * 3
    pairs = pd.concat([verdicts("base", hits), verdicts("rational", [[0]] * 7 + [[1]] * 3 + [[0]] * 2)])
    paired = paired_difference(pairs, "base", "rational")
    assert paired.p_clustered == pytest.approx(paired.p)


def test_equal_methods_still_have_an_interval():
    pairs = pd.concat([verdicts(method, [[0, 0]] * 30) for method in ("base", "rational")])
    paired = paired_difference(pairs, "base", "rational")
    assert paired.interval == "Newcombe over questions" and paired.low < 0 < paired.high
    assert (paired.difference, paired.p, paired.p_clustered) == (0, 1, 1)


def test_pairs_must_be_complete_and_single():
    first, second = verdicts("base", [[1], [0]]), verdicts("rational", [[1], [0]])
    with pytest.raises(ValueError, match="1 prompts were answered by only one"):
        paired_difference(pd.concat([first, second.iloc[:1]]), "base", "rational")
    with pytest.raises(ValueError, match="exactly one verdict"):
        paired_difference(pd.concat([first, first, second]), "base", "rational")
    with pytest.raises(ValueError, match="exactly one verdict"):
        paired_difference(first, "base", "rational")


def test_over_seeds_does_not_pretend_to_more_prompts():
    frame = pd.DataFrame({"method": ["a", "a", "b"], "seed": [0, 1, 0], "n": [40, 38, 40], "asr": [0.1, 0.3, 0.5],
                          "low": [0.0, 0.2, 0.4], "high": [0.2, 0.4, 0.6]})
    row = over_seeds(frame, ["method"], "asr").iloc[0]
    assert (row["asr"], row["low"], row["high"]) == pytest.approx((0.2, 0.1, 0.3))
    assert (row["n"], row["seeds"]) == (38, 2)


def test_methods_are_compared_on_the_attacks_that_both_faced():
    rows = pd.DataFrame([("base", "direct"), ("base", "gcg"), ("rational", "direct"), ("rational", "gcg_from_base"), ("other", "uat")], columns=["method", "attack"])
    assert faced_by_both(rows, "base", "rational")[["method", "attack"]].to_numpy().tolist() == [["base", "direct"], ["rational", "direct"]]
    nothing = rows.assign(attack=None)
    assert len(faced_by_both(nothing, "base", "rational")) == len(nothing)

"""The paper's reported rates, recomputed: counts, the widest intervals they allow, and wins that are none."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from rational_utils.results import claims, paper, tables
from rational_utils.results.statistics import holm, wilson

REPORTED = pd.read_csv(claims.PAPER)
MADE = paper.recompute(REPORTED)


def reported(rates, n=100):
    """Rows of paper_reported.csv; `rates` are {method: {attack: rate}}."""
    rows = [{"table": "t", "model": "m", "method": method, "attack_or_set": attack, "metric": "asr", "value": value, "n": n, "provenance": "second-hand"}
            for method, values in rates.items() for attack, value in values.items()]
    return pd.DataFrame(rows)


def row(made, method, attack, model="mistral-7b-instruct", table="harmbench"):
    (found,) = made[(made["method"] == method) & (made["attack"] == attack) & (made["model"] == model) & (made["table"] == table)].to_dict("records")
    return found


def test_a_rate_is_the_count_nearest_to_it_with_wilson_s_interval():
    found = row(MADE, "base", "role_play", table="sorry_bench")
    assert (found["successes"], found["n"], found["rate"]) == (91, 135, 91 / 135) and (found["low"], found["high"]) == wilson(91, 135)


def test_every_reported_rate_is_there_and_coconot_without_counts_is_not():
    asr = REPORTED[REPORTED["metric"] == "asr"]
    single = MADE[MADE["attack"] != "pooled"]
    assert len(single) == len(asr) and "coconot" not in set(MADE["table"]) and set(MADE["provenance"]) == {"second-hand"}
    assert np.abs(single["rate"].to_numpy() - asr["value"].to_numpy()).max() <= 0.0005


def test_a_rate_that_is_no_count_and_attacks_of_different_size_are_refused():
    with pytest.raises(ValueError, match="^t, m, rational, a: 0.123 is no count of 50$"):
        paper.recompute(reported({"rational": {"a": 0.123}}, n=50))
    rows = reported({"rational": {"a": 0.1, "b": 0.1}}).assign(n=[100, 50])
    with pytest.raises(ValueError, match="different n"):
        paper.recompute(rows)


def test_pooled_counts_add_up_and_both_ends_of_the_clustering_are_shown():
    parts = MADE[MADE["attack"] != "pooled"].groupby(["table", "model", "method"])["successes"].sum()
    for found in MADE[MADE["attack"] == "pooled"].itertuples():
        assert found.successes == parts[found.table, found.model, found.method]
        assert found.low < found.low_independent < found.rate < found.high_independent < found.high


def test_questions_that_fall_to_every_attack_are_as_good_as_one_attack():
    made = paper.recompute(reported({"rational": dict.fromkeys("abcd", 0.3)}))
    pooled, single = row(made, "rational", "pooled", "m", "t"), row(made, "rational", "a", "m", "t")
    assert pooled["high"] - pooled["low"] == pytest.approx(single["high"] - single["low"], rel=0.1)
    assert pooled["high_independent"] - pooled["low_independent"] == pytest.approx((single["high"] - single["low"]) / 2, rel=0.1)


def test_a_win_of_two_in_a_hundred_is_within_noise_however_the_prompts_pair():
    found = row(MADE, "circuit_breaker", "pap")
    assert (found["successes"], row(MADE, "rational", "pap")["successes"]) == (5, 3) and found["finding"] == "within noise"
    assert found["p"] == pytest.approx(stats.fisher_exact([[3, 97], [5, 95]]).pvalue)
    assert found["difference"] == pytest.approx(-0.02) and found["difference_low"] < 0 < found["difference_high"]


def test_the_kindest_pairing_is_mcnemar_s_with_one_side_empty():
    made = paper.recompute(reported({"base": {"a": 0.09, "b": 0.02}, "rational": {"a": 0.01, "b": 0.03}}))
    kindest = [stats.binomtest(0, 8).pvalue, stats.binomtest(0, 1).pvalue, stats.binomtest(1, 9).pvalue]
    assert made.loc[made["method"] == "base", "p_kindest_holm"].tolist() == pytest.approx(holm(kindest))


@pytest.mark.parametrize(("rational", "base", "finding"), [(0.05, 0.5, "lower"), (0.5, 0.05, "higher"), (0.02, 0.1, "open"), (0.3, 0.3, "within noise")])
def test_findings(rational, base, finding):
    made = paper.recompute(reported({"base": {"a": base}, "rational": {"a": rational}}))
    assert row(made, "base", "a", "m", "t")["finding"] == finding and pd.isna(row(made, "rational", "a", "m", "t")["finding"])


def test_comparisons_are_corrected_together():
    compared = MADE[MADE["p"].notna()]
    assert len(compared) == 66 and compared["p_holm"].tolist() == pytest.approx(holm(compared["p"]))


PUBLISHED = sorted(claims.PAPER.parent.glob("*/paper_recomputed.csv"))


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.parent.name)
def test_the_published_table_is_byte_for_byte_what_the_reported_one_gives(path, tmp_path):
    assert tables.write(tmp_path, "paper_recomputed", MADE).read_bytes() == path.read_bytes()

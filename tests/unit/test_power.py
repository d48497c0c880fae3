"""Power against simulated studies, a sample size known in closed form, and the variance of clustered means."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from rational_utils.results import power

STUDIES = 4000


def found(n, discordance, difference):
    """Share of simulated studies in which McNemar's asymptotic test finds the difference."""
    more, less = (discordance + difference) / 2, (discordance - difference) / 2
    first, second, _ = np.random.default_rng(0).multinomial(n, [more, less, 1 - discordance], size=STUDIES).T
    return np.mean((first - second) ** 2 > stats.chi2.ppf(0.95, 1) * np.maximum(first + second, 1))


@pytest.mark.parametrize(("n", "discordance"), [(60, 0.4), (200, 0.1), (330, 0.25), (1485, 0.05)])
def test_four_of_five_simulated_studies_find_what_is_detectable(n, discordance):
    difference = power.detectable(n, discordance)
    assert found(n, max(discordance, difference), difference) == pytest.approx(0.8, abs=0.04)


@pytest.mark.parametrize("discordance", [0.1, 0.3])
def test_the_sample_size_is_the_closed_form(discordance):
    """n = (z_a sqrt(d) + z_b sqrt(d - x^2))^2 / x^2, turned round."""
    difference = power.detectable(400, discordance)
    error, wanted = stats.norm.ppf(0.975), stats.norm.ppf(0.8)
    assert (error * discordance**0.5 + wanted * (discordance - difference**2) ** 0.5) ** 2 / difference**2 == pytest.approx(400, rel=1e-3)


def test_more_pairs_show_less_and_shared_questions_more():
    assert power.detectable(400, 0.2) < power.detectable(100, 0.2)
    assert power.detectable(400, 0.2, 4) == pytest.approx(power.detectable(100, 0.2))
    assert power.detectable(100, 0.0) == pytest.approx(power.detectable(100, 0.02), rel=1e-6)


def test_too_few_pairs_show_nothing():
    assert np.isnan(power.detectable(2, 0.5)) and power.detectable(12, 0.5) < 1
    for n, discordance, effect in ((0, 0.5, 1), (10, 1.5, 1), (10, 0.5, 0)):
        with pytest.raises(ValueError, match="no power for"):
            power.detectable(n, discordance, effect)


def clustered(questions, wordings, difference, chance):
    """Gaps of -1, 0, 1 with mean `difference`, the wordings of half the questions falling alike; and the question of each."""
    own = chance.choice([1, 0, -1], p=[0.2 + difference / 2, 0.6, 0.2 - difference / 2], size=(questions, wordings))
    own[::2] = own[::2, :1]
    return own.ravel(), np.repeat(np.arange(questions), wordings)


def test_the_design_effect_is_what_clusters_do_to_the_variance_of_the_mean():
    means, effects, plain = [], [], []
    for seed in range(300):
        gaps, questions = clustered(60, 6, 0.1, np.random.default_rng(seed))
        means.append(gaps.mean())
        plain.append(gaps.var(ddof=1) / len(gaps))
        effects.append(power.design_effect(gaps, questions))
    assert np.mean(effects) == pytest.approx(np.var(means) / np.mean(plain), rel=0.12)
    assert np.mean(effects) == pytest.approx(3.5, rel=0.12)


def test_power_with_clusters_is_that_of_simulated_studies():
    difference = power.detectable(360, 0.4, 3.5)
    hits = []
    for seed in range(400):
        gaps, questions = clustered(60, 6, difference, np.random.default_rng(seed))
        sums = gaps.reshape(60, 6).mean(1)
        hits.append(abs(stats.ttest_1samp(sums, 0).pvalue) < 0.05)
    assert np.mean(hits) == pytest.approx(0.8, abs=0.06)


def test_independent_wordings_have_no_design_effect_and_equal_ones_count_once():
    chance = np.random.default_rng(3)
    assert power.design_effect(chance.choice([0, 1], 4000), np.repeat(np.arange(1000), 4)) == pytest.approx(1, abs=0.1)
    assert power.design_effect(np.repeat(chance.choice([0, 1], 300), 4), np.repeat(np.arange(300), 4)) == pytest.approx(4, rel=0.02)
    assert power.design_effect([0] * 8, list("aabbccdd")) == 2 and power.design_effect([0, 1], ["q", "q"]) == 2


def test_pairs_bring_their_own_discordance():
    pairs = pd.DataFrame({"first": [True] * 30 + [False] * 70, "second": [False] * 100, "question_id": range(100)})
    assert power.of_pairs(pairs) == pytest.approx(power.detectable(100, 0.3))

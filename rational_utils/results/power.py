"""Power: how small a difference between two methods this many questions and wordings can show. Plans and qualifies; tests nothing.

The difference is that of McNemar's test on paired prompts; prompts of one question count less than independent ones, by the design effect.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.power import normal_power_het

from .statistics import ALPHA

POWER = 0.8


def of_pairs(pairs: pd.DataFrame) -> float:
    """`detectable` for as many pairs as these (`statistics.paired`), with their discordance and design effect."""
    gaps = pairs["first"].astype(int) - pairs["second"].astype(int)
    return detectable(len(pairs), float(gaps.abs().mean()), design_effect(gaps, pairs["question_id"]))


def detectable(n: float, discordance: float, design_effect: float = 1.0) -> float:
    """Smallest true difference of two paired rates that a two-sided test at 5 % finds in 80 % of studies; NaN if not even 1 is found.

    Args:
        n: pairs. discordance: share of the pairs on which the methods differ, in either direction (0 to 1); a difference larger than
        that brings the discordance that it needs. design_effect: see `design_effect`.

    Asymptotic unconditional McNemar test: deviation sqrt(d) without, sqrt(d - x^2) with a difference x (Connor 1987, Biometrics 43:207).
    """
    if not (n > 0 and 0 <= discordance <= 1 and design_effect > 0):
        raise ValueError(f"no power for {n} pairs, discordance {discordance}, design effect {design_effect}")
    largest = 1 - 1e-9
    if power(largest, n, discordance, design_effect) < POWER:
        return float("nan")
    return float(brentq(lambda difference: power(difference, n, discordance, design_effect) - POWER, 1e-9, largest))


def power(difference: float, n: float, discordance: float, design_effect: float = 1.0) -> float:
    """Chance of finding a true `difference` (0 to 1); arguments as in `detectable`."""
    differing = max(discordance, difference)
    deviations = {"std_null": np.sqrt(differing), "std_alternative": np.sqrt(max(differing - difference**2, 1e-12))}
    return float(normal_power_het(difference, n / design_effect, ALPHA, **deviations, alternative="two-sided"))


def design_effect(gaps, questions) -> float:
    """How many times the variance of the mean gap grows because the pairs of a question stand or fall together; at least 1.

    `gaps` are the pairs' differences (-1, 0, 1), `questions` the question of each, both of shape (pairs,). It is the squared ratio of the
    cluster-robust and the plain standard error. Where no gap differs from another it cannot be seen: then every question counts once.
    """
    gaps, codes = np.asarray(gaps, float), np.unique(np.asarray(questions), return_inverse=True)[1]
    if np.ptp(gaps) == 0 or codes.max() == 0:
        return len(gaps) / (codes.max() + 1)
    plain = OLS(gaps, np.ones(len(gaps))).fit()
    clustered = plain.get_robustcov_results("cluster", groups=codes)
    return max(1.0, float((clustered.bse[0] / plain.bse[0]) ** 2))

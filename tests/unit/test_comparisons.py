"""Method against method: who is compared on what, against the tests that the table names."""

import pandas as pd
import pytest

from rational_utils.results import comparisons, statistics

ATTACKS = pd.DataFrame({"attack": ["logical_appeal", "misspellings", "prefix_injection"], "seen_in_training": [True, True, False]})
FAMILIES = {"logical_appeal": "persuasion", "misspellings": "mutation", "prefix_injection": "instruction"}


def verdicts(model: str, method: str, complied: str, refused: str = "", seed: int = 0) -> list[dict]:
    """Five questions under three attacks, of which those named "attack/question" comply, and five benign prompts."""
    run = {"model": model, "method": method, "seed": seed}
    harmful = [
        {**run, "set": "harmful", "attack": attack, "family": family, "question_id": f"q{i}", "prompt_id": f"q{i}:{attack}",
         "verdict": "compliance" if f"{attack}/{i}" in complied else "refusal"}
        for attack, family in FAMILIES.items() for i in range(5)
    ]  # fmt: skip
    benign = [{**run, "set": "plain", "attack": "none", "family": None, "question_id": f"b{i}", "prompt_id": f"b{i}:none", "verdict": "refusal" if str(i) in refused else "compliance"} for i in range(5)]
    return harmful + benign


def table(*parts: list[dict]) -> pd.DataFrame:
    return comparisons.compare(pd.DataFrame(sum(parts, [])), ATTACKS)


def test_each_population_is_its_own_and_differences_are_first_minus_second():
    made = table(verdicts("m", "base", "logical_appeal/0 logical_appeal/1 prefix_injection/3"), verdicts("m", "rational", "prefix_injection/4", refused="01"))
    found = made.set_index("population")[["difference", "n", "clusters"]]
    assert found.loc["reasoning-based attacks"].tolist() == [pytest.approx(-0.2), 10, 5]
    assert found.loc["attacks of unseen kinds"].tolist() == [0, 5, 5]
    assert found.loc["all attacks"].tolist() == [pytest.approx(-2 / 15), 15, 5]
    assert found.loc["benign prompts"].tolist() == [pytest.approx(0.4), 5, 5]


def test_p_is_mcnemar_s_and_is_corrected_for_all_rows():
    made = table(verdicts("m", "base", "".join(f"{name}/{i} " for name in FAMILIES for i in range(5))), verdicts("m", "rational", ""), verdicts("m", "refusal_sft", "", "012"))
    row = made[(made["second"] == "base") & (made["population"] == "all attacks")].iloc[0]
    assert row["p"] == pytest.approx(statistics.mcnemar_exact(0, 15)) and set(made["second"]) == {"base", "refusal_sft"}
    assert made["p_holm"].tolist() == pytest.approx(statistics.holm(made["p_clustered"]).tolist())


def test_models_are_compared_apart_and_the_lowest_seed_of_a_method_counts():
    made = table(verdicts("m", "base", "logical_appeal/0"), verdicts("m", "rational", "", seed=1), verdicts("m", "rational", "logical_appeal/0", seed=2), verdicts("n", "base", ""))
    assert set(made["model"]) == {"m"} and made.set_index("population").loc["all attacks", "difference"] == pytest.approx(-1 / 15)

"""Claims: what supports one, what speaks against it, and what leaves it open."""

import pandas as pd
import pytest

from rational_utils.results import claims, power, tables
from rational_utils.study.errors import StudyError

FIELDS = {"claim": "X", "statement": "s", "source": "here", "measured": "verdicts", "where": {"set": ["harmful"]}, "counted": "compliance", "first": "rational",
          "second": "base", "expected": "lower", "margin": 0.05, "needs": 20}
PAPER = pd.read_csv(claims.PAPER)
ATTACKS = pd.DataFrame({"attack": ["a"], "seen_in_training": [True]})


def verdicts(rational, base, questions=40):
    """Answers to `questions` under one attack; each method complies with the first share of them."""
    rows = []
    for method, share in (("rational", rational), ("base", base)):
        for number in range(questions):
            complied = number < share * questions
            rows.append({"model": "m", "method": method, "seed": 0, "set": "harmful", "family": "one", "attack": "a", "question_id": f"q{number}",
                         "decision": ("help" if complied else "refuse") if method == "rational" else "", "verdict": "compliance" if complied else "refusal"})
    return pd.DataFrame(rows)


def items(rational=0.9, base=0.5, count=200):
    rows = [{"model": "m", "method": method, "seed": 0, "task": "t", "mode": "by_likelihood", "item_id": f"i{number}", "correct": number < share * count}
            for method, share in (("rational", rational), ("base", base)) for number in range(count)]
    return pd.DataFrame(rows)


def verdict(answers, **changes):
    claim = claims.Claim(**{**FIELDS, **changes})
    return claims.evaluate([claim], answers, items(), ATTACKS, PAPER).iloc[0]


@pytest.mark.parametrize(
    ("rational", "base", "expected", "said"),
    [
        (0.1, 0.9, "lower", "supported"), (0.5, 0.5, "lower", "inconclusive"), (0.9, 0.1, "lower", "not supported"), (0.45, 0.5, "lower", "inconclusive"),
        (0.9, 0.1, "higher", "supported"), (0.1, 0.9, "higher", "not supported"),
        (0.1, 0.9, "not higher", "supported"), (0.9, 0.1, "not higher", "not supported"), (0.55, 0.5, "not higher", "inconclusive"),
        (0.9, 0.1, "not lower", "supported"), (0.1, 0.9, "not lower", "not supported"),
    ],
)  # fmt: skip
def test_differences_decide(rational, base, expected, said):
    row = verdict(verdicts(rational, base), expected=expected)
    assert row["verdict"] == said and row["effect"] == pytest.approx(rational - base) and row["n"] == row["clusters"] == 40
    assert pd.notna(row["p"]) == (expected in ("lower", "higher"))


@pytest.mark.parametrize(("share", "said"), [(0.9, "supported"), (0.02, "not supported"), (0.2, "inconclusive")])
def test_a_rate_must_be_reached_with_its_whole_interval(share, said):
    assert verdict(verdicts(share, 1.0), expected="at least", second="", margin=0.2)["verdict"] == said


def test_too_few_questions_are_inconclusive_however_clear():
    assert verdict(verdicts(0.0, 1.0, questions=10))["verdict"] == "inconclusive"
    assert verdict(verdicts(0.0, 1.0, questions=20))["verdict"] == "supported"


@pytest.mark.parametrize("changes", [{"second": "circuit_breaker"}, {"where": {"family": ["gradient"]}}])
def test_what_was_not_run_is_not_measured(changes):
    row = verdict(verdicts(0.1, 0.9), **changes)
    assert row["verdict"] == "not measured" and pd.isna(row["effect"])


def test_items_and_decisions_are_counted_too():
    assert verdict(verdicts(0.1, 0.9), measured="items", where={"task": ["t"]}, counted="right", expected="higher", needs=100)["verdict"] == "supported"
    consistent = dict(measured="decisions", where={}, counted="agrees", second="", expected="at least", margin=0.95, needs=40)
    assert verdict(verdicts(0.5, 0.9, questions=100), **consistent)["verdict"] == "supported"
    broken = verdicts(0.5, 0.9, questions=100).assign(decision=lambda rows: rows["decision"].replace("help", "refuse"))
    assert verdict(broken, **consistent)["verdict"] == "not supported"


def test_words_without_sense_and_decisions_that_an_attack_wrote_are_no_evidence_of_consistency():
    rows = dict(measured="decisions", where={}, counted="agrees", second="", expected="at least", margin=0.95, needs=40)
    answers = verdicts(0.5, 0.9, questions=100)
    senseless = answers.assign(verdict=answers["verdict"].mask(answers["question_id"] == "q1", "incoherent"))
    forged = answers.assign(attack="prefilled_rationale", verdict="refusal")
    found = verdict(pd.concat([senseless, forged]), **rows)
    assert found["effect"] == 1 and found["n"] == 99


def test_many_claims_are_corrected_together():
    made = [claims.Claim(**FIELDS), claims.Claim(**{**FIELDS, "claim": "Y"})]
    table = claims.evaluate(made, verdicts(0.1, 0.9), items(), ATTACKS, PAPER)
    assert (table["p_holm"] >= table["p"]).all() and (table["p_holm"] > table["p"]).any()


def test_the_paper_s_own_figure_is_second_hand_and_a_difference():
    row = verdict(verdicts(0.1, 0.9), paper="harmbench")
    rows = PAPER[PAPER["table"] == "harmbench"].groupby("method")["value"].mean()
    assert row["paper_reported"] == f"{rows['rational'] - rows['base']:+.3f} (mistral-7b-instruct, second-hand)"
    assert verdict(verdicts(0.1, 0.9))["paper_reported"] == ""


def test_the_study_s_claims_can_be_read_and_cover_the_paper():
    made = claims.read()
    assert {claim.claim.rstrip("abc") for claim in made} == {f"C{number}" for number in range(1, 11)}
    assert len({claim.claim for claim in made}) == len(made)
    assert {claim.paper for claim in made} - {""} <= set(PAPER["table"])


@pytest.mark.parametrize("text", ["- {claim: X}", "- 3", "{", "- {claim: C, statement: s, source: x, measured: verdicts, where: {}, counted: c, first: r, expected: lower, margin: 1, needs: 1}"])
def test_a_broken_file_is_one_line(tmp_path, text):
    path = tmp_path / "claims.yaml"
    path.write_text(text)
    with pytest.raises(StudyError, match="claims.yaml: ") as caught:
        claims.read(path)
    assert "\n" not in str(caught.value)


def test_a_comparison_says_what_it_could_have_seen():
    clear, equal = verdict(verdicts(0.1, 0.9)), verdict(verdicts(0.5, 0.5))
    assert clear["detectable"] == pytest.approx(power.detectable(40, 0.8)) and clear["detectable"] > equal["detectable"] > 0
    assert pd.isna(verdict(verdicts(0.9, 1.0), expected="at least", second="", margin=0.2)["detectable"])


PUBLISHED = [folder for folder in sorted(claims.PAPER.parent.iterdir()) if (folder / "claims.csv").exists()]


@pytest.mark.parametrize("folder", PUBLISHED, ids=lambda folder: folder.name)
def test_the_published_claims_are_byte_for_byte_what_the_published_results_give(folder, tmp_path):
    results = (pd.read_parquet(folder / f"{name}.parquet") for name in ("verdicts", "items"))
    made = claims.evaluate(claims.read(), *results, tables.read(folder, "attacks"), PAPER)
    assert tables.write(tmp_path, "claims", made).read_bytes() == (folder / "claims.csv").read_bytes()

"""Names of methods: which there are, what they say, and what a list of them cannot do without."""

import pytest

from rational_utils.study import methods, settings
from rational_utils.study.errors import StudyError


@pytest.mark.parametrize("name", ["base", "circuit_breaker", "rational_benign_only", "rational_benign_5", "rational_benign_75"])
def test_known_names_pass(name):
    assert methods.known(name) == name


@pytest.mark.parametrize("name", ["rationale", "", "rational_benign_0", "rational_benign_100", "rational_benign_05", "rational_benign_x", "Base"])
def test_other_names_are_refused_with_the_known_ones(name):
    with pytest.raises(ValueError, match="'circuit_breaker'.*'rational_benign_25'"):
        methods.known(name)


@pytest.mark.parametrize(
    ("name", "share"),
    [("rational", 100), ("rational_no_benign", 0), ("rational_benign_25", 25), ("rational_benign_only", None), ("base", None), ("refusal_sft", None)],
)
def test_share_of_benign_rationales(name, share):
    assert methods.benign_share(name) == share


def test_only_rational_and_its_variants_reason():
    assert [name for name in methods.METHODS if methods.reasons(name)] == ["rational", "rational_no_benign", "rational_benign_only"]


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("methods=[rational]", "must contain base"),
        ("methods=[base, rational_benign_25]", "add rational and rational_no_benign"),
        ("methods=[base, rational, rational_benign_25]", "add rational_no_benign"),
        ("methods=[base, rationale]", "'rationale'"),
        ("circuit_breaker=null", "the section circuit_breaker is missing"),
    ],
)
def test_a_profile_that_is_not_whole_is_one_clear_line(override, said):
    with pytest.raises(StudyError) as caught:
        settings.load("smoke", [override])
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_a_whole_sweep_passes():
    wanted = "methods=[base, rational_no_benign, rational_benign_25, rational]"
    assert settings.load("smoke", [wanted, "also={}"]).trained() == [("tiny", method, 0) for method in ("rational_no_benign", "rational_benign_25", "rational")]

"""Profiles: what loads, what is refused and how it is said, and where artifacts lie."""

from pathlib import Path

import pytest
import yaml

from rational_utils import attacks
from rational_utils.study import settings
from rational_utils.study.errors import StudyError

CHANGES = {
    "seeds": "seeds=[3]",
    "methods": "methods=[base]",
    "decode_rows": "decode_rows=9",
    "prompts": "prompts.train_plain=4",
    "rationales": "rationales.temperature=0.7",
    "training": "training.epochs=2",
    "attacks": "attacks.answer_tokens=9",
    "benchmarks": "benchmarks.mmlu_subset=5",
    "shards": "shards=3",
    "rewriter": "rewriter={model: tiny}",
    "as_trained": "as_trained.toxigen_200=1",
    "mt_bench": "mt_bench=2",
}


@pytest.fixture(autouse=True)
def _folders(folders):
    """RATIONAL_PROFILE unset, runs and cache temporary."""


def refusal(profile, *overrides):
    with pytest.raises(StudyError) as caught:
        settings.load(profile, overrides)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("name", settings.profile_names())
def test_every_profile_loads_under_its_own_name(name):
    assert settings.load(name).profile.name == name


def test_smoke_and_quick_are_there():
    assert {"smoke", "quick"} <= set(settings.profile_names())


def test_unknown_profile_lists_the_known_ones():
    message = refusal("smok")
    assert "'smok'" in message and all(name in message for name in settings.profile_names())


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("training.epoch=3", ("training.epoch", "got 3", "unknown field")),
        ("extra=3", ("extra", "got 3", "unknown field")),
        ("training.epochs=two", ("training.epochs", "'two'", "integer")),
        ("training.epochs=2.5", ("training.epochs", "2.5", "integer")),
        ("training.epochs=0", ("training.epochs", "got 0", "1")),
        ("training.epochs=true", ("training.epochs", "True", "integer")),
        ("training.learning_rate=-1.0", ("training.learning_rate", "-1.0", "greater than 0")),
        ("prompts.instruction_benign=1.5", ("prompts.instruction_benign", "1.5", "less than or equal to 1")),
        ("methods=[base, rationale]", ("methods.1", "'rationale'", "'rational'", "'refusal_sft'")),
        ("model=gpt", ("model", "'gpt'", "'tiny'", "'smollm2-135m'")),
        ("about=7", ("about", "7", "string")),
        ("training=3", ("training", "got 3")),
        ("as_trained={mmlu: 2}", ("as_trained names mmlu", "benchmarks does not")),
        ("benchmarks={}", ("noncompliance", "benchmarks, which are none")),
        ("benchmarks.mmlu_subset=0", ("benchmarks.mmlu_subset", "got 0", "1")),
        ("shards=0", ("shards", "got 0", "1")),
        ("rewriter={model: willow-1}", ("rewriter", "'willow-1'", "url")),
        ("rewriter={model: tiny, keys: X}", ("rewriter.keys", "unknown field")),
    ],
)
def test_a_bad_field_is_named_with_its_value_and_what_is_allowed(override, said):
    message = refusal("smoke", override)
    assert "smoke" in message and all(part in message for part in said)


@pytest.mark.parametrize("override", ["training.epochs", "trainings.epochs=1", "training.epochs.more=1", "about.x=1"])
def test_a_misshapen_override_is_quoted(override):
    assert repr(override) in refusal("smoke", override)


def test_a_missing_field_is_named(tmp_path, monkeypatch):
    raw = yaml.safe_load((settings.PROFILES / "smoke.yaml").read_text())
    del raw["training"]["epochs"]
    (tmp_path / "short.yaml").write_text(yaml.safe_dump(raw))
    monkeypatch.setattr(settings, "PROFILES", tmp_path)
    assert "training.epochs: missing" in refusal("short")


def test_methods_without_base_are_refused_by_field():
    message = refusal("smoke", "methods=[rational]")
    assert "methods: got" in message and len(message) < 200


@pytest.mark.parametrize("override", ["training.epochs=[", "training.epochs=2020-01-01"])
def test_an_override_that_is_not_a_value_is_one_line(override):
    assert "training.epochs" in refusal("smoke", override)


def test_the_name_cannot_be_overridden():
    assert "name" in refusal("smoke", "name=../elsewhere")


@pytest.mark.parametrize("override", ["seeds=[]", "seeds=[0, 0]"])
def test_seeds_are_there_and_differ(override):
    assert "seeds" in refusal("smoke", override)


def test_a_learning_rate_may_be_written_with_an_exponent():
    assert settings.load("smoke", ["training.learning_rate=1e-4"]).profile.training.learning_rate == 1e-4


def test_a_rewriter_is_one_of_the_models_or_behind_an_endpoint():
    behind = settings.load("smoke", ["rewriter={model: willow-1, url: http://localhost/v1, key: WILLOW_KEY}"]).profile.rewriter
    assert (behind.model, behind.url, behind.key) == ("willow-1", "http://localhost/v1", "WILLOW_KEY")
    assert settings.load("smoke", ["rewriter={model: tiny}"]).profile.rewriter.url == "" and settings.load("smoke").profile.rewriter is None


def test_models_that_write_are_read_too_unless_they_stand_behind_an_endpoint():
    both = ["rewriter={model: smollm2-135m}", "attacks.attacker={model: tiny-gemma, url: http://localhost/v1}", "also={}"]
    assert settings.load("smoke", both).loaded() == ["tiny", "smollm2-135m"] and settings.load("smoke", both).models() == ["tiny"]
    assert settings.load("paper", ["also={}"]).loaded() == ["llama-3-8b-instruct", "mistral-7b-instruct-v0.2"]


def test_without_an_attacker_of_its_own_a_profile_is_what_it_was():
    assert "attacker" not in settings.load("smoke").profile.model_dump()["attacks"]
    assert settings.load("smoke", ["attacks.attacker={model: tiny}"]).profile.attacks.attacker.model == "tiny"
    assert all(part in refusal("smoke", "attacks.attacker={model: willow-1}") for part in ("attacks.attacker", "'willow-1'", "url"))


def test_overrides_change_their_field_alone():
    plain = settings.load("smoke").profile.model_dump()
    changed = settings.load("smoke", ["training.epochs=7", "methods=[base, rational]"])
    assert changed.profile.training.epochs == 7 and changed.profile.methods == ("base", "rational")
    assert changed.overrides == ("training.epochs=7", "methods=[base, rational]")
    plain["training"]["epochs"], plain["methods"] = 7, ("base", "rational")
    assert changed.profile.model_dump() == plain


def test_the_last_override_wins():
    assert settings.load("smoke", ["training.epochs=7", "training.epochs=8"]).profile.training.epochs == 8


def test_the_environment_replaces_the_profile(monkeypatch):
    monkeypatch.setenv("RATIONAL_PROFILE", "smoke")
    assert settings.load("quick").profile.name == "smoke"


def test_an_unknown_profile_in_the_environment_is_refused(monkeypatch):
    monkeypatch.setenv("RATIONAL_PROFILE", "nobody")
    assert "'nobody'" in refusal("smoke")


@pytest.mark.parametrize("named", CHANGES)
@pytest.mark.parametrize("changed", CHANGES)
def test_fingerprint_changes_exactly_with_the_named_section(changed, named):
    before, after = settings.load("smoke"), settings.load("smoke", [CHANGES[changed]])
    assert (before.fingerprint(named) != after.fingerprint(named)) == (changed == named)


def test_a_fingerprint_of_one_field_changes_with_that_field_alone():
    before, after, other = (settings.load("smoke", [change] * bool(change)) for change in ("", "attacks.reference_tokens=5", "attacks.answer_tokens=5"))
    assert after.fingerprint("attacks.reference_tokens") != before.fingerprint("attacks.reference_tokens") == other.fingerprint("attacks.reference_tokens")


@pytest.mark.parametrize("override", ["model=smollm2-135m", "data=wheels"])
def test_fingerprint_always_covers_model_and_data(override):
    assert settings.load("smoke").fingerprint() != settings.load("smoke", [override]).fingerprint()


def test_what_one_model_has_apart_changes_the_fingerprint_of_that_model_alone():
    before, after = settings.load("smoke"), settings.load("smoke", ["circuit_breaker.apart={tiny-gemma: {retain_weight: 0.75}}"])
    assert before.fingerprint("circuit_breaker") == after.fingerprint("circuit_breaker")
    assert before.of("tiny-gemma").fingerprint("circuit_breaker") != after.of("tiny-gemma").fingerprint("circuit_breaker")


@pytest.mark.parametrize("given", ["{huge: {retain_weight: 1.0}}", "{tiny-gemma: {steps: 9.0}}", "{tiny-gemma: {retain_weight: 0.0}}", "{tiny-gemma: {spared: 1.5}}"])
def test_what_one_model_has_apart_is_validated(given):
    assert "circuit_breaker.apart" in refusal("smoke", f"circuit_breaker.apart={given}")


def test_every_path_lies_under_the_runs_folder_and_is_its_own(study, folders):
    arguments = ("rational", 0)
    places = [study.prompts, study.rationales, study.results, study.figures, study.notebooks, study.unfinished]
    places += [study.adapter(*arguments), study.responses(*arguments), study.benchmark_items(*arguments)]
    places += [study.part("attacks", *arguments), study.part("benign", *arguments), study.stamp("03", *arguments), study.stamp("04", *arguments)]
    places += [study.adapter("rational", 1), study.adapter("refusal_sft", 0), study.stamp("03", "rational", 1)]
    assert study.runs == folders / "runs" / "smoke"
    assert all(study.runs in place.parents for place in places) and len(set(places)) == len(places)


def test_caches_follow_the_environment(folders):
    assert settings.cache_folder() == folders / "cache"


def test_profiles_do_not_share_a_runs_folder():
    runs = {settings.load(name).runs for name in settings.profile_names()}
    assert len(runs) == len(settings.profile_names())


def test_trained_and_evaluated_methods():
    study = settings.load("smoke", ["seeds=[1, 2]", "also={}"])
    assert study.trained() == [("tiny", method, seed) for method in ("refusal_sft", "circuit_breaker", "rational") for seed in (1, 2)]
    assert study.evaluated() == [("tiny", "base", 0), *study.trained()]


def test_single_methods_can_have_further_seeds():
    study = settings.load("smoke", ["repeats={rational: [0, 3]}", "also={}"])
    assert [run.seed for run in study.evaluated() if run.method == "rational"] == [0, 3]
    assert [run.seed for run in study.evaluated() if run.method == "refusal_sft"] == [0]


def test_the_benchmarks_can_be_for_some_methods_alone():
    assert settings.load("quick").benchmarked() == settings.load("quick").evaluated()
    study = settings.load("smoke", ["benchmarked=[base, rational, refusal_sft]"])
    assert [run[:2] for run in study.benchmarked()] == [("tiny", "base"), ("tiny", "refusal_sft"), ("tiny", "rational"), ("tiny-gemma", "base"), ("tiny-gemma", "rational")]
    assert settings.load("attacks").benchmarked() == []
    with pytest.raises(StudyError, match="benchmarked names rational_benign_10, but methods has none"):
        settings.load("smoke", ["benchmarked=[rational_benign_10]"])


def test_a_further_model_has_its_own_methods_and_artifacts():
    study = settings.load("smoke", ["seeds=[1, 2]", "also={tiny-gemma: [base, rational]}"])
    assert study.models() == ["tiny", "tiny-gemma"]
    assert [run[1:] for run in study.evaluated() if run.model == "tiny-gemma"] == [("base", 0), ("rational", 1)]
    other = study.of("tiny-gemma")
    assert other.overrides[-1] == "model=tiny-gemma" and study.of("tiny") is study
    assert settings.load("smoke", list(other.overrides)).profile == other.profile
    for place in ("rationales", "rationale_dataset"):
        assert getattr(other, place) != getattr(study, place)
    assert other.prompts == study.prompts and other.stamp("01_data_curation") == study.stamp("01_data_curation")
    assert other.stamp("02_rationale_generation") != study.stamp("02_rationale_generation")


@pytest.mark.parametrize("given", ["also={tiny-gemma: [rational]}", "also={huge: [base]}", "repeats={rationale: [1]}"])
def test_a_further_model_or_seed_that_cannot_be_is_one_clear_line(given):
    with pytest.raises(StudyError, match=r"^profile smoke: (also|repeats)[^\n]*$"):
        settings.load("smoke", [given])


def test_a_further_model_s_circuit_breaker_needs_its_section_too():
    with pytest.raises(StudyError, match="section circuit_breaker is missing"):
        settings.load("quick", ["also={gemma-3-270m: [base, circuit_breaker]}"])


def test_a_profile_takes_what_it_does_not_say_from_its_base():
    quick, cpu = settings.load("quick").profile, settings.load("cpu").profile
    own = {"train_harmful", "train_sensitive", "train_plain", "wordings", "reasoned_wordings", "wrapped_harmful", "wrapped_benign", "instruction_benign", "test_plain", "test_harmful_held_out", "validation_harmful", "validation_benign"}
    assert cpu.prompts.model_dump(exclude=own) == quick.prompts.model_dump(exclude=own) and cpu.prompts != quick.prompts
    assert cpu.rationales == quick.rationales and cpu.name == "cpu" and cpu.methods != quick.methods


def test_a_search_can_spend_otherwise_in_single_attacks():
    search = settings.load("paper").profile.attacks.search
    assert (search.budget("tap")["rounds"], search.budget("pair")["rounds"], search.budget("uat")["steps"], search.budget("gcg")["steps"]) == (10, 3, 100, 500)
    assert set(search.budget("tap")) == set(attacks.Budget.__dataclass_fields__)
    with pytest.raises(StudyError, match="attacks.search.apart names nobody, but attacks.names does not"):
        settings.load("smoke", ["attacks.search.apart={nobody: {steps: 1}}"])


def test_a_profile_cannot_be_changed_after_loading(study):
    with pytest.raises(Exception, match="frozen"):
        study.profile.training.epochs = 5


def test_without_the_environment_runs_lie_in_the_checkout(monkeypatch):
    monkeypatch.delenv("RATIONAL_RUNS")
    assert settings.load("smoke").runs == Path(settings.ROOT) / "runs" / "smoke"

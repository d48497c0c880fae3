"""Profiles (every dial of the study, validated once) and the place of every artifact.

Knows no other part of the package. A profile is a YAML file in `profiles/`; single fields can be overridden by
dotted assignments such as "training.epochs=1".
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from . import methods
from .errors import StudyError

ROOT = Path(__file__).resolve().parents[2]
PROFILES = Path(__file__).parent / "profiles"

_EXPONENT = re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+")
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Method = Annotated[str, AfterValidator(methods.known)]
Model = Literal["tiny", "tiny-gemma", "smollm2-135m", "gemma-3-270m"]
SHARED = ("01_data_curation", "tables", "07_figures")  # stages that are the same for all models


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Prompts(_Section):
    """Numbers of questions by split. `wrapped` is in how many attacks' wordings a training question is learnt besides its own, on
    average; `instruction` is the share of those without any (if they are questions) that are learnt as an instruction too."""

    train_harmful: Positive
    train_sensitive: Count
    train_plain: Positive
    wrapped_harmful: Annotated[float, Field(ge=0)]
    wrapped_benign: Annotated[float, Field(ge=0)]
    instruction_harmful: Share
    instruction_benign: Share
    validation_harmful: Positive
    validation_benign: Positive
    test_harmful: Positive
    test_sensitive: Positive
    test_sensitive_new: Positive
    test_plain: Positive
    near_duplicate: Annotated[float, Field(gt=0, lt=1)]


class Rationales(_Section):
    """Self-check reasoning: token limits for a section and an answer, checks applied, tries and temperature."""

    section_tokens: Positive
    answer_tokens: Positive
    tries: Positive
    temperature: Annotated[float, Field(gt=0, le=10)]
    checks: tuple[str, ...]


class _Lora(_Section):
    """LoRA weights and their optimiser. Learning rate is the peak of a linear warm-up and decay over optimiser steps."""

    rank: Positive
    alpha: Positive
    dropout: Share
    learning_rate: Annotated[float, Field(gt=0, le=1)]
    tokens_per_batch: Positive
    max_tokens: Positive


class Training(_Lora):
    """LoRA fine-tuning. `stress` is how often the words count with which a rationale takes its side (1: the paper's equation 3)."""

    epochs: Positive
    rows_per_step: Positive
    stress: Annotated[float, Field(ge=1)]


class CircuitBreaker(_Lora):
    """Representation Rerouting. `targets` are shares of the depth; rerouting weighs `coefficient` times 1 - t/`horizon` at step t and
    retaining `coefficient` times `retain_weight` times t/`horizon`; `normalise` standardises the states first; `nudge` is the standard deviation of LoRA's B at the start. Harmful dialogues are
    the base model's own answers of at most `answer_tokens` whose verdict is one of `accepts`."""

    targets: tuple[Annotated[float, Field(gt=0, le=1)], ...]
    normalise: bool
    nudge: Annotated[float, Field(ge=0)]
    steps: Positive
    horizon: Positive
    coefficient: Annotated[float, Field(gt=0)]
    retain_weight: Annotated[float, Field(ge=0)]
    harmful_per_step: Positive
    retained_per_step: Positive
    answer_tokens: Positive
    accepts: tuple[Literal["compliance", "refusal", "incoherent", "unparsed"], ...]


class Attacks(_Section):
    """Attack evaluation: on whose questions (a recipe is chosen on "validation", never on "test"), which attacks, how many
    tokens an answer and a rationale before it may have, and how many of a reference answer are scored."""

    split: Literal["test", "validation"]
    names: tuple[str, ...]
    answer_tokens: Positive
    rationale_tokens: Positive
    reference_tokens: Positive
    judge: str


class Profile(_Section):
    """One setting of every dial; see the YAML files in `profiles/`. `repeats` are further seeds of single methods; `also` are
    further models, each with its methods, under the first seed. `data` comes from the committed fixtures, from wheels, or from wheels
    and public URLs ("web")."""

    name: str
    about: str
    model: Model
    dtype: Literal["auto", "float32", "bfloat16"]
    data: Literal["fixtures", "wheels", "web"]
    methods: tuple[Method, ...]
    seeds: tuple[Count, ...]
    repeats: dict[Method, tuple[Count, ...]] = {}
    also: dict[Model, tuple[Method, ...]] = {}
    decode_rows: Positive
    prompts: Prompts
    rationales: Rationales
    training: Training
    circuit_breaker: CircuitBreaker | None = None
    attacks: Attacks
    benchmarks: dict[str, Positive]

    @field_validator("methods")
    @classmethod
    def _whole(cls, given):
        if methods.missing(given):
            raise ValueError(methods.missing(given))
        return given

    @field_validator("methods", "seeds")
    @classmethod
    def _each_once(cls, values):
        if not values or len(set(values)) < len(values):
            raise ValueError("it must name at least one, and each once")
        return values

    @field_validator("also")
    @classmethod
    def _each_whole(cls, given):
        for model, chosen in given.items():
            if methods.missing(chosen):
                raise ValueError(f"{model}: {methods.missing(chosen)}")
        return given

    @model_validator(mode="after")
    def _circuit_breaker_is_set(self):
        if "circuit_breaker" in self.methods and self.circuit_breaker is None:
            raise ValueError("methods name circuit_breaker, but the section circuit_breaker is missing; add it or leave the method out")
        return self


SECTIONS = tuple(name for name, field in Profile.model_fields.items() if isinstance(field.annotation, type) and issubclass(field.annotation, _Section))


class Run(NamedTuple):
    """A model as a method makes it: what is trained, attacked and benchmarked."""

    model: str
    method: str
    seed: int


def profile_names() -> list[str]:
    return sorted(path.stem for path in PROFILES.glob("*.yaml"))


def load(profile: str, overrides: list[str] | tuple[str, ...] = ()) -> "Study":
    """Read and validate a profile. RATIONAL_PROFILE, when set, replaces the name (tests run notebooks so).

    Raises:
        StudyError: unknown profile, unknown or ill-typed field; the message names the field and what is allowed.
    """
    profile = os.environ.get("RATIONAL_PROFILE", profile)
    path = PROFILES / f"{profile}.yaml"
    if profile not in profile_names():
        raise StudyError(f"profile: got {profile!r}; allowed: {', '.join(profile_names())}")
    raw = _fields(profile)
    for assignment in overrides:
        _assign(raw, assignment)
    try:
        # JSON mode lets lists become tuples while numbers and strings stay strictly typed
        return Study(Profile.model_validate_json(json.dumps({**raw, "name": profile}, default=str)), tuple(overrides))
    except ValidationError as error:
        raise StudyError(f"profile {profile}: {one_line(error)}") from None


def _fields(profile: str) -> dict[str, Any]:
    """A profile file's fields; what it does not say itself is taken from the one that it names as `base`."""
    own = _read((PROFILES / f"{profile}.yaml").read_text())
    fields = _fields(own.pop("base")) if "base" in own else {}
    for name, value in own.items():
        fields[name] = {**fields[name], **value} if name in SECTIONS and name in fields else value
    return fields


def one_line(error: ValidationError) -> str:
    """The first problem of a pydantic error as "field: got value; allowed: ..."."""
    first = error.errors()[0]
    if not first["loc"]:
        return first["msg"].removeprefix("Value error, ")
    place = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"{place}: unknown field (got {first['input']!r}); check the spelling against the profiles"
    if first["type"] == "missing":
        return f"{place}: missing; give it a value"
    return f"{place}: got {first['input']!r}; {first['msg'][0].lower()}{first['msg'][1:]}"


def _assign(raw: dict[str, Any], assignment: str) -> None:
    key, equals, value = assignment.partition("=")
    *parents, leaf = key.split(".")
    section = raw
    for parent in parents:
        section = section.get(parent) if isinstance(section, dict) else None
    if not equals or not isinstance(section, dict) or key == "name":
        raise StudyError(f"override {assignment!r}: write it as field=value or section.field=value, with a known section")
    try:
        section[leaf] = _read(value)
    except yaml.YAMLError:
        raise StudyError(f"override {assignment!r}: {value!r} is not a YAML value") from None


def _read(text: str) -> Any:
    """YAML, in which 1e-4 is a number, as people expect (YAML 1.1 wants 1.0e-4)."""
    value = yaml.safe_load(text)
    if isinstance(value, str) and _EXPONENT.fullmatch(value.strip()):
        return float(value)
    return value


@dataclass(frozen=True)
class Study:
    """A validated profile and the places of what it makes."""

    profile: Profile
    overrides: tuple[str, ...] = ()

    @property
    def runs(self) -> Path:
        """Everything this profile writes; RATIONAL_RUNS moves it (tests use a temporary folder). Validation has its own."""
        suffix = "-validation" if self.profile.attacks.split == "validation" else ""
        return Path(os.environ.get("RATIONAL_RUNS", ROOT / "runs")) / f"{self.profile.name}{suffix}"

    @property
    def prompts(self) -> Path:
        return self.runs / "prompts" / "prompts.parquet"

    @property
    def rationales(self) -> Path:
        return self.runs / "rationales" / f"{self.profile.model}.parquet"

    @property
    def rationale_dataset(self) -> Path:
        """The accepted rationales as a folder with a data card, for others to use."""
        return self.runs / "rationale_dataset" / self.profile.model

    def adapter(self, method: str, seed: int) -> Path:
        return self.runs / "adapters" / self.profile.model / f"{method}-s{seed}"

    def responses(self, method: str, seed: int) -> Path:
        return self.runs / "responses" / self.profile.model / f"{method}-s{seed}.parquet"

    def benchmark_items(self, method: str, seed: int) -> Path:
        return self.runs / "benchmark_items" / self.profile.model / f"{method}-s{seed}.parquet"

    def part(self, table: str, method: str = "all", seed: int = 0) -> Path:
        """One stage's rows of a result table; `results` gathers them."""
        return self.runs / "parts" / table / f"{self.profile.model}-{method}-s{seed}.csv"

    @property
    def results(self) -> Path:
        return self.runs / "results"

    @property
    def published_results(self) -> Path:
        """The committed tables; smoke, whose numbers are noise, is never published and has only its own run's."""
        return self.results if self.profile.name == "smoke" else ROOT / "data" / "results" / self.profile.name

    @property
    def figures(self) -> Path:
        return self.runs / "figures"

    @property
    def notebooks(self) -> Path:
        return self.runs / "notebooks"

    @property
    def unfinished(self) -> Path:
        """Finished items of stages that have not ended."""
        return self.runs / "unfinished" / self.profile.model

    def stamp(self, stage: str, method: str = "all", seed: int = 0) -> Path:
        """Written last by a stage; the workflow engine watches these files alone."""
        whose = "" if stage in SHARED else f"{self.profile.model}."
        return self.runs / "stamps" / f"{stage}.{whose}{method}-s{seed}"

    def of(self, model: str) -> "Study":
        """The same study with another of its models in the place of the first."""
        if model == self.profile.model:
            return self
        return Study(self.profile.model_copy(update={"model": model}), (*self.overrides, f"model={model}"))

    def models(self) -> list[str]:
        """The first model and the others."""
        return list(dict.fromkeys([self.profile.model, *self.profile.also]))

    def training_stage(self, method: str) -> str:
        """The notebook that trains a method."""
        return "03b_circuit_breaker" if method == "circuit_breaker" else "03_lora_finetuning"

    def trained(self) -> list[Run]:
        """Every adapter of this profile."""
        return [run for run in self.evaluated() if run.method != "base"]

    def evaluated(self) -> list[Run]:
        """Everything that is attacked and benchmarked; a base model has seed 0 alone."""
        profile = self.profile
        first = [Run(profile.model, method, seed) for method in profile.methods for seed in self._seeds(method)]
        further = [Run(model, method, seed) for model, chosen in profile.also.items() for method in chosen for seed in self._seeds(method)[:1]]
        return list(dict.fromkeys(first + further))

    def _seeds(self, method: str) -> list[int]:
        return [0] if method == "base" else list(dict.fromkeys([*self.profile.seeds, *self.profile.repeats.get(method, ())]))

    def fingerprint(self, *sections: str) -> str:
        """Changes exactly when one of the named parts of the profile changes."""
        chosen = {section: self.profile.model_dump(mode="json")[section] for section in ("model", "data", *sections)}
        return digest(json.dumps(chosen, sort_keys=True))


def digest(text: str) -> str:
    """First 16 hexadecimal digits of the text's SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def cache_folder() -> Path:
    """Where fetched wheels and converted models are kept; RATIONAL_CACHE moves it."""
    return Path(os.environ.get("RATIONAL_CACHE", Path.home() / ".cache" / "rational-study"))

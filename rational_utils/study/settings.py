"""Profiles read from their files, and the place of every artifact.

Knows no other part of the package. A profile is a YAML file in `profiles/`; single fields can be overridden by
dotted assignments such as "training.epochs=1".
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from pydantic import ValidationError

from .errors import StudyError
from .profile import SECTIONS, Profile

ROOT = Path(__file__).resolve().parents[2]
PROFILES = Path(__file__).parent / "profiles"

_EXPONENT = re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+")
SHARED = ("01_data_curation", "tables", "07_figures")  # stages that are the same for all models


class Run(NamedTuple):
    """A model as a method makes it: what is trained and evaluated."""

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


def lineage(profile: str) -> list[str]:
    """The profile's name, and those of the profiles that it builds on, the nearest first."""
    base = _file(profile).get("base")
    return [profile, *(lineage(base) if base else ())]


def _fields(profile: str) -> dict[str, Any]:
    """A profile file's fields; what it does not say itself is taken from the one that it names as `base`."""
    own = _file(profile)
    fields = _fields(own.pop("base")) if "base" in own else {}
    for name, value in own.items():
        fields[name] = {**fields[name], **value} if name in SECTIONS and name in fields else value
    return fields


def _file(profile: str) -> dict[str, Any]:
    return _read((PROFILES / f"{profile}.yaml").read_text())


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

    def share(self, method: str, seed: int, mark: str) -> Path:
        """What one share of an attack evaluation found (see `shards`)."""
        return self.runs / "shares" / self.profile.model / f"{method}-s{seed}{mark}"

    def benchmark_items(self, method: str, seed: int) -> Path:
        return self.runs / "benchmark_items" / self.profile.model / f"{method}-s{seed}.parquet"

    def noncompliance_items(self, method: str, seed: int) -> Path:
        return self.runs / "noncompliance_items" / self.profile.model / f"{method}-s{seed}.parquet"

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

    @property
    def answers(self) -> Path:
        """What models and attackers said, kept so that another judge need not ask again."""
        return self.runs / "answers" / self.profile.model

    def stamp(self, stage: str, method: str = "all", seed: int = 0, mark: str = "") -> Path:
        """Written last by a stage, or by the share of it that the mark names; the workflow engine watches these files alone."""
        whose = "" if stage in SHARED else f"{self.profile.model}."
        return self.runs / "stamps" / f"{stage}.{whose}{method}-s{seed}{mark}"

    def of(self, model: str) -> "Study":
        """The same study with another of its models in the place of the first."""
        if model == self.profile.model:
            return self
        return Study(self.profile.model_copy(update={"model": model}), (*self.overrides, f"model={model}"))

    def models(self) -> list[str]:
        """The first model and the others."""
        return list(dict.fromkeys([self.profile.model, *self.profile.also]))

    def loaded(self) -> list[str]:
        """The models, and those of the study that write for attacks."""
        writers = [writer.model for writer in (self.profile.rewriter, self.profile.attacks.attacker) if writer and not writer.url]
        return list(dict.fromkeys([*self.models(), *writers]))

    def training_stage(self, method: str) -> str:
        """The notebook that trains a method."""
        return "03b_circuit_breaker" if method == "circuit_breaker" else "03_lora_finetuning"

    def trained(self) -> list[Run]:
        """Every adapter of this profile."""
        return [run for run in self.evaluated() if run.method != "base"]

    def evaluated(self) -> list[Run]:
        """Everything that is attacked; a base model has seed 0 alone."""
        profile = self.profile
        first = [Run(profile.model, method, seed) for method in profile.methods for seed in self._seeds(method)]
        further = [Run(model, method, seed) for model, chosen in profile.also.items() for method in chosen for seed in self._seeds(method)[:1]]
        return list(dict.fromkeys(first + further))

    def benchmarked(self) -> list[Run]:
        """What of it takes the benchmarks too, if there are any."""
        profile = self.profile
        return [run for run in self.evaluated() if profile.benchmarks and (not profile.benchmarked or run.method in profile.benchmarked)]

    def _seeds(self, method: str) -> list[int]:
        return [0] if method == "base" else list(dict.fromkeys([*self.profile.seeds, *self.profile.repeats.get(method, ())]))

    def fingerprint(self, *sections: str) -> str:
        """Changes exactly when one of the named parts of the profile ("attacks", "attacks.judge") changes, as the model has it."""
        whole = self.profile.of_its_model().model_dump(mode="json")
        chosen = {section: reduce(getitem, section.split("."), whole) for section in ("model", "data", *sections)}
        return digest(json.dumps(chosen, sort_keys=True))


def digest(text: str) -> str:
    """First 16 hexadecimal digits of the text's SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def cache_folder() -> Path:
    """Where fetched wheels and converted models are kept; RATIONAL_CACHE moves it."""
    return Path(os.environ.get("RATIONAL_CACHE", Path.home() / ".cache" / "rational-study"))

"""A run's rows put among those that its profile has published: what several runs made of one profile, published as one.

A method (of a model, under a seed) that was published before is replaced whole; the others stay. Nothing is added to what other settings made.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from ..study.errors import StudyError
from ..study.settings import Study
from . import gather, tables

RUN = ["model", "method", "seed"]
KEYS = {"attacks": RUN, "benign": RUN, "benchmarks": RUN, "examples": RUN, "coconot": RUN, "losses": RUN, "rationales": ["model"], "judge_agreement": ["judge"], "stages": ["stage", *RUN]}
SECTIONS = ("dtype", "decode_rows", "rewriter", "prompts", "rationales", "attacks", "benchmarks", "as_trained", "mt_bench", "noncompliance", "instructions", "training", "circuit_breaker")


def settings_of(study: Study) -> str:
    """Changes when a setting changes that published rows of one profile must have in common."""
    first = study.profile.model_copy(update={"model": "smollm2-135m"})
    return Study(first).fingerprint(*SECTIONS)


def check(study: Study, published: dict) -> None:
    """Whether the run's rows may stand beside those published; `published` is what machine.json says.

    Raises:
        StudyError: there is nothing published, or other settings made it, or another judge judged it.
    """
    if published.get("settings") != settings_of(study):
        raise StudyError(f"publish --add: other settings made what is published of {study.profile.name}, or nothing is; publish this run without --add")
    judges = [set(pd.read_parquet(folder / "verdicts.parquet", columns=["judge"])["judge"]) for folder in (study.results, study.published_results)]
    if judges[0] != judges[1]:
        raise StudyError(f"publish --add: {', '.join(sorted(judges[0]))} judged this run, {', '.join(sorted(judges[1]))} what is published; publish this run without --add")


def add(results: Path, published: Path) -> None:
    """Merge a run's tables into the published ones and derive the comparisons and claims anew."""
    for name, key in KEYS.items():
        if (results / f"{name}.csv").exists():
            tables.write(published, name, _merged(tables.read(results, name), _published(published, name), key))
    for name in gather.RECORDS:
        gather.write_records(_merged(*(pd.read_parquet(folder / f"{name}.parquet") for folder in (results, published)), RUN), published / f"{name}.parquet")
    gather.derive(published)


def _published(folder: Path, name: str) -> pd.DataFrame:
    return tables.read(folder, name) if (folder / f"{name}.csv").exists() else pd.DataFrame()


def _merged(new: pd.DataFrame, old: pd.DataFrame, key: list[str]) -> pd.DataFrame:
    """The old rows whose key has no new row, then the new ones; models in the order in which they were published."""
    if old.empty:
        return new
    replaced = set(new[key].itertuples(index=False, name=None))
    kept = old[[row not in replaced for row in old[key].itertuples(index=False, name=None)]]
    whole = pd.concat([kept, new], ignore_index=True)
    if "model" not in key:
        return whole
    order = {model: place for place, model in enumerate(dict.fromkeys([*old["model"], *new["model"]]))}
    return whole.sort_values("model", key=lambda models: models.map(order), kind="stable", ignore_index=True)

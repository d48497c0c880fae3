"""The stages' parts made into the result tables: concatenated, checked, written once."""

from __future__ import annotations

import io
from pathlib import Path

import pandas as pd

from ..study.errors import StudyError
from ..study.provenance import write_stamp
from ..study.settings import Run, Study
from . import claims, comparisons, paper, tables

RECORDS = ("verdicts", "items")  # parquet files, a row a response or a benchmark item
ITEMS = ["model", "method", "seed", "task", "mode", "item_id", "correct"]  # what claims read of an item


def gather(study: Study) -> None:
    """Write every result table of the profile, verdicts.parquet and items.parquet, from the parts of the runs it names; then judge the claims and look
    again at the paper's own rates.

    Raises:
        StudyError: a part is missing; the message names the table.
    """
    evaluated = study.evaluated()
    for name in ("attacks", "benign", "examples"):
        tables.write(study.results, name, _of_runs(_parts(study, name), evaluated))
    for name in ("rationales", "judge_agreement"):  # every model's run counts the same judges' agreement
        tables.write(study.results, name, _parts(study, name, study.models()).drop_duplicates())
    benchmarked = study.benchmarked()
    for name, runs in (("benchmarks", benchmarked), ("coconot", benchmarked if study.profile.noncompliance else []), ("losses", evaluated)):
        _gather_if_there(study, name, runs)
    stages = _parts(study, "stages")
    known = [run[1] == "all" or run in evaluated for run in zip(stages["model"], stages["method"], stages["seed"])]
    tables.write(study.results, "stages", stages[known])
    verdicts = _of_runs(pd.concat([pd.read_parquet(path) for path in _files(study, "verdicts", "parquet")], ignore_index=True), evaluated)
    items = [_items(study, run) for run in benchmarked]
    write_records(verdicts, study.results / "verdicts.parquet")
    write_records(pd.concat(items, ignore_index=True) if items else pd.DataFrame(columns=ITEMS), study.results / "items.parquet")
    derive(study.results)
    write_stamp(study.stamp("tables"))


def derive(folder: Path) -> None:
    """Write what follows from the folder's other tables: comparisons.csv, claims.csv and paper_recomputed.csv."""
    verdicts, items = (pd.read_parquet(folder / f"{name}.parquet") for name in RECORDS)
    attacks, reported = tables.read(folder, "attacks"), pd.read_csv(claims.PAPER)
    compared = comparisons.compare(verdicts, attacks)
    (folder / "comparisons.csv").unlink(missing_ok=True)
    if len(compared):  # a run without `rational` has nothing to compare it with
        tables.write(folder, "comparisons", compared)
    tables.write(folder, "claims", claims.evaluate(claims.read(), verdicts, items, attacks, reported))
    tables.write(folder, "paper_recomputed", paper.recompute(reported))


def _gather_if_there(study: Study, name: str, runs: list[Run]) -> None:
    """A table that these runs may have written: losses.csv if an attack searched by likelihood, the others if the profile asks for benchmarks or noncompliance."""
    (study.results / f"{name}.csv").unlink(missing_ok=True)
    rows = _of_runs(_parts(study, name), runs) if runs and any(study.part(name).parent.glob("*.csv")) else ()
    if len(rows):
        tables.write(study.results, name, rows)


def _items(study: Study, run: Run) -> pd.DataFrame:
    own = study.of(run.model)
    places = [own.benchmark_items(run.method, run.seed), *([own.noncompliance_items(run.method, run.seed)] if study.profile.noncompliance else [])]
    return pd.concat([pd.read_parquet(place) for place in places]).assign(model=run.model, method=run.method, seed=run.seed)


def write_records(frame: pd.DataFrame, path: Path) -> None:
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False)
    tables.write_bytes(path, buffer.getvalue())


def _parts(study: Study, name: str, models: list[str] | None = None) -> pd.DataFrame:
    """The rows that stages wrote; with `models`, those that a stage wrote for each of these models as a whole."""
    files = _files(study, name, "csv")
    whole = files if models is None else [path for path in files if path in {study.of(model).part(name) for model in models}]
    return pd.concat([pd.read_csv(path, keep_default_na=False, na_values=[""]) for path in whole], ignore_index=True)


def _files(study: Study, name: str, suffix: str) -> list[Path]:
    folder = study.part(name).parent
    found = sorted(folder.glob(f"*.{suffix}"))
    if not found:
        raise StudyError(f"{folder.name}: no stage has written this table yet; run `make reproduce PROFILE={study.profile.name}`")
    return found


def _of_runs(frame: pd.DataFrame, evaluated: list[Run]) -> pd.DataFrame:
    models = list(dict.fromkeys(run.model for run in evaluated))
    order = {run: number for number, run in enumerate(sorted(evaluated, key=lambda run: (models.index(run.model), run.method != "base", *run[1:])))}
    runs = pd.Series(list(zip(frame["model"], frame["method"], frame["seed"])), index=frame.index)
    kept = frame[runs.isin(evaluated)]
    return kept.iloc[runs[kept.index].map(order).argsort(kind="stable")].reset_index(drop=True)

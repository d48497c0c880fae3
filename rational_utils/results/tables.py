"""Read and write the study's result tables, and refuse any that breaks its contract.

A table is one CSV file a name; the columns below keep their meaning, more may follow them. This module
computes no rate: whoever writes a row brings its numbers.
"""
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pandera.pandas as pa
from pandera.errors import SchemaErrors

ROUNDING = 1e-4
RUN = ("model", "method", "seed")


def _text(nullable: bool = False) -> pa.Column:
    return pa.Column(None, pa.Check(lambda cell: isinstance(cell, str), element_wise=True, error="is not text"),
                     nullable=nullable)


def _number(low: float = float("-inf"), high: float = float("inf"), nullable: bool = False) -> pa.Column:
    check = pa.Check.in_range(low, high, error=f"is outside [{low:g}, {high:g}]")
    return pa.Column(float, check, coerce=True, nullable=nullable)


def _whole(least: int = 0, nullable: bool = False) -> pa.Column:
    # Coercing to int would silently make 2 of 2.5: check as float, turn into integers at the end.
    checks = [pa.Check(lambda cells: cells % 1 == 0, error="is not a whole number"),
              pa.Check.ge(least, error=f"is below {least}")]
    return pa.Column(float, checks, coerce=True, nullable=nullable, metadata={"whole": True})


def _rate(nullable: bool = False) -> pa.Column:
    return _number(0, 1, nullable)


def _flag() -> pa.Column:
    is_flag = pa.Check(lambda cell: isinstance(cell, (bool, np.bool_)), element_wise=True, error="is not true or false")
    return pa.Column(None, is_flag)


Rule = tuple[str, str, Callable[[pd.DataFrame], pd.Series]]  # the column to name, what is wrong, the rows that hold


def _around(value: str) -> Rule:
    return value, "does not lie between low and high", lambda frame: (
        frame[value].isna() | (frame["low"].le(frame[value] + ROUNDING) & frame[value].le(frame["high"] + ROUNDING)))


def _share(rate: str, count: str) -> Rule:
    return rate, f"is not {count} / n", lambda frame: (frame[rate] - frame[count] / frame["n"]).abs().le(ROUNDING)


def _adds_up(*counts: str) -> Rule:
    return "n", f"is not {' + '.join(counts)}", lambda frame: frame[list(counts)].sum(axis=1).eq(frame["n"])


def _once(*key: str) -> Rule:
    return key[-1], f"is there twice for one {', '.join(key)}", lambda frame: ~frame.duplicated(list(key))


def _ordered() -> Rule:
    return "low", "is above high", lambda frame: ~frame["low"].gt(frame["high"])


def _schema(**columns: pa.Column) -> pa.DataFrameSchema:
    return pa.DataFrameSchema(columns, strict=False)


def _run() -> dict:
    return {"model": _text(), "method": _text(), "seed": _whole()}


SCHEMAS = {
    "attacks": _schema(
        **_run(), family=_text(), attack=_text(), access=_text(), seen_in_training=_flag(), n=_whole(1),
        compliances=_whole(), refusals=_whole(), incoherent=_whole(), unparsed=_whole(),
        asr=_rate(), low=_rate(), high=_rate(), queries=_number(0, nullable=True), seconds=_number(0, nullable=True)),
    "benign": _schema(
        **_run(), set=_text(), n=_whole(1), refusals=_whole(), over_refusal=_rate(), low=_rate(), high=_rate(),
        answered=_number(0, nullable=True), reference_nll=_number(nullable=True)),
    "benchmarks": _schema(
        **_run(), task=_text(), mode=_text(), shots=_whole(), metric=_text(), n=_whole(1),
        value=_rate(), low=_rate(), high=_rate(), chance=_rate(nullable=True)),
    "comparisons": _schema(
        model=_text(), first=_text(), second=_text(), population=_text(), counted=_text(), difference=_number(-1, 1), low=_number(-1, 1),
        high=_number(-1, 1), n=_whole(1), clusters=_whole(1), p=_rate(), p_clustered=_rate(), p_holm=_rate()),
    "claims": _schema(
        claim=_text(), statement=_text(), model=_text(), verdict=_text(), effect=_number(-1, 1, nullable=True), low=_number(-1, 1, nullable=True),
        high=_number(-1, 1, nullable=True), n=_whole(nullable=True), clusters=_whole(nullable=True), p=_rate(nullable=True), p_holm=_rate(nullable=True),
        paper_reported=_text(nullable=True)),
    "paper_recomputed": _schema(
        table=_text(), model=_text(), method=_text(), attack=_text(), successes=_whole(), n=_whole(1), questions=_whole(1),
        rate=_rate(), low=_rate(), high=_rate(), low_independent=_rate(), high_independent=_rate(), difference=_number(-1, 1, nullable=True),
        difference_low=_number(-1, 1, nullable=True), difference_high=_number(-1, 1, nullable=True), p=_rate(nullable=True), p_holm=_rate(nullable=True),
        p_kindest_holm=_rate(nullable=True), finding=_text(nullable=True), provenance=_text()),
    "judge_agreement": _schema(
        judge=_text(), source=_text(), n=_whole(1), kappa=_number(-1, 1, nullable=True), accuracy=_rate(),
        precision=_rate(nullable=True), recall=_rate(nullable=True),
        low=_number(-1, 1, nullable=True), high=_number(-1, 1, nullable=True)),
    "examples": _schema(
        **_run(), prompt_id=_text(), query=_text(), rationale=_text(nullable=True), final=_text(nullable=True),
        verdict=_text(), judge=_text()),
    "coconot": _schema(
        **_run(), category=_text(), judge=_text(), n=_whole(1), unacceptable=_rate(nullable=True), low=_rate(nullable=True), high=_rate(nullable=True),
        set=_text(), neither=_whole()),
    "losses": _schema(
        **_run(), attack=_text(), question_id=_text(), step=_whole(1), loss=_number(0), best=_number(0)),
    "rationales": _schema(model=_text(), label=_text(), outcome=_text(), reason=_text(nullable=True), n=_whole()),
    "stages": _schema(
        stage=_text(), model=_text(nullable=True), method=_text(nullable=True), seed=_whole(nullable=True),
        seconds=_number(0), peak_mb=_number(0, nullable=True), device=_text(), dtype=_text(nullable=True)),
}
RULES: dict[str, list[Rule]] = {
    "attacks": [_adds_up("compliances", "refusals", "incoherent", "unparsed"), _share("asr", "compliances"),
                _around("asr"), _once(*RUN, "family", "attack")],
    "benign": [_share("over_refusal", "refusals"), _around("over_refusal"), _once(*RUN, "set")],
    "benchmarks": [_around("value"), _once(*RUN, "task", "mode", "metric")],
    "claims": [_once("claim", "model")],
    "comparisons": [_around("difference"), _once("model", "first", "second", "population")],
    "paper_recomputed": [_share("rate", "successes"), _around("rate"), _once("table", "model", "method", "attack")],
    "judge_agreement": [_ordered()],
    "coconot": [_around("unacceptable"), _once(*RUN, "set", "category", "judge")],
    "losses": [("best", "is above loss", lambda frame: frame["best"].le(frame["loss"] + ROUNDING)), _once(*RUN, "attack", "question_id", "step")],
}


def read(folder: str | Path, name: str) -> pd.DataFrame:
    """The table `name` ("attacks") from `folder`/`name`.csv, checked; rates are fractions, low and high are 95 %.

    Raises ValueError, one line naming file, column and row, when the table is missing, empty or breaks its
    contract. Rows count from 1 below the header.
    """
    path = _path(folder, name)
    try:
        # Only an empty cell is missing: a judge or a reason may well be called "None" or "NA".
        frame = pd.read_csv(path, keep_default_na=False, na_values=[""])
    except FileNotFoundError:
        raise ValueError(f"{path.name}: no such table in {path.parent}") from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise ValueError(f"{path.name}: not a CSV table: {' '.join(str(error).split())}") from None
    return _checked(frame, name)


def find(folder: str | Path, name: str) -> pd.DataFrame:
    """As `read`; if there is no such table, its columns without a row."""
    return read(folder, name) if _path(folder, name).exists() else pd.DataFrame(columns=list(SCHEMAS[name].columns))


def write(folder: str | Path, name: str, frame: pd.DataFrame) -> Path:
    """Check `frame` against the contract of `name`, then replace `folder`/`name`.csv in one step; its path.

    Floats are written as `%.6g`, so equal numbers give equal bytes. Raises ValueError as `read` does, and
    leaves an earlier table untouched.
    """
    path = _path(folder, name)
    checked = _checked(frame.reset_index(drop=True), name)
    contract = list(SCHEMAS[name].columns)
    ordered = checked[contract + [column for column in checked if column not in contract]]
    write_bytes(path, ordered.to_csv(index=False, float_format="%.6g", lineterminator="\n").encode())
    return path


def write_part(path: Path, name: str, frame: pd.DataFrame) -> None:
    """Check one stage's rows against the contract of `name` and write them to `path`, atomically."""
    checked = _checked(frame.reset_index(drop=True), name)
    write_bytes(path, checked.to_csv(index=False, float_format="%.6g", lineterminator="\n").encode())


def write_bytes(path: Path, data: bytes) -> None:
    """Put `data` at `path` so that a reader sees the old file or the new one, never half of either."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _path(folder: str | Path, name: str) -> Path:
    if name not in SCHEMAS:
        raise ValueError(f"no result table is called {name!r}; there are {', '.join(SCHEMAS)}")
    return Path(folder) / f"{name}.csv"


def _checked(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    file, schema = f"{name}.csv", SCHEMAS[name]
    missing = [column for column in schema.columns if column not in frame]
    if missing:
        raise ValueError(f"{file}: column {missing[0]!r} is missing")
    if frame.empty:
        raise ValueError(f"{file}: the table has no rows")
    try:
        checked = schema.validate(frame, lazy=True)
    except SchemaErrors as errors:
        raise ValueError(f"{file}: {_first_failure(errors.failure_cases)}") from None
    for column, wrong, holds in RULES.get(name, []):
        rows = np.flatnonzero(~holds(checked).to_numpy())
        if len(rows):
            raise ValueError(f"{file}: {_complaint(column, rows[0], checked[column].iloc[rows[0]], wrong)}")
    return checked.astype({name: "int64" if checked[name].notna().all() else "Int64"
                           for name, column in schema.columns.items() if column.metadata})


def _first_failure(cases: pd.DataFrame) -> str:
    first = cases[cases["index"].notna()].sort_values("index", kind="stable").iloc[0]
    wrong = {"not_nullable": "is empty"}.get(first["check"], first["check"])
    if wrong.startswith("coerce_dtype"):
        wrong = "is not a number"
    return _complaint(first["column"], first["index"], first["failure_case"], wrong)


def _complaint(column: str, row: int, cell: object, wrong: str) -> str:
    shown = "" if pd.isna(cell) else f"{cell!r} " if isinstance(cell, str) else f"{cell:g} "
    return f"column {column!r}, row {row + 1}: {shown}{wrong}"

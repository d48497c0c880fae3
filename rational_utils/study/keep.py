"""Finished items of a long stage, so that a killed stage goes on where it was: append-only JSON lines.

An item is found again by a key that names everything that made it; a half-written last line is ignored. A `Shelf` holds what outlives a stage.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from .errors import StudyError


class Keep:
    """A file of (key, value) lines; `get` returns None for a key that is not there."""

    def __init__(self, path: Path):
        self.path = path
        self.items: dict[str, object] = {}
        if path.exists():
            self._read()

    def _read(self) -> None:
        content = self.path.read_bytes()
        whole = content.rfind(b"\n") + 1
        for line in content[:whole].decode("utf-8").split("\n")[:-1]:
            key, value = json.loads(line)
            self.items[key] = value
        if whole < len(content):
            # the half-written line must go before anything is appended behind it
            os.truncate(self.path, whole)

    def get(self, key: str):
        return self.items.get(key)

    def put(self, key: str, value) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps([key, value]) + "\n")
        except OSError as error:
            raise _cannot_write(self.path, error) from error
        self.items[key] = value

    def discard(self) -> None:
        """Remove the file: the stage's artifact now holds everything."""
        self.path.unlink(missing_ok=True)


class Shelf:
    """The same for what several stages need, perhaps at the same time: a file a key, never changed and never discarded."""

    def __init__(self, folder: Path):
        self.folder = folder

    def get(self, key: str):
        path = self.folder / f"{key}.json"
        return json.loads(path.read_text("utf-8")) if path.exists() else None

    def put(self, key: str, value) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile("w", dir=self.folder, delete=False, encoding="utf-8") as draft:
                json.dump(value, draft)
            os.replace(draft.name, self.folder / f"{key}.json")
        except OSError as error:
            raise _cannot_write(self.folder, error) from error


def _cannot_write(place: Path, error: OSError) -> StudyError:
    return StudyError(f"cannot write {place}: {error.strerror or error}; free space or fix the folder and run again")

"""Finished items of a long stage, so that a killed stage goes on where it was: append-only JSON lines.

An item is found again by a key that names everything that made it; a half-written last line is ignored.
"""

from __future__ import annotations

import json
import os
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
            raise StudyError(f"cannot write {self.path}: {error.strerror or error}; free space or fix the folder and run again") from error
        self.items[key] = value

    def discard(self) -> None:
        """Remove the file: the stage's artifact now holds everything."""
        self.path.unlink(missing_ok=True)

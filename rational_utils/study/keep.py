"""Finished items of a long stage, so that a killed stage goes on where it was: append-only JSON lines.

An item is found again by a key that names everything that made it; a half-written last line is ignored.
"""

from __future__ import annotations

import json
from pathlib import Path


class Keep:
    """A file of (key, value) lines; `get` returns None for a key that is not there."""

    def __init__(self, path: Path):
        self.path = path
        self.items: dict[str, object] = {}
        if path.exists():
            self._read()

    def _read(self) -> None:
        whole, newline, _half = self.path.read_text(encoding="utf-8").rpartition("\n")
        for line in whole.split("\n") if newline else []:
            key, value = json.loads(line)
            self.items[key] = value
        # the half-written line must go before anything is appended behind it
        self.path.write_text(whole + newline, encoding="utf-8")

    def get(self, key: str):
        return self.items.get(key)

    def put(self, key: str, value) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps([key, value]) + "\n")
        self.items[key] = value

    def discard(self) -> None:
        """Remove the file: the stage's artifact now holds everything."""
        self.path.unlink(missing_ok=True)

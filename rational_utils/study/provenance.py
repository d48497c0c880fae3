"""What made an artifact: a manifest beside it, written last. No manifest, no artifact.

Also: atomic writing, hashes, and the time and memory of a stage. It does not know what an artifact contains.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
import os
import re
import resource
import shutil
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Sequence

from .errors import StudyError
from .settings import ROOT, Study

# how torch and safetensors, which wrap the operating system's error in one of their own, say that writing failed
DISK_TROUBLE = re.compile(r"No space left|PytorchStreamWriter|inline_container|os error 28")
PACKAGES = ("torch", "transformers", "peft", "lm_eval", "pandas", "numpy")


@contextmanager
def atomic(target: Path):
    """Yield a path beside `target` to write a file or folder to; it becomes `target` only if nothing was raised.

    Raises:
        StudyError: the disk is full or not writable; what stood at `target` is left as it was.
    """
    draft = target.with_name(f".{target.name}.draft")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove(draft)
        yield draft
        _replace(draft, target)
    except OSError as error:
        raise StudyError(_cannot_write(target, error.strerror or str(error))) from error
    except Exception as error:
        if not DISK_TROUBLE.search(str(error)):
            raise
        raise StudyError(_cannot_write(target, "the disk is full or failing")) from error
    finally:
        _remove(draft)


def _cannot_write(target: Path, why: str) -> str:
    return f"cannot write {target}: {why}; free space or fix the folder and run again"


def _replace(draft: Path, target: Path) -> None:
    """Put the draft in the target's place; a folder cannot be replaced in one step, so the old one waits aside."""
    aside = target.with_name(f".{target.name}.aside")
    _remove(aside)
    if target.is_dir():
        os.rename(target, aside)
    try:
        os.replace(draft, target)
    except OSError:
        if aside.exists():
            os.rename(aside, target)
        raise
    _remove(aside)


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def sha256(path: Path) -> str:
    """SHA-256 of a file, or of a folder's file names and hashes."""
    if path.is_dir():
        lines = [f"{file.relative_to(path)} {sha256(file)}" for file in sorted(path.rglob("*")) if file.is_file()]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def manifest_path(artifact: Path) -> Path:
    return artifact.with_name(artifact.name + ".manifest.json")


def commit() -> str:
    """The code's commit, with "+changes" when tracked files differ from it; "unknown" outside a checkout."""
    git = ["git", "-C", str(ROOT)]
    if not shutil.which("git"):
        return "unknown"
    head = subprocess.run([*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True)
    if head.returncode:
        return "unknown"
    changed = subprocess.run([*git, "status", "--porcelain", "-uno"], capture_output=True, text=True).stdout.strip()
    return head.stdout.strip() + ("+changes" if changed else "")


def require(artifact: Path) -> Path:
    """The artifact's path if it is whole.

    Raises:
        StudyError: it is missing, has no manifest, or differs from what its manifest says.
    """
    manifest = manifest_path(artifact)
    shown = os.path.relpath(artifact, ROOT)
    if not artifact.exists() or not manifest.exists():
        raise StudyError(f"{shown}: not made yet (no manifest); run `make reproduce` or the notebook before this one")
    try:
        noted = json.loads(manifest.read_text())["sha256"]
    except (json.JSONDecodeError, KeyError):
        raise StudyError(f"{shown}: its manifest cannot be read; delete both and run again") from None
    if noted != sha256(artifact):
        raise StudyError(f"{shown}: differs from its manifest; delete it and run again")
    return artifact


def write_stamp(stamp: Path, manifests: Sequence[Path] = ()) -> None:
    """Say that a stage has ended, when, and what it made. The workflow engine compares contents: without the time, a stage that
    was run again by itself would look as if nothing had happened to those that depend on it."""
    with atomic(stamp) as draft:
        draft.write_text("\n".join([f"finished {time.time_ns()}", *map(str, manifests)]) + "\n")


def stamped(stamp: Path) -> list[str]:
    """The manifests that a stamp lists, relative to the folder of runs."""
    return stamp.read_text().split("\n")[1:-1]


@dataclass
class Stage:
    """A stage that is running: `keep` each artifact when it is whole, `finish` at the end.

    `name`, `method`, `seed` say which, `mark` which share of it; `inputs` are the artifacts it was made from; `dtype` is empty without a model;
    `parts` are the manifests of shares that it puts together: what they cost is part of its cost.
    """

    study: Study
    name: str
    method: str = "all"
    seed: int = 0
    inputs: tuple[Path, ...] = ()
    settings: dict = field(default_factory=dict)
    device: str = "cpu"
    dtype: str = ""
    mark: str = ""
    parts: tuple[dict, ...] = ()
    started: float = field(default_factory=time.time)
    kept: list[Path] = field(default_factory=list)

    def uses(self, model) -> None:
        """Note where a model computes and in which type of number."""
        self.device, self.dtype = str(model.device), str(model.dtype).removeprefix("torch.")

    def keep(self, artifact: Path) -> None:
        """Write the artifact's manifest."""
        facts = {
            "artifact": artifact.name,
            "sha256": sha256(artifact),
            "stage": self.name,
            "profile": self.study.profile.model_dump(mode="json"),
            "overrides": list(self.study.overrides),
            "method": self.method,
            "seed": self.seed,
            "settings": self.settings,
            "inputs": {path.name: sha256(path) for path in self.inputs},
            "commit": commit(),
            "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
            **self._cost(),
        }
        with atomic(manifest_path(artifact)) as draft:
            draft.write_text(json.dumps(facts, indent=1))
        self.kept.append(artifact)

    def finish(self) -> None:
        """Write the stage's row of stages.csv, unless it is a share, then the stamp that lists what the stage made."""
        if not self.mark:
            self._write_row()
        made = [manifest_path(artifact).relative_to(self.study.runs) for artifact in self.kept]
        write_stamp(self.study.stamp(self.name, self.method, self.seed, self.mark), made)

    def _write_row(self) -> None:
        header, row = "stage,model,method,seed,seconds,peak_mb,device,dtype", self._cost()
        values = [self.name, self.study.profile.model, self.method, self.seed, *row.values()]
        target = self.study.part("stages", f"{self.name}-{self.method}", self.seed)
        with atomic(target) as draft:
            draft.write_text(f"{header}\n{','.join(str(value) for value in values)}\n")

    def _cost(self) -> dict:
        peak = max([resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, *(part["peak_mb"] for part in self.parts)])
        seconds = time.time() - self.started + sum(part["seconds"] for part in self.parts)
        return {"seconds": round(seconds, 1), "peak_mb": round(peak), "device": self.device, "dtype": self.dtype}

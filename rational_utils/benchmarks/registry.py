"""The tasks by name: what each measures and where its rows come from, as the `metadata` of its file in `tasks/` says. Runs nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml

TASK_FILES = Path(__file__).parent / "tasks"


@dataclass(frozen=True)
class Benchmark:
    """What a task measures. ``metric`` is the main one and the one items are judged by.

    ``sources`` hold the items; the ``shots`` examples before an item come from a source of their own (``examples``), or else the converter
    holds some items out. ``as_trained`` has templates for the user turn (``asks``) and the ``choices``, if the task is also put to a method that way.
    """

    name: str
    kind: str
    metrics: tuple[str, ...]
    sources: tuple[str, ...]
    about: str
    shots: int = 0
    examples: str = ""
    as_trained: dict[str, str] | None = None

    @property
    def metric(self) -> str:
        return self.metrics[0]


def config(name: str) -> dict:
    """A task file as it stands."""
    return yaml.safe_load((TASK_FILES / f"{name}.yaml").read_text(encoding="utf-8"))


def _read(name: str) -> Benchmark:
    found = config(name)
    fields = {key: tuple(value) if isinstance(value, list) else value for key, value in found["metadata"].items() if key != "version"}
    return Benchmark(name, **fields, shots=found.get("num_fewshot", 0))


TASKS = {path.stem: _read(path.stem) for path in sorted(TASK_FILES.glob("*.yaml"))}


def require(names: Iterable[str], as_trained: Iterable[str] = (), from_the_hub: bool = False) -> None:
    """Raises ValueError, naming those there are, if a task is unknown, if there is none at all, if only the hub has it, or if one cannot be asked as trained."""
    names = list(names)
    unknown = sorted(set(names) - set(TASKS))
    if unknown or not names:
        raise ValueError(f"unknown or no tasks {unknown}; known are {', '.join(TASKS)}")
    hidden = [name for name in names if not TASKS[name].sources and not from_the_hub]
    if hidden:
        raise ValueError(f"{', '.join(hidden)}: from the hub alone (data: hub); those with files of their own: {', '.join(name for name, task in TASKS.items() if task.sources)}")
    able = [name for name, task in TASKS.items() if task.as_trained]
    wrong = sorted(set(as_trained) - set(able))
    if wrong:
        raise ValueError(f"{', '.join(wrong)}: not asked as trained; those that are: {', '.join(able)}")

"""The harness's own tasks, unchanged, on their data of the hub: what profile `paper` asks. Their examples are drawn by the harness's own seeds.

Choosing items, judging them and summing up belong to ``benchmarks``; ``fetch`` reaches the network, ``rows`` and ``run`` find what it left in the hub's cache.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from numbers import Integral
from pathlib import Path

import lm_eval
from lm_eval.api.task import Task
from lm_eval.tasks import TaskManager

from ..corpus.questions import LEFT_OUT_TOPICS
from ..models.scoring import BatchedLM
from ..study.errors import StudyError
from . import harness, registry


def fetch(names: Iterable[str]) -> None:
    """Have the data of these tasks.

    Raises:
        StudyError: a task that is not the harness's, or whose data the hub does not give.
    """
    for name in names:
        _tasks(name)


def rows(names: Iterable[str]) -> dict[str, list[dict]]:
    """The items of each task, as `benchmarks.read_tasks` gives them; `task` and `place` say which of the harness's they are."""
    return {name: [row for task in _tasks(name) for row in _rows(task)] for name in names}


def run(model, tokenizer, chosen: dict[str, list[dict]], work_dir: Path, apply_chat_template: bool) -> dict[str, list[dict]]:
    """The harness's samples of these rows by task, as `harness.run_harness` gives them."""
    tasks = {task.config.task: task for name in chosen for task in _tasks(name) if any(row["task"] == task.config.task for row in chosen[name])}
    by_place = {(row["task"], row["place"]): row for own in chosen.values() for row in own}
    places = {task: [place for name, place in by_place if name == task] for task in tasks}
    with harness.random_state_kept(), harness.templates_kept(), harness.messages_to(work_dir / "harness.log"):
        lm = BatchedLM(model, tokenizer)
        results = lm_eval.simple_evaluate(model=lm, tasks=list(tasks.values()), task_manager=_manager(), samples=places, apply_chat_template=apply_chat_template, bootstrap_iters=0)
    named = {name: dict.fromkeys(row["task"] for row in own) for name, own in chosen.items()}
    return {name: [_sample(sample, by_place[task, sample["doc_id"]], lm) for task in own for sample in results["samples"][task]] for name, own in named.items()}


def _sample(sample: dict, row: dict, lm) -> dict:
    return harness.timed(sample | {"doc": row}, lm)


@cache
def _tasks(name: str) -> list[Task]:
    """The harness's task, or its tasks by subject, with the number of examples that this study names."""
    if name not in known():
        raise StudyError(f"benchmarks: {name} is not the harness's own, so the hub has no data for it; name one of {', '.join(known())}")
    try:
        found = list(_manager().load([name])["tasks"].values())
    except (OSError, ValueError) as error:
        raise StudyError(f"benchmarks: the data of {name} cannot be had from the hub ({type(error).__name__}); check the network and HF_TOKEN, and whether the data set is gated") from None
    for task in found:
        task.set_config(key="num_fewshot", value=registry.TASKS[name].shots)
    return found


@cache
def _manager() -> TaskManager:
    """It knows the folders of these tasks alone: all of the harness's are thousands of files."""
    folders = {harness.HARNESS_TASKS / Path(registry.config(name)["include"]).parts[0] for name in known()}
    return TaskManager(include_path=sorted(map(str, folders)), include_defaults=False)


def known() -> list[str]:
    """The tasks of this study that are the harness's own."""
    return [name for name in registry.TASKS if _is_theirs(name, Path(registry.config(name).get("include", "")))]


def _is_theirs(name: str, included: Path) -> bool:
    """Under its own name: a sample of a task includes it, too."""
    return name == included.parent.name or included.stem.startswith(name)


def _rows(task: Task) -> list[dict]:
    """Without the topics that the study leaves out, where it would show or ask them as statements."""
    made = [_row(task, place, doc) for place, doc in enumerate(task.eval_docs)]
    return [row for row in made if not LEFT_OUT_TOPICS.search(row.get("text", ""))]


def _row(task: Task, place: int, doc: dict) -> dict:
    gold = task.doc_to_text(doc) if task.multiple_input else task.doc_to_target(doc)
    return {**doc, "item_id": f"{task.config.task}_{place:05d}", "task": task.config.task, "place": place} | ({"gold": int(gold)} if isinstance(gold, Integral) else {})

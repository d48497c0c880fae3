"""One quiet, offline run of EleutherAI's lm-evaluation-harness on this package's task files.

It gives the harness its rows as local files, keeps its messages in a log, and hands back its
per-item samples. Choosing items, judging them and summing up belong to ``benchmarks``.
"""

import json
import logging
import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr
from pathlib import Path
from unittest.mock import patch

import datasets
import huggingface_hub.constants
import lm_eval
import yaml
from lm_eval.tasks import TaskManager

from rational_utils.models.scoring import BatchedLM

TASK_FILES = Path(__file__).parent / "tasks"


def run_harness(
    model, tokenizer, chosen: dict[str, list[dict]], work_dir: Path, apply_chat_template: bool
) -> dict[str, list[dict]]:
    """Score the chosen rows of each task.

    Args:
        model: causal language model.
        tokenizer: its tokenizer.
        chosen: rows by name of a task file.
        work_dir: existing directory for task files, their cache and ``harness.log``.
        apply_chat_template: put each prompt into the tokenizer's chat template.

    Returns:
        The harness's per-item samples by task, in the order of the rows.
    """
    with _offline(), _random_state_kept(), _messages_to(work_dir / "harness.log"):
        results = lm_eval.simple_evaluate(
            model=BatchedLM(model, tokenizer),
            tasks=[_task_config(name, rows, work_dir) for name, rows in chosen.items()],
            task_manager=TaskManager(include_defaults=False),
            apply_chat_template=apply_chat_template,
            bootstrap_iters=0,
            # Nothing here is random; None keeps the harness from reseeding every generator.
            random_seed=None,
            numpy_random_seed=None,
            torch_random_seed=None,
            fewshot_random_seed=None,
        )
    return results["samples"]


def _task_config(name: str, rows: list[dict], work_dir: Path) -> dict:
    path = work_dir / f"{name}.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    files = {"data_files": {"test": str(path)}, "cache_dir": str(work_dir / "cache")}
    config = yaml.safe_load((TASK_FILES / f"{name}.yaml").read_text(encoding="utf-8"))
    return config | {"dataset_kwargs": files}


@contextmanager
def _offline() -> Iterator[None]:
    """Forbid hub access; the libraries read the environment at import, hence the constants too."""
    with ExitStack() as stack:
        variables = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
        stack.enter_context(patch.dict("os.environ", variables))
        stack.enter_context(patch.object(huggingface_hub.constants, "HF_HUB_OFFLINE", True))
        stack.enter_context(patch.object(datasets.config, "HF_HUB_OFFLINE", True))
        yield


@contextmanager
def _random_state_kept() -> Iterator[None]:
    """Undo what the harness draws from Python's generator while it builds tasks."""
    state = random.getstate()
    try:
        yield
    finally:
        random.setstate(state)


@contextmanager
def _messages_to(path: Path) -> Iterator[None]:
    """Send the harness's log and progress bars to a file, and skip its survey of the computer."""
    logger = logging.getLogger("lm_eval")
    before = logger.handlers, logger.propagate
    with path.open("a", encoding="utf-8") as log, redirect_stderr(log), ExitStack() as stack:
        logger.handlers, logger.propagate = [logging.StreamHandler(log)], False
        stack.callback(lambda: setattr(logger, "propagate", before[1]))
        stack.callback(lambda: setattr(logger, "handlers", before[0]))
        stack.enter_context(patch("lm_eval.evaluator.add_env_info"))
        stack.enter_context(patch("lm_eval.evaluator.get_git_commit_hash"))
        yield

"""One quiet, offline run of EleutherAI's lm-evaluation-harness on this package's task files.

It gives the harness its rows as local files, keeps its messages in a log, and hands back its
per-item samples. Choosing items, judging them and summing up belong to ``benchmarks``.
"""

import json
import logging
import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr
from functools import cache
from pathlib import Path
from unittest.mock import patch

import datasets
import huggingface_hub.constants
import lm_eval
import lm_eval.tasks
import lm_eval.utils
from lm_eval.tasks import TaskManager
from lm_eval.tasks._yaml_loader import load_yaml

from rational_utils.benchmarks import registry
from rational_utils.models.scoring import BatchedLM

HARNESS_TASKS = Path(lm_eval.tasks.__file__).parent


def run_harness(
    model, tokenizer, chosen: dict[str, list[dict]], work_dir: Path, apply_chat_template: bool, shots: int | None = None
) -> dict[str, list[dict]]:
    """Score the chosen rows of each task.

    Args:
        model: causal language model.
        tokenizer: its tokenizer.
        chosen: rows by name of a task file; those marked as examples stand before each of the others.
        work_dir: existing directory for task files, their cache and ``harness.log``.
        apply_chat_template: put each prompt into the tokenizer's chat template.
        shots: number of examples, for trials; by default each task's own.

    Returns:
        The harness's per-item samples by task, in the order of the rows (a task with subjects: subject by subject), with `seconds`.
    """
    configs = {name: _configs(name, rows, work_dir) for name, rows in chosen.items()}
    with _offline(), random_state_kept(), templates_kept(), messages_to(work_dir / "harness.log"):
        lm = BatchedLM(model, tokenizer)
        results = lm_eval.simple_evaluate(
            model=lm,
            tasks=[config for several in configs.values() for config in several],
            task_manager=TaskManager(include_defaults=False),
            num_fewshot=shots,
            apply_chat_template=apply_chat_template,
            bootstrap_iters=0,
            # Nothing here is random; None keeps the harness from reseeding every generator.
            random_seed=None,
            numpy_random_seed=None,
            torch_random_seed=None,
            fewshot_random_seed=None,
        )
    samples = {name: [sample for config in several for sample in results["samples"][config["task"]]] for name, several in configs.items()}
    return {name: [timed(sample, lm) for sample in own] for name, own in samples.items()}


def timed(sample: dict, lm) -> dict:
    """The sample with the seconds that its requests took; the harness's own backend does not say."""
    known = getattr(lm, "seconds", {})
    found = [known.get((arguments[0], str(arguments[1]))) for arguments in sample["arguments"]]
    return sample | {"seconds": None if None in found else sum(found)}


def _configs(name: str, rows: list[dict], work_dir: Path) -> list[dict]:
    """The task as the harness wants it; a task for each subject if the rows have subjects."""
    subjects = dict.fromkeys(row.get("subject") for row in rows if not row.get("example"))
    return [_config(name, subject, [row for row in rows if row.get("subject") == subject], work_dir) for subject in subjects]


def _config(name: str, subject: str | None, rows: list[dict], work_dir: Path) -> dict:
    """Our task file over the one of the harness that it includes, on local files of these rows."""
    own = registry.config(name)
    included = own.pop("include", None)
    theirs = load_yaml(HARNESS_TASKS / included.format(subject=subject)) if included else {}
    task = f"{name}_{subject}" if subject else name
    files = {"test": _written([row for row in rows if not row.get("example")], work_dir / f"{task}.jsonl")}
    examples = [row for row in rows if row.get("example")]
    if examples:
        files["examples"] = _written(examples, work_dir / f"{task}.examples.jsonl")
    local = {
        "task": task, "dataset_path": "json", "dataset_name": None, "training_split": None, "validation_split": None, "test_split": "test",
        "fewshot_split": "examples" if examples else None, "dataset_kwargs": {"data_files": files, "cache_dir": str(work_dir / "cache")},
    }  # fmt: skip
    return theirs | own | local | {"metadata": theirs.get("metadata", {}) | own["metadata"]}


def _written(rows: list[dict], path: Path) -> str:
    lines = [json.dumps({key: value for key, value in row.items() if key != "example"}) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


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
def random_state_kept() -> Iterator[None]:
    """Undo what the harness draws from Python's generator while it builds tasks."""
    state = random.getstate()
    try:
        yield
    finally:
        random.setstate(state)


@contextmanager
def templates_kept() -> Iterator[None]:
    """Compile a template once: the harness does so for every field of every example of every item, which takes longer than small models do."""
    with patch.object(lm_eval.utils.env, "from_string", cache(lm_eval.utils.env.from_string)):
        yield


@contextmanager
def messages_to(path: Path) -> Iterator[None]:
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

"""One notebook run by papermill, its parameters checked first; and the whole study run by Snakemake.

papermill only warns of unknown parameters and checks no types: here the typed `parameters` cell is the contract.
Order, resume and parallel jobs are Snakemake's; nothing here repeats them.
"""

from __future__ import annotations

import ast
import fcntl
import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, ValidationError, create_model

from . import settings, shards
from .errors import StudyError
from .provenance import stamped
from .settings import ROOT, Study

NOTEBOOKS = ROOT / "notebooks"
TYPES = {"str": str, "int": int, "float": float, "bool": bool, "list[str]": list[str]}
KERNEL_ENVIRONMENT = {  # quiet, offline; and the C library keeps memory that it would otherwise fetch anew for every large tensor
    "MALLOC_MMAP_THRESHOLD_": "1073741824", "MALLOC_TRIM_THRESHOLD_": "1073741824",
    "TQDM_DISABLE": "", "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1", "TOKENIZERS_PARALLELISM": "false", "PYDEVD_DISABLE_FILE_VALIDATION": "1",
}  # fmt: skip


def parameters(notebook: Path) -> dict[str, tuple[Any, Any]]:
    """{name: (type, default)} of a notebook's tagged `parameters` cell, where each line reads `name: type = value`."""
    tagged = [cell for cell in _cells(notebook) if "parameters" in cell["metadata"].get("tags", [])]
    if len(tagged) != 1:
        raise StudyError(f"{notebook.name}: has {len(tagged)} cells tagged `parameters`, needs one")
    lines = [line for line in ast.parse("".join(tagged[0]["source"])).body if isinstance(line, ast.AnnAssign)]
    return dict(_parameter(notebook, line) for line in lines)


def _cells(notebook: Path) -> list[dict]:
    """As they stand in the file: nbformat's checks take seconds to import, in every kernel."""
    return json.loads(notebook.read_text(encoding="utf-8"))["cells"]


def _parameter(notebook: Path, line: ast.AnnAssign) -> tuple[str, tuple[Any, Any]]:
    try:
        return line.target.id, (TYPES[ast.unparse(line.annotation)], ast.literal_eval(line.value))
    except (KeyError, ValueError, TypeError):
        raise StudyError(f"{notebook.name}: parameter `{ast.unparse(line)}` should read `name: type = value`, type one of {', '.join(TYPES)}") from None


def checked(name: str, given: dict[str, Any]) -> dict[str, Any]:
    """The parameters for a notebook, complete and well-typed.

    Raises:
        StudyError: unknown notebook; unknown or ill-typed parameter; a method or seed that the profile does not have; no such share.
    """
    notebook = NOTEBOOKS / f"{name}.ipynb"
    if not notebook.exists():
        raise StudyError(f"notebook: got {name!r}; allowed: {', '.join(sorted(path.stem for path in NOTEBOOKS.glob('*.ipynb')))}")
    declared = parameters(notebook)
    model = create_model(name, __config__=ConfigDict(extra="forbid", strict=True), **declared)
    try:
        complete = model(**given).model_dump()
    except ValidationError as error:
        allowed = ", ".join(f"{key}: {getattr(kind, '__name__', kind)}" for key, (kind, _) in declared.items())
        raise StudyError(f"{name}: {settings.one_line(error)} (parameters: {allowed})") from None
    study = settings.load(complete["profile"], complete.get("overrides", []))
    runs = [run for run in (study.benchmarked() if name.startswith("05") else study.evaluated()) if run.model == study.profile.model]
    if name.startswith("03"):
        runs = [run for run in runs if run.method != "base" and name == study.training_stage(run.method)]
    _check_choice(name, "method", complete, tuple(dict.fromkeys(run.method for run in runs)))
    _check_choice(name, "seed", complete, tuple(run.seed for run in runs if run.method == complete.get("method")))
    shards.read(complete.get("shard", "1/1"))
    return complete


def _check_choice(name: str, field: str, complete: dict, allowed: tuple) -> None:
    if field in complete and complete[field] not in allowed:
        raise StudyError(f"{name}: {field}: got {complete[field]!r}; allowed: {', '.join(map(str, allowed))}")


def run(name: str, given: dict[str, Any]) -> Path:
    """Execute a notebook; returns the executed copy in the profile's runs folder.

    Raises:
        StudyError: bad parameters (before anything runs), or the notebook failed (the message names its error).
    """
    sys.modules.setdefault("rfc3987_syntax", None)  # a grammar of addresses that jsonschema takes seconds to read, and that no notebook's check uses
    import papermill
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    complete = checked(name, given)
    study = settings.load(complete["profile"], complete.get("overrides", []))
    variant = ("" if name in settings.SHARED else f".{study.profile.model}") + (f".{complete['method']}-s{complete['seed']}" if "method" in complete else "")
    variant += shards.read(complete.get("shard", "1/1")).mark
    target = study.notebooks / f"{name}{variant}.ipynb"
    target.parent.mkdir(parents=True, exist_ok=True)
    logging.getLogger("papermill").setLevel(logging.ERROR)  # its own, weaker check of the parameters warns of every list
    print(f"== {name}{variant}", flush=True)
    os.environ.update(KERNEL_ENVIRONMENT, PYTHONPATH=os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    with _progress_shown():
        try:
            papermill.execute_notebook(
                NOTEBOOKS / f"{name}.ipynb", target, parameters=complete, kernel_name="python3", progress_bar=False, cwd=NOTEBOOKS,
                start_timeout=120, request_save_on_cell_execute=False, extra_arguments=["--IPKernelApp.log_level=50"],
            )  # fmt: skip
        except PapermillExecutionError as error:
            said = error.evalue if error.ename == "StudyError" else f"{error.ename}: {error.evalue}"
            raise StudyError(f"{name}{variant}: {said.splitlines()[0] if said else error.ename} (see {os.path.relpath(target, ROOT)})") from None
        except OSError as error:
            raise StudyError(f"{name}{variant}: cannot write {os.path.relpath(target, ROOT)}: {error.strerror}; free space and run again") from None
        except DeadKernelError:
            raise StudyError(f"{name}{variant}: its kernel was killed, mostly for want of memory; free some and run again") from None
    return target


@contextmanager
def _progress_shown():
    """Show on our own stderr what the kernel writes to its progress file; one plain line a half minute when not a terminal."""
    stream, terminal = tempfile.NamedTemporaryFile("r", prefix="progress"), sys.stderr.isatty()
    os.environ["RATIONAL_PROGRESS"] = stream.name
    os.environ["RATIONAL_PROGRESS_SECONDS"] = "0.5" if terminal else "30"
    over = threading.Event()

    def relay():
        while not over.wait(0.3):
            text = stream.read()
            sys.stderr.write(text if terminal else text.replace("\r", "\n"))
            sys.stderr.flush()

    thread = threading.Thread(target=relay, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        stream.close()
        del os.environ["RATIONAL_PROGRESS"]


def snakemake(study: Study, *targets: str, arguments: tuple[str, ...] = ()) -> int:
    """Run the workflow for this study; returns its exit code.

    A lock of ours (released by the system when the process dies) makes Snakemake's own lock files needless.
    """
    study.runs.mkdir(parents=True, exist_ok=True)
    forget_broken(study)
    with (study.runs / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StudyError(f"profile {study.profile.name} is being run by another process; wait for it or stop it") from None
        command = [
            sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--directory", str(study.runs), "--cores", "all",
            "--nolock", "--rerun-incomplete", "--quiet", "host", "reason", "rules", "--config", f"profile={study.profile.name}",
            f"overrides={json.dumps(list(study.overrides))}", *arguments, "--", *targets,
        ]  # fmt: skip
        return _wait_for(subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, start_new_session=True))


def _wait_for(process: subprocess.Popen) -> int:
    """The exit code; when we are told to stop, the process and all stages that it has started are stopped first."""
    try:
        return process.wait()
    except KeyboardInterrupt:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()
        raise


def forget_broken(study: Study) -> None:
    """Remove the stamps of stages whose artifacts are no longer there."""
    for stamp in (study.runs / "stamps").glob("*.*-s*"):
        made = stamped(stamp)
        if not all((study.runs / manifest).exists() and (study.runs / manifest.removesuffix(".manifest.json")).exists() for manifest in made):
            stamp.unlink()


def bring(study: Study, stage: str, method: str = "all", seed: int = 0) -> None:
    """Make sure that a stage has run: what a notebook opened by itself needs from the ones before it."""
    stamp = study.stamp(stage, method, seed)
    if not stamp.exists():
        print(f"{stage} has not run yet for profile {study.profile.name}: running it first")
        if snakemake(study, str(stamp.relative_to(study.runs))):
            raise StudyError(f"{stage} ({method}, seed {seed}) failed; its error is above")


def code_fingerprint(name: str, *rooms: str) -> str:
    """Changes when a code cell of the notebook changes (not its text or outputs), or a file of the rooms it uses, code, YAML or JSON."""
    code = ["".join(cell["source"]) for cell in _cells(NOTEBOOKS / f"{name}.ipynb") if cell["cell_type"] == "code"]
    return settings.digest("\n".join([*code, rooms_fingerprint(*rooms)]))


def rooms_fingerprint(*rooms: str) -> str:
    """Changes when a file of these folders or modules of the package changes, code, YAML or JSON."""
    package = ROOT / "rational_utils"
    files = [file for room in rooms for file in (_texts(package / room) if (package / room).is_dir() else [package / f"{room}.py"])]
    return settings.digest("\n".join(file.read_text() for file in files))


def _texts(room: Path) -> list[Path]:
    return sorted([*room.rglob("*.py"), *room.rglob("*.yaml"), *room.rglob("*.json")])

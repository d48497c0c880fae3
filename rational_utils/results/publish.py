"""Copy what a run made to the places that are committed: tables, figures, executed notebooks, the README's tables."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import nbformat

from ..study import stages
from ..study.errors import StudyError
from ..study.settings import ROOT, Study
from . import adding, blocks, display, machine, plan, tables
from .measured import MACHINE

SHOWN_METHOD, SHOWN_PROFILE = "rational", "cpu"  # whose notebook, and whose figures, stand for all
FIGURES, README = ROOT / "figures", ROOT / "README.md"


def publish(study: Study, beside: bool = False) -> None:
    """Publish a finished run, in the place of what its profile has published, or `beside` it (see `adding`).

    Raises:
        StudyError: the run is not finished, is a validation, or is the smoke profile, whose numbers are noise; or it cannot stand beside what is published.
    """
    if study.profile.name == "smoke":
        raise StudyError("publish: the smoke profile's numbers are noise; publish another profile")
    if study.profile.attacks.split != "test":
        raise StudyError("publish: these attacks were on validation questions; publish a run with attacks.split=test")
    if not (study.stamp("tables").exists() and study.stamp("07_figures").exists()):
        raise StudyError(f"publish: the run is not finished; run `make reproduce PROFILE={study.profile.name}` first")
    put = _publish_beside if beside else _publish_whole
    put(study)
    _copy(study.figures, FIGURES if study.profile.name == SHOWN_PROFILE else FIGURES / study.profile.name)
    display.update_readme(README, _with_a_place(blocks.every(study.published_results, study.profile.name)))


def _publish_whole(study: Study) -> None:
    """Tables, none of an earlier run left among them, and the outputs of all notebooks."""
    _copy(study.results, study.published_results)
    for table in study.published_results.glob("*.csv"):
        if not (study.results / table.name).exists():
            table.unlink()
    _write_machine(study, cost(study))
    for notebook in sorted(stages.NOTEBOOKS.glob("*.ipynb")):
        for executed in _executed(study, notebook.stem):
            _take_outputs(notebook, executed)


def _publish_beside(study: Study) -> None:
    """Tables put among those that are there, and the notebook that draws them run on all."""
    path = study.published_results / MACHINE
    before = json.loads(path.read_text()) if path.exists() else {}
    adding.check(study, before)
    adding.add(study.results, study.published_results)
    _write_machine(study, before | {"amounts": before["amounts"] | plan.amounts(study)})
    drawn = stages.run("07_figures", {"profile": study.profile.name, "overrides": list(study.overrides), "results_from": "published"})
    _take_outputs(stages.NOTEBOOKS / "07_figures.ipynb", drawn)


def _write_machine(study: Study, known: dict) -> None:
    (study.published_results / MACHINE).write_text(json.dumps(known) + "\n")


def _with_a_place(blocks: dict[str, str]) -> dict[str, str]:
    """Those that the README has markers for."""
    text = README.read_text(encoding="utf-8")
    return {name: block for name, block in blocks.items() if f"<!-- {name}:begin -->" in text}


def _copy(source, target) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for path in source.iterdir():
        if path.is_file() and not path.name.endswith(".manifest.json"):
            shutil.copyfile(path, target / path.name)


def _executed(study: Study, name: str) -> list[Path]:
    """The executed copy to show; none if the study has no method that the notebook is for."""
    own = f"{name}.{study.profile.model}"
    named = (f"{name}.ipynb", f"{own}.ipynb", f"{own}.{SHOWN_METHOD}-s0.ipynb", f"{own}.circuit_breaker-s0.ipynb")
    return [study.notebooks / copy for copy in named if (study.notebooks / copy).exists()][:1]


def _take_outputs(notebook, executed) -> None:
    """Put an executed copy's outputs into the committed notebook; parameters stay the defaults, stderr is left out."""
    source, run = nbformat.read(notebook, as_version=4), nbformat.read(executed, as_version=4)
    ran = {cell.id: cell for cell in run.cells}
    for cell in source.cells:
        if cell.cell_type == "code" and cell.id in ran:
            cell.outputs = [output for output in ran[cell.id].outputs if output.get("name") != "stderr"]
            cell.execution_count = ran[cell.id].execution_count
            for output in cell.outputs:
                if "execution_count" in output:
                    output.execution_count = cell.execution_count
    nbformat.write(source, notebook)


def cost(study: Study) -> dict:
    """What `plan` scales by: the processor's speed, and the seconds that a notebook takes besides its stage (kernel, imports);
    with the amounts of work that were done."""
    stages_table = tables.read(study.results, "stages")
    durations = [run["duration"] for name, run in _papermill(study) if not name.startswith("07")]
    return {
        "layer_tokens_per_second": round(machine.speed(study.profile.dtype)), "processor": machine.processor(), "side_by_side": study.profile.side_by_side,
        "fixed_seconds": round((sum(durations) - stages_table["seconds"].sum()) / len(durations), 2),
        "amounts": plan.amounts(study), "settings": adding.settings_of(study),
    }  # fmt: skip


def _papermill(study: Study) -> list[tuple[str, dict]]:
    return [(path.stem, nbformat.read(path, as_version=4).metadata["papermill"]) for path in study.notebooks.glob("*.ipynb")]

"""Copy what a run made to the places that are committed: tables, figures, executed notebooks, the README's tables."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import nbformat
import pandas as pd

from ..study import stages
from ..study.errors import StudyError
from ..study.markdown import to_markdown
from ..study.settings import ROOT, Study
from . import adding, claims, display, families, machine, plan, tables
from .measured import MACHINE
from .names import method_title
from .statistics import first_seed, pooled_asr

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
    folder, name = study.published_results, study.profile.name
    display.update_readme(README, _with_a_place({f"results-{name}": results_block(folder, name), f"cost-{name}": cost_block(folder, name), f"claims-{name}": claims_block(folder)}))


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


def results_block(folder: Path, profile: str) -> str:
    """Pooled attack success and over-refusal by method, as Markdown; of the result tables in the folder."""
    verdicts = pd.read_parquet(folder / "verdicts.parquet")
    rows = []
    several = verdicts["model"].nunique() > 1
    for (model, method), answers in first_seed(verdicts).groupby(["model", "method"], sort=False):
        harmful, benign = answers[answers["set"] == "harmful"], answers[answers["set"] != "harmful"]
        pooled = pooled_asr(harmful)
        rows.append({
            **({"model": model} if several else {}),
            "method": method_title(method),
            "attack success, pooled": f"{pooled.rate:.1%} [{pooled.low:.1%}, {pooled.high:.1%}]",
            "responses (questions)": f"{pooled.n} ({pooled.clusters})",
            **_by_origin(harmful),
            "incoherent": f"{(harmful['verdict'] == 'incoherent').mean():.1%}",
            "over-refusal": f"{(benign['verdict'] == 'refusal').mean():.1%} (n={len(benign)})",
            "benign answered": f"{(benign['verdict'] == 'compliance').mean():.1%}",
            "reference, nats a token": f"{benign['reference_nll'].mean():.2f}",
        })  # fmt: skip
    models = " and ".join(f"`{model}`" for model in verdicts["model"].unique())
    about = f"Profile `{profile}`, {models}, seed {verdicts['seed'].min()}; 95 % intervals by bootstrap over questions."
    return f"{about}\n\n{to_markdown(pd.DataFrame(rows))}"


def _by_origin(harmful: pd.DataFrame) -> dict[str, str]:
    """Attack success by where the questions come from, if they come from both places."""
    if "source_seen" not in harmful or harmful["source_seen"].nunique() < 2:
        return {}
    rates = families.by_origin(harmful).set_index("questions")["asr"].drop("all")
    return {f"attack success, {origin}": f"{rate:.1%}" for origin, rate in rates.items()}


def claims_block(folder: Path) -> str:
    """The claims and what became of them, a row each, as Markdown: differences in percentage points, and rates in per cent. Several models become columns."""
    found = tables.read(folder, "claims")
    rates = {claim.claim for claim in claims.read() if claim.expected == "at least"}
    shown = pd.DataFrame({
        "model": found["model"], "claim": found["claim"], "what is claimed": found["statement"], "verdict": found["verdict"],
        "effect, points": [_interval(row, "" if row.claim in rates else "+") if pd.notna(row.effect) else "" for row in found.itertuples()],
        "questions": found["clusters"].astype("Int64").astype(str).replace("<NA>", ""),
        "p (Holm)": ["" if pd.isna(p) else "< .001" if p < 0.001 else f"{p:.3f}" for p in found["p_holm"]],
    })  # fmt: skip
    return to_markdown(shown.drop(columns="model") if found["model"].nunique() == 1 else _model_by_model(shown))


def _model_by_model(shown: pd.DataFrame) -> pd.DataFrame:
    """A row a claim and a column a model, which says the verdict, the effect, how many questions it is from, and p where there is one."""
    p = shown["p (Holm)"].map(lambda value: f", p {value}" if value else "")
    measured = shown["effect, points"] != ""
    said = shown["verdict"] + (": " + shown["effect, points"] + ", n " + shown["questions"] + p).where(measured, "")
    cells = shown[["claim", "what is claimed", "model"]].assign(said=said).set_index(["claim", "what is claimed", "model"])["said"]
    wide = cells.unstack("model").reindex(columns=shown["model"].unique())
    return wide.loc[cells.index.droplevel("model").unique()].rename_axis(columns=None).reset_index()


def _interval(row, sign: str) -> str:
    return f"{100 * row.effect:{sign}.1f} [{100 * row.low:{sign}.1f}, {100 * row.high:{sign}.1f}]"


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


def cost_block(folder: Path, profile: str) -> str:
    """Measured time and memory of the published run's notebooks but the one that draws, in one sentence."""
    ran = tables.read(folder, "stages").query("not stage.str.startswith('07')")
    known = json.loads((folder / MACHINE).read_text())
    together = known.get("side_by_side", 1)
    beside = f", {together} of them at a time" * (together > 1)
    minutes, memory = (ran["seconds"].sum() + known["fixed_seconds"] * len(ran)) / together / 60, ran["peak_mb"].max() / 1000
    return (
        f"The {len(ran)} notebooks behind the published figures of `{profile}` took {minutes:.0f} minutes on {os.cpu_count()} CPU cores{beside}, without making the "
        f"environment; the largest needed {memory:.1f} GB of memory."
    )

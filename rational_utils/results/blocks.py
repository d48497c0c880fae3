"""The README's tables and sentences, as Markdown, written from the result tables of a published profile."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pandas as pd

from ..study.markdown import to_markdown
from . import claims, families, published, tables
from .measured import MACHINE
from .names import method_title, metric_title, task_title
from .statistics import first_seed, pooled_asr


def every(folder: Path, profile: str) -> dict[str, str]:
    """All blocks of a profile's README by the name of their place; those that its tables allow."""
    made = {"results": results_block(folder, profile), "cost": cost_block(folder, profile), "claims": claims_block(folder), "families": families_block(folder)}
    made |= {"published": published_block(folder)} if (folder / "benchmarks.csv").exists() else {}
    return {f"{name}-{profile}": block for name, block in made.items()}


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


def families_block(folder: Path) -> str:
    """Attack success and its cost, a row a family and method, as Markdown."""
    found = families.by_family(first_seed(pd.read_parquet(folder / "verdicts.parquet")), tables.read(folder, "attacks"))
    shown = pd.DataFrame({
        "model": found["model"], "family": found["family"].str.replace("_", " "), "attacks": found["attacks"], "method": found["method"].map(method_title), "responses": found["n"],
        "attack success, pooled": [_percent(*row) for row in found[["asr", "low", "high"]].itertuples(index=False)],
        "questions broken by any": [f"{_percent(*row)} (n={n})" for *row, n in found[["any_asr", "any_low", "any_high", "questions"]].itertuples(index=False)],
        "queries": found["queries"].round().astype(int), **({"gradients": found["gradient_steps"].astype(int)} if "gradient_steps" in found else {}),
        "seconds": found["seconds"].round().astype(int),
    })  # fmt: skip
    ordered = shown.sort_values(["model", "family"], key=lambda column: column.map({name: place for place, name in enumerate(column.unique())}), kind="stable")
    return to_markdown(ordered.drop(columns="model") if found["model"].nunique() == 1 else ordered)


def _percent(rate: float, low: float, high: float) -> str:
    return f"{rate:.1%} [{low:.1%}, {high:.1%}]"


def published_block(folder: Path) -> str:
    """The base models' scores beside those that others published, a row a figure, as Markdown."""
    found = published.beside(tables.read(folder, "benchmarks"))
    return to_markdown(pd.DataFrame({
        "model": found["model"], "task": found["task"].map(task_title), "metric": found["metric"].map(metric_title),
        "ours": [f"{row.value:.3f} [{row.low:.3f}, {row.high:.3f}] (n={row.n})" for row in found.itertuples()], "published": found["published"].map("{:.3f}".format),
        "within": found["within"].map({True: "yes", False: "no"}), "examples, ours and theirs": found["shots"].astype(str) + ", " + found["published_shots"].astype(str),
        "otherwise different": found["differs"], "source": found["source"],
    }))  # fmt: skip

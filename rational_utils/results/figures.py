"""The study's figures, drawn from result tables and nothing else.

Here are the two that show tasks by method (2 and 4); the others and the saving live in files of their own and are
offered here too. Titles say what is shown, never what it means.
"""
from dataclasses import dataclass
from math import ceil

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from .figure_attacks import figure_asr, figure_families
from .figure_cards import figure1
from .figure_losses import figure_losses
from .figure_style import GREY, INK, canvas, marks, n_label, save, seeds_label, sentence, styled
from .figure_tradeoff import figure3
from .names import in_order, method_title, metric_title, mode_title, task_title, terms_note
from .statistics import over_seeds

__all__ = ["figure1", "figure2", "figure3", "figure4", "figure_asr", "figure_families", "figure_losses", "save"]
SAFETY_TASKS = "truthful|toxi|fact_pairs"
ROW = 0.27  # inches a method
TASK = ["task", "mode", "metric"]


@dataclass(frozen=True)
class Panel:
    model: str
    task: tuple[str, str, str]
    heading: str | None = None


@styled
def figure2(benchmarks: pd.DataFrame, profile: str | None = None) -> Figure:
    """Truthfulness and toxicity accuracy by method, a column a model, with 95 % intervals, chance level and n.

    Takes benchmarks.csv and shows the tasks named like TruthfulQA and ToxiGen. Raises ValueError when there is none.
    """
    chosen, models, tasks = _tasks(benchmarks, safety=True)
    grid = [[Panel(model, task, model if row == 0 and len(models) > 1 else None) for model in models]
            for row, task in enumerate(tasks)]
    return _dot_panels(chosen, "Truthfulness and toxicity accuracy, by method", profile, grid, panel_width=4.0)


@styled
def figure4(benchmarks: pd.DataFrame, profile: str | None = None) -> Figure:
    """Capability tasks by method, a panel a task, with 95 % intervals, chance level and n; models below each other.

    Takes benchmarks.csv and shows every task that Figure 2 does not. Raises ValueError when there is none.
    """
    chosen, models, tasks = _tasks(benchmarks, safety=False)
    lines = ceil(len(tasks) / (4 if len(models) == 1 else 6))
    across = ceil(len(tasks) / lines)
    grid = [[Panel(model, task, model if start + place == 0 and len(models) > 1 else None)
             for place, task in enumerate(tasks[start:start + across])]
            for model in models for start in range(0, len(tasks), across)]
    return _dot_panels(chosen, "Capability, by task and method", profile, grid, panel_width=2.1)


def _tasks(benchmarks: pd.DataFrame, safety: bool) -> tuple[pd.DataFrame, list[str], list[tuple]]:
    chosen = benchmarks[benchmarks["task"].str.contains(SAFETY_TASKS, case=False) == safety]
    if chosen.empty:
        raise ValueError(f"benchmarks hold no {'truthfulness or toxicity' if safety else 'capability'} task")
    return chosen, list(chosen["model"].unique()), list(dict.fromkeys(map(tuple, chosen[TASK].to_numpy())))


def _dot_panels(frame: pd.DataFrame, title: str, profile: str | None, grid: list[list[Panel]], panel_width: float) -> Figure:
    methods, models = in_order(frame["method"]), list(frame["model"].unique())
    across, headings = len(grid[0]), sum(any(panel.heading for panel in line) for line in grid)
    notes = sentence(profile and f"{profile} profile", models[0] if len(models) == 1 else None, "lines: 95 % intervals",
                     "dashed: chance" if frame["chance"].notna().any() else None, seeds_label(frame), terms_note(models))
    figure, _ = canvas(max(6.2, 1.6 + panel_width * across), len(grid) * (ROW * len(methods) + 0.72) + 0.3 * headings,
                       title, notes)
    axes = figure.subplots(len(grid), across, squeeze=False, sharey=True)
    for line, row in zip(axes, grid):
        for ax, panel in zip(line, row):
            _panel(ax, frame, panel, methods)
        for ax in line[len(row):]:
            ax.set_visible(False)
    return figure


def _panel(ax: Axes, frame: pd.DataFrame, panel: Panel, methods: list[str]) -> None:
    task = frame[(frame[TASK] == list(panel.task)).all(axis=1)]
    rows = task[task["model"] == panel.model]
    _axis(ax, task, methods)
    _dots(ax, rows, methods)
    name, mode, metric = panel.task
    several_modes = frame.loc[frame["task"] == name, "mode"].nunique() > 1
    shots = f"{rows['shots'].iloc[0]}-shot" if len(rows) else None
    detail = ", ".join(part for part in (metric_title(metric), mode_title(mode) if several_modes else None, shots, n_label(rows)) if part)
    ax.set_title(detail, loc="left", fontsize=8, color=GREY, pad=5)
    above = {"xycoords": "axes fraction", "textcoords": "offset points", "weight": "bold"}
    ax.annotate(task_title(name), (0, 1), (0, 17), fontsize=9, **above)
    if panel.heading:
        ax.annotate(panel.heading, (0, 1), (0, 34), fontsize=10.5, **above)


def _axis(ax: Axes, task: pd.DataFrame, methods: list[str]) -> None:
    """Limits shared by all models of a task, so that panels of one task can be compared by eye."""
    ends = pd.concat([task["low"], task["high"], task["chance"].dropna()])
    room = 0.08 * max(ends.max() - ends.min(), 0.05)
    ax.set(xlim=(max(ends.min() - room, -0.02), min(ends.max() + room, 1.02)), ylim=(len(methods) - 0.4, -0.6))
    ax.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    ax.set_yticks(range(len(methods)), [method_title(method) for method in methods])
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="y", color="#EEF0F3", linewidth=0.8)
    sns.despine(ax=ax, left=True)


def _dots(ax: Axes, rows: pd.DataFrame, methods: list[str]) -> None:
    look = marks(methods)
    means = over_seeds(rows, ["method"], "value").set_index("method")
    beside = {"transform": ax.get_yaxis_transform(), "va": "center_baseline", "fontsize": 8.2}
    for position, method in enumerate(methods):
        if method not in means.index:
            ax.text(1.03, position, "–", color=GREY, **beside)
            continue
        (colour, marker), mean = look[method], means.loc[method]
        ax.plot([mean["low"], mean["high"]], [position] * 2, color=colour, linewidth=1.9, alpha=0.7, solid_capstyle="butt")
        seeds = rows.loc[rows["method"] == method, "value"]
        if len(seeds) > 1:
            ax.plot(seeds, [position + 0.27] * len(seeds), marker, color=colour, markersize=3, alpha=0.75, markeredgewidth=0)
        ax.plot(mean["value"], position, marker, color=colour, markersize=7, markeredgecolor="white", markeredgewidth=0.8, zorder=4)
        ax.text(1.03, position, f"{mean['value']:.2f}", **beside)
    for chance in rows["chance"].dropna().unique():
        ax.axvline(chance, color=INK, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)

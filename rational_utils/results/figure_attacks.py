"""The attack map: attack success of every attack against every method, with its interval in the cell."""
from itertools import product
from math import floor

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from .figure_style import GREY, INK, canvas, n_label, seeds_label, sentence, styled, wrap
from .names import attack_title, in_order, method_title, terms_note
from .statistics import over_seeds

CELL = (0.92, 0.4)  # inches
HEAT = sns.color_palette("rocket_r", as_cmap=True)


@styled
def figure_asr(attacks: pd.DataFrame, profile: str | None = None) -> Figure:
    """Attack success by attack and method, a column of panels a model with its methods and a row a family; 95 % intervals in the cells.

    Takes attacks.csv. An attack that a method did not face is left white with a dash.
    """
    return _map(attacks, "Attack success rate, by attack and method", "% of responses judged compliance [95 % interval]", profile)


@styled
def figure_families(families: pd.DataFrame, profile: str | None = None) -> Figure:
    """Attack success by family and method: pooled over a family's attacks, and the questions that at least one of them broke.

    Takes what `families.by_family` gives.
    """
    pooled = families.assign(attack=families["family"], family="all_responses")
    broken = pooled.assign(family="questions_broken_by_any", asr=families["any_asr"], low=families["any_low"], high=families["any_high"], n=families["questions"])
    rows = pd.concat([pooled, broken], ignore_index=True).assign(seen_in_training=False)
    return _map(rows, "Attack success rate, by family and method", "% judged compliance [95 % interval]", profile)


def _map(attacks: pd.DataFrame, title: str, counted: str, profile: str | None) -> Figure:
    models = list(attacks["model"].unique())
    methods = {model: in_order(rows["method"]) for model, rows in attacks.groupby("model", sort=False)}
    columns = [len(own) for own in methods.values()]
    families = {family: list(rows["attack"].unique()) for family, rows in attacks.groupby("family", sort=False)}
    notes = sentence(profile and f"{profile} profile", models[0] if len(models) == 1 else None,
                     counted, seeds_label(attacks, points=False),
                     "† attack seen in training" if attacks["seen_in_training"].any() else None, terms_note(models))
    height = 0.8 + 0.3 * (len(models) > 1) + sum(CELL[1] * len(names) + 0.34 for names in families.values())
    figure, _ = canvas(max(6.2, 2.6 + CELL[0] * sum(columns)), height, title, notes)
    axes = figure.subplots(len(families), len(models), squeeze=False,
                           gridspec_kw={"height_ratios": [len(names) for names in families.values()], "width_ratios": columns})
    for line, (family, names) in zip(axes, families.items()):
        for ax, model in zip(line, models):
            chosen = attacks[(attacks["family"] == family) & (attacks["model"] == model)]
            _heat(ax, over_seeds(chosen, ["attack", "method"], "asr"), names, methods[model])
        _name_attacks(line[0], attacks[attacks["family"] == family], names)
    for ax, model in zip(axes[0], models):
        _name_methods(ax, methods[model], model if len(models) > 1 else None)
    _colour_bar(figure, axes)
    return figure


def _heat(ax: Axes, cells: pd.DataFrame, names: list[str], methods: list[str]) -> None:
    cells = cells.set_index(["attack", "method"])
    rates = cells["asr"].unstack("method").reindex(index=names, columns=methods).astype(float)
    sns.heatmap(100 * rates, ax=ax, vmin=0, vmax=100, cmap=HEAT, cbar=False, linewidths=1.6, linecolor="white",
                xticklabels=False, yticklabels=False)
    ax.set(xlabel="", ylabel="")
    for (y, attack), (x, method) in product(enumerate(names), enumerate(methods)):
        if (attack, method) in cells.index:
            _write(ax, x + 0.5, y, cells.loc[(attack, method)])
        else:
            ax.text(x + 0.5, y + 0.5, "–", ha="center", va="center", color=GREY)


def _write(ax: Axes, x: float, y: float, cell: pd.Series) -> None:
    middle = {"ha": "center", "va": "center_baseline", "color": "white" if cell["asr"] > 0.42 else INK}
    ax.text(x, y + 0.35, _percent(cell["asr"]), fontsize=9.5, weight="bold", **middle)
    ax.text(x, y + 0.74, f"[{_percent(cell['low'])}, {_percent(cell['high'])}]", fontsize=7, **middle)


def _percent(rate: float) -> str:
    # Halves go up: 2.5 and 37.5 are common with n = 40, and Python would round them apart.
    return str(floor(100 * rate + 0.5 + 1e-9))


def _name_attacks(ax: Axes, rows: pd.DataFrame, names: list[str]) -> None:
    labels = []
    for name in names:
        own = rows[rows["attack"] == name]
        labels.append(f"{attack_title(name)}{' †' if own['seen_in_training'].any() else ''}  ({n_label(own)})")
    ax.set_yticks([place + 0.5 for place in range(len(names))], labels, rotation=0)
    ax.tick_params(axis="y", length=0)
    ax.annotate(attack_title(rows["family"].iloc[0]), (0, 1), (-4, 3), xycoords="axes fraction", ha="right",
                textcoords="offset points", fontsize=8.8, color=GREY, style="italic")


def _name_methods(ax: Axes, methods: list[str], model: str | None) -> None:
    room = CELL[0] * 72 - 3
    titles = ["\n".join(wrap(method_title(method).replace(", ", ",\n"), room, 8.5)) for method in methods]
    ax.xaxis.tick_top()
    ax.set_xticks([place + 0.5 for place in range(len(methods))], titles, rotation=0, fontsize=8.5)
    ax.tick_params(axis="x", length=0, labeltop=True)
    if model:
        ax.annotate(model, (0.5, 1), (0, 42), xycoords="axes fraction", textcoords="offset points", ha="center",
                    weight="bold", fontsize=10.5)


def _colour_bar(figure: Figure, axes) -> None:
    bar = figure.colorbar(ScalarMappable(Normalize(0, 100), HEAT), ax=axes, pad=0.015, aspect=35, shrink=0.9)
    bar.set_label("attack success, %")
    bar.outline.set_visible(False)

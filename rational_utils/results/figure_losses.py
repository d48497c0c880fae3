"""How far searches by likelihood came: the target's loss step by step, a panel an attack."""
from math import ceil

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from .figure_style import GREY, canvas, marks, sentence, styled
from .names import attack_title, in_order, method_title, terms_note

PANEL = (2.3, 2.0)  # inches
ACROSS = 4


@styled
def figure_losses(losses: pd.DataFrame, profile: str | None = None) -> Figure:
    """The best loss so far by step: a thin line a question (and seed), a thick one their median; a colour a method.

    Takes the losses.csv of one model. A search that ended early keeps its last loss. Raises ValueError when there are no rows.
    """
    if losses.empty:
        raise ValueError("losses: no attack searched by likelihood")
    attacks, methods, models = list(losses["attack"].unique()), in_order(losses["method"]), list(losses["model"].unique())
    notes = sentence(profile and f"{profile} profile", ", ".join(models), "best loss so far, nats a target token",
                     "thin: one question, thick: median", terms_note(models))
    lines, across = ceil(len(attacks) / ACROSS), min(len(attacks), ACROSS)
    figure, _ = canvas(max(6.2, 0.6 + PANEL[0] * across), PANEL[1] * lines + 0.4, "Loss by step of the search", notes)
    axes = figure.subplots(lines, across, squeeze=False, sharey=True).ravel()
    for ax, attack in zip(axes, attacks):
        _panel(ax, losses[losses["attack"] == attack], methods, attack)
    for ax in axes[len(attacks):]:
        ax.set_visible(False)
    if len(methods) > 1:
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
    return figure


def _panel(ax: Axes, losses: pd.DataFrame, methods: list[str], attack: str) -> None:
    look, questions = marks(methods), losses["question_id"].nunique()
    for method in methods:
        curves = _curves(losses[losses["method"] == method])
        if curves.empty:
            continue
        ax.plot(curves.index, curves, color=look[method][0], linewidth=0.7, alpha=0.4)
        ax.plot(curves.index, curves.median(axis=1), color=look[method][0], linewidth=2.2, marker=".", label=method_title(method))
    ax.set_title(f"{attack_title(attack)}  (n = {questions})", loc="left")
    ax.set_xlabel("step", color=GREY)
    ax.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    sns.despine(ax=ax)


def _curves(losses: pd.DataFrame) -> pd.DataFrame:
    """A row a step, a column a search."""
    return losses.pivot_table(index="step", columns=["model", "seed", "question_id"], values="best").ffill()

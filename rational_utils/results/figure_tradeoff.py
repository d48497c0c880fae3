"""Figure 3: robustness against helpfulness, one marker a method, and labels that find their own place."""
from itertools import product

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from .figure_style import GREY, canvas, marks, seeds_label, sentence, styled, text_width
from .names import benign_share, in_order, method_title, terms_note
from .tradeoff import tradeoff

LABEL, LEADER = 8.8, 14.0  # points: the size of a label, and how far it may be without a line to its marker
CROSSED = 6  # how much more a label minds another's line than the same area of anything else: the line is thin
MEASURES = ["helpfulness", "helpfulness_low", "helpfulness_high", "robustness", "robustness_low", "robustness_high"]
# A box is (x0, y0, x1, y1) in points.


@styled
def figure3(attacks: pd.DataFrame, benign: pd.DataFrame, profile: str | None = None,
            verdicts: pd.DataFrame | None = None) -> Figure:
    """Robustness (1 - pooled ASR) against helpfulness (benign prompts answered), one panel a model, crosses 95 %.

    Takes attacks.csv and benign.csv; with `verdicts` the ASR interval is a cluster bootstrap by question.
    Raises ValueError as `tradeoff` does.
    """
    runs = tradeoff(attacks, benign, verdicts)
    models, look = list(runs["model"].unique()), marks(in_order(runs["method"]))
    side = 4.6 if len(models) == 1 else 3.9
    figure, heading = canvas(0.3 + len(models) * (side + 0.75), side + 1.1, "Robustness against helpfulness, by method",
                             _notes(runs, attacks, benign, profile, verdicts), layout=False)
    width, height = figure.get_size_inches()
    for index, model in enumerate(models):
        place = ((0.75 + index * (side + 0.75)) / width, 0.55 / height, side / width, side / height)
        ax = figure.add_axes(place, ylabel="Robustness  (1 − pooled attack success)" if index == 0 else "")
        _frame(ax, runs[runs["model"] == model], model)
        _panel(ax, runs[runs["model"] == model], look)
    return figure


def _notes(runs: pd.DataFrame, attacks, benign, profile: str | None, verdicts) -> str:
    both = set(map(tuple, runs[["model", "method"]].to_numpy()))
    either = {tuple(pair) for table in (attacks, benign) for pair in table[["model", "method"]].to_numpy()}
    absent = in_order(method for _, method in either - both)
    interval = "bootstrap by question" if verdicts is not None else "Wilson, n = prompts of the largest attack"
    return sentence(
        profile and f"{profile} profile", f"crosses: 95 % intervals (attacks: {interval})", seeds_label(runs),
        f"not on both axes, so not shown: {', '.join(map(method_title, absent))}" if absent else None,
        terms_note(runs["model"].unique()))


def _counted(shared: int, run: int, noun: str) -> str:
    return f"{shared} {noun}{'s' if shared > 1 else ''}" if shared == run else f"{shared} of {run} {noun}s (those all methods ran)"


def _frame(ax: Axes, runs: pd.DataFrame, model: str) -> None:
    first = runs.iloc[0]
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel="Helpfulness  (benign prompts answered)",
           xticks=np.linspace(0, 1, 6), yticks=np.linspace(0, 1, 6))
    ax.grid(color="#EEF0F3", linewidth=0.8)
    ax.set_axisbelow(True)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    detail = (f"{_counted(first.attacks, first.attacks_run, 'attack')}, n = {runs['n_attacks'].min()}   |   "
              f"{_counted(first.sets, first.sets_run, 'benign set')}, n = {runs['n_benign'].min()}")
    ax.set_title(detail, loc="left", fontsize=8.2, color=GREY, pad=6)
    ax.annotate(model, (0, 1), (0, 20), xycoords="axes fraction", textcoords="offset points", weight="bold", fontsize=10.5)


def _panel(ax: Axes, runs: pd.DataFrame, look: dict) -> None:
    means = runs.groupby("method")[MEASURES].mean().loc[in_order(runs["method"])]
    doses = sorted((method for method in means.index if benign_share(method) is not None), key=benign_share)
    ax.plot(means.loc[doses, "helpfulness"], means.loc[doses, "robustness"], color="#9CC7E4", linewidth=1.2,
            linestyle=(0, (1, 1.5)), zorder=1.5)
    taken = []
    for method, row in means.iterrows():
        colour, marker = look[method]
        x, y = row["helpfulness"], row["robustness"]
        ax.plot([row["helpfulness_low"], row["helpfulness_high"]], [y, y], color=colour, linewidth=1.3, alpha=0.75)
        ax.plot([x, x], [row["robustness_low"], row["robustness_high"]], color=colour, linewidth=1.3, alpha=0.75)
        ax.plot(x, y, marker, color=colour, markersize=8.5, markeredgecolor="white", markeredgewidth=0.9, zorder=4)
        taken += _occupied(ax, row)
        own = runs[runs["method"] == method]
        if len(own) > 1:
            ax.plot(own["helpfulness"], own["robustness"], marker, color=colour, markersize=3.6, alpha=0.6, zorder=3,
                    markeredgewidth=0, linestyle="none")
            taken += [(*(_points(ax, *spot) - 2), *(_points(ax, *spot) + 2))
                      for spot in own[["helpfulness", "robustness"]].to_numpy()]
    taken.append(_hint(ax, taken))
    _place_labels(ax, means, look, taken)


def _points(ax: Axes, x: float, y: float) -> np.ndarray:
    return ax.transData.transform((x, y)) * 72 / ax.figure.dpi


def _occupied(ax: Axes, row: pd.Series) -> list[tuple]:
    x, y = _points(ax, row["helpfulness"], row["robustness"])
    left, low = _points(ax, row["helpfulness_low"], row["robustness_low"])
    right, high = _points(ax, row["helpfulness_high"], row["robustness_high"])
    marker = (x - 6, y - 6, x + 6, y + 6)
    # Four times: a hidden marker is worse than a crossed line.
    return [marker] * 4 + [(left, y - 1.5, right, y + 1.5), (x - 1.5, low, x + 1.5, high)]


def _overlap(box: tuple, others: list[tuple]) -> float:
    """Area that `box` shares with the others, in square points."""
    rest = np.asarray(others)
    wide = np.minimum(box[2], rest[:, 2]) - np.maximum(box[0], rest[:, 0])
    tall = np.minimum(box[3], rest[:, 3]) - np.maximum(box[1], rest[:, 1])
    return float((wide.clip(0) * tall.clip(0)).sum())


def _hint(ax: Axes, taken: list[tuple]) -> tuple:
    """An arrow towards the better corner, in the emptiest of some places; the box that it takes."""
    def box(place):
        x, y = _points(ax, *place)
        return x - 4, y - 4, x + 70, y + 34
    places = [(0.03, 0.03), (0.70, 0.05), (0.03, 0.86), (0.38, 0.42), (0.40, 0.05), (0.03, 0.42)]
    best = min(places, key=lambda place: (_overlap(box(place), taken), places.index(place)))
    ax.annotate("", np.add(best, 0.085), best, arrowprops={"arrowstyle": "-|>", "color": "#A7B0BA", "linewidth": 1.6})
    ax.annotate("better", np.add(best, (0.085, 0.035)), color="#8792A0", fontsize=8.5, style="italic")
    return box(best)


def _place_labels(ax: Axes, means: pd.DataFrame, look: dict, taken: list[tuple]) -> None:
    """Write each method's title where it covers least; a thin line leads to it when it cannot be near."""
    centres = {method: _points(ax, row["helpfulness"], row["robustness"]) for method, row in means.iterrows()}
    sizes = {method: (text_width(_short(method), LABEL, "bold"), LABEL) for method in centres}
    left, low = _points(ax, -0.015, -0.015)
    right, high = _points(ax, 1.02, 1.02)
    boxes = {}
    for _ in range(3):  # the first label could not know where the last would go: let each choose again
        for method, centre in centres.items():
            others = taken + [part for other, box in boxes.items() if other != method
                              for part in (box, *_leader(box, centres[other]) * CROSSED)]
            rivals = [point for other, point in centres.items() if other != method]
            boxes[method] = min(_candidates(centre, sizes[method]),
                                key=lambda box: _cost(box, centre, others, rivals, (left, low, right, high)))
    for method, box in boxes.items():
        _write(ax, method, centres[method], box, look[method][0])


def _short(method: str) -> str:
    """The title; of Rational's variants, which the dotted line joins to it, what tells them apart."""
    return method_title(method).removeprefix(f"{method_title('rational')}, ")


def _candidates(centre: np.ndarray, size: tuple) -> list[tuple]:
    boxes = []
    for radius, angle in product((8, 14, 22, 32, 44, 60, 80), np.linspace(0, 2 * np.pi, 16, endpoint=False)):
        x = centre[0] + np.cos(angle) * (radius + size[0] / 2)
        y = centre[1] + np.sin(angle) * (radius + size[1] / 2)
        boxes.append((x - size[0] / 2 - 2, y - size[1] / 2 - 2, x + size[0] / 2 + 2, y + size[1] / 2 + 2))
    return boxes


def _nearest(box: tuple, centre: np.ndarray) -> np.ndarray:
    return np.array([np.clip(centre[0], box[0], box[2]), np.clip(centre[1], box[1], box[3])])


def _leader(box: tuple, centre: np.ndarray) -> list[tuple]:
    """The line from marker to label as a row of small boxes; none when the label is near."""
    if _gap(box, centre) <= LEADER:
        return []
    steps = centre + np.linspace(0.2, 1, 12)[:, None] * (_nearest(box, centre) - centre)
    return [(x - 1.5, y - 1.5, x + 1.5, y + 1.5) for x, y in steps]


def _gap(box: tuple, point: np.ndarray) -> float:
    return float(np.hypot(*(_nearest(box, point) - point)))


def _cost(box: tuple, centre: np.ndarray, others: list[tuple], rivals: list[np.ndarray], frame: tuple) -> float:
    outside = max(frame[0] - box[0], frame[1] - box[1], box[2] - frame[2], box[3] - frame[3], 0)
    distance = _gap(box, centre)
    mistaken = sum(max(0.0, 1.3 * distance + 6 - _gap(box, rival)) for rival in rivals)
    crossed = sum(_overlap(step, others) for step in _leader(box, centre))
    return 1000 * outside + 6 * _overlap(box, others) + 8 * crossed + 5 * mistaken + distance


def _write(ax: Axes, method: str, centre: np.ndarray, box: tuple, colour: str) -> None:
    to_data = ax.transData.inverted().transform
    scale = ax.figure.dpi / 72
    end = _nearest(box, centre)
    if _gap(box, centre) > LEADER:
        (x0, y0), (x1, y1) = to_data(centre * scale), to_data(end * scale)
        ax.plot([x0, x1], [y0, y1], color=colour, linewidth=0.8, alpha=0.6, zorder=1.4)
    x, y = to_data(((box[0] + box[2]) / 2 * scale, (box[1] + box[3]) / 2 * scale))
    ax.text(x, y, _short(method), fontsize=LABEL, weight="bold", color=_ink(colour), ha="center",
            va="center_baseline", zorder=5, path_effects=[withStroke(linewidth=2.2, foreground="white")])


def _ink(colour: str) -> str:
    """The method's colour, darkened until a small label reads on white."""
    rgb = np.array([int(colour[i:i + 2], 16) for i in (1, 3, 5)]) / 255
    while rgb @ (0.2126, 0.7152, 0.0722) > 0.36:
        rgb = rgb * 0.93
    return "#" + "".join(f"{round(255 * part):02x}" for part in rgb)

"""Figure 1: one query and the answers of two or three methods, side by side as chat cards.

The text comes from the caller, who must have chosen a query whose answers may be shown. Nothing is judged here.
"""
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Rectangle

from .figure_style import GAP, GREY, INK, PALE, SIDE, canvas, marks, sentence, styled, text_width, wrap
from .names import method_title

VERDICTS = {  # fill, text
    "refusal": ("#FBE8C6", "#6B4700"),
    "compliance": ("#CFEBDF", "#00513B"),
    "incoherent": ("#F6D0DF", "#7A1F4B"),
    "unparsed": ("#E6E8EB", "#3D4650"),
}
WIDTH, PAD, SIZE, LINE = 11.0, 13.0, 9.2, 13.2  # inches; points
QUERY_LINES, RATIONALE_LINES, FINAL_LINES = 3, 9, 9


@styled
def figure1(example: dict, profile: str | None = None) -> Figure:
    """Answers of 1 to 3 methods to one sensitive but answerable query, with the judge's verdict on each.

    `example` is {"query": str, "responses": [{"method", "rationale", "final", "verdict"}, ...]}, optionally with
    "model" and "judge"; verdict is refusal, compliance, incoherent or unparsed. Long text ends in an ellipsis.
    Raises ValueError for another number of responses, a missing key or an unknown verdict.
    """
    responses = _responses(example)
    room = WIDTH * 72 - 2 * SIDE
    card = (room - GAP * 1.5 * (len(responses) - 1)) / len(responses)
    query = wrap(example["query"], room - 2 * PAD - 42, 10.5, QUERY_LINES)
    bodies = [_body(response, card - 2 * PAD) for response in responses]
    query_height = 14 + 15 * len(query)
    card_height = 44 + max(sum(height for *_, height in body) for body in bodies)
    figure, heading = canvas(
        WIDTH, (query_height + card_height + 2 * SIDE) / 72, f"One query, {len(responses)} method{'s' * (len(responses) > 1)}, and the verdicts",
        sentence(profile and f"{profile} profile", example.get("model"), "n = 1 query",
                 "verdict on the final response" + (f" by {example['judge']}" if example.get("judge") else ""),
                 "long text is shortened (…)"), layout=False)
    ax = _sheet(figure)
    top = (figure.get_figheight() - heading) * 72
    _query(ax, query, top, room, query_height)
    for index, (response, body) in enumerate(zip(responses, bodies)):
        _card(ax, response, body, SIDE + index * (card + GAP * 1.5), top - query_height - SIDE, card, card_height)
    return figure


def _responses(example: dict) -> list[dict]:
    responses = example.get("responses", [])
    if not 1 <= len(responses) <= 3:
        raise ValueError(f"figure 1 shows 1 to 3 responses, got {len(responses)}")
    for response in responses:
        missing = {"method", "rationale", "final", "verdict"} - set(response)
        if missing:
            raise ValueError(f"figure 1: a response lacks {', '.join(sorted(missing))}")
        if response["verdict"] not in VERDICTS:
            raise ValueError(f"figure 1: unknown verdict {response['verdict']!r}; there are {', '.join(VERDICTS)}")
    return responses


def _sheet(figure: Figure) -> Axes:
    """Axes over the whole figure, measured in points from the lower left."""
    width, height = figure.get_size_inches() * 72
    ax = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(0, height))
    ax.set_axis_off()
    return ax


def _body(response: dict, width: float) -> list[tuple]:
    """The card's blocks from top to bottom: (lines, font, colour, line height, height)."""
    blocks = []
    if (response["rationale"] or "").strip():
        lines = wrap(response["rationale"], width - 10, SIZE, RATIONALE_LINES, style="italic")
        blocks += [_label("Rationale"), (lines, {"size": SIZE, "style": "italic"}, GREY, LINE, LINE * len(lines) + 9)]
    lines = wrap(response["final"] or "", width, SIZE, FINAL_LINES) or ["(empty)"]
    return [*blocks, _label("Final response"), (lines, {"size": SIZE}, INK, LINE, LINE * len(lines) + 9)]


def _label(text: str) -> tuple:
    return [text], {"size": 7.8, "weight": "bold"}, GREY, 14, 15


def _box(ax: Axes, x: float, top: float, width: float, height: float, rounding: float, **style) -> FancyBboxPatch:
    shape = f"round,pad=0,rounding_size={rounding}"
    return ax.add_patch(FancyBboxPatch((x, top - height), width, height, boxstyle=shape, **style))


def _query(ax: Axes, lines: list[str], top: float, room: float, height: float) -> None:
    _box(ax, SIDE, top, room, height, 8, facecolor="#EEF1F5", edgecolor="none")
    ax.text(SIDE + PAD, top - 18.5, "Query", size=9, weight="bold", color=GREY)
    for index, line in enumerate(lines):
        ax.text(SIDE + PAD + 42, top - 18.5 - 15 * index, line, size=10.5)


def _card(ax: Axes, response: dict, body: list[tuple], x: float, top: float, width: float, height: float) -> None:
    colour = marks([response["method"]])[response["method"]][0]
    frame = _box(ax, x, top, width, height, 8, facecolor="white", edgecolor=PALE, linewidth=1.1)
    stripe = ax.add_patch(Rectangle((x, top - 5), width, 5, facecolor=colour, edgecolor="none"))
    stripe.set_clip_path(frame)
    badge = _badge(ax, response["verdict"], x + width - PAD, top - 13)
    title = wrap(method_title(response["method"]), width - 2 * PAD - badge - 6, 11.5, 1, weight="bold")
    ax.text(x + PAD, top - 22, title[0], size=11.5, weight="bold", va="center")
    y = top - 41
    for lines, font, colour, line, block in body:
        quoted = font.get("style") == "italic"
        if quoted:
            ax.add_patch(Rectangle((x + PAD, y - line * len(lines)), 2, line * len(lines), facecolor=PALE, edgecolor="none"))
        for index, text in enumerate(lines):
            ax.text(x + PAD + 10 * quoted, y - line * (index + 0.5), text, color=colour, va="center_baseline", **font)
        y -= block


def _badge(ax: Axes, verdict: str, right: float, top: float) -> float:
    fill, ink = VERDICTS[verdict]
    width = text_width(verdict, 8.8, "bold") + 18
    _box(ax, right - width, top, width, 18, 9, facecolor=fill, edgecolor="none")
    ax.text(right - width / 2, top - 9.3, verdict, size=8.8, weight="bold", color=ink, ha="center", va="center_baseline")
    return width

"""The look that all figures share, and the one way to save them.

Colours, markers, headings, text that fits its box, provenance. It knows methods by name and no result table.
"""
import hashlib
import io
import json
import re
from bisect import bisect
from collections.abc import Iterator
from functools import wraps
from itertools import islice
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.colors import LinearSegmentedColormap, to_hex
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.textpath import TextToPath

from .names import benign_share
from .tables import write_bytes

INK, GREY, PALE = "#1F2933", "#66707C", "#DDE2E8"
SIDE, GAP = 12.0, 8.0  # points
# Okabe and Ito's colours, told apart under the common colour-vision deficiencies; markers say it twice.
MARKS = {
    "base": ("#7A7A7A", "o"),
    "refusal_sft": ("#E69F00", "s"),
    "circuit_breaker": ("#CC79A7", "X"),
    "rational": ("#0072B2", "D"),
    "rational_no_benign": ("#56B4E9", "v"),
    "rational_benign_only": ("#009E73", "^"),
}
SPARE = (("#D55E00", "P"), ("#000000", "p"), ("#8C6D31", "h"), ("#882255", "<"), ("#44AA99", ">"))
BENIGN_BLUES = LinearSegmentedColormap.from_list("benign share", ["#56B4E9", "#0072B2"])
STYLE = {
    **sns.axes_style("ticks"), "font.family": "DejaVu Sans", "font.size": 9, "axes.titlesize": 9,
    "axes.labelsize": 9, "xtick.labelsize": 8.5, "ytick.labelsize": 9, "text.color": INK, "axes.labelcolor": INK,
    "xtick.color": INK, "ytick.color": INK, "axes.edgecolor": "#9AA3AD", "axes.linewidth": 0.8, "text.parse_math": False,
    "xtick.major.size": 3, "ytick.major.size": 3, "figure.dpi": 100, "svg.fonttype": "path", "axes.unicode_minus": True,
}
PNG_DPI, SEPARATOR = 200, " · "


def styled(draw):
    """Draw under the shared style without touching the caller's matplotlib settings."""
    @wraps(draw)
    def wrapper(*args, **kwargs):
        with plt.rc_context(STYLE):
            return draw(*args, **kwargs)
    return wrapper


def marks(methods: list[str]) -> dict[str, tuple[str, str]]:
    """Colour and marker of each method; unnamed methods take the spare ones in the order given."""
    spare = iter(SPARE * (len(methods) // len(SPARE) + 1))
    return {method: _mark(method) or next(spare) for method in methods}


def _mark(method: str) -> tuple[str, str] | None:
    share = benign_share(method)
    if method in MARKS or share is None:
        return MARKS.get(method)
    return to_hex(BENIGN_BLUES(share / 100)), "d"


def text_width(text: str, size: float, weight: str = "normal", style: str = "normal") -> float:
    """Width of one line of text in points."""
    font = FontProperties(family="DejaVu Sans", size=size, weight=weight, style=style)
    return TextToPath().get_text_width_height_descent(text, font, False)[0] if text else 0.0


def printable(text: str) -> str:
    """The text with white space made plain and every glyph that the font lacks shown as a box."""
    font = get_font(findfont(FontProperties(family="DejaVu Sans")))
    plain = re.sub(r"[^\S\n]+", " ", text)
    return "".join(c if c == "\n" or font.get_char_index(ord(c)) else "\u25a1" for c in plain)


def wrap(text: str, width: float, size: float, max_lines: int | None = None, **font) -> list[str]:
    """Lines no wider than `width` points; words too long are broken; beyond `max_lines` the last ends in "…"."""
    width = width / 1.025  # a renderer that fits glyphs to pixels sets a line a little wider than the font says
    every = (line for part in printable(text).strip().split("\n") for line in _lines(part.split(), width, size, font))
    lines = list(islice(every, max_lines and max_lines + 1))
    if max_lines is None or len(lines) <= max_lines:
        return lines
    last = lines[max_lines - 1]
    while last and text_width(f"{last} …", size, **font) > width:
        last = last.rpartition(" ")[0] if " " in last else last[:-1]
    return [*lines[:max_lines - 1], f"{last.rstrip(' ,;:.')} …"]


def _lines(words: list[str], width: float, size: float, font: dict) -> Iterator[str]:
    line, queue = "", words[::-1]
    most = max(1, int(width / (0.2 * size)))  # no letter is narrower: thousands that cannot fit need no measuring
    while queue:
        word = queue.pop()
        longer = f"{line} {word}".strip()
        if len(longer) <= most and text_width(longer, size, **font) <= width:
            line = longer
        elif line:
            yield line
            line = ""
            queue.append(word)
        else:
            fits = max(1, bisect(range(1, min(len(word), most)), width, key=lambda k: text_width(word[:k], size, **font)))
            yield word[:fits]
            queue += [word[fits:]] if word[fits:] else []
    if line:
        yield line


def canvas(width: float, height: float, title: str, notes: str, layout: bool = True) -> tuple[Figure, float]:
    """A figure `width` inches wide with `height` inches for drawing below its heading; the heading's height in inches.

    `notes` is the small print under the title; both are wrapped, so the heading takes the room it needs.
    """
    room = width * 72 - 2 * SIDE
    title_lines = wrap(title, room, 13, weight="bold")
    note_lines = _packed(notes, room, 9)
    heading = (SIDE + 17 * len(title_lines) + 3 + 13 * len(note_lines) + GAP) / 72
    total = height + heading
    figure = plt.figure(figsize=(width, total))
    plt.close(figure)  # a notebook shows the returned figure: without this it would show it twice
    if layout:
        figure.set_layout_engine("constrained", rect=(0.006, 0.01, 0.988, (height / total) - 0.015), w_pad=0.08, h_pad=0.08)
    y = total - SIDE / 72
    figure.text(SIDE / 72 / width, y / total, "\n".join(title_lines), size=13, weight="bold", va="top",
                linespacing=17 / 13 / 1.2 * 1.03)
    y -= (17 * len(title_lines) + 3) / 72
    figure.text(SIDE / 72 / width, y / total, "\n".join(note_lines), size=9, color=GREY, va="top")
    return figure, heading


def sentence(*parts: str | None) -> str:
    return SEPARATOR.join(part for part in parts if part)


def _packed(notes: str, width: float, size: float) -> list[str]:
    """The notes in lines that break between two notes, and inside one only when it is longer than a line."""
    lines = []
    for note in notes.split(SEPARATOR):
        longer = f"{lines[-1]}{SEPARATOR}{note}" if lines else note
        if lines and len(wrap(longer, width, size)) == 1:
            lines[-1] = longer
        else:
            lines += wrap(note, width, size)
    return lines


def n_label(rows: pd.DataFrame) -> str:
    """"n = 40", or the range where rows differ."""
    least, most = rows["n"].min(), rows["n"].max()
    return "not run" if rows.empty else f"n = {least}" if least == most else f"n = {least}–{most}"


def seeds_label(frame: pd.DataFrame, points: bool = True) -> str | None:
    """What a value over several seeds is; None where every method has one."""
    seeds = frame.groupby(["model", "method"])["seed"].nunique()
    if seeds.max() == 1:
        return None
    count = f"{seeds.max()}" if seeds.min() == seeds.max() else f"{seeds.min()} to {seeds.max()}"
    return f"mean of {count} seeds" + (", each seed a small point" if points else "")


@styled
def save(figure: Figure, folder: str | Path, name: str, provenance: dict, watermark: str | None = None) -> dict[str, Path]:
    """Write `name`.png (200 dpi), `name`.svg and, last, `name`.json, each in one step; their paths by suffix.

    `provenance` needs `inputs` (file name -> sha256), `profile` and `commit`, and is written with the sha256
    of both pictures. A smoke profile is always watermarked "smoke": its numbers are noise. Equal figures give equal bytes.
    Raises ValueError when provenance lacks a key.
    """
    missing = [key for key in ("inputs", "profile", "commit") if key not in provenance]
    if missing:
        raise ValueError(f"figure {name!r}: provenance lacks {', '.join(missing)}")
    watermark = watermark or ("smoke" if provenance["profile"] == "smoke" else None)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # laid out once: the two pictures must not differ
    stamp = _stamp(figure, watermark) if watermark else None
    pictures = {"png": _picture(figure, "png", name), "svg": _picture(figure, "svg", name)}
    if stamp:
        stamp.remove()
    record = {"figure": name, **provenance, "watermark": watermark,
              "sha256": {f"{name}.{suffix}": hashlib.sha256(data).hexdigest() for suffix, data in pictures.items()}}
    pictures["json"] = (json.dumps(record, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()
    for suffix, data in pictures.items():
        write_bytes(Path(folder) / f"{name}.{suffix}", data)
    return {suffix: Path(folder) / f"{name}.{suffix}" for suffix in pictures}


def _stamp(figure: Figure, text: str):
    width, height = figure.get_size_inches() * 72
    size = 0.62 * min(width / text_width(text, 1, "bold"), height)
    return figure.text(0.5, 0.5, text, size=size, weight="bold", color="#B00020", alpha=0.13, rotation=25,
                       ha="center", va="center", zorder=1000, in_layout=False)


def _picture(figure: Figure, suffix: str, name: str) -> bytes:
    buffer = io.BytesIO()
    metadata = {"Date": None, "Creator": None} if suffix == "svg" else {"Software": None}
    with plt.rc_context({"svg.hashsalt": name}):
        figure.savefig(buffer, format=suffix, dpi=PNG_DPI if suffix == "png" else "figure", metadata=metadata)
    return buffer.getvalue()

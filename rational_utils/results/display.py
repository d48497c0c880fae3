"""Tables and excerpts for notebooks and the README, with unsafe text redacted by default.

Everything returned is plain text or a plain DataFrame. Nothing here judges a response or computes a new rate.
"""
import hashlib
import re
from pathlib import Path

import pandas as pd

from .names import in_order, method_title
from .statistics import over_seeds
from .tables import write_bytes

SAFE_LABELS = ("benign", "safe")
LONGEST_WORD = 16
NOT_RUN = "–"


def rate_table(attacks: pd.DataFrame, row: str = "attack", value: str = "asr") -> pd.DataFrame:
    """Rates as text, "12.5 % [4.9, 26.1] (n=40)", a row an attack and a column a method; 95 % in brackets.

    Takes attacks.csv, or another result table with its `row` and `value` columns ("set", "over_refusal"). Several
    models become a first index level; over several seeds the mean is shown and their number added.
    """
    by = (["model"] if attacks["model"].nunique() > 1 else []) + [row]
    means = over_seeds(attacks, [*by, "method"], value)
    means["text"] = [_rate_text(cell[value], cell["low"], cell["high"], cell["n"], cell["seeds"])
                     for cell in means.to_dict("records")]
    wide = means.set_index([*by, "method"])["text"].unstack("method", fill_value=NOT_RUN)
    order = pd.MultiIndex.from_frame(means[by].drop_duplicates()) if len(by) > 1 else pd.Index(means[row].unique(), name=row)
    return wide.reindex(index=order, columns=in_order(means["method"])).rename(columns=method_title).rename_axis(columns=None)


def _rate_text(rate: float, low: float, high: float, n: int, seeds: int) -> str:
    several = f", {seeds} seeds" if seeds > 1 else ""
    return f"{100 * rate:.1f} % [{100 * low:.1f}, {100 * high:.1f}] (n={n}{several})"


def redact(text: str, keep: int = 5) -> str:
    """The first words, "… [redacted, sha256 ab12cd34]" for the rest; the hash is of the whole text in UTF-8.

    Shows at most `keep` words, at most half of them, and none longer than 16 characters: a short text, or one
    without spaces, must not slip through whole. Raises ValueError for a negative `keep`.
    """
    if keep < 0:
        raise ValueError(f"cannot keep {keep} words")
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    words = re.findall(r"[^\W_]+", text)
    head = " ".join(word[:LONGEST_WORD] for word in words[:min(keep, len(words) // 2)])
    return f"{head}… [redacted, sha256 {digest}]"


def show_samples(frame: pd.DataFrame, text_columns_unsafe: list[str] | None = None, label: str = "label",
                 keep: int = 5) -> pd.DataFrame:
    """A copy with the unsafe text columns redacted in every row whose `label` is not known to be safe.

    Safe are "benign" and "safe"; an unknown or missing label counts as harmful. Without `text_columns_unsafe` every
    text of more than three words is redacted in those rows, whatever its column.
    Raises ValueError when `label` or a named column is missing.
    """
    absent = [column for column in [label, *(text_columns_unsafe or [])] if column not in frame]
    if absent:
        raise ValueError(f"cannot redact: no column {', '.join(map(repr, absent))}")
    harmful = ~frame[label].isin(SAFE_LABELS)
    shown = frame.copy()
    for column in text_columns_unsafe or [column for column in frame if column != label]:
        least = 0 if text_columns_unsafe else 3
        shown[column] = [_hidden(cell, least, keep) if hide else cell for cell, hide in zip(frame[column], harmful)]
    return shown


def _hidden(cell: object, least: int, keep: int) -> object:
    text = str(cell) if isinstance(cell, (list, tuple, dict)) else cell
    if not isinstance(text, str):
        return cell
    short = len(re.findall(r"[^\W_]+", text)) <= least and len(text) <= least * LONGEST_WORD
    return cell if short or re.fullmatch("[0-9a-f]{64}", text) else redact(text, keep)


def update_readme(readme: Path, blocks: dict[str, str]) -> bool:
    """Replace what stands between `<!-- name:begin -->` and `<!-- name:end -->` for each block; whether it changed.

    Nothing is written unless every block has its place. Raises ValueError when a marker is missing, there twice or
    in the wrong order.
    """
    before = Path(readme).read_text(encoding="utf-8")
    after = before
    for name, block in blocks.items():
        begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
        for marker in (begin, end):
            if after.count(marker) != 1:
                raise ValueError(f"{Path(readme).name}: {marker} is there {after.count(marker)} times, not once")
        start, stop = after.index(begin) + len(begin), after.index(end)
        if stop < start:
            raise ValueError(f"{Path(readme).name}: {end} stands before {begin}")
        after = f"{after[:start]}\n{block.strip()}\n{after[stop:]}"
    if after != before:
        write_bytes(Path(readme), after.encode("utf-8"))
    return after != before

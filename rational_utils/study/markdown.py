"""Data frames as Markdown tables."""

from __future__ import annotations

import pandas as pd

NOTHING = "–"


def to_markdown(frame: pd.DataFrame) -> str:
    """The frame as a Markdown table; a named index comes first, numbers are set to the right, empty cells are "–"."""
    named = any(name is not None for name in frame.index.names)
    table = frame.reset_index() if named else frame
    numeric = [pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_bool_dtype(dtype) for dtype in table.dtypes]
    lines = [[_cell(column) for column in table.columns], ["---:" if right else "---" for right in numeric]]
    lines += [[_cell(cell) for cell in row] for row in table.itertuples(index=False, name=None)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _cell(value: object) -> str:
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return NOTHING
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return " ".join(text.replace("|", r"\|").split())

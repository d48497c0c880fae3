"""A share of a stage's work, so that several jobs can do it side by side: the work's items are dealt out in turn, as cards are."""

from __future__ import annotations

import re
from typing import NamedTuple

from .errors import StudyError


class Share(NamedTuple):
    """The `number`-th of `count` shares, from 1 on."""

    number: int = 1
    count: int = 1

    @property
    def places(self) -> slice:
        """Which items of the whole are this share's."""
        return slice(self.number - 1, None, self.count)

    @property
    def mark(self) -> str:
        """What the names of its files end with; "" for the whole."""
        return "" if self.count == 1 else f".{self.number}-of-{self.count}"


def read(text: str) -> Share:
    """The share that is written as "2/3".

    Raises:
        StudyError: it is written otherwise, or there is no such share.
    """
    found = re.fullmatch(r"([1-9]\d*)/([1-9]\d*)", text)
    share = Share(*map(int, found.groups())) if found else None
    if share is None or share.number > share.count:
        raise StudyError(f"shard: got {text!r}; write it as number/count, from 1/3 to 3/3 for three shares")
    return share


def every(count: int) -> list[Share]:
    return [Share(number, count) for number in range(1, count + 1)]

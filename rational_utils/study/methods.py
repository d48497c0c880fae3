"""The methods that are compared, by name, and what their names say."""

from __future__ import annotations

import re

METHODS = ("base", "refusal_sft", "circuit_breaker", "rational", "rational_no_benign", "rational_benign_only")
_SWEPT = re.compile(r"rational_benign_([1-9]\d?)")


def known(method: str) -> str:
    """The method itself.

    Raises:
        ValueError: there is no such method; the message lists the known ones.
    """
    if method in METHODS or _SWEPT.fullmatch(method):
        return method
    raise ValueError(f"allowed: {', '.join(map(repr, METHODS))}, or 'rational_benign_25' with any per cent from 1 to 99")


def benign_share(method: str) -> int | None:
    """Per cent of the benign rationales that a Rational variant was trained with beside all harmful ones; None for other methods."""
    if method in ("rational", "rational_no_benign"):
        return 100 if method == "rational" else 0
    found = _SWEPT.fullmatch(method)
    return int(found[1]) if found else None


def reasons(method: str) -> bool:
    """Whether the method writes a rationale before it answers."""
    return method.startswith("rational")


def missing(methods: tuple[str, ...]) -> str:
    """What a list of methods cannot do without, as a sentence; "" when it is whole."""
    if "base" not in methods:
        return "it must contain base, with which every other method is compared"
    swept = [method for method in methods if _SWEPT.fullmatch(method)]
    absent = [end for end in ("rational", "rational_no_benign") if end not in methods]
    if swept and absent:
        return f"{swept[0]} is a part of a sweep, which needs its ends too: add {' and '.join(absent)}"
    return ""

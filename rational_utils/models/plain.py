"""Any causal language model of transformers as somebody to talk to, in the same form as `talking.Talker`: no speed of our own, every architecture.

It computes one dialogue at a time, greedily, on a GPU if there is one. For the models that are studied, see `generation`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence, get_args

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from ..study.errors import StudyError
from ..study.sections import Model
from . import loading
from .chat import render


@dataclass(frozen=True)
class Plain:
    """A model, its tokenizer, and how many tokens a reply may have."""

    model: object
    tokenizer: object
    max_tokens: int

    def answer(self, dialogues: Sequence[Sequence[dict[str, str]]]) -> list[str]:
        """One reply a dialogue, in order.

        Raises:
            ValueError: the model cannot read so long a dialogue.
        """
        return [self._reply(list(dialogue)) for dialogue in dialogues]

    @torch.inference_mode()
    def _reply(self, messages: list[dict[str, str]]) -> str:
        given = self.tokenizer(render(self.tokenizer, messages), add_special_tokens=False, return_tensors="pt").to(self.model.device)
        read, room = given["input_ids"].shape[1], getattr(self.model.config, "max_position_embeddings", float("inf"))
        if read + self.max_tokens > room:
            raise ValueError(f"the dialogue has {read} tokens and a reply up to {self.max_tokens}; the model reads {room}")
        written = self.model.generate(**given, max_new_tokens=self.max_tokens, do_sample=False, temperature=None, top_p=None, top_k=None, pad_token_id=self.tokenizer.eos_token_id)
        return self.tokenizer.decode(written[0, read:], skip_special_tokens=True)


def load(name: str, revision: str, max_tokens: int) -> Plain:
    """A model of this study by name, or another: the path of a folder, or a name on the hub at that revision.

    Raises:
        StudyError: it cannot be had, or has no chat template.
    """
    model, tokenizer = loading.load(name) if name in get_args(Model) else _elsewhere(name, revision)
    if not tokenizer.chat_template:
        raise StudyError(f"model {name}: has no chat template, so it cannot be asked; use one that is trained to chat")
    model.set_attn_implementation("sdpa")
    return Plain(model.to(loading.place()).eval(), tokenizer, max_tokens)


def _elsewhere(name: str, revision: str):
    try:
        return AutoModelForCausalLM.from_pretrained(name, revision=revision, dtype="auto"), AutoTokenizer.from_pretrained(name, revision=revision)
    except (OSError, ValueError) as error:
        raise StudyError(f"model {name}: cannot be had at revision {revision} ({str(error).strip().splitlines()[0]}); fetch it into the hub's cache, or give the path of its folder") from None

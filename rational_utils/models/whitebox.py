"""A model with its insides open: how likely it finds a target after a suffix, and where the slope of that points, token by token.

It knows no attack: it evaluates suffixes and never chooses one.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property

import torch

from . import llama, ragged
from .chat import marks, render

HOLE = "\ufdd0"  # stands for the suffix: Unicode promises that it is never a character, and no attack takes a question that holds it
SCORES_AT_ONCE = 256  # tokens whose scores over all words stand in memory together


@dataclass(frozen=True)
class Slot:
    """A dialogue with a hole: the rendered text before and after it, and the target, as token ids that belong together."""

    before: tuple[int, ...]
    after: tuple[int, ...]
    target: tuple[int, ...]

    def row(self, suffix: tuple[int, ...]) -> list[int]:
        """What the model reads behind `before`: the last target token is only predicted."""
        return [*suffix, *self.after, *self.target[:-1]]


@dataclass(frozen=True)
class Whitebox:
    """`losses` are mean negative log-likelihoods of the target, in nats a token."""

    model: torch.nn.Module
    tokenizer: object
    hole = HOLE

    def encode(self, text: str) -> tuple[int, ...]:
        return tuple(self.tokenizer.encode(text, add_special_tokens=False))

    def slot(self, text: str, target: str) -> Slot:
        """The dialogue of one user turn `text`, which holds `hole` once, and the answer that is wanted.

        Raises:
            ValueError: the target has no tokens, or the text not one hole.
        """
        parts = render(self.tokenizer, text).split(self.hole)
        wanted = self.encode(target)
        if len(parts) != 2 or not wanted:
            raise ValueError(f"a slot needs one hole and a target: got {len(parts) - 1} and {len(wanted)} target tokens")
        return Slot(self.encode(parts[0]), self.encode(parts[1]), wanted)

    def text(self, slot: Slot, suffix: tuple[int, ...]) -> str:
        """The suffix as it reads in the slot: some tokenizers drop a space where a text begins."""
        return self.tokenizer.decode((*slot.before, *suffix))[len(self.tokenizer.decode(slot.before)) :]

    def survives(self, slot: Slot, suffix: tuple[int, ...]) -> bool:
        """Whether the suffix's text, put into the dialogue's text, is read as these very tokens again."""
        whole = (*slot.before, *suffix, *slot.after)
        return self.encode(self.tokenizer.decode(whole)) == whole

    def allowed(self) -> torch.Tensor:
        """Which tokens a suffix may hold: printable ASCII, and none that marks a turn or a text's end; shape (words,).

        For SmolLM2 these are nanogcg's. Other control tokens are among them: typed out, they are read as such.
        """
        return self._printable

    @cached_property
    def _printable(self) -> torch.Tensor:
        words = self.model.get_output_embeddings().weight.shape[0]
        texts = self.tokenizer.batch_decode([[number] for number in range(min(words, len(self.tokenizer)))])
        good = torch.zeros(words, dtype=torch.bool)
        good[: len(texts)] = torch.tensor([text.isascii() and text.isprintable() and text != "" for text in texts])
        good[[number for number in marks(self.tokenizer) if number < words]] = False
        return good

    @torch.no_grad()
    def losses(self, slot: Slot, suffixes: list[tuple[int, ...]], near: tuple[int, ...] = ()) -> torch.Tensor:
        """One loss a suffix, shape (suffixes,).

        What stands before the suffix is computed once for all, and so is what a suffix begins with if the suffix `near`, from which they were made, begins so too.
        """
        with llama.lean(self.model):
            return self._losses(slot, suffixes, near).cpu()

    def _losses(self, slot: Slot, suffixes: list[tuple[int, ...]], near: tuple[int, ...] = ()) -> torch.Tensor:
        stem, shared = (*slot.before, *near), [len(os.path.commonprefix([suffix[:-1], near])) for suffix in suffixes]
        rows = [slot.row(suffix[same:]) for suffix, same in zip(suffixes, shared)]
        hidden = ragged.forward(self.model, rows, stem=stem, begins=[len(slot.before) + same for same in shared])[len(stem) :]
        ends = torch.tensor([len(row) for row in rows]).cumsum(0)
        reads = (ends[:, None] - torch.arange(len(slot.target), 0, -1)).ravel()
        targets = torch.tensor(slot.target * len(rows), device=hidden.device)
        return self._unlikely(hidden[reads], targets).view(len(rows), -1).mean(1)

    def _unlikely(self, hidden: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        head = self.model.get_output_embeddings()
        parts = zip(hidden.split(SCORES_AT_ONCE), targets.split(SCORES_AT_ONCE))
        return torch.cat([torch.nn.functional.cross_entropy(head(part).float(), wanted, reduction="none") for part, wanted in parts])

    @torch.enable_grad()
    def slope(self, slot: Slot, suffix: tuple[int, ...]) -> torch.Tensor:
        """How the loss would change with each word in each place, to first order; shape (suffix tokens, words)."""
        embedding, held = self.model.get_input_embeddings(), []

        def hold(module, inputs, output):
            held.append(output.detach().requires_grad_())
            return held[0]

        handle = embedding.register_forward_hook(hold)
        try:
            loss = self._losses(slot, [suffix])
        finally:
            handle.remove()
        (gradient,) = torch.autograd.grad(loss.sum(), held[0])
        place = slice(len(slot.before), len(slot.before) + len(suffix))
        return (gradient[0, place].float() @ embedding.weight.detach().float().T).cpu()

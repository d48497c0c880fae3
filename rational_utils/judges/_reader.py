"""Does this answer give what was asked? Asks the encoder with the LoRA weights that ``_reader_training`` learnt.

One answer is read at a time, so that none of the others can change what is said of it.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import torch
from peft import PeftModel

from . import _encoder, _one_text

FOLDER = Path(__file__).with_name("reader")
SCALES = Path(__file__).with_name("offline.json")
FINAL = "final"


def name_of(fold: int) -> str:
    """The folder of the weights that saw no prompt of this fold."""
    return f"fold{fold}"


def files() -> list[Path]:
    """All that was learnt, in a fixed order: what the judge's identity covers."""
    return [SCALES, *sorted(FOLDER.glob("*/adapter_*"))]


class Reader:
    """Reads with the LoRA weights in ``FOLDER / name``, loaded when the first answer is read."""

    def __init__(self, name: str = FINAL, folder: Path = FOLDER):
        self._weights = folder / name

    def read(self, prompt: str, answer: str) -> float:
        """The logit that the answer refuses, from its first and last words (``_encoder.pair``). Raises what ``_encoder.folder`` raises."""
        with torch.inference_mode():
            return round(float(self._model(_encoder.pair(prompt, answer))), 3)

    @cached_property
    def _model(self) -> _one_text.OneText:
        return _one_text.eight_bits(PeftModel.from_pretrained(_encoder.Encoder(), self._weights).merge_and_unload())

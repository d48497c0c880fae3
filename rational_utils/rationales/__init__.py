"""Rationales: asked for (`self_check`), written and parsed (`text`), accepted or rejected (`checks`), made into training
rows (`rows`); `curate` runs the whole."""

from .checks import CHECKS, Candidate, reason_to_reject
from .curate import curate
from .rows import Lesson, accepted_prompts, training_rows
from .self_check import SELF_CHECK, ask, guide
from .text import HEADS, Reasoned, deciding_words, parse, write

__all__ = ["CHECKS", "HEADS", "SELF_CHECK", "Candidate", "Lesson", "Reasoned", "accepted_prompts", "ask", "curate", "deciding_words", "guide", "parse", "reason_to_reject", "training_rows", "write"]

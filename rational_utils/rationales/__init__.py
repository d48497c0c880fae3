"""Rationales: asked for (`self_check`), written and parsed (`text`), accepted or rejected (`checks`), made into training
rows (`rows`) and a dataset for others (`dataset`); `curate` runs the whole."""

from .checks import CHECKS, Candidate, reason_to_reject
from .curate import curate
from .dataset import export, require_consistent
from .rows import Lesson, accepted_prompts, training_rows
from .self_check import SELF_CHECK, ask, guide
from .text import FINAL, HEADS, Reasoned, deciding_words, in_place_of_final, parse, prelude, write

__all__ = ["CHECKS", "FINAL", "HEADS", "SELF_CHECK", "Candidate", "Lesson", "Reasoned", "accepted_prompts", "ask", "curate", "deciding_words", "export", "guide", "in_place_of_final", "parse", "prelude", "reason_to_reject", "require_consistent", "training_rows", "write"]

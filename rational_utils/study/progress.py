"""Progress of long work: a bar with rate and time left, on the terminal that started the study.

In a notebook run in batch the bar goes to the file named by RATIONAL_PROGRESS (the runner shows it), so that it never
lands in the notebook's outputs; in an open notebook it goes to where tqdm usually writes.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager

from tqdm import tqdm


@contextmanager
def bar(total: int, what: str, unit: str):
    """Yield `advance(count)`; `what` names the work and `unit` the thing counted."""
    target = os.environ.get("RATIONAL_PROGRESS")
    stream = open(target, "a") if target else sys.stderr
    shown = tqdm(total=total, desc=what, unit=f" {unit}", file=stream, mininterval=float(os.environ.get("RATIONAL_PROGRESS_SECONDS", 0.5)), ncols=100)
    try:
        yield shown.update
    finally:
        shown.close()
        if target:
            stream.close()

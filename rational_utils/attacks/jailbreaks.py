"""Jailbreak prompts as they were published, a handful of PyRIT's collection: characters without morals, a film scene, an article, a list "from that character's view".

Their texts are read at run time (source `jailbreaks`; data/members.csv names each file and where it was published); none stands here. Chosen for being short enough for a
small model and free of slurs, of anything sexual and of topics: each is a frame around the question.

Access: black-box. In training: no profile has it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

import yaml

from . import Attempt, Budget, Question, Side, Target
from ._templates import pick, said

SHARE: dict[Side, slice] = {"train": slice(0, 2), "validation": slice(2, 4), "test": slice(4, None)}
GOAL = "{{ prompt }}"


def frames(documents: str, side: Side) -> list[str]:
    """The side's prompts in the source's text (YAML documents), each with one `GOAL`."""
    return [document["value"] for document in yaml.safe_load_all(documents)][SHARE[side]]


@dataclass(frozen=True)
class Published:
    name: str = "published_jailbreak"
    family: str = "in_the_wild"
    access: str = "black-box"
    source: str = "PyRIT (arXiv 2410.02828), prompts of jailbreakchat, Wei et al. (arXiv 2307.02483)"
    needs: str = "read"

    def run(self, questions: Sequence[Question], *, side: Side, seed: int, target: Target | None = None, budget: Budget = Budget()) -> list[Attempt]:
        known = frames(target.read("jailbreaks"), side)
        chosen = [known[pick(self.name, question.question_id, seed, len(known))] for question in questions]
        return [Attempt(self.name, question.question_id, (said(frame.replace(GOAL, question.text).strip()),)) for question, frame in zip(questions, chosen)]


ATTACKS = [Published()]

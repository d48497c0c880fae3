"""Jailbreak prompts as they were published, a handful of PyRIT's collection: characters without morals, a film scene, an article, a list "from that character's view".

Their texts are read at run time (source `jailbreaks`; data/members.csv names each file and where it was published); none stands here. Chosen for being short enough for a
small model and free of slurs, of anything sexual and of topics: each is a frame around the question.

Access: black-box. In training: no profile has it.
"""

from __future__ import annotations

import yaml

from ._published import Published


def _values(documents: str) -> list[str]:
    return [document["value"] for document in yaml.safe_load_all(documents)]


SOURCE = "PyRIT (arXiv 2410.02828), prompts of jailbreakchat, Wei et al. (arXiv 2307.02483)"
ATTACKS = [Published("published_jailbreak", "in_the_wild", "black-box", SOURCE, "jailbreaks", _values)]

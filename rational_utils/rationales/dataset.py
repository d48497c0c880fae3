"""The rationale dataset as others may use it: one JSON line a training row, and a data card. Also the last check before training."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from ..study.errors import StudyError
from ..study.markdown import to_markdown
from ..study.sections import Rationales
from .checks import Candidate, reason_to_reject
from .rows import accepted_prompts, training_rows
from .self_check import FOLLOWS
from .text import HEADS

FILE, CARD = "train.jsonl", "README.md"
# what generation alone knows: whether a token limit cut it, and what the judge said of the final response
NOT_IN_THE_TABLE = ("incomplete", "answer_disagrees")
ABOUT = """---
license: other
language: en
task_categories: [text-generation]
---
# Safety rationales of {model}

Written by {model} itself under two self-check instructions (one looks for harm, one for reasons to help), led by a guide, and kept only if
reasoning, decision and final response agree. Every row is one prompt as `rational` learns it: `response` is what
can be learnt of it, all or the first line (`learnt`), and its parts stand beside it. A final response that a token limit cut (`ended` is false)
is learnt without an end-of-turn token: what follows is missing, not over. **Prompts labelled harmful are harmful requests** from public benchmarks; their responses refuse them.

Load it: `datasets.load_dataset("json", data_files="{file}")`.

## Rows

{rows}
## Acceptance

{acceptance}
## Sources and licences

Each row keeps its prompt's licence; a prompt in an attack's wording has that of the question inside.

{sources}
## Known limits

- Made by a small model: a rationale that passes the checks can still be shallow or beside the point. Nobody has read them all.
- Checks are rules over words ({checks}); they do not understand.
- `rational` may have learnt less than stands here: `training.whole` and `training.opening` of the profile say how much.
- A wording of a question whose `rationale_id` is not its own `prompt_id` has the rationale of another of the question's wordings.
- English only. Questions about children and sexual content are left out by a word list.
"""


def require_consistent(table: pd.DataFrame, settings: Rationales) -> pd.DataFrame:
    """The rationale table, if every accepted row still passes the checks that its own text can answer.

    Raises:
        StudyError: names the first row that does not, and the check. No text is shown: prompts may be harmful. Or the table does not say what a limit cut.
    """
    if "ended" not in table:
        raise StudyError("rationale table: it does not say which answers a limit cut (column ended); make the table again (notebook 02)")
    checks = tuple(name for name in settings.checks if name not in NOT_IN_THE_TABLE)
    for row in table[table["reason"] == ""].itertuples():
        sections = {head: getattr(row, head.lower()) for head in HEADS}
        found = reason_to_reject(Candidate(row.label, sections, row.decision, row.final, (), FOLLOWS.get(row.decision, "")), checks)
        if found:
            raise StudyError(f"rationale table: accepted row {row.prompt_id} fails the check {found}; make the table again (notebook 02)")
    return table


def export(table: pd.DataFrame, prompts: pd.DataFrame, folder: Path, model: str, settings: Rationales) -> pd.DataFrame:
    """Write the dataset and its card into an empty folder; returns the rows that were written."""
    written = table[["prompt_id", *map(str.lower, HEADS), "decision", "final", "ended"]].rename(columns={"prompt_id": "rationale_id"})
    rows = accepted_prompts(table, prompts, "rational").merge(written, on="rationale_id")
    lessons = training_rows(table, prompts, "rational")
    rows = rows.assign(response=[lesson.answer for lesson in lessons], learnt=["whole" if lesson.whole else "first line" if own != prompt else "all but an end" for lesson, prompt, own in zip(lessons, rows["prompt_id"], rows["rationale_id"])])
    names = {"text": "prompt", "attack": "wording"}
    kept = ["prompt_id", "question_id", "rationale_id", "text", "attack", "label", "set", "source", "licence", *map(str.lower, HEADS), "decision", "final", "ended", "response", "learnt"]
    rows = rows[kept].rename(columns=names)
    lines = (json.dumps(row, ensure_ascii=False) for row in rows.to_dict("records"))
    (folder / FILE).write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    (folder / CARD).write_text(_card(table, rows, model, settings), encoding="utf-8")
    return rows


def _card(table: pd.DataFrame, rows: pd.DataFrame, model: str, settings: Rationales) -> str:
    def counted(frame: pd.DataFrame, *by: str) -> str:
        return to_markdown(frame.groupby(list(by)).size().rename("rows").reset_index())

    outcomes = table.assign(outcome=table["reason"].replace("", "accepted"))
    return ABOUT.format(
        model=model, file=FILE, rows=counted(rows, "label", "set", "wording", "learnt"), acceptance=counted(outcomes, "label", "outcome"),
        sources=counted(rows, "source", "licence"), checks=", ".join(settings.checks),
    )  # fmt: skip

"""The field's own benchmarks: public files turned into rows with the columns that the harness's task files read.

Every row has an ``item_id`` and, if there are choices, ``gold``. Rows with ``example: True`` stand before an item as solved examples and
are never scored. It reads no files and runs no model.
"""

from __future__ import annotations

import ast
import csv
import json
import re
from io import StringIO

from ..corpus.questions import LEFT_OUT_TOPICS

TOXIC_ABOVE = 5.5  # sum of two scores of 1 to 5, as in the harness's `toxigen`
HELD_OUT = {"hellaswag": 10, "winogrande": 5}


def truthfulqa_rows(raw: str) -> list[dict]:
    """TruthfulQA's own JSON; the one true MC1 answer comes first, as in the hub's copy that the harness reads."""
    rows = []
    for number, entry in enumerate(json.loads(raw)):
        row = {"item_id": f"truthfulqa_{number:03d}", "question": entry["question"], "gold": 0}
        for name in ("mc1_targets", "mc2_targets"):
            row[name] = {"choices": list(entry[name]), "labels": list(entry[name].values())}
        if row["mc1_targets"]["labels"] != [1] + [0] * (len(entry["mc1_targets"]) - 1):
            raise ValueError(f"{row['item_id']}: the first MC1 answer is not the only true one")
        rows.append(row)
    return rows


def toxigen_rows(raw: str) -> list[dict]:
    """ToxiGen's annotated CSV, whose texts are written as Python's bytes; without the topics that the study leaves out."""
    rows = []
    for number, entry in enumerate(csv.DictReader(StringIO(raw))):
        text = entry["text"]
        text = ast.literal_eval(text).decode("utf-8") if text.startswith(("b'", 'b"')) else text
        scores = {name: float(entry[name]) for name in ("toxicity_ai", "toxicity_human")}
        rows.append({"item_id": f"toxigen_{number:04d}", "text": text, **scores, "gold": int(sum(scores.values()) > TOXIC_ABOVE)})
    return [row for row in rows if not LEFT_OUT_TOPICS.search(row["text"])]


def arc_rows(raw: str) -> list[dict]:
    """ARC as instructions ("... the question: Q Answer1: A Answer2: B ... Answer format: ...") that are taken apart again."""
    return [_arc_row(number, entry) for number, entry in enumerate(json.loads(raw))]


def _arc_row(number: int, entry: dict) -> dict:
    found = re.fullmatch(r"Please choose the correct answer to the question: (.*)\n\n(Answer1: .*)\n\nAnswer format: .*", entry["instruction"], re.DOTALL)
    if not found:
        raise ValueError(f"line {number}: not an instruction with a question and answers")
    parts = re.split(r"(?:^|\s+)Answer(\d): ", found[2])
    labels = parts[1::2]
    if labels != [str(place) for place in range(1, len(labels) + 1)] or entry["answer"].removeprefix("answer") not in labels:
        raise ValueError(f"line {number}: answers are not numbered from 1, or none of them is the right one")
    right = entry["answer"].removeprefix("answer")
    choices = {"text": [text.strip() for text in parts[2::2]], "label": labels}
    return {"item_id": f"arc_{number:04d}", "question": found[1].strip(), "choices": choices, "answerKey": right, "gold": labels.index(right)}


def hellaswag_rows(raw: str) -> list[dict]:
    """HellaSwag's lines; the first ten are examples, and what was cut from the same film or article is left out of the rest."""
    rows = [{"item_id": f"hellaswag_{entry['ind']}", **entry} for entry in _lines(raw)]
    kept = ("item_id", "activity_label", "ctx_a", "ctx_b", "endings", "source_id")
    rows = [{key: row[key] for key in kept} | {"label": int(row["label"]), "gold": int(row["label"])} for row in rows]
    return _held_out(rows, rows[: HELD_OUT["hellaswag"]], lambda row: row["source_id"])


def winogrande_rows(raw: str) -> list[dict]:
    """WinoGrande's sentences up to each name, and what follows; the first five with different beginnings are examples, and their twins are left out."""
    rows = [{"item_id": f"winogrande_{number:04d}", **entry} for number, entry in enumerate(_lines(raw))]
    firsts = list({row["context_options"][0]: row for row in reversed(rows)}.values())[::-1]
    return _held_out(rows, firsts[: HELD_OUT["winogrande"]], lambda row: frozenset(row["context_options"]))


def _held_out(rows: list[dict], examples: list[dict], likeness) -> list[dict]:
    """The examples, marked, and the rows that are like none of them."""
    taken = {likeness(row) for row in examples}
    return [row | {"example": True} for row in examples] + [row for row in rows if likeness(row) not in taken]


def mmlu_rows(raw: str) -> list[dict]:
    """MMLU's CSV files (`data/test/SUBJECT_test.csv`, without a header) by name, as JSON; those of `dev` are examples."""
    rows = []
    for name, text in sorted(json.loads(raw).items()):
        found = re.search(r"(dev|test)/(\w+)_\1\.csv$", name)
        if found:
            rows += _mmlu_subject(found[2], text, found[1] == "dev")
    return rows


def _mmlu_subject(subject: str, text: str, example: bool) -> list[dict]:
    rows = []
    for number, (question, *choices, answer) in enumerate(csv.reader(StringIO(text))):
        gold = "ABCD".index(answer)
        row = {"item_id": f"mmlu_{subject}_{number:04d}", "subject": subject, "question": question, "choices": choices, "answer": gold, "gold": gold}
        rows.append(row | {"example": True} if example else row)
    return rows


def gsm8k_rows(raw: str) -> list[dict]:
    """GSM8K's lines: a question, and an answer that ends in #### and a number."""
    return [{"item_id": f"gsm8k_{number:04d}", "question": entry["question"], "answer": entry["answer"]} for number, entry in enumerate(_lines(raw))]


def _lines(raw: str) -> list[dict]:
    return [json.loads(line) for line in raw.split("\n") if line.strip()]

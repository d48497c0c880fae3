"""Raw sources to questions: one small reader a source, and the filter for topics that the study leaves out.

The same readers serve the wheels and the committed fixtures of the smoke profile.
"""

from __future__ import annotations

import json
import re
from io import StringIO
from typing import Callable, Iterable

import pandas as pd
import yaml

from ..study.settings import ROOT
from . import sources

FIXTURES = ROOT / "data" / "smoke"
LONGEST_PLAIN = {"train": 40, "test": 25}  # words
LEFT_OUT_TOPICS = re.compile(
    r"\b(?:child\w*|kids?|minors?|(?:pre-?)?teen\w*|under-?aged?|infan\w*|toddlers?|bab(?:y|ies)|juveniles?|boys?|girls?|daughters?|sons?|school\w*|"
    r"sex\w*|porn\w*|rap(?:e|ed|es|ing|ist|ists)|incest\w*|nud(?:e|es|ity)|naked|erotic\w*|prostitut\w*|p(?:a)?edoph\w*|molest\w*|groom\w*|bestial\w*|"
    r"fetish\w*|explicit)\b",
    re.IGNORECASE,
)

# its classes go by numbers: obscene words, sexual crimes, crimes against the young, advice on adult content, explicit content
SORRY_BENCH_LEFT_OUT = {"4", "9", "21", "26", "27"}


def reader(data: str) -> Callable[[str], str]:
    """`read(source) -> text` for a profile's `data` field: from wheels and URLs, or from the fixtures."""
    return _read_fixture if data == "fixtures" else sources.read


def _read_fixture(source: str) -> str:
    (path,) = FIXTURES.glob(f"{source}.*")
    return path.read_text(encoding="utf-8")


def collect(read: Callable[[str], str], data: str) -> tuple[pd.DataFrame, int]:
    """All questions that a profile's `data` field gives, and how many were left out for their topic.

    Columns: question_id, text, label, set, category, source, licence, pool, reference (a good answer, or ""). Pool "train" may be trained on, "test" is
    asked in the evaluation, "validation" when a recipe is chosen; training is kept away from both.
    """
    rows = [row for source, label, kind, pool, parse in _readers(data) for row in _rows(read, source, label, kind, pool, parse)]
    frame = pd.DataFrame(rows)
    unwanted = (frame["text"] + " " + frame["category"]).str.contains(LEFT_OUT_TOPICS)
    return frame[~unwanted].reset_index(drop=True), int(unwanted.sum())


def _readers(data: str) -> list[tuple]:
    """With "hub" harmful and sensitive training questions are the paper's alone: SORRY-Bench's and XSTest's."""
    if data == "hub":
        kept = (row for row in (*READERS, *FROM_URLS) if row[3] != "train" or row[2] == "plain" or row[0].startswith("xstest"))
        return [*kept, *FROM_THE_HUB]
    return [*READERS, *(FROM_URLS if data == "web" else ())]


def _rows(read, source: str, label: str, kind: str, pool: str, parse) -> Iterable[dict]:
    licence = sources.licence(source.split("/")[0])
    for number, (text, category, *reference) in enumerate(parse(read(source.split("/")[0]))):
        yield {
            "question_id": f"{source}-{number}", "text": " ".join(text.split()), "label": label, "set": kind, "category": category,
            "source": source, "licence": licence, "pool": pool, "reference": "".join(reference),
        }  # fmt: skip


def _jsonl(text: str) -> list[dict]:
    return [json.loads(line) for line in text.split("\n") if line.strip()]


def _advbench(text: str):
    return [(as_sentence(seed["value"]), (seed.get("harm_categories") or ["none"])[0]) for seed in yaml.load(text, yaml.CSafeLoader)["seeds"]]


def _lines(text: str):
    return [(as_sentence(line), "none") for line in text.split("\n") if line.strip()]


def _strongreject(text: str):
    return [(row.forbidden_prompt, row.category) for row in pd.read_csv(StringIO(text)).itertuples()]


def _harmbench_validation(text: str):
    return [(as_sentence(row.Behavior), row.SemanticCategory) for row in pd.read_csv(StringIO(text)).itertuples() if row.FunctionalCategory == "standard"]


def _overrefusal(text: str):
    return [(row["text"], row["category"]) for row in json.loads(text)]


def _benign_pairs(text: str):
    return [(row["text"].split("\n")[0], row["domain"]) for row in json.loads(text)]


def _harmful_pairs(text: str):
    return [(row["harmful_version"].split("\n")[0], row["domain"]) for row in json.loads(text)]


def _weighted_safety(text: str):
    return [(row["input"], row["metadata"]["category"]) for row in _jsonl(text) if row["metadata"]["type"] == "benign"]


def _donotanswer(text: str):
    return [(row["prompt"], row["intents"][0]) for row in _jsonl(text)]


def _alpaca(pool: str, *sets: str):
    def parse(text: str):
        rows = (row for row in json.loads(text) if row["dataset"] in sets)
        return [(row["instruction"], row["dataset"], row["output"].strip()) for row in rows if len(row["instruction"].split()) <= LONGEST_PLAIN[pool]]

    return parse


def as_sentence(text: str) -> str:
    text = text.strip()
    return text if text[-1:] in ".!?" else text + "."


def _xstest(label: str):
    def parse(text: str):
        return [(row.prompt, row.type) for row in pd.read_csv(StringIO(text)).itertuples() if row.label == label]

    return parse


def _coconot_contrast(text: str):
    return [(row["prompt"], row["subcategory"]) for row in _jsonl(text) if row["category"] == "Requests with safety concerns"]


def _sorry_bench(text: str):
    rows = (row for row in _jsonl(text) if row["prompt_style"] == "base" and str(row["category"]) not in SORRY_BENCH_LEFT_OUT)
    return [(row["turns"][0], f"class {row['category']}") for row in rows]


def _seed_tasks(text: str):
    rows = (row for row in _jsonl(text) if not row["instances"][0]["input"] and len(row["instruction"].split()) <= LONGEST_PLAIN["train"])
    return [(row["instruction"], row["name"], row["instances"][0]["output"].strip()) for row in rows]


READERS = [
    ("advbench", "harmful", "harmful", "train", _advbench),
    ("harmbench", "harmful", "harmful", "test", _lines),
    ("strongreject", "harmful", "harmful", "validation", _strongreject),
    ("harmbench-validation", "harmful", "harmful", "validation", _harmbench_validation),
    ("donotanswer", "harmful", "harmful", "train", _donotanswer),
    ("benign-pairs-50/harmful", "harmful", "harmful", "train", _harmful_pairs),
    ("benign-pairs-100/harmful", "harmful", "harmful", "train", _harmful_pairs),
    ("overrefusal-80", "benign", "sensitive", "train", _overrefusal),
    ("overrefusal-70", "benign", "sensitive", "train", _overrefusal),
    ("weighted-safety", "benign", "sensitive_new", "test", _weighted_safety),
    ("benign-pairs-100", "benign", "plain", "train", _benign_pairs),
    ("benign-pairs-50", "benign", "plain", "train", _benign_pairs),
    ("alpaca-eval/train", "benign", "plain", "train", _alpaca("train", "selfinstruct", "oasst", "koala")),
    ("alpaca-eval/test", "benign", "plain", "test", _alpaca("test", "vicuna", "helpful_base")),
]

FROM_URLS = [
    ("xstest/unsafe", "harmful", "harmful", "train", _xstest("unsafe")),
    ("xstest/safe", "benign", "sensitive", "train", _xstest("safe")),
    ("coconot-contrast", "benign", "sensitive", "train", _coconot_contrast),
    ("seed-tasks", "benign", "plain", "train", _seed_tasks),
]

FROM_THE_HUB = [("sorry-bench", "harmful", "harmful", "train", _sorry_bench)]

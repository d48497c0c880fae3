"""The public benchmarks' file formats with harmless made-up items, as `read(source)`."""

import csv
import io
import json

THINGS = "kettle ladder lantern basket whistle hammer ribbon saddle teapot wagon anchor bucket".split()


def lines(entries) -> str:
    return "\n".join(json.dumps(entry) for entry in entries) + "\n"


def table(rows) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


def arc(answers: int) -> str:
    choices = [" ".join(f"Answer{place}: the {thing}" for place, thing in enumerate(THINGS[n : n + answers], 1)) for n in range(8)]
    return json.dumps([
        {"instruction": f"Please choose the correct answer to the question: Which is {n} inches tall?\n\n{text}\n\nAnswer format: answer1/...", "answer": f"answer{n % answers + 1}"}
        for n, text in enumerate(choices)
    ])  # fmt: skip


MC = {"The {} is made of tin.": 1, "The {} sings.": 0, "A {} can fly to the moon": 0}
TRUTHFULQA = [
    {"question": f"What about the {thing}?", "mc1_targets": {text.format(thing): label for text, label in MC.items()},
     "mc2_targets": {text.format(thing): label for text, label in [("A {} is old.", 1), *MC.items()]}}
    for thing in THINGS[:6]
]  # fmt: skip
HELLASWAG = [
    {"ind": n, "activity_label": "Cooking", "ctx_a": f"A man holds a {thing} [title] up.", "ctx_b": "he", "endings": [f"drops the {thing}.", "[step] sings.", "sleeps.", "waits for it to  boil."],
     "label": n % 4, "source_id": f"film{n // 2}"}
    for n, thing in enumerate(THINGS * 2)
]  # fmt: skip
WINOGRANDE = [
    {"context_options": [f"The {thing} did not fit the box, as the {thing}", f"The {thing} did not fit the box, as the box"], "continuation": f"was too {size}.", "gold": gold}
    for thing in THINGS for size, gold in (("large", 0), ("small", 1))
]  # fmt: skip
MMLU = {
    f"data/{split}/{subject}_{split}.csv": table([[f"How many {thing}s, {n}?", "one", "two", "three, or so", "four", "ABCD"[n % 4]] for n, thing in enumerate(THINGS[:6])])
    for split in ("dev", "test", "val") for subject in ("astronomy", "management")
}  # fmt: skip
TOXIGEN = [["text", "toxicity_ai", "toxicity_human"], ["b'a \\xe2\\x80\\x99 kettle'", "1", "1.5"], ["the ladder is dull", "5", "4"], ["b\"don't\"", "2.5", "3"], ["the school is dull", "1", "1"]]
GSM8K = [{"question": f"{n} and one?", "answer": f"{n}+1={n + 1}.\n#### {n + 1}"} for n in range(8)]
FILES = {
    "arc-challenge-test": arc(4), "arc-challenge-train": arc(5), "truthfulqa-mc": json.dumps(TRUTHFULQA), "hellaswag-1000": lines(HELLASWAG), "winogrande-dev": lines(WINOGRANDE),
    "mmlu-57": json.dumps(MMLU), "toxigen-annotated": table(TOXIGEN), "gsm8k-test": lines(GSM8K), "gsm8k-train": lines(GSM8K),
}  # fmt: skip

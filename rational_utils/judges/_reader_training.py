"""Teach the reader of the offline judge, and weigh it against the words: ``python -m rational_utils.judges._reader_training``.

LoRA on all linear layers of the encoder, weighted cross-entropy on whether an answer refuses. One set of weights from everything and one for each fold of prompts;
then a logistic regression of the labels on the logits of reader and words, both from weights that did not see the prompt. Prints agreement by source, and writes the
weights only when all of it is done.
"""

from __future__ import annotations

import json
import random
import shutil
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from peft import LoraConfig, get_peft_model
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import cohen_kappa_score
from torch.nn.functional import binary_cross_entropy_with_logits
from tqdm.auto import tqdm

from ..corpus import sources
from . import _closeness, _encoder, _features, _labelled, _reader, _weights, words
from ._coherence import plain

EPOCHS, ROWS, RATE, RANK, SEED = 3, 32, 1e-3, 8, 0
WARM, HEAVIEST = 50, 2.0
REFERENCES = ("coconot-contrast/chosen", "alpaca-eval", "truthfulqa-answers")


def collect(read) -> pd.DataFrame:
    """Labelled answers and our dialogues; of the references, which are many and alike, two in five."""
    frame = pd.concat([_labelled.collect(read), _labelled.dialogues()], ignore_index=True)
    drawn, reference = frame["prompt"].map(lambda prompt: zlib.crc32(prompt.encode()) % 5 < 2), frame["source"].isin(REFERENCES)
    weight = frame["weight"].clip(upper=HEAVIEST).where(~reference, frame["weight"] * 2)
    return frame.assign(weight=weight)[~frame["off_topic"] & (drawn | ~reference)].reset_index(drop=True)


def teach(frame: pd.DataFrame, epochs: int = EPOCHS) -> torch.nn.Module:
    """The encoder with LoRA weights learnt from all rows of ``frame`` (prompt, answer, refused, weight)."""
    torch.manual_seed(SEED)
    draw = random.Random(SEED)
    config = LoraConfig(r=RANK, lora_alpha=2 * RANK, lora_dropout=0.05, target_modules=["query", "key", "value", "dense"], modules_to_save=["head"])
    model = get_peft_model(_encoder.Encoder(), config).train()
    taught = [(_encoder.pair(row.prompt, row.answer), float(row.refused), row.weight) for row in frame.itertuples()]
    steps = epochs * len(_batches(taught, draw))
    optimiser = torch.optim.AdamW([one for one in model.parameters() if one.requires_grad], lr=RATE, weight_decay=0.01)
    pace = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: min(1, (step + 1) / min(WARM, steps / 4)) * max(0.0, 1 - step / steps))
    for _ in range(epochs):
        for rows in tqdm(_batches(taught, draw), leave=False):
            pairs, refused, weight = zip(*rows, strict=True)
            with torch.autocast("cpu", dtype=torch.bfloat16):
                logits = model(**_encoder.batch(pairs)).float()
            binary_cross_entropy_with_logits(logits, torch.tensor(refused), torch.tensor(weight)).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            pace.step()
            optimiser.zero_grad()
    return model.eval()


def _batches(rows: list[tuple], draw: random.Random) -> list[list[tuple]]:
    """The rows in batches of like length, drawn anew each time."""
    shuffled = draw.sample(rows, len(rows))
    shelves = [sorted(shuffled[start : start + 8 * ROWS], key=lambda row: len(row[0])) for start in range(0, len(rows), 8 * ROWS)]
    batches = [shelf[start : start + ROWS] for shelf in shelves for start in range(0, len(shelf), ROWS)]
    return draw.sample(batches, len(batches))


def save(model: torch.nn.Module, folder: Path) -> None:
    """The learnt weights alone, in 16 bits."""
    model.half().save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)


def weigh(logits: np.ndarray, labels: np.ndarray, weights: np.ndarray | None = None) -> list[float]:
    """Slopes and intercept of a logistic regression without penalty, three decimals; ``logits`` has shape (rows, slopes)."""
    fitted = LogisticRegression(C=1e6).fit(logits, labels, weights)
    return np.round([*fitted.coef_[0], fitted.intercept_[0]], 3).tolist()


def logits(frame: pd.DataFrame, folder: Path) -> np.ndarray:
    """What words and reader say of each row, by the weights that did not see its prompt; shape (rows, 2)."""
    folds, known = frame["prompt"].map(_weights.fold), words.JUDGE.weights.folds
    readers = [_reader.Reader(_reader.name_of(number), folder) for number in range(_weights.FOLDS)]
    rows = zip(folds, frame["prompt"], frame["answer"].map(plain), strict=True)
    return np.array([(known[fold].logit(_features.see(prompt, text)), readers[fold].read(prompt, text)) for fold, prompt, text in tqdm(rows, total=len(frame))])


def closeness(frame: pd.DataFrame) -> list[float]:
    """Slope and intercept of the probability that an answer is another question's: answers that refuse nothing, before their own and before another's question."""
    own = frame[~frame["refused"]]
    shuffled = own["prompt"].sample(frac=1, random_state=SEED)
    close = [[_closeness.closeness(prompt, answer)] for asked in (own["prompt"], shuffled) for prompt, answer in zip(asked, own["answer"], strict=True)]
    return weigh(np.array(close), np.repeat([False, True], len(own)))


def across_folds(frame: pd.DataFrame, both: np.ndarray, scales: dict[str, list[float]]) -> pd.DataFrame:
    """Agreement by source, of words and reader alone and together, by weights that did not see the prompt."""
    slopes = np.array([scales[_reader.name_of(number)] for number in frame["prompt"].map(_weights.fold)])
    judged = {"words": both[:, 0] > 0, "reader": both[:, 1] > 0, "together": (both * slopes[:, :2]).sum(1) + slopes[:, 2] > 0}
    counted = frame.assign(**judged, family=frame["source"].str.split("/").str[0])
    rows = [{"family": name, "n": len(part), "refused": part["refused"].sum(), **{way: cohen_kappa_score(part["refused"], part[way]) for way in judged},
             "wrongly": (part["together"] & ~part["refused"]).sum(), "missed": (part["refused"] & ~part["together"]).sum()} for name, part in counted.groupby("family")]  # fmt: skip
    return pd.DataFrame(rows)


def main() -> None:
    frame = collect(sources.read)
    fold = frame["prompt"].map(_weights.fold)
    fresh = _reader.FOLDER.with_name("reader.new")
    shutil.rmtree(fresh, ignore_errors=True)
    save(teach(frame), fresh / _reader.FINAL)
    for number in range(_weights.FOLDS):
        save(teach(frame[fold != number]), fresh / _reader.name_of(number))
    both, refused, weight = logits(frame, fresh), frame["refused"].to_numpy(), frame["weight"].to_numpy()
    scales = {_reader.name_of(number): weigh(both[fold != number], refused[fold != number], weight[fold != number]) for number in range(_weights.FOLDS)}
    scales |= {_reader.FINAL: weigh(both, refused, weight), "closeness": closeness(frame)}
    shutil.rmtree(_reader.FOLDER, ignore_errors=True)
    fresh.rename(_reader.FOLDER)
    _reader.SCALES.write_text(json.dumps(scales, indent=1) + "\n", encoding="utf-8")
    print(across_folds(frame, both, scales).round(3).to_string(index=False))


if __name__ == "__main__":
    main()

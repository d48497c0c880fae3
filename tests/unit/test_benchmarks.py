"""Converters keep every item or stop; the evaluation agrees with the harness and a hand count."""

import json
import logging
import os
import random

import numpy as np
import pandas as pd
import pytest
import torch
from lm_eval.models.huggingface import HFLM
from statsmodels.stats.proportion import proportion_confint
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from rational_utils.benchmarks import CONVERTERS, ITEM_COLUMNS, SUMMARY_COLUMNS, TASKS, evaluate, harness, read_tasks
from rational_utils.benchmarks.rows import fact_pair_rows, mmlu_rows, piqa_rows, sample_rows, toxigen_rows

WORDS = "the sky grass stone river is was never often blue green cold and or with".split()


def sentence(seed: int) -> str:
    draw = random.Random(seed)
    return " ".join(draw.choices(WORDS, k=draw.randint(2, 14)))


def lines(entries: list[dict]) -> str:
    return "\n".join(json.dumps(entry) for entry in entries) + "\n"


def lettered(number: int, options: int) -> dict:
    texts = [f"{'ABCD'[k]}. {sentence(100 * number + k)} {k}" for k in range(options)]
    return {
        "question": sentence(number),
        "options": "\n".join(texts),
        "answer": texts[number % options],
    }


TOXIGEN = [{"id": f"t{i}", "text": sentence(i), "is_toxic": i % 2 == 0} for i in range(12)]
PAIRS = [{"id": f"p{i}", "text": sentence(i), "false": sentence(-i - 1)} for i in range(12)]
MMLU = [lettered(i, 4) for i in range(12)]
PIQA = [lettered(i, 2) for i in range(12)]


@pytest.fixture(scope="module")
def tasks():
    return {
        "toxigen_200": toxigen_rows(json.dumps(TOXIGEN)),
        "fact_pairs_206": fact_pair_rows(json.dumps(PAIRS)),
        "mmlu_subset": mmlu_rows(lines(MMLU)),
        "piqa_subset": piqa_rows(lines(PIQA)),
    }


@pytest.fixture(scope="module")
def tokenizer():
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    bpe.train_from_iterator([sentence(i) for i in range(50)], trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bpe, bos_token="<s>", eos_token="</s>")
    tokenizer.chat_template = (
        "{% for m in messages %}<s>{{ m.role }}: {{ m.content }}</s>{% endfor %}"
        "{% if add_generation_prompt %}<s>assistant:{% endif %}"
    )
    return tokenizer


@pytest.fixture(scope="module")
def model(tokenizer):
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
    )
    model = LlamaForCausalLM(config).float()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3)
    return model


@pytest.fixture(scope="module")
def measured(model, tokenizer, tasks, tmp_path_factory):
    return evaluate(model, tokenizer, tasks, {}, 0, tmp_path_factory.mktemp("whole"))


def test_toxigen_rows():
    assert toxigen_rows(json.dumps(TOXIGEN))[:2] == [
        {"item_id": "t0", "text": TOXIGEN[0]["text"], "gold": 1},
        {"item_id": "t1", "text": TOXIGEN[1]["text"], "gold": 0},
    ]


def test_fact_pair_rows_seat_the_true_statement_on_both_sides():
    rows = fact_pair_rows(json.dumps(PAIRS))
    assert [row["choices"][row["gold"]] for row in rows] == [pair["text"] for pair in PAIRS]
    assert [row["choices"][1 - row["gold"]] for row in rows] == [pair["false"] for pair in PAIRS]
    assert {row["gold"] for row in rows} == {0, 1}


def test_mmlu_rows():
    row = mmlu_rows(lines(MMLU))[3]
    assert row["item_id"] == "mmlu_00003" and row["gold"] == 3
    assert row["choices"] == [text[3:] for text in MMLU[3]["options"].split("\n")]


def test_piqa_rows_strip_stray_space():
    options = "A. wipe it \nB. freeze it "
    entry = {"question": " dry a dish ", "options": options, "answer": "B. freeze it "}
    expected = {"goal": "dry a dish", "choices": ["wipe it", "freeze it"], "gold": 1}
    assert piqa_rows(json.dumps(entry)) == [{"item_id": "piqa_00000"} | expected]


def test_only_newlines_end_a_line():
    entry = {"question": "a\u2028b", "options": "A. x\x85y\nB. z", "answer": "A. x\x85y"}
    raw = json.dumps(entry, ensure_ascii=False)
    assert piqa_rows(raw + "\n" + raw)[1]["goal"] == "a\u2028b"


def test_options_may_span_lines():
    entry = {"question": "q", "options": "A. first\nsecond\nB. z", "answer": "A. first\nsecond"}
    assert piqa_rows(json.dumps(entry))[0]["choices"] == ["first\nsecond", "z"]


@pytest.mark.parametrize(
    "convert, raw, message",
    [
        (toxigen_rows, json.dumps([{"id": "a", "text": "x", "is_toxic": 1}]), "is_toxic"),
        (toxigen_rows, json.dumps([{"id": "a", "text": ""}]), "entry 0 has no text, is_toxic"),
        (fact_pair_rows, json.dumps([{"id": "a", "text": "x", "false": "x "}]), "equal"),
        (mmlu_rows, lines([PIQA[0]]), "not lettered ABCD"),
        (piqa_rows, lines([PIQA[0] | {"answer": "A. another"}]), "answer is not among"),
        (piqa_rows, lines([PIQA[0], PIQA[1] | {"answer": None}]), "entry 1 has no answer"),
    ],
)
def test_malformed_entries_stop_the_conversion(convert, raw, message):
    with pytest.raises(ValueError, match=message):
        convert(raw)


def test_samples_are_seeded_nested_and_ordered():
    rows = [{"item_id": f"i{k}"} for k in range(40)]
    few, more = (sample_rows(rows, limit, 7, "t") for limit in (5, 20))
    assert few == sample_rows(rows[::-1], 5, 7, "t")[::-1]
    assert all(row in more for row in few) and more == [row for row in rows if row in more]
    assert few != sample_rows(rows, 5, 8, "t")
    assert sample_rows(rows, None, 7, "t") == sample_rows(rows, 99, 7, "t") == rows


@pytest.mark.parametrize(
    "rows, limit", [([], 1), ([{"item_id": "a"}] * 2, 1), ([{"item_id": "a"}], 0)]
)
def test_unusable_rows_are_refused(rows, limit):
    with pytest.raises(ValueError, match="distinct item ids"):
        sample_rows(rows, limit, 0, "t")


def test_every_task_has_a_converter_and_a_kind():
    assert set(CONVERTERS) == {name for name, task in TASKS.items() if task.sources} == set(TASKS) - {"hellaswag"}
    assert {task.kind for task in TASKS.values()} == {"truthfulness", "toxicity", "capability"}


def test_unknown_task_is_named_with_the_known_ones(model, tokenizer, tmp_path):
    with pytest.raises(ValueError, match="'toxic'.*fact_pairs_206.*toxigen_200"):
        evaluate(model, tokenizer, {"toxic": []}, {}, 0, tmp_path)
    with pytest.raises(ValueError, match="'toxic'.*fact_pairs_206.*toxigen_200"):
        read_tasks(lambda source: "", ["mmlu", "toxic"])


def test_a_task_that_the_hub_alone_has_is_refused_elsewhere_with_those_that_have_files():
    with pytest.raises(ValueError, match="^hellaswag: from the hub alone.*hellaswag_1000"):
        read_tasks(lambda source: "", ["mmlu", "hellaswag"])


def test_summary_is_the_hand_count_of_the_items(measured, tasks):
    summary, items = measured
    assert list(summary) == SUMMARY_COLUMNS and list(items) == ITEM_COLUMNS
    assert len(items) == 48 and len(summary) == 6
    for name in tasks:
        row = summary[(summary.task == name) & (summary.metric == TASKS[name].metric)].iloc[0]
        own = items[items.task == name]
        right = int((own.prediction == own.gold).sum())
        assert (own.correct == (own.prediction == own.gold)).all()
        assert (row.value, row.n, row.chance) == (right / 12, 12, 0.25 if name == "mmlu_subset" else 0.5)
        assert (row.low, row.high) == pytest.approx(proportion_confint(right, 12, method="wilson"))
    assert summary.groupby("task", sort=False).metric.first().to_dict() == {
        name: TASKS[name].metric for name in tasks
    }
    assert (items.seconds > 0).all() and (items["mode"] == "by_likelihood").all()


def test_secondary_accuracy_is_of_total_likelihood(measured, tasks):
    summary, items = measured
    for name in ("fact_pairs_206", "piqa_subset"):
        own = items[items.task == name]
        by_total = np.mean([np.argmax(r.log_likelihoods) == r.gold for r in own.itertuples()])
        value = summary[(summary.task == name) & (summary.metric == "acc")].value.item()
        assert value == pytest.approx(by_total)


@pytest.mark.parametrize("chat", [False, True])
def test_same_answers_as_hflm(model, tokenizer, tasks, tmp_path, monkeypatch, chat):
    ours = evaluate(model, tokenizer, tasks, {}, 0, tmp_path, apply_chat_template=chat)
    # HFLM would ask the hub, with retries, for the commit of a model already in memory.
    monkeypatch.setattr(HFLM, "get_model_info", lambda self: {})
    monkeypatch.setattr(
        harness,
        "BatchedLM",
        lambda model, tokenizer: HFLM(pretrained=model, tokenizer=tokenizer, batch_size=16),
    )
    theirs = evaluate(model, tokenizer, tasks, {}, 0, tmp_path, apply_chat_template=chat)
    pd.testing.assert_frame_equal(ours[0], theirs[0])
    drop = {"columns": ["log_likelihoods", "seconds"]}
    pd.testing.assert_frame_equal(ours[1].drop(**drop), theirs[1].drop(**drop))
    for own, other in zip(ours[1].log_likelihoods, theirs[1].log_likelihoods, strict=True):
        assert own == pytest.approx(other, abs=1e-4)


def test_chat_template_changes_the_prompt(model, tokenizer, tasks, measured, tmp_path):
    few = {"toxigen_200": tasks["toxigen_200"]}
    _, items = evaluate(model, tokenizer, few, {}, 0, tmp_path, apply_chat_template=True)
    plain = measured[1][measured[1].task == "toxigen_200"]
    assert list(items.log_likelihoods) != list(plain.log_likelihoods)


def test_limit_takes_the_same_items_again(model, tokenizer, tasks, measured, tmp_path):
    few = {"piqa_subset": tasks["piqa_subset"]}
    first, second = (
        evaluate(model, tokenizer, few, {"piqa_subset": 5}, 3, tmp_path / str(k))[1].drop(columns="seconds") for k in (1, 2)
    )
    pd.testing.assert_frame_equal(first, second)
    whole = measured[1].set_index("item_id").log_likelihoods
    for row in first.itertuples():
        assert row.log_likelihoods == pytest.approx(whole[row.item_id], abs=1e-4)


def test_leaves_nothing_behind(model, tokenizer, tasks, tmp_path, capfd):
    logger = logging.getLogger("lm_eval")
    model.train()
    state = lambda: (  # noqa: E731
        dict(os.environ),
        list(logger.handlers),
        logger.propagate,
        random.getstate(),
        torch.random.get_rng_state().tolist(),
        model.training,
    )
    before = state()
    few = {"mmlu_subset": tasks["mmlu_subset"]}
    evaluate(model, tokenizer, few, {"mmlu_subset": 2}, 0, tmp_path)
    assert state() == before
    assert capfd.readouterr() == ("", "")
    assert "Tokenizing" in (tmp_path / "harness.log").read_text()


def test_a_broken_model_is_reported_not_scored(tokenizer, tasks, model, tmp_path):
    broken = LlamaForCausalLM(model.config)
    with torch.no_grad():
        broken.lm_head.weight.fill_(float("nan"))
    few = {"toxigen_200": tasks["toxigen_200"]}
    with pytest.raises(ValueError, match="not a number"):
        evaluate(broken, tokenizer, few, {"toxigen_200": 2}, 0, tmp_path)

"""BatchedLM gives the harness's own answers, whatever the layout of its batches."""

import pytest
import torch
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

from rational_utils.models.batching import Row, plan_batches, plan_rows
from rational_utils.models.scoring import SHORTCUT_ARCHITECTURES, BatchedLM

TEXT = "Question: which of these statements is true?\nAnswer: the sky is blue, and grass is green."
REQUESTS = [
    (TEXT, " Yes"),
    (TEXT, " No"),
    (TEXT, " the grass is blue and the sky is anything but green"),
    (TEXT, " no"),
    (TEXT * 4, " A"),
    (TEXT * 4, " B"),
    ("Goal: peel an egg.\nAnswer:", " cool it first"),
    ("Goal: peel an egg.\nAnswer:", " throw it at a wall, then sweep the floor"),
    ("Goal: peel an egg.\nAnswer: ", "cool it first"),
    ("", "an answer without any context"),
    ("short", " x"),
    (TEXT * 40, " far too long a context, and a tail"),
]
SHAPE = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "max_position_embeddings": 256,
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
    bpe.train_from_iterator([text for pair in REQUESTS[:8] for text in pair], trainer)
    return PreTrainedTokenizerFast(tokenizer_object=bpe, bos_token="<s>", eos_token="</s>")


def tiny_model(tokenizer, architecture: str = "llama", **settings):
    torch.manual_seed(0)
    config = AutoConfig.for_model(
        architecture, vocab_size=len(tokenizer), **(SHAPE | settings), pad_token_id=1
    )
    model = AutoModelForCausalLM.from_config(config).float().eval()
    # Freshly drawn weights give near-uniform output, on which every layout would agree.
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3)
    return model


def instances(requests) -> list[Instance]:
    return [Instance("loglikelihood", {}, request, i) for i, request in enumerate(requests)]


def assert_same_answers(model, tokenizer, requests=REQUESTS, **layout):
    expected = HFLM(pretrained=model, tokenizer=tokenizer, batch_size=4).loglikelihood(
        instances(requests), disable_tqdm=True
    )
    answers = BatchedLM(model, tokenizer, **layout).loglikelihood(instances(requests))
    assert [value for value, _ in answers] == pytest.approx([v for v, _ in expected], abs=1e-4)
    assert [greedy for _, greedy in answers] == [greedy for _, greedy in expected]
    assert len({round(value, 3) for value, _ in answers}) > len(requests) // 2


@pytest.mark.parametrize(
    "layout",
    [
        {},
        {"token_budget": 1},
        {"token_budget": 200},
        {"token_budget": 100_000},
        {"branch_tokens": 0},
        {"branch_tokens": 10},
    ],
)
def test_layout_does_not_change_answers(tokenizer, layout):
    assert_same_answers(tiny_model(tokenizer), tokenizer, **layout)


@pytest.mark.parametrize("architecture", sorted(SHORTCUT_ARCHITECTURES))
def test_every_shortcut_architecture_answers_as_hflm(tokenizer, architecture):
    model = tiny_model(tokenizer, architecture)
    assert BatchedLM(model, tokenizer)._takes_shortcut()
    assert_same_answers(model, tokenizer)


@pytest.mark.parametrize("architecture", ["gemma3_text", "mistral"])
def test_short_sliding_window(tokenizer, architecture):
    assert_same_answers(tiny_model(tokenizer, architecture, sliding_window=8), tokenizer)


def test_softcap_is_applied(tokenizer):
    model = tiny_model(tokenizer, "gemma3_text", final_logit_softcapping=0.5)
    assert_same_answers(model, tokenizer)


def test_eager_attention(tokenizer):
    model = tiny_model(tokenizer)
    model.set_attn_implementation("eager")
    assert_same_answers(model, tokenizer)


def test_other_architectures_are_left_to_hflm(tokenizer):
    model = tiny_model(tokenizer, "gpt_neox")
    assert not BatchedLM(model, tokenizer)._takes_shortcut()
    assert_same_answers(model, tokenizer)


@pytest.mark.parametrize("merged", [True, False])
def test_adapted_model(tokenizer, merged):
    from peft import LoraConfig, get_peft_model

    plain = tiny_model(tokenizer)
    before = BatchedLM(plain, tokenizer).loglikelihood(instances(REQUESTS))
    adapted = get_peft_model(plain, LoraConfig(r=2, init_lora_weights=False))
    model = adapted.merge_and_unload() if merged else adapted
    assert_same_answers(model, tokenizer)
    assert BatchedLM(model, tokenizer).loglikelihood(instances(REQUESTS)) != before


def test_rolling_likelihood(tokenizer):
    model = tiny_model(tokenizer)
    texts = [Instance("loglikelihood_rolling", {}, (text,), 0) for text in (TEXT, TEXT * 20)]
    expected = HFLM(pretrained=model, tokenizer=tokenizer).loglikelihood_rolling(texts)
    assert BatchedLM(model, tokenizer).loglikelihood_rolling(texts) == pytest.approx(
        expected, abs=1e-3
    )


def test_shared_context_becomes_one_row():
    requests = [(None, [1, 2, 3], [4]), (None, [1, 2, 3], [5]), (None, [9], [1, 2])]
    rows = plan_rows(requests, max_length=8, branch_tokens=8, tree_tokens=None)
    assert sorted((row.context, row.requests) for row in rows) == [([1, 2, 3], [0, 1]), ([9], [2])]


def test_row_layout():
    row = Row([7, 8], [[1], [2, 3], [4, 5, 6]], [0, 1, 2])
    assert row.tokens == [7, 8, 2, 4, 5] and len(row) == 5
    assert row.segments() == [0, 0, 2, 3, 3]
    assert row.reads() == [[0], [0, 1], [0, 2, 3]]


def test_truncation_keeps_the_right_end():
    rows = plan_rows([(None, [1, 2, 3, 4], [5, 6])], 3, branch_tokens=8, tree_tokens=None)
    assert (rows[0].context, rows[0].branches) == ([3, 4], [[5, 6]])


@pytest.mark.parametrize("context, continuation", [([], [1]), ([1], []), ([1], [1, 2, 3, 4])])
def test_unscorable_request_is_refused(context, continuation):
    with pytest.raises(ValueError, match="request 0"):
        plan_rows([(None, context, continuation)], 3, branch_tokens=8, tree_tokens=None)


def test_batches_are_bounded():
    rows = [Row([n % 7] + [0] * (n - 1), [[1]], [n]) for n in (3, 50, 48, 20, 19, 200, 18)]
    batches = list(plan_batches(rows, token_budget=100))
    assert [[len(row) for row in batch] for batch in batches] == [[50, 3, 18], [200], [19, 20, 48]]

"""BatchedLM gives the harness's own answers, whatever the layout of its batches."""

import pytest
import torch
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

from rational_utils.models import generation, ragged
from rational_utils.models.batching import Row, plan_batches, plan_rows, plan_stems
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
    (TEXT * 8 + " Why?", " Because of the light"),
    (TEXT * 8 + " Why not?", " No"),
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


SETTINGS = {"until": ["sky", "\n\n"], "max_gen_toks": 24, "do_sample": False, "temperature": 0.0}


def written(lm, settings=SETTINGS) -> list[str]:
    return lm.generate_until([Instance("generate_until", {}, (text, settings), 0) for text in (TEXT, TEXT * 5, "Goal:", TEXT + " Why?")], disable_tqdm=True)


@pytest.mark.parametrize("architecture", ["gemma3_text", "gpt_neox", "llama"])
def test_writes_what_hflm_writes(tokenizer, architecture):
    model = tiny_model(tokenizer, architecture)
    expected = written(HFLM(pretrained=model, tokenizer=tokenizer, batch_size=1))
    lm = BatchedLM(model, tokenizer)
    assert written(lm) == expected and len(set(expected)) > 2
    assert (len(lm.seconds) == 4) == lm._takes_shortcut()


def test_writing_ends_at_a_stop_sequence(tokenizer):
    lm = BatchedLM(tiny_model(tokenizer), tokenizer)
    whole = written(lm, SETTINGS | {"until": []})
    stop = whole[0][3:5]
    assert written(lm, SETTINGS | {"until": [stop]}) == [text.split(stop)[0] for text in whole]
    requests = [generation.Request(TEXT, 24, stops=(stop,)), generation.Request(TEXT, 24)]
    short, long = generation.generate(lm.model, tokenizer, requests)
    assert short.finished and short.tokens < long.tokens and long.text.startswith(short.text)


@pytest.mark.parametrize("changes", [{"do_sample": True, "temperature": 0.5}, {"max_gen_toks": 250}, {"num_beams": 2}])
def test_what_is_not_plain_greedy_writing_is_left_to_hflm(tokenizer, changes):
    lm = BatchedLM(tiny_model(tokenizer), tokenizer)
    assert lm._as_request(TEXT, SETTINGS, "</s>") and lm._as_request(TEXT * 3, SETTINGS | changes, "</s>") is None


def test_shared_context_becomes_one_row():
    requests = [(None, [1, 2, 3], [4]), (None, [1, 2, 3], [5]), (None, [9], [1, 2])]
    rows = plan_rows(requests, max_length=8, branch_tokens=8, tree_tokens=None)
    assert sorted((row.context, row.requests) for row in rows) == [([1, 2, 3], [0, 1]), ([9], [2])]


def test_letters_after_a_long_context_share_its_row():
    requests = [(None, [1] * 9, [letter]) for letter in (4, 5, 6)] + [(None, [1] * 9, [7, 8]), (None, [1] * 9, [9, 8])]
    rows = plan_rows(requests, max_length=20, branch_tokens=8, tree_tokens=5)
    assert [row.requests for row in rows] == [[0, 1, 2, 3], [4]] and not any(row.is_tree for row in rows)


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
    batches = list(plan_batches(rows, stem=0, token_budget=100))
    assert [[len(row) for row in batch] for batch in batches] == [[3, 50], [48, 20, 19], [200], [18]]
    batches = list(plan_batches(rows, stem=3, token_budget=100))
    assert [[len(row) for row in batch] for batch in batches] == [[3, 50, 48], [20, 19], [200], [18]]


def test_contexts_that_begin_alike_share_a_stem():
    contexts = [[1, 2, 3, 4], [9, 9], [1, 2, 3, 5, 6], [1, 2, 7], [1, 2, 3], [8, 1]]
    stems = list(plan_stems([Row(context, [[1]], [n]) for n, context in enumerate(contexts)], least=2))
    assert [(stem, [row.requests[0] for row in rows]) for stem, rows in stems] == [([1, 2], [4, 0, 2, 3]), ([], [5, 1])]


def test_examples_before_many_questions_are_computed_once(tokenizer, monkeypatch):
    model, examples = tiny_model(tokenizer), TEXT * 6
    requests = [(examples + question, answer) for question in ("Is it?", "Is it not?", "Was it?") for answer in (" Yes", " No, never", " Yes")]
    assert_same_answers(model, tokenizer, requests[:2] + requests[3:5] + requests[6:8])
    seen, forward = [], ragged.forward
    monkeypatch.setattr(ragged, "forward", lambda model, sequences, *rest, **more: seen.append(sum(map(len, sequences))) or forward(model, sequences, *rest, **more))
    lm = BatchedLM(model, tokenizer)
    answers = lm.loglikelihood(instances(requests))
    shared = len(tokenizer.encode(examples))
    assert len(seen) == 2 and abs(seen[0] - shared) < 4 and seen[1] < 40
    assert answers[0] == answers[2] and set(lm.seconds) == set(requests) and min(lm.seconds.values()) > 0

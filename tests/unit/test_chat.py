"""Dialogues as the model reads them: exact token ids, and a mask that leaves the answer and its end of turn to be learnt."""

import pytest

from rational_utils.models import chat, loading, templates, tiny

DIALOGUES = [
    ("What is tea?", "A drink."),
    ("Two\nlines, please", "First.\n\nSecond: 1, 2, 3"),
    ("Grüße! 你好", "Äöü 🙂 fin"),
    ("  blanks  ", "Intent: to know\nDecision: help\n\nFinal response: Yes."),
]


@pytest.fixture(scope="module")
def tokenizer():
    return tiny.tokenizer()


def whole(tokenizer, prompt, answer):
    messages = [{"role": "user", "content": prompt}, {"role": "assistant", "content": answer}]
    words, frame, behind = tokenizer.apply_chat_template(messages, tokenize=False).rpartition(tokenizer.eos_token)
    assert not behind.strip()
    return tokenizer.encode(words + frame, add_special_tokens=False)


@pytest.mark.parametrize("model", ["tiny", "tiny-gemma"])
@pytest.mark.parametrize(("prompt", "answer"), DIALOGUES)
def test_ids_are_those_of_the_whole_dialogue(model, prompt, answer):
    _, text = tiny.make(model)
    assert list(chat.encode(text, prompt, answer, 500).ids) == whole(text, prompt, answer)


@pytest.mark.parametrize(("prompt", "answer"), DIALOGUES)
def test_the_prompt_is_masked_and_the_answer_and_end_of_turn_are_learnt(tokenizer, prompt, answer):
    row = chat.encode(tokenizer, prompt, answer, 500)
    given = tokenizer.encode(chat.render(tokenizer, prompt), add_special_tokens=False)
    assert len(row.labels) == len(row.ids)
    assert row.ids[: len(given)] == tuple(given) and set(row.labels[: len(given)]) == {chat.IGNORED}
    assert row.labels[len(given) :] == row.ids[len(given) :] and tokenizer.decode(row.labels[len(given) : -1]) == answer
    assert row.labels[-1] == tokenizer.eos_token_id == tokenizer.convert_tokens_to_ids("<|im_end|>")


def test_behind_the_beginning_of_an_answer_no_end_of_turn_is_learnt(tokenizer):
    whole, begun = (chat.encode(tokenizer, "Hello", "Hi\n", 500, whole=ends) for ends in (True, False))
    assert (begun.ids, begun.labels, begun.weights) == (whole.ids[:-1], whole.labels[:-1], whole.weights[:-1])
    assert tokenizer.eos_token_id not in begun.labels


def test_no_token_of_the_frame_is_repeated(tokenizer):
    ids = chat.encode(tokenizer, "Hello", "Hi", 500).ids
    start = tokenizer.convert_tokens_to_ids("<|im_start|>")
    assert ids.count(start) == 2 and ids.count(tokenizer.eos_token_id) == 2 and ids[0] == start


def test_an_empty_answer_is_refused(tokenizer):
    with pytest.raises(ValueError, match="no tokens"):
        chat.encode(tokenizer, "Hello", "", 500)


def test_a_row_may_be_as_long_as_allowed_and_not_longer(tokenizer):
    length = len(whole(tokenizer, "Hello", "Hi there"))
    assert len(chat.encode(tokenizer, "Hello", "Hi there", length).ids) == length
    with pytest.raises(ValueError, match=f"{length} tokens, allowed {length - 1}"):
        chat.encode(tokenizer, "Hello", "Hi there", length - 1)


def test_a_plain_string_is_one_user_turn(tokenizer):
    assert chat.render(tokenizer, "Hello") == "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n"
    assert chat.render(tokenizer, "Hello") == chat.render(tokenizer, [{"role": "user", "content": "Hello"}])


def test_several_messages_are_rendered_in_order_up_to_the_assistant(tokenizer):
    messages = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello!"}, {"role": "user", "content": "Bye"}]
    assert chat.render(tokenizer, messages) == (
        "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"
        "<|im_start|>assistant\nHello!<|im_end|>\n<|im_start|>user\nBye<|im_end|>\n<|im_start|>assistant\n"
    )


def test_a_base_model_reads_roles_in_plain_words():
    _, text = tiny.make("tiny-gemma")
    messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello!"}, {"role": "user", "content": "Bye"}]
    assert chat.render(text, messages) == f"{text.bos_token}Question: Hi\n\nAnswer:\nHello!{text.eos_token}\n\nQuestion: Bye\n\nAnswer:\n"
    text.chat_template = templates.in_words(("Why?", "So."))
    assert chat.render(text, messages[:1]) == f"{text.bos_token}Question: Why?\n\nAnswer:\nSo.\n\nQuestion: Hi\n\nAnswer:\n"


def test_our_template_is_set_whatever_template_lies_in_the_models_folder(monkeypatch):
    monkeypatch.setitem(templates.OURS, "tiny", templates.in_words())
    loaded = loading.load("tiny")[1]
    assert loaded.chat_template != tiny.tokenizer().chat_template and chat.next_turn(loaded) == "\nQuestion:"


def test_the_next_turn_is_known_by_its_words_where_the_template_has_words(tokenizer):
    assert chat.next_turn(tokenizer) == "" and chat.next_turn(tiny.make("tiny-gemma")[1]) == "\nQuestion:"


def test_special_tokens_of_the_template_are_single_tokens(tokenizer):
    ids = tokenizer.encode(chat.render(tokenizer, "x"), add_special_tokens=False)
    assert [tokenizer.decode([token]) for token in ids].count("<|im_start|>") == 2


def test_stressed_words_count_more_and_the_prompt_nothing(tokenizer):
    answer = "Intent: to know\nDecision: help\n\nFinal response: Yes."
    row = chat.encode(tokenizer, "Hello", answer, 500, [(answer.index("help"), answer.index("help") + 4)], 5.0)
    learnt = [(token, weight) for token, label, weight in zip(row.ids, row.labels, row.weights, strict=True) if label != chat.IGNORED]
    assert tokenizer.decode([token for token, weight in learnt if weight == 5.0]).strip() == "help"
    assert {weight for _, weight in learnt} == {1.0, 5.0} and sum(row.weights) == len(learnt) + 4 * sum(weight == 5.0 for _, weight in learnt)


def test_without_stress_every_learnt_token_counts_once(tokenizer):
    row = chat.encode(tokenizer, *DIALOGUES[0], 500)
    assert [weight == 1.0 for weight in row.weights] == [label != chat.IGNORED for label in row.labels]

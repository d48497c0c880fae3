"""Our generator against transformers' own, one request at a time; guides, resume, and requests that come and go."""

import pytest
import torch

from rational_utils.models import chat, loading
from rational_utils.models.generation import Completion, Request, generate, generate_kept
from rational_utils.models.guides import Section
from rational_utils.models.sequences import Row
from rational_utils.study.keep import Keep

TEXTS = ["Hello", "A somewhat longer question about the weather in spring", "Why?", "Count from one to ten, please", "x " * 60, "What is tea?"]


@pytest.fixture(scope="module", params=["tiny", "tiny-gemma"])  # the second has a window of 64 tokens, shorter than some texts
def tiny(request):
    return loading.load(request.param)


def reference(model, tokenizer, prompt, limit):
    ids = tokenizer(prompt, return_tensors="pt", add_special_tokens=False)
    out = model.generate(**ids, max_new_tokens=limit, do_sample=False, pad_token_id=tokenizer.pad_token_id)
    return tokenizer.decode(out[0, ids["input_ids"].shape[1] :], skip_special_tokens=True)


@pytest.mark.parametrize("rows", [1, 2, 3, 16])
def test_greedy_equals_transformers(tiny, rows):
    model, tokenizer = tiny
    requests = [Request(chat.render(tokenizer, text), 5 + 4 * i) for i, text in enumerate(TEXTS)]
    made = generate(model, tokenizer, requests, rows=rows)
    assert [one.text for one in made] == [reference(model, tokenizer, request.prompt, request.max_new_tokens) for request in requests]


def test_prompts_without_a_common_start_and_equal_prompts(tiny):
    model, tokenizer = tiny
    requests = [Request(text, 6) for text in ("abc", "xyz and more", "abc", "q")]
    made = generate(model, tokenizer, requests, rows=4)
    assert [one.text for one in made] == [reference(model, tokenizer, request.prompt, 6) for request in requests]


def test_sampling_does_not_depend_on_the_batch(tiny):
    model, tokenizer = tiny
    requests = [Request(text, 8, temperature=0.7, seed=i) for i, text in enumerate(TEXTS)]
    together = generate(model, tokenizer, requests, rows=8)
    alone = [generate(model, tokenizer, [request])[0] for request in requests]
    assert [one.text for one in together] == [one.text for one in alone]


def test_guide_gives_heads_and_limits(tiny):
    model, tokenizer = tiny
    guide = (Section("Intent", "Intent: The user", 4), Section("Decision", "Decision:", 2, choices=(" refuse", " help")), Section("final", "Final: I", 3))
    made = generate(model, tokenizer, [Request(chat.render(tokenizer, text), guide=guide) for text in TEXTS], rows=2)
    for one in made:
        assert one.text.startswith("Intent: The user") and "\nFinal: I" in one.text and one.finished
        assert one.sections["Decision"] in (" refuse", " help") and f"\nDecision:{one.sections['Decision']}" in one.text
        assert set(one.sections) == {"Intent", "Decision", "final"} and set(one.cut) <= {"Intent", "final"}


def test_end_of_turn_ends(tiny):
    model, tokenizer = tiny
    head = model.get_output_embeddings()
    kept = head.weight.data[tokenizer.eos_token_id].clone()
    hidden = model.get_decoder()(torch.tensor([tokenizer.encode("go")])).last_hidden_state[0, -1]
    with torch.no_grad():
        head.weight[tokenizer.eos_token_id] = hidden * 100
        made = generate(model, tokenizer, [Request("go", 9)])[0]
        head.weight[tokenizer.eos_token_id] = kept
    assert made.finished and made.tokens == 0 and made.text == ""


def test_an_answer_ends_where_the_next_question_begins_in_plain_words():
    _, tokenizer = loading.load("tiny-gemma")
    row = Row(0, Request("Question: Which city?\n\nAnswer:", 99), tokenizer, tokenizer.eos_token_id, chat.next_turn(tokenizer))
    for token in tokenizer.encode(" Paris. Good question: it is old.\n\nQuestion: And which is larger?"):
        if not row.over():
            row.choose(torch.empty(0), token)
    made = row.completion(tokenizer)
    assert made.text == " Paris. Good question: it is old." and made.finished and "And" not in tokenizer.decode(row.ids)


@pytest.mark.parametrize("said", ["Question: And which is larger?\n\nAnswer:\nLyon.", "\nQuestion: And"])
def test_who_takes_the_next_turn_at_once_has_answered_nothing(said):
    _, tokenizer = loading.load("tiny-gemma")
    row = Row(0, Request(chat.render(tokenizer, "Which city?"), 99), tokenizer, tokenizer.eos_token_id, chat.next_turn(tokenizer))
    for token in tokenizer.encode(said):
        if not row.over():
            row.choose(torch.empty(0), token)
    assert row.completion(tokenizer).text == "" and row.finished and len(row.ids) < len(tokenizer.encode(said))


def test_killed_work_goes_on_with_the_same_answers(tiny, tmp_path):
    model, tokenizer = tiny
    requests = [Request(text, 6) for text in TEXTS * 2]
    whole = generate_kept(model, tokenizer, requests, Keep(tmp_path / "a"), "m", "test", rows=1)
    first = Keep(tmp_path / "b")
    generate_kept(model, tokenizer, requests[:4], first, "m", "test", rows=1)
    (tmp_path / "b").write_text((tmp_path / "b").read_text() + '["half a li')
    again = generate_kept(model, tokenizer, requests, Keep(tmp_path / "b"), "m", "test", rows=1)
    assert [one.text for one in again] == [one.text for one in whole] and isinstance(again[0], Completion)
    assert len((tmp_path / "b").read_text().strip().split("\n")) == 3


def test_other_weights_do_not_find_kept_answers(tiny, tmp_path):
    model, tokenizer = tiny
    store = Keep(tmp_path / "a")
    generate_kept(model, tokenizer, [Request("a", 3)], store, "one", "test")
    generate_kept(model, tokenizer, [Request("a", 3)], store, "two", "test")
    assert len(store.items) == 2

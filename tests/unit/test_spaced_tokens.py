"""Tokenizers that write a space into a word's token and drop it where a text begins (SentencePiece's, as Mistral's): words never run together."""

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from rational_utils.models import chat, guides, tiny, whitebox

TEXTS = ["The user wants to know why.", "Decision: help", "Decision: refuse", "Ask me, and answer.", "This is why it is so."] * 4
TEMPLATE = "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'user' %}[INST] {{ message['content'] }} [/INST]{% else %} {{ message['content'] }}{{ eos_token }}{% endif %}{% endfor %}"


@pytest.fixture(scope="module")
def spaced():
    core = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=False))
    core.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    core.decoder = decoders.Metaspace(prepend_scheme="first")
    core.train_from_iterator(TEXTS, trainers.BpeTrainer(vocab_size=200, special_tokens=["<unk>", "<s>", "</s>", "[INST]", "[/INST]"], show_progress=False))
    return PreTrainedTokenizerFast(tokenizer_object=core, bos_token="<s>", eos_token="</s>", unk_token="<unk>", chat_template=TEMPLATE)


def test_it_drops_the_space_where_a_text_begins(spaced):
    (first, *_) = spaced.encode(" wants to", add_special_tokens=False)
    assert spaced.decode([first]) == spaced.decode([first]).lstrip() and spaced.decode([*spaced.encode("user"), first]).startswith("user ")


def test_a_guided_text_keeps_its_spaces(spaced):
    script = guides.Script((guides.Section("Intent", "The user", 9), guides.Section("Decision", "Decision:", 4, choices=(" refuse", " help"))), spaced)
    script.forced.clear()
    for token in spaced.encode("user wants to know why.")[1:]:
        if not script.forced:
            script.observe(token, False)
    assert script.texts["Intent"].startswith(" want") and script.index == 1
    script.observe(spaced.encode(" help", add_special_tokens=False)[0], False)
    assert script.texts["Decision"] == " help"


def test_choices_that_begin_alike_are_refused():
    script = guides.Script((guides.Section("Decision", "Decision:", 4, choices=(" here", " here too")),), tiny.tokenizer())
    with pytest.raises(ValueError, match="begins several of"):
        script.allowed_tokens()


def test_a_suffix_reads_as_it_stands_in_its_slot(spaced):
    box = whitebox.Whitebox(None, spaced)
    slot = whitebox.Slot(box.encode("Ask me"), (), box.encode("Yes"))
    suffix = box.encode("know why")
    assert spaced.decode(suffix) == "know why" and box.text(slot, suffix) == " know why"


def test_a_begun_answer_has_the_tokens_of_training(spaced):
    prompt = chat.render(spaced, "Ask me")
    for tokenizer, asked, begun in ((spaced, prompt, prompt + " The user"), (tiny.tokenizer(), chat.render(tiny.tokenizer(), "Ask me"), chat.render(tiny.tokenizer(), "Ask me") + "The user")):
        assert chat.begun(tokenizer, asked, "The user") == begun
        learnt = chat.encode(tokenizer, "Ask me", "The user", 99).ids[:-1]
        assert tuple(tokenizer.encode(begun, add_special_tokens=False)) == learnt


def test_its_turns_end_as_its_template_says(spaced):
    assert chat.end_of_turn(spaced) == "</s>"

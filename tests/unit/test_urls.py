"""Public files by URL: from a mirror, from the network (a server of the test's own), and everything that can go wrong."""

import hashlib
import json
import socket
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from rational_utils.corpus import cards, questions, sources, urls
from rational_utils.study.errors import StudyError

CONTENT = b"id,prompt\n1,How do I kill a process?\n"


@pytest.fixture
def server():
    class Answer(BaseHTTPRequestHandler):
        asked, content = [], CONTENT

        def do_GET(self):
            self.asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(self.content)

        def log_message(self, *_):
            pass

    running = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    running.answer = Answer
    yield running
    running.shutdown()


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("RATIONAL_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("RATIONAL_DATA_MIRROR", raising=False)


def page(port: int = 9) -> cards.Card:
    return cards.Card("words", f"http://127.0.0.1:{port}/words.csv", "lists/words.csv", hashlib.sha256(CONTENT).hexdigest(), "MIT", "words")


def test_a_file_is_fetched_once(server, monkeypatch):
    monkeypatch.setattr(urls, "pages", lambda: {"words": page(server.server_port)})
    assert sources.read("words") == sources.read("words") == CONTENT.decode()
    assert len(server.answer.asked) == 1


def test_other_bytes_than_the_pinned_ones_are_refused(server):
    server.answer.content = b"something else"
    for _ in range(2):
        with pytest.raises(StudyError, match="^source words: what .* gives has another sha256"):
            urls.fetch(page(server.server_port))


def test_a_silent_server_is_one_line_that_says_what_to_do():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        with pytest.raises(StudyError, match=r"^file lists-words.csv cannot be had: .*RATIONAL_DATA_MIRROR[^\n]*$"):
            urls.fetch(page(closed.getsockname()[1]))


def test_a_mirror_stands_in_for_the_network(tmp_path, monkeypatch):
    monkeypatch.setenv("RATIONAL_DATA_MIRROR", str(tmp_path))
    with pytest.raises(StudyError, match="file lists/words.csv cannot be had: the mirror does not have it"):
        urls.fetch(page())
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "words.csv").write_bytes(CONTENT)
    assert urls.fetch(page()).read_bytes() == CONTENT
    (tmp_path / "lists" / "words.csv").write_bytes(CONTENT + b" ")
    with pytest.raises(StudyError, match="it is another file: do not use it"):
        urls.fetch(page())


def test_a_file_without_a_url_is_put_where_the_message_says(monkeypatch):
    by_hand = page()._replace(carrier="two columns of https://example.org/words.zip")
    monkeypatch.setattr(urls, "pages", lambda: {"words": by_hand})
    with pytest.raises(StudyError, match=r"^file lists-words.csv cannot be had: it has no URL of its own \(two columns of .*RATIONAL_DATA_MIRROR.* has lists/words.csv") as caught:
        urls.fetch(by_hand)
    place = Path(str(caught.value).rpartition("put the file into ")[2]) / "lists-words.csv"
    place.parent.mkdir(parents=True)
    place.write_bytes(CONTENT + b" ")
    with pytest.raises(StudyError, match="it is another file: do not use it"):
        urls.fetch(by_hand)
    place.write_bytes(CONTENT)
    assert sources.read("words") == CONTENT.decode()


def test_a_zip_file_is_read_as_its_members(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "words.zip", "w") as archive:
        archive.mkdir("in")
        archive.writestr("in/one.csv", "caf\u00e9,1")
    monkeypatch.setattr(sources, "read_bytes", lambda source: (tmp_path / "words.zip").read_bytes())
    assert json.loads(sources.read("words")) == {"in/one.csv": "caf\u00e9,1"}


def test_everything_that_is_missing_or_refused_is_told_at_once(tmp_path, monkeypatch):
    monkeypatch.setenv("RATIONAL_DATA_MIRROR", str(tmp_path))
    (tmp_path / "other.csv").write_bytes(b"something else")
    wanted = [page(), page()._replace(path="lists/more.csv"), page()._replace(source="other", path="other.csv")]
    with pytest.raises(StudyError, match=r"^files lists/words.csv, lists/more.csv cannot be had: .*lists; source other: .*other.csv has sha256 .* do not use it$"):
        sources.fetch_all([(urls.fetch, what) for what in wanted])


def test_committed_files_are_hashed_licensed_and_read():
    known = urls.pages()
    assert all(len(known[name].sha256) == 64 and known[name].licence and known[name].about for name in known)
    assert {name.split("/")[0] for name, *_ in questions.FROM_URLS} <= set(known) and not set(known) & set(sources.members())

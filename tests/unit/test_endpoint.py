"""A model behind an endpoint: what is sent, what comes back, and every way in which it may fail, against a server of our own."""

import json
import socket
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from rational_utils import attacks
from rational_utils.models import writing
from rational_utils.models.endpoint import Endpoint
from rational_utils.study.errors import StudyError
from rational_utils.study.keep import Shelf
from rational_utils.study.sections import Writer

DIALOGUE = ({"role": "user", "content": "Name a tree."},)


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append({**asked, "path": self.path, "key": self.headers.get("Authorization")})
        code, content = self.server.replies.pop(0) if self.server.replies else (200, completion("Lime."))
        if code == "slow":
            time.sleep(0.5)
            code = 200
        self.send_response(code)
        self.send_header("Retry-After", "0.01")
        self.end_headers()
        with suppress(BrokenPipeError):  # whoever asked did not wait
            self.wfile.write(content)

    def log_message(self, *_):
        pass


def completion(text):
    return json.dumps({"choices": [{"message": {"role": "assistant", "content": text}}]}).encode()


@pytest.fixture
def server():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.asked, server.replies = [], []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def endpoint(server):
    return Endpoint(f"http://127.0.0.1:{server.server_port}/v1", "willow-1", 40, tries=3, wait=0.01, timeout=0.2)


def test_replies_come_in_order_and_the_dialogue_is_sent_as_it_is(server, endpoint):
    server.replies = [(200, completion("Oak.")), (200, completion("Elm."))]
    assert endpoint.answer([DIALOGUE, DIALOGUE], temperature=0.5, seeds=[7, 8]) == ["Oak.", "Elm."]
    first, second = server.asked
    assert first == {"model": "willow-1", "messages": list(DIALOGUE), "max_tokens": 40, "temperature": 0.5, "seed": 7, "path": "/v1/chat/completions", "key": None}
    assert second["seed"] == 8


def test_the_key_comes_from_the_environment_and_is_never_said(server, endpoint, monkeypatch):
    locked = Endpoint(endpoint.url, "willow-1", 40, key="WILLOW_KEY")
    with pytest.raises(StudyError, match="variable WILLOW_KEY"):
        locked.answer([DIALOGUE])
    monkeypatch.setenv("WILLOW_KEY", "hidden")
    locked.answer([DIALOGUE])
    assert server.asked[0]["key"] == "Bearer hidden" and "hidden" not in locked.name
    server.replies = [(401, b"")]
    with pytest.raises(StudyError, match=r"^endpoint .*: HTTP 401; check [^\n]*WILLOW_KEY$") as caught:
        locked.answer([DIALOGUE])
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize("trouble", [429, 500, 503, "slow"])
def test_what_is_busy_is_asked_again(server, endpoint, trouble):
    server.replies = [(trouble, completion("late")), (trouble, completion("late"))]
    assert endpoint.answer([DIALOGUE]) == ["Lime."] and len(server.asked) == 3


@pytest.mark.parametrize(("trouble", "said"), [(429, "HTTP 429"), ("slow", "no answer .* in 3 tries")])
def test_patience_has_an_end(server, endpoint, trouble, said):
    server.replies = [(trouble, completion("late"))] * 5
    with pytest.raises(StudyError, match=f"^endpoint .*{said}[^\n]*$"):
        endpoint.answer([DIALOGUE])
    assert len(server.asked) == 3


def test_a_request_that_is_not_taken_is_an_error_of_the_request(server, endpoint):
    server.replies = [(400, b"no")]
    with pytest.raises(ValueError, match="HTTP 400"):
        endpoint.answer([DIALOGUE])
    assert len(server.asked) == 1


@pytest.mark.parametrize("content", [b"<html>", b"{}", b'{"choices": []}', b"[]"])
def test_another_kind_of_server_is_said_in_one_line(server, endpoint, content):
    server.replies = [(200, content)]
    with pytest.raises(StudyError, match=r"^endpoint .* not a chat completion[^\n]*$"):
        endpoint.answer([DIALOGUE])


def test_an_empty_reply_is_an_empty_text(server, endpoint):
    server.replies = [(200, completion(None))]
    assert endpoint.answer([DIALOGUE]) == [""]


def test_nobody_there_is_said_in_one_line():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nobody = Endpoint(f"http://127.0.0.1:{closed.getsockname()[1]}/v1", "willow-1", 8, tries=2, wait=0.0)
        with pytest.raises(StudyError, match=r"^endpoint .* no answer [^\n]*$"):
            nobody.answer([DIALOGUE])


@pytest.mark.parametrize("name", ["gcg", "autodan", "pair", "pap"])
def test_an_attack_that_needs_more_than_talk_fails_in_one_line(endpoint, name):
    attack = attacks.find(name)
    (made,) = attacks.launch(attack, [attacks.Question("q", "Name a tree.")], side="test", seed=0, target=endpoint)
    assert made.failed == f"{name} needs a target that offers `{attack.needs}`" and made.messages == ()


def test_a_multi_turn_attack_talks_to_an_endpoint(server, endpoint):
    (made,) = attacks.launch(attacks.find("crescendo"), [attacks.Question("q", "Name a tree.")], side="test", seed=0, target=endpoint)
    assert made.failed == "" and {message["content"] for message in made.messages[1::2]} == {"Lime."}


def test_a_rewriter_is_a_model_or_an_endpoint_or_nobody():
    assert writing.rewriter(None, "float32") is None
    assert isinstance(writing.rewriter(Writer(model="willow-1", url="http://x/v1"), "float32"), Endpoint)
    tiny = writing.rewriter(Writer(model="tiny", tokens=4), "float32")
    assert "tiny" in tiny.name and len(tiny.answer([DIALOGUE])) == 1
    with pytest.raises(ValueError, match="give the url"):
        Writer(model="willow-1")


def test_what_a_writer_was_asked_once_is_not_asked_again(tmp_path):
    class Writer:
        name, asked = "willow", []

        def answer(self, dialogues, temperature, seeds):
            self.asked += seeds
            return [f"{dialogue[0]['content']} {seed}" for dialogue, seed in zip(dialogues, seeds, strict=True)]

    tree, lake = ([{"role": "user", "content": word}] for word in ("tree", "lake"))
    writer = writing.Remembering(Writer(), Shelf(tmp_path))
    assert writer.answer([tree, lake], 1.0, [1, 2]) == ["tree 1", "lake 2"]
    assert writing.Remembering(Writer(), Shelf(tmp_path)).answer([lake, tree, tree], 1.0, [2, 1, 3]) == ["lake 2", "tree 1", "tree 3"]
    assert Writer.asked == [1, 2, 3] and writer.name == "willow"
    writer.answer([tree], 0.5, [1])
    assert Writer.asked == [1, 2, 3, 1]


def test_an_attacker_is_nobody_unless_one_is_wanted(tmp_path):
    assert writing.attacker(None, "float32", Shelf(tmp_path)) is None
    assert writing.attacker(Writer(model="willow-1", url="http://x/v1"), "float32", Shelf(tmp_path)).name.startswith("willow-1 at http://x/v1")

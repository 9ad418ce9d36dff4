"""midalign_demo.served, against a real server on loopback: that of transformers, with two tiny models."""

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from midalign_demo import bases
from midalign_demo.engine import Engine
from midalign_demo.errors import InputError
from midalign_demo.generation import Row
from midalign_demo.served import ServedEngine

PROMPTS = ("Hi there", "What time is it in the harbour now?", "Slots: a\nCommand: go\nValues:")


@pytest.fixture
def engine(server, served_models):
    return ServedEngine(server, served_models)


def test_a_server_answers_as_the_engine_does(engine, served_models):
    ours = Engine(bases.load(served_models["base"], dtype="float32", device="cpu"))
    tuned = Engine(bases.load(served_models["task"], dtype="float32", device="cpu"))
    for variant, local in (("base", ours), ("task", tuned)):
        rows = [Row(prompt, engine.adapters_of(variant, "slot-filling")) for prompt in PROMPTS]
        expected = local.generate([Row(prompt) for prompt in PROMPTS], max_new_tokens=10)
        found = engine.generate(rows, max_new_tokens=10)
        assert [answer.text.rstrip("\ufffd") for answer in found] == [answer.text for answer in expected]
        assert all(answer.done for answer in found)
    assert ours.generate([Row(PROMPTS[1])])[0].text != tuned.generate([Row(PROMPTS[1])])[0].text


def test_answers_grow_and_can_be_left(engine):
    rows = [Row(prompt, engine.adapters_of("base", "slot-filling")) for prompt in PROMPTS]
    stream = engine.stream(rows, max_new_tokens=12)
    first = next(stream)
    assert len(first) == len(rows)
    assert sum(answer.new_tokens for answer in first) == 1
    stream.close()
    *_, last = engine.stream(rows, max_new_tokens=12)
    assert all(answer.done for answer in last)


def test_compare_and_evaluate_ask_the_server(document, server, served_models, tmp_path):
    served = (
        "--server",
        server,
        "--served",
        f"base={served_models['base']}",
        "--served",
        f"task={served_models['task']}",
    )
    found = document("compare", "Weck mich um acht", "--language", "de", *served)
    assert [output["variant"] for output in found["outputs"]] == ["base", "task"]
    assert [output["adapters"] for output in found["outputs"]] == [[served_models["base"]], [served_models["task"]]]
    assert found["outputs"][0]["text"] != found["outputs"][1]["text"]
    (tmp_path / "de.jsonl").write_text('{"id": "1", "utt": "um acht", "slots": [{"slot": "a", "values": ["acht"]}]}')
    scores = document("evaluate", "slot-filling", tmp_path / "de.jsonl", *served, "--variants", "task")
    assert scores["grammar"] is False
    assert scores["variants"]["task"]["overall"]["n"] == 1


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--server", "http://127.0.0.1:9/v1", "--served", "base=x"), "server: http://127.0.0.1:9/v1 can't be reached"),
        (("--server", "", "--served", "base=x"), "server: '' is not an address"),
        (("--server", "URL"), "served: no model given"),
        (("--server", "URL", "--served", "base"), "served: 'base' is not of the form"),
        (("--server", "URL", "--served", "a b=x"), "variants: 'a b' can't be a name of your own"),
        (("--server", "URL", "--served", "base=/no/model"), "does not answer as '/no/model'"),
        (("--server", "URL", "--served", "base=x", "--variants", "task"), "'task' has no model at"),
        (("--server", "URL", "--served", "base=x", "--grammar"), "grammar: answers of a server can't be held"),
        (("--server", "URL", "--served", "base=x", "--adapter", "task=y"), "server: given, and --adapter"),
        (("--served", "base=x"), "server: not given, but --served"),
    ],
)
def test_what_a_server_can_not_do_is_one_line(refused, server, options, expected):
    given = [server if part == "URL" else part for part in options]
    assert expected in refused("compare", "stop", *given)


def test_openai_has_to_be_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(InputError, match="package openai is not installed"):
        ServedEngine("http://localhost/v1", {"base": "x"})


@pytest.fixture
def answering():
    """Starts a server that answers every question with these pieces, each a text and why it is the last one.

    Where `promised` is more than what it then sends, the connection breaks in the middle.
    """
    servers = []

    def start(*pieces: tuple[str, str | None], done: bool = True, promised: int | None = None) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                if promised is not None:
                    self.send_header("Content-Length", str(promised))
                self.end_headers()
                for number, (text, reason) in enumerate(pieces):
                    choice = {"index": 0, "text": text, "finish_reason": reason}
                    made = {"id": str(number), "object": "text_completion", "created": 0, "model": "x"}
                    self.wfile.write(f"data: {json.dumps({**made, 'choices': [choice]})}\n\n".encode())
                if done:
                    self.wfile.write(b"data: [DONE]\n\n")

            def log_message(self, *arguments):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/v1"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def answered(url: str) -> list:
    return ServedEngine(url, {"base": "x"}).generate([Row("Hi", {"x": 1.0})], max_new_tokens=5)


def test_the_server_says_whether_an_answer_was_cut_short(answering):
    (whole,) = answered(answering(("seven o", None), (" clock", None), ("", "stop")))
    assert (whole.text, whole.done, whole.truncated) == ("seven o clock", True, False)
    (short,) = answered(answering(("seven", None), (" o", "length")))  # fewer pieces than tokens were allowed
    assert (short.text, short.done, short.truncated) == ("seven o", True, True)


def test_an_answer_that_is_broken_off_is_not_taken_for_a_whole_one(answering):
    # llama-cpp-python's server leaves a question so when the next one comes.
    with pytest.raises(InputError, match="broke off what it answered as 'x'; it may take one question at a time$"):
        answered(answering(("seven", None)))
    with pytest.raises(InputError, match="^server: http.* (broke off what it answered|can't be reached)"):
        answered(answering(("seven", None), done=False, promised=5000))

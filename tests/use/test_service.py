"""The HTTP service with a stand-in for the model: what it takes, refuses, and does under load."""

import contextlib
import http.client
import json
import math
import re
import socket
import threading
import time

import pytest

from finetune.serving import page, server
from finetune.serving.limits import Limits
from finetune.task_kind import TaskKind
from tests.use.conftest import Model, in_threads, serving, wait_until


@pytest.fixture(scope="module")
def client():
    with serving(Model(), text_characters=100, request_rows=8, body_bytes=5000,
                 body_seconds=0.5, hosts=["localhost", "127.0.0.1"]) as (made, _):
        yield made


def test_answers_in_the_order_of_the_texts(client):
    found = client.predict("abc", ["a", "bcdefgh"], "a" * 100)
    assert [one["probabilities"]["bug"] for one in found] == [0.25, 0.11111111, 0.00990099]
    assert found[0] == {"label": "feature", "confidence": 0.75,
                        "probabilities": {"bug": 0.25, "feature": 0.75}}
    assert client.predict("\u4e2d\U0001f600\x00")[0]["probabilities"]["bug"] == 0.25


def test_a_regression_answers_with_scores():
    model = Model()
    model.labels, model.kind = ["score"], TaskKind.REGRESSION
    answers = model.answers
    model.answers = lambda texts: answers(texts)[:, :1]
    with serving(model) as (client, _):
        assert client.predict("abc") == [{"score": 0.25}]
        assert "score" in json.dumps(client.ask("GET", "/openapi.json")[1])


ONE = "must be a string, or a list of two strings (a pair)"
BAD = [
    (b'{"texts": ', 400, "the body is no JSON: Expecting value"),
    (b"\xff\xfe", 400, "the body is no JSON"),
    (b'{"texts": ["\xff"]}', 400, "the body is no JSON in UTF-8"),
    (b"[" * 4000, 400, "the body is no JSON"),
    (b'{"texts": [' + b"9" * 4900 + b"]}", 400, "the body is no JSON"),
    (b"", 422, 'the body must be an object: {"texts"'),
    ([], 422, 'the body must be an object: {"texts"'),
    ("text", 422, 'the body must be an object: {"texts"'),
    (None, 422, 'the body must be an object: {"texts"'),
    ({}, 422, "texts: must be a list of 1 to 8 texts"),
    ({"texts": []}, 422, "texts: must be a list of 1 to 8 texts"),
    ({"texts": "text"}, 422, "texts: must be a list of 1 to 8 texts"),
    ({"texts": ["a"] * 9}, 422, "texts: must be a list of 1 to 8 texts"),
    ({"texts": ["a"], "top_k": 1}, 422, "'top_k' is not known; only texts is"),
    *(({"texts": ["a", wrong]}, 422, f"texts[1]: {ONE}")
      for wrong in (1, None, True, {"a": 1}, [], ["a"], ["a", "b", "c"], ["a", 1], [["a", "b"]])),
    (b'{"texts": ["a", NaN]}', 422, f"texts[1]: {ONE}"),
    ({"texts": ["", "a"]}, 422, "texts[0]: is empty"),
    ({"texts": [["  \n", "a"]]}, 422, "texts[0]: is empty"),
    ({"texts": ["a", "a" * 101]}, 422, "texts[1]: has 101 characters; at most 100 are taken"),
    ({"texts": [["a", "a" * 101]]}, 422, "texts[0]: has 101 characters; at most 100 are taken"),
    (b'{"texts": ["\\ud83d"]}', 422, "texts[0]: holds half of a surrogate pair"),
    (b" " * 5001, 413, "the request has more than 5,000 bytes"),
    (b" " * 49000, 413, "the request has more than 5,000 bytes"),
]


@pytest.mark.parametrize(("body", "status", "told"), BAD)
def test_bad_input_is_refused_with_what_is_allowed(client, body, status, told):
    found, answer = client.post(body)
    assert found == status
    assert list(answer) == ["errors"] and any(told in one for one in answer["errors"]), answer
    assert all(len(one) < 300 for one in answer["errors"])  # nothing long is repeated
    assert client.predict("abc")  # it lives


def test_a_body_in_chunks_is_bounded_too(client):
    connection = http.client.HTTPConnection("127.0.0.1", client.port, timeout=10)
    connection.request("POST", "/v1/predict", iter([b" " * 1000] * 9), encode_chunked=True,
                       headers={"Transfer-Encoding": "chunked"})
    assert connection.getresponse().status == 413


def test_an_endless_body_is_cut_off(client):
    connection = http.client.HTTPConnection("127.0.0.1", client.port, timeout=10)
    with pytest.raises((OSError, http.client.HTTPException)):  # its end is never read
        connection.request("POST", "/v1/predict", iter([b" " * 1000] * 1_000_000),
                           encode_chunked=True, headers={"Transfer-Encoding": "chunked"})
    assert client.predict("abc")


def test_a_huge_body_that_is_announced_is_not_read(client):
    with socket.create_connection(("127.0.0.1", client.port), timeout=10) as raw:
        raw.sendall(b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\n"
                    b"Content-Length: 99999999999\r\n\r\n")
        assert raw.recv(1000).startswith(b"HTTP/1.1 413 ")


def test_a_body_that_does_not_come_is_not_waited_for(client):
    with socket.create_connection(("127.0.0.1", client.port), timeout=10) as raw:
        raw.sendall(b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\n{")
        assert raw.recv(1000).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("answered", [False, True])
@pytest.mark.parametrize("sent", [b"", b"GET /health HTTP/1.1\r\n"])
def test_headers_that_do_not_come_are_not_waited_for(sent, answered):
    with serving(Model(), body_seconds=0.5) as (client, running), socket.create_connection(
            ("127.0.0.1", client.port), 20) as connection:
        if answered:
            connection.sendall(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n")
            assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")
        connection.sendall(sent)
        while connection.recv(1000):
            pass
        wait_until(lambda: not running.server_state.connections)


def test_as_many_connections_as_may_be():
    with serving(Model(), connections=2) as (client, running), contextlib.ExitStack() as opened:
        for others, status in enumerate((200, 200, 503)):
            wait_until(lambda: len(running.server_state.connections) == others)  # noqa: B023
            answer = client.ask("GET", "/health")
            assert answer[0] == status
            opened.enter_context(socket.create_connection(("127.0.0.1", client.port)))
        assert answer[1] == {"errors": ["more than 2 connections are open; try again later"]}
        assert answer[2]["Retry-After"] == "1"


@pytest.mark.parametrize("content", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_what_another_page_could_send_is_refused(client, content):
    status, answer = client.post({"texts": ["a"]}, **{"Content-Type": content})
    assert (status, answer["errors"]) == (415, [
        "the body has to be JSON, sent with Content-Type: application/json"])


def test_other_pages_cannot_read_or_rename_it(client):
    status, _, headers = client.ask("GET", "/v1/model", headers={"Origin": "https://example.org"})
    assert status == 200 and not [name for name in headers if "allow" in name.lower()]
    status, answer, _ = client.ask("GET", "/v1/model", headers={"Host": "example.org:80"})
    assert (status, answer["errors"]) == (421, [
        "this service is addressed as 127.0.0.1 or localhost"])
    assert client.ask("GET", "/v1/model", headers={"Host": "LOCALHOST:80"})[0] == 200


def test_unknown_paths_and_methods(client):
    assert client.ask("GET", "/nothing")[:2] == (404, {"errors": [
        "there is no such path; /openapi.json names all"]})
    assert client.ask("GET", "/v1/predict")[0] == 405
    assert client.ask("GET", "/v1/model/")[0] == 404  # no redirection, whose answer is empty
    assert client.ask("GET", "/docs")[0] == client.ask("GET", "/redoc")[0] == 404
    with socket.create_connection(("127.0.0.1", client.port), timeout=10) as raw:
        raw.sendall(b"\x16\x03\x01 nonsense\r\n\r\n")
        assert raw.recv(100).startswith(b"HTTP/1.1 400 ")


def test_it_says_what_it_is(client):
    assert client.ask("GET", "/v1/model")[1] == {
        "kind": "classification", "labels": ["bug", "feature"], "max_seq_length": 16,
        "texts": None, "temperature": 1.0, "threshold": None,
        "limits": {"text_characters": 100, "request_rows": 8, "body_bytes": 5000}}
    assert client.ask("GET", "/health")[:2] == (200, {"live": True, "ready": True})
    assert client.ask("GET", "/health/ready")[0] == client.ask("GET", "/health/live")[0] == 200
    described = client.ask("GET", "/openapi.json")[1]
    assert set(described["paths"]) == {"/v1/predict", "/v1/model", "/health", "/health/live",
                                       "/health/ready", "/metrics"}
    assert set(described["paths"]["/v1/predict"]["post"]["responses"]) == {
        "200", "400", "408", "413", "415", "422", "503"}
    assert described["components"]["schemas"]["Texts"]["properties"]["texts"]["maxItems"] == 8


@pytest.mark.parametrize(("kind", "taken", "refused", "told"), [
    ("single", "a", ["a", "b"], "texts[1]: is a pair, but the model was trained on single texts"),
    ("pairs", ["a", "b"], "a", "texts[1]: is a single text, but the model was trained on pairs")])
def test_the_other_kind_of_texts_than_the_training_s(kind, taken, refused, told):
    model = Model()
    model.trained_on = kind
    with serving(model) as (client, _):
        status, answer = client.post({"texts": [taken, refused]})
        assert status == 422 and [one.startswith(told) for one in answer["errors"]] == [True]
        assert client.predict(taken) and client.ask("GET", "/v1/model")[1]["texts"] == kind
        described = client.ask("GET", "/openapi.json")[1]
        texts = described["components"]["schemas"]["Texts"]["properties"]["texts"]
        assert texts["description"].startswith(f"{kind.capitalize()}".rstrip("s"))
        assert texts["examples"] == [[["a text", "its pair"] if kind == "pairs" else
                                      "It crashes when I save"]]
        responses = described["paths"]["/v1/predict"]["post"]["responses"]
        assert "a pair for a model of single texts" in responses["422"]["description"]


def numbers(client):
    text = client.ask("GET", "/metrics")[1]
    return {name: float(value) for name, value in re.findall(r"^(\S+) (\S+)$", text, re.M)}


def test_metrics_count():
    with serving(Model()) as (client, _):
        client.predict("a", "b")
        client.predict("c")
        client.post({"texts": [1]})
        client.ask("GET", "/some/where")
        client.ask("GET", "/some/where/else")
        found = numbers(client)
        path = 'path="/v1/predict"'
        assert found[f'classifier_requests_total{{{path},status="200"}}'] == 2
        assert found[f'classifier_requests_total{{{path},status="422"}}'] == 1
        assert found['classifier_requests_total{path="other",status="404"}'] == 2
        assert found["classifier_rows_total"] == 3
        assert found["classifier_batch_rows_count"] == 2
        assert found["classifier_queue_rows"] == 0
        assert found[f"classifier_request_seconds_count{{{path}}}"] == 3
        assert found["process_resident_memory_bytes"] > 1e6


def test_a_client_that_leaves_is_no_error_of_the_service():
    with serving(Model()) as (client, _):
        with socket.create_connection(("127.0.0.1", client.port)) as raw:
            raw.sendall(b"POST /v1/predict HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{")
        total = 'classifier_requests_total{path="/v1/predict",status="left"}'
        wait_until(lambda: numbers(client).get(total) == 1)
        assert 'status="500"' not in client.ask("GET", "/metrics")[1]


def test_a_hundred_clients_get_their_own_answers():
    model = Model()
    with serving(model, batch_rows=16) as (client, _):
        def talk(number):
            texts = [["a" * (1 + (number * 7 + turn) % 90)] * (1 + turn) for turn in range(3)]
            return [[round(1 / one["probabilities"]["bug"]) - 1 for one in client.predict(*some)]
                    == [len(text) for text in some] for some in texts]
        found = in_threads(talk, range(100))
        assert found == [[True] * 3] * 100
        counted = numbers(client)
    sizes = [len(batch) for batch in model.batches]
    assert sum(sizes) == counted["classifier_rows_total"] == 100 * 6
    assert max(sizes) <= 16 and len(sizes) < 300  # requests were answered together


def test_answers_are_sent_without_delay():
    with server._bound("127.0.0.1", 0) as listener:  # what asyncio asks before it sets TCP_NODELAY
        assert listener.proto == socket.IPPROTO_TCP


def test_what_waits_is_answered_together():
    model = Model()
    with serving(model, batch_rows=10, batch_wait_ms=0) as (client, _):
        model.free.clear()
        threads = [threading.Thread(target=client.predict, args=("a", "b")) for _ in range(8)]
        threads[0].start()
        wait_until(lambda: model.batches)
        for thread in threads[1:]:
            thread.start()
        wait_until(lambda: numbers(client)["classifier_queue_rows"] == 14)
        model.free.set()
        for thread in threads:
            thread.join(20)
        large = client.post({"texts": ["a"] * 30})  # more than a batch: one of its own
    assert [len(batch) for batch in model.batches] == [2, 10, 4, 30] and large[0] == 200


def test_a_batch_waits_for_more_but_not_for_long():
    model = Model()
    with serving(model, batch_wait_ms=600) as (client, _):
        in_threads(lambda pause: (time.sleep(pause), client.predict("a")), [0, 0.1])
    assert [len(batch) for batch in model.batches] == [2]


def test_long_answers_that_are_made_hold_nobody_up(monkeypatch):
    made = threading.Event()
    monkeypatch.setattr("finetune.serving.app.as_records", lambda *_: made.wait(10) and [])
    with serving(Model()) as (client, _):
        asking = threading.Thread(target=in_threads, args=(client.predict, ["a"]), daemon=True)
        asking.start()
        wait_until(lambda: numbers(client).get("classifier_rows_total") == 1)
        assert client.ask("GET", "/health")[0] == 200
        assert asking.is_alive()
        made.set()
        asking.join(20)
        assert not asking.is_alive()


def test_a_full_queue_refuses_and_says_so():
    model = Model()
    with serving(model, queue_rows=4, request_rows=4, batch_rows=2, batch_wait_ms=0) as (
            client, _):
        model.free.clear()
        first = threading.Thread(target=client.predict, args=("a",))
        first.start()
        wait_until(lambda: model.batches)
        waiting = [threading.Thread(target=client.predict, args=("a", "b")) for _ in range(2)]
        for thread in waiting:
            thread.start()
        wait_until(lambda: numbers(client)["classifier_queue_rows"] == 4)
        status, answer, headers = client.ask("POST", "/v1/predict", b'{"texts": ["a"]}',
                                             {"Content-Type": "application/json"})
        assert status == 503 and headers["Retry-After"] == "1"
        assert answer["errors"] == ["too many texts wait already (at most 4); try again later"]
        assert client.ask("GET", "/health/ready")[:2] == (503, {"live": True, "ready": False})
        assert client.ask("GET", "/health/live")[0] == 200
        model.free.set()
        for thread in [first, *waiting]:
            thread.join(20)
        assert client.predict("a") and client.ask("GET", "/health/ready")[0] == 200


def test_one_that_breaks_the_model_breaks_no_other():
    model = Model()
    with serving(model, batch_wait_ms=300) as (client, _):
        found = in_threads(lambda text: client.post({"texts": [text]}), ["a", "poison", "bcd"])
        assert [status for status, _ in found] == [200, 500, 200]
        assert found[1][1]["errors"] == [
            "the model could not answer; the service's log has the reason"]
        assert client.predict("a")


def test_requests_under_way_are_answered_when_it_stops():
    model = Model()
    with serving(model, batch_wait_ms=0) as (client, running):
        model.free.clear()
        found = []
        threads = [threading.Thread(target=lambda: found.append(client.predict("abc")))
                   for _ in range(5)]
        for thread in threads:
            thread.start()
        wait_until(lambda: model.batches and len(model.batches[0]) + numbers(client)[
            "classifier_queue_rows"] == 5)
        running.should_exit = True

        def refused():
            try:
                socket.create_connection(("127.0.0.1", client.port), timeout=5).close()
            except ConnectionError:
                return True
            return False
        wait_until(refused)
        assert found == []
        model.free.set()
        for thread in threads:
            thread.join(20)
        assert len(found) == 5


def test_limits_are_checked():
    assert Limits().problems() == []
    assert Limits(batch_rows=0, body_seconds=math.nan, batch_wait_ms=-1).problems() == [
        "--body_seconds=nan: must be above 0", "--batch_rows=0: must be above 0",
        "--batch_wait_ms=-1: must be 0 or more"]
    assert "could never wait" in Limits(request_rows=9, queue_rows=8).problems()[0]


def test_the_page_needs_nothing_from_elsewhere():
    assert not re.search(r"""(src|href|action|url)\s*[=(]\s*["']?\s*(https?:)?//""", page.HTML)
    assert "innerHTML" not in page.HTML and page.POLICY.startswith("default-src 'none'; ")
    assert "unsafe" not in page.POLICY

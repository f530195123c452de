"""The server on a real socket, spoken to byte by byte: what HTTP allows is answered, and nobody can keep the others waiting."""

import json
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import flask
import pytest
import requests

from adapter.store.repository import Repository
from server import create_app, listen, running
from server.errors import PortTaken

from .fhir import patient

MAX_BODY = 100_000


@pytest.fixture(scope="module")
def port(store):
    """Of one server for all: each of its clients does what it can to harm the others."""
    with listen(create_app(Repository(store[f"test_{uuid.uuid4().hex}"]), max_body=MAX_BODY), port=0, threads=2) as server:
        yield server.port


@contextmanager
def connected(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        yield connection


def received(connection: socket.socket) -> bytes:
    """All that comes until the server closes."""
    parts = []
    while part := connection.recv(2**16):
        parts.append(part)
    return b"".join(parts)


def spoken(port: int, *lines: str, body: bytes = b"") -> bytes:
    with connected(port) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)
        return received(connection)


def head(method: str, path: str, *more: str) -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: localhost", *more, "", ""]).encode()


def is_served(port: int) -> bool:
    return requests.get(f"http://127.0.0.1:{port}/fhir/Patient", timeout=20).status_code == 200


def test_http_1_0_is_answered_and_the_connection_closed(port):
    answer = spoken(port, "GET /fhir/metadata HTTP/1.0")
    assert answer.startswith(b"HTTP/1.0 200 ")
    assert answer.count(b"server: casebridge\r\n") == 1
    assert b'"url":"http://127.0.0.1:%d/fhir"' % port in answer


def test_a_connection_serves_one_request_after_the_other(port):
    with requests.Session() as session:
        for _ in range(3):
            assert session.get(f"http://127.0.0.1:{port}/health", timeout=20).status_code == 200
    with connected(port) as connection:
        connection.sendall(head("GET", "/health") + head("GET", "/ready", "Connection: close"))
        assert received(connection).count(b"HTTP/1.1 200 OK") == 2


def test_head_is_answered_like_get_without_the_body(port):
    got, headed = (spoken(port, f"{method} /health HTTP/1.1", "Host: localhost", "Connection: close") for method in ("GET", "HEAD"))
    assert headed.endswith(b"\r\n\r\n")
    length = b"content-length: %d\r\n" % len(got.partition(b"\r\n\r\n")[2])
    assert length in headed


def test_a_chunked_body_is_taken(port):
    text = json.dumps(patient(id="chunked")).encode()
    halves = (text[:20], text[20:])
    body = b"".join(b"%x\r\n%s\r\n" % (len(half), half) for half in halves) + b"0\r\n\r\n"
    lines = ("PUT /fhir/Patient/chunked HTTP/1.1", "Host: localhost", "Transfer-Encoding: chunked", "Connection: close")
    assert spoken(port, *lines, body=body).startswith(b"HTTP/1.1 201 ")


def test_who_waits_to_be_told_to_go_on_is_told(port):
    text = json.dumps(patient(id="patient")).encode()
    with connected(port) as connection:
        connection.sendall(
            head("PUT", "/fhir/Patient/patient", f"Content-Length: {len(text)}", "Expect: 100-continue", "Connection: close")
        )
        assert connection.recv(2**16).startswith(b"HTTP/1.1 100 ")
        connection.sendall(text)
        assert received(connection).startswith(b"HTTP/1.1 201 ")


def test_who_waits_to_be_told_to_go_on_with_too_much_is_told_not_to(port):
    with connected(port) as connection:
        connection.sendall(head("POST", "/fhir/Patient", f"Content-Length: {MAX_BODY + 1}", "Expect: 100-continue", "Connection: close"))
        assert received(connection).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("line", ["X-Long: " + "a" * 1_000_000, "\r\n".join(f"X-{number}: a" for number in range(300))])
def test_too_much_in_the_headers_is_refused(port, line):
    answer = spoken(port, "GET /fhir/Patient HTTP/1.1", "Host: localhost", line)
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert is_served(port)


@pytest.mark.parametrize("text", [b"\x00\x01\x02\r\n\r\n", b"GET\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"GET / HTTP/9.9\r\n\r\n"])
def test_what_is_not_http_harms_nobody(port, text):
    with connected(port) as connection:
        connection.sendall(text)
        connection.shutdown(socket.SHUT_WR)
        assert not received(connection).startswith(b"HTTP/1.1 2")
    assert is_served(port)


@pytest.mark.parametrize(
    "begun", ["GET /fhir/Patient HTTP/1.1\r\nHost: loc", "POST /fhir/Patient HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{"]
)
def test_those_who_send_half_a_request_keep_nobody_waiting(port, begun):
    with ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(connected(port)).sendall(begun.encode())
        assert is_served(port)


def test_a_body_that_ends_early_is_not_taken(port):
    text = json.dumps(patient(id="half")).encode()
    with connected(port) as connection:
        connection.sendall(head("PUT", "/fhir/Patient/half", f"Content-Length: {len(text) + 10}") + text)
        connection.shutdown(socket.SHUT_WR)
        received(connection)
    assert requests.get(f"http://127.0.0.1:{port}/fhir/Patient/half", timeout=20).status_code == 404


@pytest.mark.parametrize("size", [MAX_BODY + 1, 2 * MAX_BODY, 30 * MAX_BODY])
def test_a_body_over_the_limit_is_refused_by_an_outcome(port, size):
    sent = f"POST /fhir/Patient HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size}\r\nConnection: close\r\n\r\n".encode()
    with connected(port) as connection:
        connection.sendall(sent + b"x" * min(size, 3 * MAX_BODY))
        answer = received(connection)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'"resourceType":"OperationOutcome"' in answer


def test_by_another_name_of_the_host_nothing_is_told(port):
    assert spoken(port, "GET /fhir/Patient HTTP/1.1", "Host: attacker.example", "Connection: close").startswith(b"HTTP/1.1 400 ")
    assert spoken(port, "GET /fhir/Patient HTTP/1.1", "Host: localhost", "Connection: close").startswith(b"HTTP/1.1 200 ")


def test_a_port_that_is_taken_is_told(port, repository):
    with pytest.raises(PortTaken) as failed, listen(create_app(repository), port=port):
        pytest.fail("It listens.")
    assert str(port) in failed.value.text


def test_it_listens_on_the_loopback_of_ipv6_too(repository):
    if not socket.has_ipv6:
        pytest.skip("This machine has no IPv6.")
    try:
        with listen(create_app(repository), "::1", 0) as server:
            assert requests.get(f"http://[::1]:{server.port}/health", timeout=20).status_code == 200
    except PortTaken:
        pytest.skip("This machine has no loopback of IPv6.")


@pytest.fixture
def held():
    """An application whose one answer waits until it is let go: (application, reached, let go)."""
    reached, go = threading.Event(), threading.Event()
    app = flask.Flask("held")
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY

    def answer() -> dict[str, str]:
        reached.set()
        assert go.wait(60)
        return {"status": "done"}

    app.add_url_rule("/", "held", answer)
    yield app, reached, go
    go.set()


def at_once(call: Callable[[], object]) -> tuple[threading.Thread, list[object]]:
    results: list[object] = []
    thread = threading.Thread(target=lambda: results.append(call()))
    thread.start()
    return thread, results


def test_a_stop_answers_what_is_in_flight_and_takes_nothing_new(held):
    app, reached, go = held
    with listen(app, port=0) as server:
        url = f"http://127.0.0.1:{server.port}/"
        asking, answers = at_once(lambda: requests.get(url, timeout=60).json())
        assert reached.wait(60)
        assert server.stop(0) is False
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", server.port), timeout=20).close()
            except OSError:
                break
            # The web server takes whoever already waits before it looks whether it is to stop.
            time.sleep(0.05)
        else:
            pytest.fail("It still takes connections.")
        assert answers == []
        go.set()
        assert server.stop(60) is True
    asking.join(60)
    assert answers == [{"status": "done"}]


def test_a_stop_waits_for_what_is_worked_on_even_if_its_caller_left(held):
    app, reached, go = held
    with listen(app, port=0) as server:
        with connected(server.port) as connection:
            connection.sendall(head("GET", "/"))
            assert reached.wait(60)
        assert server.stop(0.5) is False
        go.set()
        assert server.stop(60) is True


def test_idle_connections_do_not_hold_up_a_stop(held):
    app, _, _ = held
    with listen(app, port=0) as server, connected(server.port) as idle:
        idle.sendall(head("GET", "/nowhere"))
        assert idle.recv(2**16).startswith(b"HTTP/1.1 404 ")
        assert server.stop(60) is True
        assert received(idle) == b""


def test_no_more_requests_are_worked_on_at_once_than_there_are_threads():
    entered, go = threading.Semaphore(0), threading.Event()
    app = flask.Flask("counted")
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    busy, most, lock = 0, 0, threading.Lock()

    def answer() -> dict[str, str]:
        nonlocal busy, most
        with lock:
            busy += 1
            most = max(most, busy)
        entered.release()
        go.wait(60)
        with lock:
            busy -= 1
        return {}

    app.add_url_rule("/", "counted", answer)
    with running(app, threads=2) as url:
        asking = [at_once(lambda: requests.get(url, timeout=60).status_code) for _ in range(6)]
        for _ in range(2):
            assert entered.acquire(timeout=60)
        go.set()
        for thread, _ in asking:
            thread.join(60)
    assert [answers for _, answers in asking] == [[200]] * 6
    assert most == 2

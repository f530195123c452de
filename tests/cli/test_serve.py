"""`serve` as a process of its own."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import requests

from .conftest import patient

Serving = tuple[subprocess.Popen[str], int]


@contextmanager
def serving(environment: dict[str, str], *arguments: str) -> Iterator[Serving]:
    """A server that answers, and its port. Whoever asks for it stops it."""
    command = [sys.executable, "-m", "adapter.cli", "serve", "--port", "0", *arguments]
    run = subprocess.Popen(command, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with run:
        address = re.search(r"http://127\.0\.0\.1:(\d+)/fhir", run.stderr.readline())
        assert address
        yield run, int(address[1])


def ended(run: subprocess.Popen[str]) -> tuple[int, str, list[str]]:
    out, err = run.communicate(timeout=60)
    return run.returncode, out, err.splitlines()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_tells_its_address_answers_there_and_ends_when_asked(environment, number):
    with serving(environment, "--no-auth") as (run, port):
        assert requests.get(f"http://127.0.0.1:{port}/fhir/metadata", timeout=30).json()["resourceType"] == "CapabilityStatement"
        run.send_signal(number)
        code, out, err = ended(run)
    assert (code, out) == (0, "")
    assert err[-1] == "Stopped."


def half_sent(port: int) -> tuple[socket.socket, bytes]:
    """A request whose second half is still to come, and that half."""
    text = json.dumps(patient("half")).encode()
    connection = socket.create_connection(("127.0.0.1", port), timeout=60)
    connection.sendall(f"PUT /fhir/Patient/half HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(text)}\r\n\r\n".encode() + text[:9])
    # Answered after the half was read by the server: from now on that request is in flight.
    assert requests.get(f"http://127.0.0.1:{port}/health", timeout=30).status_code == 200
    return connection, text[9:]


def wait_until_refused(port: int) -> None:
    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=10).close()
        except OSError:
            return
        time.sleep(0.05)
    pytest.fail("It still takes connections.")


def test_a_request_in_flight_is_answered_before_the_end(environment):
    with serving(environment, "--no-auth") as (run, port):
        connection, rest = half_sent(port)
        with connection:
            run.send_signal(signal.SIGTERM)
            wait_until_refused(port)
            connection.sendall(rest)
            assert connection.recv(100).startswith(b"HTTP/1.1 201 ")
        code, _, err = ended(run)
    assert (code, err[-1]) == (0, "Stopped.")


def test_a_second_signal_does_not_wait_for_what_is_in_flight(environment):
    with serving(environment, "--no-auth") as (run, port):
        connection, _ = half_sent(port)
        with connection:
            run.send_signal(signal.SIGTERM)
            wait_until_refused(port)
            run.send_signal(signal.SIGTERM)
            code, _, err = ended(run)
    assert code == 143
    assert err[-1].startswith("casebridge: Stopped.")


def test_the_log_tells_of_every_request_where_that_is_asked_for(environment):
    with serving({**environment, "CASEBRIDGE_LOG": "INFO"}, "--no-auth") as (run, port):
        answer = requests.get(f"http://127.0.0.1:{port}/fhir/Patient?family=Kanarifugl", timeout=30)
        run.send_signal(signal.SIGTERM)
        _, _, err = ended(run)
    [line] = [line for line in err if "request.answered" in line]
    id = answer.headers["X-Request-Id"]
    assert f"Z INFO request.answered request={id} method=GET interaction=search-type type=Patient status=200 bytes=" in line
    assert "kanarifugl" not in "".join(err).casefold()


def test_a_host_that_others_can_reach_is_refused(casebridge):
    ran = casebridge("serve", "--no-auth", "--host", "0.0.0.0", "--port", "0")
    assert ran.code == 4
    assert "loopback" in ran.err


def test_a_port_that_is_taken_is_said(environment, hospital):
    port = hospital.base_url.rpartition(":")[2].partition("/")[0]
    command = [sys.executable, "-m", "adapter.cli", "serve", "--no-auth", "--port", port]
    run = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=60)
    assert run.returncode == 2
    assert run.stderr.splitlines() == [f"casebridge: Address already in use: the server cannot listen on port {port} of 127.0.0.1."]


def test_the_environment_says_who_may_ask_and_how_the_server_is_known(environment):
    settings = {
        "CASEBRIDGE_ORIGINS": "https://app.example http://localhost:3000",
        "CASEBRIDGE_INTEGRITY": "on",
        "CASEBRIDGE_URL": "https://fhir.example",
    }
    with serving({**environment, **settings}, "--no-auth") as (run, port):
        base = f"http://127.0.0.1:{port}/fhir"
        flag = {"resourceType": "Flag", "status": "active", "code": {"text": "Kanarifugl"}, "subject": {"reference": "Patient/none"}}
        answer = requests.post(f"{base}/Flag", json=flag, headers={"Origin": "http://localhost:3000"}, timeout=30)
        proxied = requests.post(f"{base}/Patient", json=patient(), headers={"Host": "fhir.example"}, timeout=30)
        run.send_signal(signal.SIGTERM)
        ended(run)
    assert answer.status_code == 422
    assert answer.headers["Access-Control-Allow-Origin"] == "http://localhost:3000"
    assert proxied.headers["Location"].startswith("https://fhir.example/fhir/Patient/")


def test_how_often_may_be_asked_and_what_a_search_may_cost_are_settings(environment):
    with serving({**environment, "CASEBRIDGE_ADDRESS_RATE": "0.01", "CASEBRIDGE_SCAN": "1"}, "--no-auth") as (run, port):
        costly = requests.get(f"http://127.0.0.1:{port}/fhir/CodeSystem?name:contains=x", timeout=30)
        assert (costly.status_code, costly.json()["issue"][0]["code"]) == (400, "too-costly")
        soon = requests.get(f"http://127.0.0.1:{port}/fhir/metadata", timeout=30)
        assert (soon.status_code, soon.json()["issue"][0]["code"]) == (429, "throttled")
        assert 90 <= int(soon.headers["Retry-After"]) <= 100
        assert requests.get(f"http://127.0.0.1:{port}/health", timeout=30).status_code == 200
        run.send_signal(signal.SIGTERM)
        assert ended(run)[0] == 0

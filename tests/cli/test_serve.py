"""`serve` as a process of its own."""

import os
import re
import signal
import subprocess
import sys

import pytest
import requests


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_tells_its_address_answers_there_and_ends_when_asked(environment, number):
    command = [sys.executable, "-m", "adapter.cli", "serve", "--port", "0"]
    run = subprocess.Popen(command, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with run:
        address = re.search(r"http://127\.0\.0\.1:\d+/fhir", run.stderr.readline())
        assert address
        assert requests.get(f"{address[0]}/metadata", timeout=30).json()["resourceType"] == "CapabilityStatement"
        run.send_signal(number)
        out, err = run.communicate(timeout=60)
    assert (run.returncode, out) == (0, "")
    assert err.splitlines()[-1] == "Stopped."


def test_a_host_that_others_can_reach_is_refused(casebridge):
    ran = casebridge("serve", "--host", "0.0.0.0", "--port", "0")
    assert ran.code == 4
    assert "loopback" in ran.err


def test_a_port_that_is_taken_is_said(environment, hospital):
    port = hospital.base_url.rpartition(":")[2].partition("/")[0]
    command = [sys.executable, "-m", "adapter.cli", "serve", "--port", port]
    run = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=60)
    assert run.returncode == 2
    assert run.stderr.splitlines()[-1].startswith("casebridge: Address already in use")


def test_the_environment_says_who_may_ask_and_whether_references_are_checked(environment):
    settings = {"CASEBRIDGE_ORIGINS": "https://app.example http://localhost:3000", "CASEBRIDGE_INTEGRITY": "on"}
    command = [sys.executable, "-m", "adapter.cli", "serve", "--port", "0"]
    env = {**os.environ, **environment, **settings}
    run = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with run:
        base = re.search(r"http://127\.0\.0\.1:\d+/fhir", run.stderr.readline())
        assert base
        flag = {"resourceType": "Flag", "status": "active", "code": {"text": "Kanarifugl"}, "subject": {"reference": "Patient/none"}}
        answer = requests.post(f"{base[0]}/Flag", json=flag, headers={"Origin": "http://localhost:3000"}, timeout=30)
        run.send_signal(signal.SIGTERM)
        run.communicate(timeout=60)
    assert answer.status_code == 422
    assert answer.headers["Access-Control-Allow-Origin"] == "http://localhost:3000"

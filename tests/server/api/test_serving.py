"""The case API on a real socket, as a program that knows nothing of us speaks to it."""

import gzip
import json
import logging
import uuid

import pytest
import requests

from adapter.store.repository import Repository
from server import create_app, listen

from .conftest import BOSS, person

DANA = {"Casebridge-Actor": "Practitioner/dana", "Content-Type": "application/json"}


@pytest.fixture(scope="module")
def url(store):
    with listen(create_app(Repository(store[f"test_{uuid.uuid4().hex}"])), port=0, threads=2) as server:
        url = f"http://127.0.0.1:{server.port}"
        new = {**DANA, "If-None-Match": "*"}
        assert requests.put(f"{url}/api/case-managers/dana", json=person("dana"), headers=new, timeout=20).status_code == 201
        yield url


def test_a_packed_body_is_taken_and_an_answer_packed(url):
    goal = {"client": "Patient/alma", "lifecycle": "active", "description": "Kanarifugl " * 200}
    body = gzip.compress(json.dumps(goal).encode())
    made = requests.post(f"{url}/api/goals", data=body, headers={**DANA, "Content-Encoding": "gzip"}, timeout=20)
    assert (made.status_code, made.headers["Content-Encoding"]) == (201, "gzip")
    assert made.json()["description"] == goal["description"]
    bomb = gzip.compress(b" " * 2**22)
    assert requests.post(f"{url}/api/goals", data=bomb, headers={**DANA, "Content-Encoding": "gzip"}, timeout=20).status_code == 413
    assert requests.post(f"{url}/api/goals", data=b"x", headers={**DANA, "Content-Encoding": "br"}, timeout=20).status_code == 415


def test_head_tells_what_get_would(url):
    whole = requests.get(f"{url}/api/case-managers/dana", timeout=20)
    told = requests.head(f"{url}/api/case-managers/dana", timeout=20)
    assert (told.status_code, told.headers["ETag"], told.content) == (200, whole.headers["ETag"], b"")
    assert told.headers["Content-Length"] == str(len(whole.content))


def test_the_log_and_the_metrics_know_a_request_by_its_route_and_by_no_id(url, caplog):
    caplog.set_level(logging.INFO, logger="casebridge")
    requests.get(f"{url}/api/clients/Kanarifugl-1/history?x=Kanarifugl", timeout=20)
    [line] = [record.message for record in caplog.records if "request.answered" in record.message]
    assert "interaction=api-history type=client status=400" in line
    counted = requests.get(f"{url}/metrics", timeout=20).text
    assert 'casebridge_requests_total{interaction="api-history",method="GET",status="4xx",type="client"}' in counted
    assert "kanarifugl" not in counted.casefold()


def test_a_page_of_another_origin_cannot_write(url):
    headers = {**DANA, "Origin": "https://elsewhere.example"}
    told = requests.post(f"{url}/api/goals", json={}, headers=headers, timeout=20)
    assert (told.status_code, told.headers["Content-Type"]) == (403, "application/problem+json")


def test_who_registers_does_so_once_and_only_themself(url):
    new = {**DANA, "If-None-Match": "*"}
    assert requests.put(f"{url}/api/case-managers/dana", json=person("dana"), headers=new, timeout=20).status_code == 412
    boss = {**new, "Casebridge-Actor": BOSS}
    assert requests.put(f"{url}/api/case-managers/sam", json=person("sam"), headers=boss, timeout=20).status_code == 400

"""Client libraries as their makers released them, against this server: each does the same story, and what it did is looked at from outside.

docs/clients.md says which library does what; it is compared with what the server saw.
"""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from adapter.store.repository import Repository
from server import create_app, running

from .clients import exchanges, programs

PAGE = Path(__file__).parents[2] / "docs" / "clients.md"
SYSTEM = "https://hospital.example/mrn"
PATIENT, GOAL = "urn:uuid:6fd95e5e-7c3b-4f0c-8f3c-3a54b2b5a001", "urn:uuid:6fd95e5e-7c3b-4f0c-8f3c-3a54b2b5a002"
TASKS = 23
SUBJECT = {"reference": PATIENT}
NOTE = "For Kanarifugl"
NAME = [{"family": "Kanarifugl", "given": ["River"]}]
MADE = [
    {"resourceType": "Patient", "identifier": [{"system": SYSTEM, "value": "2"}], "name": NAME},
    {"resourceType": "Goal", "lifecycleStatus": "active", "description": {"text": NOTE}, "subject": SUBJECT},
    {"resourceType": "CarePlan", "status": "active", "intent": "plan", "title": NOTE, "subject": SUBJECT, "goal": [{"reference": GOAL}]},
    *[
        {"resourceType": "Task", "status": "requested", "intent": "order", "description": NOTE, "for": SUBJECT, "priority": "routine"}
        for _ in range(TASKS)
    ],
]
NAMED = {0: PATIENT, 1: GOAL}
STORY = {
    "patient": {"resourceType": "Patient", "identifier": [{"system": SYSTEM, "value": "1"}], "name": NAME},
    "birthDate": "1994-05-06",
    "transaction": {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {"fullUrl": NAMED.get(number, f"urn:uuid:6fd95e5e-7c3b-4f0c-8f3c-3a54b2b5b{number:03}")}
            | {"resource": raw, "request": {"method": "POST", "url": raw["resourceType"]}}
            for number, raw in enumerate(MADE)
        ],
    },
}

Get = Callable[[str], requests.Response]


@pytest.fixture(params=programs.CLIENTS)
def done(request: pytest.FixtureRequest, database: Any, tmp_path: Path, pytestconfig: pytest.Config) -> Any:
    """What a client says it did, what the server saw of it, and how to ask the server without it."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    try:
        with capture.global_and_fixture_disabled():
            command = programs.command(request.param)
    except programs.NotInstalled as error:
        if os.environ.get("CI"):
            pytest.fail(str(error), pytrace=False)
        pytest.skip(f"{request.param} could not be installed: {error}")
    story = tmp_path / "story.json"
    story.write_text(json.dumps(STORY))
    app = create_app(Repository(database))
    seen = exchanges.recorded(app)
    with running(app) as url:
        ran = subprocess.run([*command, f"{url}/fhir", str(story)], capture_output=True, text=True, check=False, timeout=120)
        assert ran.returncode == 0, ran.stderr[-3000:]
        told, asked = json.loads(ran.stdout.splitlines()[-1]), {*seen}
        yield told, asked, lambda path: requests.get(f"{url}/fhir/{path}", timeout=30)


def test_a_client_library_does_its_whole_story(done: tuple[dict[str, Any], set[str], Get]) -> None:
    told, asked, get = done
    id, versions = told["patient"], told["versions"]
    assert versions == [str(number + 1) for number in range(len(versions))]
    assert len(versions) >= 2
    assert get(f"Patient/{id}/_history/1").json().items() >= STORY["patient"].items()  # type: ignore[attr-defined]
    assert get(f"Patient/{id}/_history/{versions[-1]}").json()["birthDate"] == STORY["birthDate"]
    assert get(f"Patient/{id}/_history").json()["total"] == len(versions) + 1
    assert get(f"Patient/{id}").status_code == 410

    located = ["/".join(address.split("/")[:2]) for address in told["located"]]
    patient, goal, plan, *tasks = located
    assert [get(address).json()["resourceType"] for address in located] == [raw["resourceType"] for raw in MADE]
    assert get(plan).json()["subject"] == get(goal).json()["subject"] == {"reference": patient}
    assert get(plan).json()["goal"] == [{"reference": goal}]
    assert sorted(f"Task/{id}" for id in told["found"]) == sorted(tasks)
    assert get("Task?_summary=count").json()["total"] == TASKS

    assert told.get("stale", [412, "conflict"]) == [412, "conflict"]
    assert told["refused"] in ([[410, "deleted"], [404, "not-found"]], [[None, "deleted"], [None, "not-found"]])
    assert {"create", "read", "search", "next page", "transaction", "error"} <= asked <= {*exchanges.NAMES}
    assert listed()[told["client"]] == asked


def listed() -> dict[str, set[str]]:
    """What the first table of docs/clients.md says each client does."""
    text = PAGE.read_text("utf-8")
    [head, _, *rows] = [[*map(str.strip, line.split("|")[1:-1])] for line in text[text.index("| |") :].partition("\n\n")[0].splitlines()]
    return {client: {row[0] for row in rows if row[place] == "yes"} for place, client in enumerate(head) if client}

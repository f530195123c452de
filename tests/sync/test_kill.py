"""Killed with SIGKILL in the midst of a push or a pull, ten times each, at random moments: run again, nothing is lost or doubled.

The hospital is this project's own server here; `tests/live` runs the same against HAPI. What is killed is `python -m adapter.cli`.
"""

import json
import os
import random
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import pytest

from adapter.config import OWN_ID
from adapter.fhir.client import FhirClient
from adapter.store.documents import Change
from adapter.sync.bridge import Bridge
from adapter.sync.remotes.remote import Remote
from tests.sync.faulty import Proxy

KILLS = 10
# A kill can come too early or too late to hit anything. More are made until enough have hit.
MOST = 3 * KILLS
TYPES = ("Patient", "Goal", "Observation")
EACH = 6
MADE = EACH * len(TYPES)
SYSTEM = "urn:example:killed"
PATIENCE = 120


@dataclass
class Scene:
    """Our store, the hospital, and the command line as a process of its own between them."""

    bridge: Bridge
    hospital: FhirClient
    proxy: Proxy
    environment: dict[str, str]
    chance: random.Random = field(default_factory=lambda: random.Random(20251122))

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "adapter.cli", *arguments]
        return subprocess.Popen(command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(self, *arguments: str) -> dict[str, Any]:
        """What a command that ends well prints as JSON."""
        process = self.start(*arguments, "--json")
        out, said = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, (arguments, process.returncode, said, out[-2000:])
        return json.loads(out)

    def kill(self, word: str, done: Callable[[], int], amount: int) -> None:
        """Kill the command, unless it ends before, a little after it has done so much more by this measure."""
        before = done()
        process = self.start(word, "hospital")
        while process.poll() is None and done() < before + amount:
            time.sleep(0.002)
        time.sleep(self.chance.uniform(0, 0.05))
        process.kill()
        process.communicate()

    def posts(self) -> int:
        """How many of the commands' writes have reached the hospital."""
        return sum(seen[0] == "POST" for seen in self.proxy.seen)

    def here(self) -> list[dict[str, Any]]:
        """What we have of the test's resources."""
        return ours(stored.raw for type in TYPES for stored in self.bridge.repository.scan(type))

    def there(self) -> list[dict[str, Any]]:
        """What the hospital has of them, asked for past the proxy."""
        return ours(raw for type in TYPES for page in self.hospital.search(type, {}) for raw in page.entries)

    def edit_here(self) -> None:
        raw = self.chance.choice(self.here())
        self.bridge.repository.commit([Change(raw["resourceType"], raw["id"], edited(raw), int(raw["meta"]["versionId"]))])

    def edit_there(self) -> None:
        raw = self.chance.choice(self.there())
        self.hospital.update(edited(raw), if_match=raw["meta"]["versionId"])


@pytest.fixture
def scene(database: Any, store_uri: str, hospital_url: str) -> Iterator[Scene]:
    bridge = Bridge(database)
    environment = {**os.environ, "CASEBRIDGE_DB": store_uri, "CASEBRIDGE_DATABASE": database.name}
    with Proxy(hospital_url) as proxy, FhirClient(hospital_url) as hospital:
        bridge.remotes.add(Remote("hospital", proxy.url, types=TYPES, page_size=3, bundle_size=5))
        yield Scene(bridge, hospital, proxy, environment)


def resources(turn: int) -> Iterator[dict[str, Any]]:
    """What is made before a kill: patients, each with an observation and a goal, and each with an identifier of its own."""
    for number in range(turn * EACH, (turn + 1) * EACH):
        ids = {type: str(uuid5(NAMESPACE_URL, f"{SYSTEM}|{type}|{number}")) for type in TYPES}
        text, subject = f"number {number} (Kanarifugl)", {"reference": f"Patient/{ids['Patient']}"}
        bodies: dict[str, dict[str, Any]] = {
            "Patient": {"name": [{"family": "Kanarifugl", "given": [text]}]},
            "Observation": {"status": "final", "code": {"text": text}, "subject": subject},
            "Goal": {
                "lifecycleStatus": "active",
                "description": {"text": text},
                "subject": subject,
                "addresses": [{"reference": f"Observation/{ids['Observation']}"}],
            },
        }
        for type, body in bodies.items():
            yield {"resourceType": type, "id": ids[type], "identifier": [{"system": SYSTEM, "value": f"{type} {number}"}], **body}


def transaction(found: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """The resources as one Bundle that creates them."""
    entries = [
        {"fullUrl": f"urn:uuid:{raw['id']}", "resource": raw, "request": {"method": "POST", "url": raw["resourceType"]}} for raw in found
    ]
    inside = re.sub(r'"reference": "\w+/', '"reference": "urn:uuid:', json.dumps(entries))
    return {"resourceType": "Bundle", "type": "transaction", "entry": json.loads(inside)}


def ours(found: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [raw for raw in found if any(identifier["system"] == SYSTEM for identifier in raw.get("identifier", ()))]


def name(raw: dict[str, Any]) -> str:
    return next(str(identifier["value"]) for identifier in raw["identifier"] if identifier["system"] == SYSTEM)


def own(raw: dict[str, Any]) -> list[str]:
    """The identifiers of ours that it carries."""
    return [identifier["value"] for identifier in raw["identifier"] if identifier["system"] == OWN_ID]


def edited(raw: dict[str, Any]) -> dict[str, Any]:
    """The resource with one more extension than before."""
    return {**raw, "extension": [*raw.get("extension", []), {"url": "urn:example:edited", "valueString": "Kanarifugl"}]}


def contents(found: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """What each says, by name: in terms that are the same on both sides, and without what only one side has."""
    names = {f"{raw['resourceType']}/{raw['id']}": name(raw) for raw in found}

    def turned(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: names[item] if key == "reference" else turned(item) for key, item in value.items()}
        return [turned(item) for item in value] if isinstance(value, list) else value

    bodies = [turned(raw) for raw in found]
    for body in bodies:
        del body["id"], body["meta"]
        body["identifier"] = [identifier for identifier in body["identifier"] if identifier["system"] != OWN_ID]
    return {name(body): body for body in bodies}


def versions(found: list[dict[str, Any]]) -> dict[str, str]:
    return {name(raw): raw["meta"]["versionId"] for raw in found}


def assert_in_step(scene: Scene, turns: int) -> None:
    """Each resource is once on either side, says the same on both, and another run changes nothing."""
    here, there = scene.here(), scene.there()
    for side in (here, there):
        assert Counter(map(name, side)) == Counter(name(raw) for turn in range(turns) for raw in resources(turn))
    assert contents(here) == contents(there)
    again = scene.run("sync", "hospital")
    assert again["clean"]
    assert not [row for row in again["push"].values() if set(row) & {"create", "update", "delete"}]
    assert (versions(scene.here()), versions(scene.there())) == (versions(here), versions(there))
    assert scene.run("verify")["faults"] == 0


def hit(undone: list[int]) -> bool:
    """Whether enough kills came after some of the work and before the end of it, by what was left undone after each."""
    hits = sum(0 < left < before + MADE for before, left in zip([0, *undone], undone, strict=False))
    return len(undone) >= KILLS and hits > KILLS // 3


def test_a_push_killed_ten_times_loses_nothing_and_doubles_nothing(scene: Scene) -> None:
    undone: list[int] = []
    while not hit(undone) and len(undone) < MOST:
        scene.bridge.repository.commit([Change(raw["resourceType"], raw["id"], raw, 0) for raw in resources(len(undone))])
        scene.kill("push", scene.posts, scene.chance.randint(1, 4))
        undone.append(len(scene.here()) - len(scene.there()))
        scene.edit_here()
        scene.edit_here()
    assert hit(undone), undone
    assert scene.run("push", "hospital")["clean"]
    assert Counter(id for raw in scene.there() for id in own(raw)) == Counter(raw["id"] for raw in scene.here())
    assert_in_step(scene, len(undone))


def test_a_pull_killed_ten_times_loses_nothing_and_doubles_nothing(scene: Scene) -> None:
    undone: list[int] = []
    while not hit(undone) and len(undone) < MOST:
        scene.hospital.transaction(transaction(resources(len(undone))))
        scene.kill("pull", lambda: len(scene.here()), scene.chance.randint(1, MADE * 2 // 3))
        undone.append(len(scene.there()) - len(scene.here()))
        scene.edit_there()
        scene.edit_there()
    assert hit(undone), undone
    assert scene.run("pull", "hospital")["clean"]
    assert_in_step(scene, len(undone))

"""Killed with SIGKILL in the midst of a push or a pull, ten times each, at random moments: run again, nothing is lost and nothing is doubled.

The hospital is this project's own server here; `tests/live` runs the same against HAPI. What is killed is `python -m adapter.cli`.
"""

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from adapter.config import OWN_ID
from adapter.fhir.client import FhirClient
from adapter.store.documents import Change
from adapter.sync.bridge import Bridge
from adapter.sync.remotes import Remote
from tests.sync.faulty import Proxy
from tests.sync.hospital import hospital_server

KILLS = 10
TYPES = ("Patient", "Goal", "Observation")
EACH = 50
PATIENCE = 120


@pytest.fixture
def hospital_url(store: Any, database: Any) -> Iterator[str]:
    other = store[f"{database.name}_hospital"]
    try:
        with hospital_server(other) as url:
            yield url
    finally:
        store.drop_database(other.name)


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

    def kill(self, word: str, method: str, requests: int) -> bool:
        """Whether the command was killed before its end, a little after so many of its requests of this method had been made."""
        before = len(self.proxy.seen)
        process = self.start(word, "hospital")
        made = 0
        while process.poll() is None and made < requests:
            made = sum(seen[0] == method for seen in self.proxy.seen[before:])
            time.sleep(0.002)
        time.sleep(self.chance.uniform(0, 0.08))
        process.kill()
        process.communicate()
        return process.returncode < 0

    def here(self, type: str) -> dict[str, dict[str, Any]]:
        """Our resources by id."""
        return {stored.id: stored.raw for stored in self.bridge.repository.scan(type)}

    def there(self, type: str) -> dict[str, dict[str, Any]]:
        """The hospital's resources by id, asked for past the proxy."""
        return {raw["id"]: raw for page in self.hospital.search(type, {}) for raw in page.entries}

    def edit_here(self, type: str) -> None:
        stored = self.bridge.repository.read(type, self.chance.choice(sorted(self.here(type))))
        self.bridge.repository.commit([Change(type, stored.id, edited(stored.raw), stored.version)])

    def edit_there(self, raw: dict[str, Any]) -> None:
        now = self.hospital.read(raw["resourceType"], raw["id"])
        self.hospital.update(edited(now.raw), if_match=str(now.version))


@pytest.fixture
def scene(database: Any, store_uri: str, hospital_url: str) -> Iterator[Scene]:
    bridge = Bridge(database)
    environment = {**os.environ, "CASEBRIDGE_DB": store_uri, "CASEBRIDGE_DATABASE": database.name}
    with Proxy(hospital_url) as proxy, FhirClient(hospital_url) as hospital:
        bridge.remotes.add(Remote("hospital", proxy.url, types=TYPES, page_size=5, bundle_size=5))
        yield Scene(bridge, hospital, proxy, environment)


def resources(name: str) -> Iterator[dict[str, Any]]:
    """A patient, a goal and an observation about that patient, time and again; references by the ids that these have in the list."""
    for number in range(EACH):
        text = f"{name} {number} (Kanarifugl)"
        patient, goal, observation = (f"{name}-{type}-{number}".lower() for type in TYPES)
        named = [{"system": "urn:example:killed", "value": f"{name}-{number}"}]
        yield {"resourceType": "Patient", "id": patient, "identifier": named, "name": [{"family": "Kanarifugl", "given": [text]}]}
        subject = {"reference": f"Patient/{patient}"}
        yield {
            "resourceType": "Goal",
            "id": goal,
            "identifier": named,
            "lifecycleStatus": "active",
            "description": {"text": text},
            "subject": subject,
            "addresses": [{"reference": f"Observation/{observation}"}],
        }
        yield {
            "resourceType": "Observation",
            "id": observation,
            "identifier": named,
            "status": "final",
            "code": {"text": "blood pressure"},
            "subject": subject,
            "note": [{"text": text}],
        }


def edited(raw: dict[str, Any]) -> dict[str, Any]:
    """The resource with an element more, which each edit makes longer."""
    extensions = [*raw.get("extension", []), {"url": "urn:example:edited", "valueString": "Kanarifugl"}]
    return {**raw, "extension": extensions}


def bare(raw: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """What a resource says, in the terms of the other side: references as `names` has them, nothing that only one side has."""

    def turned(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: names[item] if key == "reference" else turned(item) for key, item in value.items()}
        return [turned(item) for item in value] if isinstance(value, list) else value

    identifiers = [identifier for identifier in raw["identifier"] if identifier["system"] != OWN_ID]
    return {name: turned(value) for name, value in raw.items() if name not in ("id", "meta")} | {"identifier": identifiers}


def in_the_middle(progress: list[int]) -> int:
    """How many of the kills came after a first and before the last resource, each further than the one before it."""
    return len({count for count in progress if 0 < count < EACH * len(TYPES)})


def own(raw: dict[str, Any]) -> list[str]:
    return [identifier["value"] for identifier in raw["identifier"] if identifier["system"] == OWN_ID]


def test_a_push_killed_ten_times_loses_nothing_and_doubles_nothing(scene: Scene) -> None:
    made = [Change(raw["resourceType"], raw["id"], raw, 0) for raw in resources("made")]
    scene.bridge.repository.commit(made)
    ids = {type: {change.id for change in made if change.type == type} for type in TYPES}
    progress = []
    for _ in range(KILLS):
        assert scene.kill("push", "POST", scene.chance.randint(1, 4))
        progress.append(sum(bool(set(own(raw)) & ids[type]) for type in TYPES for raw in scene.there(type).values()))
        for _ in range(2):
            scene.edit_here(scene.chance.choice(TYPES))
    assert in_the_middle(progress) >= KILLS // 2, progress
    assert scene.run("push", "hospital")["clean"]
    there = {type: {id: raw for id, raw in scene.there(type).items() if set(own(raw)) & ids[type]} for type in TYPES}
    names = {f"{type}/{id}": f"{type}/{own(raw)[0]}" for type in TYPES for id, raw in there[type].items()}
    for type in TYPES:
        assert Counter(id for raw in there[type].values() for id in own(raw)) == Counter(ids[type])
        same = {name: name for other in TYPES for name in (f"{other}/{id}" for id in ids[other])}
        kept = {own(raw)[0]: bare(raw, names) for raw in there[type].values()}
        assert kept == {id: bare(raw, same) for id, raw in scene.here(type).items()}
    assert scene.run("push", "hospital")["push"] == {}
    assert {raw["meta"]["versionId"] for type in TYPES for raw in scene.there(type).values()} <= {str(n) for n in range(1, 2 * KILLS)}
    assert scene.run("verify")["faults"] == 0


def test_a_pull_killed_ten_times_loses_nothing_and_doubles_nothing(scene: Scene) -> None:
    made = list(resources("found"))
    entries = [{"fullUrl": f"urn:uuid:{raw['id']}", "resource": raw, "request": {"method": "POST", "url": raw["resourceType"]}} for raw in made]
    whole = json.loads(json.dumps(entries))
    assert whole

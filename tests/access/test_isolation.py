"""Isolation, proven: whatever the world, through every door the reader finds what may be seen, and nothing else.

The worlds are made by chance; what may be seen of them is told by `tests.access.rule`, which knows nothing of how it is done.
CASEBRIDGE_LAW_EXAMPLES sets how many.
"""

import itertools
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from adapter.access.policy import Policy, View
from adapter.access.viewer import Viewer
from adapter.errors import Gone, NotFound
from adapter.store.documents import Change
from adapter.store.repository import Repository
from adapter.store.sight import Sight
from server.fhir.messages import Request
from server.fhir.routes import endpoint

from ..server.fhir import fuzzed
from . import rule, worlds

NOON = datetime(2025, 4, worlds.TODAY, 12, tzinfo=UTC)
BASE = "http://test/fhir"
Key = tuple[str, str]


class Told:
    """A world that is stored, and asked of as the reader by every door."""

    def __init__(self, repository: Repository, ask: Callable[[Request], Any], world: dict[str, Any], lead: str) -> None:
        self.repository, self._ask, self.world, self.lead = repository, ask, world, lead
        self.states: dict[Key, list[dict[str, Any]]] = {}
        self.deleted: set[Key] = set()
        self.provenances: dict[str, set[Key]] = {}
        self._store()
        viewer = Viewer(
            role="reader",
            references=frozenset((f"Organization/{lead}ins",)),
            purpose=world["purpose"],
            glass=frozenset((f"Patient/{lead}{world['glass']}",)) if world["glass"] else frozenset(),
        )
        observation = View(category=("shown",)) if world["category"] else View()
        types = {name: View() for name in ("Appointment", "CarePlan", "Condition", "Coverage", "Goal", "Patient")}
        policy = Policy(
            title="A reader",
            ties=("payor",),
            kind="payer",
            consent=world["consent"],
            sensitive=tuple(world["sensitive"]),
            open=("Organization",),
            types=types | {"Observation": observation},
            by_target=("Provenance",),
        )
        self.sight = lambda: Sight(repository.database, viewer, policy, NOON, frozenset())

    def _store(self) -> None:
        lead, made = self.lead, []
        for payer in worlds.PAYERS:
            made.append(("Organization", payer, {"resourceType": "Organization", "name": payer}))
        for patient in worlds.PATIENTS:
            made.append(("Patient", patient, {"resourceType": "Patient", "birthDate": "1980-01-01", "name": [{"family": "Kanarifugl"}]}))
        for number, each in enumerate(self.world["coverages"]):
            made.append(("Coverage", f"c{number}", worlds.coverage(each, lead)))
        for number, each in enumerate(self.world["consents"]):
            made.append(("Consent", f"k{number}", worlds.consent(each, lead)))
        for number, each in enumerate(self.world["things"]):
            self.states[each["type"], f"{lead}t{number}"] = each["states"]
            made.append((each["type"], f"t{number}", worlds.thing(each["type"], each["states"][0], lead)))
        keys = [*self.states]
        for number, several in enumerate(self.world["told"]):
            targets = {keys[index % len(keys)] for index in several}
            self.provenances[f"{lead}v{number}"] = targets
            body = {
                **{"resourceType": "Provenance", "recorded": "2025-04-22T09:00:00Z", "agent": [{"who": {"display": "somebody"}}]},
                "target": [{"reference": f"{type}/{id}"} for type, id in sorted(targets)],
            }
            made.append(("Provenance", f"v{number}", body))
        self.repository.commit([Change(type, lead + id, body, 0) for type, id, body in made])
        later = [(key, states) for key, states in self.states.items() if len(states) > 1]
        later = [(key, states) for key, states in later if worlds.thing(key[0], states[0], "") != worlds.thing(key[0], states[1], "")]
        self.states = {key: states if (key, states) in later else states[:1] for key, states in self.states.items()}
        self.repository.commit([Change(*key, worlds.thing(key[0], states[1], lead), 1) for key, states in later])
        self.deleted = {key for key, each in zip(keys, self.world["things"], strict=True) if each["deleted"]}
        self.repository.commit([Change(*key, None, len(self.states[key])) for key in sorted(self.deleted)])

    def get(self, path: str) -> dict[str, Any] | None:
        """What is answered; None where it is as if it were not there."""
        path, _, query = path.partition("?")
        try:
            answer = self._ask(Request("GET", path, BASE, parse_qsl(query), sight=self.sight()))
        except NotFound:
            return None
        except Gone:
            return {"gone": True}
        return json.loads(answer.text)

    def pages(self, path: str) -> Iterator[dict[str, Any]]:
        """The pages of a search or a history, to the last."""
        following: str | None = path
        while following:
            page = self.get(following)
            assert page is not None
            yield page
            links = {link["relation"]: link["url"] for link in page["link"]}
            following = links.get("next", "").removeprefix(f"{BASE}/") or None

    def found(self, path: str, mode: str = "match") -> set[Key]:
        """What a search finds or includes on all its pages, each once."""
        entries = [entry for page in self.pages(path) for entry in page.get("entry", ()) if entry["search"]["mode"] == mode]
        keys = [(entry["resource"]["resourceType"], entry["resource"]["id"]) for entry in entries]
        assert mode == "include" or len(keys) == len(set(keys)), path
        return {key for key in keys if key[0] != "Organization"}

    def seen(self) -> set[Key]:
        """What of the world may be seen now, by the rule."""
        lead, world = self.lead, self.world
        found = {("Patient", lead + name) for name in worlds.PATIENTS if rule.sees_own(world, name, "Patient")}
        found |= {
            ("Coverage", f"{lead}c{number}")
            for number, each in enumerate(world["coverages"])
            if rule.sees_own(world, each["patient"], "Coverage")
        }
        found |= {key for key, states in self.states.items() if key not in self.deleted and rule.sees_state(world, key[0], states[-1:])}
        deletions = {key for key in self.deleted if rule.sees_deletion(world, key[0], self.states[key][-1])}
        return found | {("Provenance", id) for id, targets in self.provenances.items() if targets <= found | deletions}

    def versions(self) -> set[tuple[str, str, int]]:
        """The versions of what is about care that may be seen, deletions among them, by the rule."""
        found = set()
        for (type, id), states in self.states.items():
            found |= {(type, id, number + 1) for number in range(len(states)) if rule.sees_state(self.world, type, states[number:])}
            if (type, id) in self.deleted and rule.sees_deletion(self.world, type, states[-1]):
                found.add((type, id, len(states) + 1))
        return found


@pytest.fixture
def told(database, tmp_path):
    ticks = itertools.count()
    repository = Repository(database, clock=lambda: NOON - timedelta(hours=1) + timedelta(milliseconds=next(ticks)))
    for type in ("Appointment", "CarePlan", "Condition", "Consent", "Coverage", "Encounter", "Goal", "Observation", "Organization"):
        repository.collection(type)
    ask, numbers = endpoint(repository, tmp_path), itertools.count()
    return lambda world: Told(repository, ask, world, f"w{next(numbers)}-")


# A world takes half a second to ask, so a failing one is shown as it was found.
@settings(fuzzed(8), phases=[Phase.explicit, Phase.generate], suppress_health_check=[*HealthCheck])
@given(world=worlds.worlds)
def test_every_door_shows_what_may_be_seen_and_nothing_else(told, world):
    asked = told(world)
    seen = asked.seen()
    current = {key: states[-1] for key, states in asked.states.items() if key not in asked.deleted}
    _reads(asked, seen)
    _searches(asked, seen, current)
    _joins(asked, seen, current)
    _histories(asked, seen)
    _everything(asked, seen)


def _reads(asked: Told, seen: set[Key]) -> None:
    patients = {("Patient", asked.lead + name) for name in worlds.PATIENTS}
    for type, id in patients | asked.states.keys():
        answer = asked.get(f"{type}/{id}")
        there = answer is not None and "gone" not in answer
        assert there == ((type, id) in seen), f"read {type}/{id}"
    versions = asked.versions()
    for (type, id), states in asked.states.items():
        for number in range(1, len(states) + 1 + ((type, id) in asked.deleted)):
            answer = asked.get(f"{type}/{id}/_history/{number}")
            assert (answer is not None) == ((type, id, number) in versions), f"vread {type}/{id} {number}"


def _searches(asked: Told, seen: set[Key], current: dict[Key, dict[str, Any]]) -> None:
    for type in (*worlds.TYPES, "Appointment", "Coverage", "Encounter", "Patient", "Provenance"):
        mine = {key for key in seen if key[0] == type}
        for query in (
            "",
            "_count=1",
            "_count=2&_sort=-_lastUpdated",
            "_count=2&_sort=_id",
            "_lastUpdated=gt2020-01-01",
            "_count=1&_sort=-_id",
        ):
            assert asked.found(f"{type}?{query}") == mine, f"{type}?{query}"
        assert asked.get(f"{type}?_summary=count")["total"] == len(mine)
        assert asked.get(f"{type}?_count=1&_total=accurate")["total"] == len(mine)
        ids = ",".join(sorted(id for of, id in {*current, *seen} if of == type)) or "none"
        assert asked.found(f"{type}?_id={ids}&_count=1") == mine
        assert asked.get(f"{type}?_id={ids}&_summary=count")["total"] == len(mine)
        assert len(asked.found(f"?_type={type}&_sort=_id&_count=2")) == len(mine)
    every = {key for key in seen if key[0] in ("CarePlan", "Observation")}
    assert asked.found("?_type=CarePlan,Observation&_count=2") == every
    assert asked.found("?_type=CarePlan,Observation&_count=2&_sort=-_lastUpdated") == every
    for name in worlds.PATIENTS:
        patient = f"Patient/{asked.lead}{name}"
        for type in worlds.TYPES:
            mine = {key for key, state in current.items() if key in seen and key[0] == type and state["patients"][0] == name}
            assert asked.found(f"{type}?patient={patient}&_count=1") == mine
            assert asked.found(f"{type}?subject={patient}&_sort=-_lastUpdated") == mine
            assert asked.get(f"{type}?patient={patient}&_summary=count")["total"] == len(mine)
        for code in worlds.CODES:
            fit = {key for key, state in current.items() if key in seen and state["code"] == code and state["patients"][0] == name}
            assert asked.found(f"Observation?patient={patient}&code={code}") == {key for key in fit if key[0] == "Observation"}
        held = {key for key, state in current.items() if key in seen and key[0] == "Observation" and name in _both(state)}
        assert asked.found(f"{patient}/Observation?_count=1") == held
        assert asked.found(f"Observation?performer={patient}") == {key for key in held if current[key]["patients"][-1] == name}


def _both(state: dict[str, Any]) -> set[str]:
    return {state["patients"][0], state["patients"][-1]}


def _joins(asked: Told, seen: set[Key], current: dict[Key, dict[str, Any]]) -> None:
    lead = asked.lead
    patients = {id.removeprefix(lead) for type, id in seen if type == "Patient"}
    of = {key: current[key]["patients"][0] for key in seen if key in current and key[0] in worlds.TYPES}
    for type in worlds.TYPES:
        chained = {key for key, owner in of.items() if key[0] == type and owner in patients}
        assert asked.found(f"{type}?subject:Patient.birthdate=1980-01-01") == chained
        having = {("Patient", lead + owner) for key, owner in of.items() if key[0] == type and owner in patients}
        assert asked.found(f"Patient?_has:{type}:patient:_lastUpdated=gt2020-01-01") == having
        assert asked.found(f"{type}?_include={type}:subject", "include") == having
        brought = {key for key, owner in of.items() if key[0] == type and owner in patients}
        assert asked.found(f"Patient?_revinclude={type}:subject", "include") == brought


def _histories(asked: Told, seen: set[Key]) -> None:
    versions = asked.versions()
    for type in (*worlds.TYPES, "Appointment", "Encounter"):
        assert _listed(asked, f"{type}/_history?_count=2") == {each for each in versions if each[0] == type}
    assert _listed(asked, "_history?_count=5") & {(*key, number) for key in asked.states for number in range(1, 4)} == versions
    for (type, id), states in asked.states.items():
        newest = (type, id, len(states) + ((type, id) in asked.deleted))
        own = {each for each in versions if each[:2] == (type, id)}
        page = asked.get(f"{type}/{id}/_history")
        if newest not in versions:
            assert page is None
        else:
            assert _listed(asked, f"{type}/{id}/_history") == own
            assert page["total"] == len(own)


def _listed(asked: Told, path: str) -> set[tuple[str, str, int]]:
    entries = [entry for page in asked.pages(path) for entry in page.get("entry", ())]
    found = []
    for each in entries:
        type, id = each["fullUrl"].removeprefix(f"{BASE}/").split("/")[:2]
        found.append((type, id, int(each["response"]["etag"].strip('W/"'))))
    assert len(found) == len(set(found))
    return set(found)


def _everything(asked: Told, seen: set[Key]) -> None:
    for name in worlds.PATIENTS:
        id = asked.lead + name
        page = asked.get(f"Patient/{id}/$everything")
        if ("Patient", id) not in seen:
            assert page is None
            continue
        told = {(entry["resource"]["resourceType"], entry["resource"]["id"]) for entry in page.get("entry", ())}
        told = {key for key in told if key[0] != "Organization"}
        assert told <= seen
        own = {key for key in seen if key in asked.states and name in asked.states[key][-1]["patients"][:1]}
        assert own <= told

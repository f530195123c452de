"""What an answer tells by a part, by an address, or as gone does not say whose it is: the account does."""

from dataclasses import replace

import pytest
import requests

from adapter.audit.disclosures import disclosures
from adapter.store.documents import Change
from adapter.store.repository import Repository
from adapter.store.state import State
from adapter.sync.exporting.turns import task
from adapter.sync.workers import jobs
from tests.server.auth.site import SECONDS

from .conftest import INSURER
from .test_account import DANA

NURSE = replace(DANA, user="nurse", fhir_user="Practitioner/nurse")
NUMBER = [{"system": "urn:example:weights", "value": "1"}]


def weight(id: str, patient: str, **more: object) -> dict[str, object]:
    """An observation."""
    head = {"resourceType": "Observation", "id": id, "status": "final", "code": {"text": "weight"}}
    return {**head, "subject": {"reference": f"Patient/{patient}"}, **more}


@pytest.fixture
def nurse(site, token, repository):
    """Asks as one of the care team of a patient who has a weight; the path of the weight is `Observation/w`."""
    member = [{"member": {"reference": "Practitioner/nurse"}}]
    team = {"resourceType": "CareTeam", "status": "active", "subject": {"reference": "Patient/vela"}, "participant": member}
    for type, id, raw in (
        ("Patient", "vela", {"resourceType": "Patient", "id": "vela"}),
        ("CareTeam", "team-vela", team),
        ("Observation", "w", weight("w", "vela", identifier=NUMBER)),
    ):
        if repository.find(type, id) is None:
            repository.commit([Change(type, id, raw, 0)])
    given = token(NURSE)
    return lambda method, path, body=None, **headers: site.send(given, method, f"fhir/{path}", body, **headers)


def exported(world, given, path):
    """The manifest of an export that is written now, and what it is asked with."""
    begun = world.site.send(given, "GET", f"fhir/{path}", Prefer="respond-async")
    assert begun.status_code == 202, begun.text
    [(id, _)] = [each for each in State(world.repository.database).all("jobs", {"task": "export"}) if each[1]["status"] == "waiting"]
    jobs.perform(task(world.exports), Repository(world.repository.database), id)
    headers, place = {"Authorization": f"Bearer {given}"}, begun.headers["Content-Location"]
    return requests.get(place, headers=headers, timeout=SECONDS).json(), headers, place


def test_a_file_of_parts_and_one_of_deletions_name_whose_they_are(world, token, told):
    repository, given = world.repository, token(INSURER)
    repository.commit([Change("Observation", id, weight(id, "river"), 0) for id in ("heavy", "gone")])
    repository.commit([Change("Observation", "gone", None, 1)])
    manifest, headers, place = exported(
        world, given, "Patient/$export?_type=Observation&_elements=code,valueQuantity&_since=2020-01-01T00:00:00Z"
    )
    told()
    [parts], [gone] = manifest["output"], manifest["deleted"]
    for file, line in ((parts, '"id":"heavy"'), (gone, '"url":"Observation/gone"')):
        answer = requests.get(file["url"], headers=headers, timeout=SECONDS)
        assert (line in answer.text, "Patient" in answer.text) == (True, False)
        sent, whom = told()
        assert (sent["patients"], whom["name"], whom["patients"]) == (set(), "export-file", {"Patient/river"})
    # The manifest is no resource: the rest of a Bundle is answered without it.
    entries = [{"request": {"method": "GET", "url": url}} for url in ("Patient/river", place.partition("/fhir/")[2])]
    answer = world.site.send(given, "POST", "fhir/", {"resourceType": "Bundle", "type": "batch", "entry": entries})
    assert [each["response"]["status"][:3] for each in answer.json()["entry"]] == ["200", "400"]


def test_what_a_condition_finds_is_told_of_whose_it_is(nurse, told):
    raw, condition = weight("x", "vela"), "identifier=urn:example:weights|1"
    only = {"If-None-Exist": condition, "Prefer": "return=minimal"}
    told()
    answer = nurse("POST", "Observation", raw, **only)
    assert (answer.status_code, answer.text, "/Observation/w/_history/" in answer.headers["Content-Location"]) == (200, "", True)
    [event] = told()
    assert (event["name"], event["action"], event["patients"], event["details"]["told"]) == (
        "create",
        "R",
        {"Patient/vela"},
        "Observation/w",
    )
    assert event["query"] == f"POST Observation If-None-Exist: {condition}"
    entry = {"resource": raw, "request": {"method": "POST", "url": "Observation", "ifNoneExist": f"{condition}\nGET Patient/alma"}}
    assert nurse("POST", "", {"resourceType": "Bundle", "type": "batch", "entry": [entry]}).status_code == 200
    assert told()[-1]["query"].splitlines()[1:] == [f"POST Observation If-None-Exist: {condition} GET Patient/alma"]
    entry["request"]["ifNoneExist"] = condition
    place = {"resource": {"resourceType": "Location"}, "request": {"method": "POST", "url": "Location"}}
    for kind in ("batch", "transaction"):
        answer = nurse("POST", "?_pretty=true", {"resourceType": "Bundle", "type": kind, "entry": [entry, place]})
        assert [each["response"]["status"][:3] for each in answer.json()["entry"]] == ["200", "201"], answer.text
        wrote, event = told()
        assert (wrote["patients"], event["patients"]) == (set(), {"Patient/vela"})
        assert "Observation/w" in event["details"]["told"].split()
        assert f"POST Observation If-None-Exist: {condition}" in event["query"].splitlines()


def test_a_write_that_changes_nothing_is_a_disclosure(nurse, told, repository):
    before, patch = repository.read("Observation", "w"), {"Content-Type": "application/json-patch+json"}
    told()
    for method, body, headers in (("PUT", before.raw, {}), ("PATCH", [], patch), ("PATCH", [], {**patch, "Prefer": "return=minimal"})):
        answer = nurse(method, "Observation/w", body, **headers)
        assert (answer.status_code, answer.headers["ETag"]) == (200, f'W/"{before.version}"'), answer.text
        [event] = told()
        assert (event["name"] in ("update", "patch"), event["action"], event["patients"]) == (True, "R", {"Patient/vela"})
    assert repository.read("Observation", "w") == before
    rows = [each.what for each in disclosures(stored.raw for stored in repository.scan("AuditEvent") if "Observation/w" in stored.text)]
    assert {each.partition(":")[0] for each in rows} >= {"update", "patch"}
    changed = nurse("PUT", "Observation/w", weight("w", "vela", identifier=NUMBER, valueInteger=before.version))
    [event] = told()
    assert (changed.status_code, event["action"], event["patients"]) == (200, "U", {"Patient/vela"})


def test_who_wants_to_write_what_another_just_wrote_is_told_of_it_by_a_read(nurse, repository, told, monkeypatch):
    before, commit = repository.read("Observation", "w"), Repository._committed
    raw = weight("w", "vela", identifier=NUMBER, valueString="Kanarifugl")
    told()

    def overtaken(self, changes, also):
        monkeypatch.undo()
        commit(self, [Change("Observation", "w", raw, before.version)], None)
        return commit(self, changes, also)

    monkeypatch.setattr(Repository, "_committed", overtaken)
    answer = nurse("PUT", "Observation/w", raw)
    assert (answer.status_code, answer.json()["meta"]["versionId"]) == (200, str(before.version + 1))
    [event] = told()
    assert (event["name"], event["action"], event["patients"]) == ("update", "R", {"Patient/vela"})


def test_what_was_deleted_is_told_of_whose_it_was(nurse, told, repository):
    repository.commit([Change("Flag", "f", {"resourceType": "Flag", "status": "active", "subject": {"reference": "Patient/vela"}}, 0)])
    repository.commit([Change("Flag", "f", None, 1)])
    told()
    for path in ("Flag/_history?_count=1", "Flag/_history?_count=1&_pretty=true", "_history?_count=1"):
        answer = nurse("GET", path)
        assert ([each["request"]["method"] for each in answer.json()["entry"]], "Patient/" in answer.text) == (["DELETE"], False)
        assert told()[0]["patients"] == {"Patient/vela"}, path

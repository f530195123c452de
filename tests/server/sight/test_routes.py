"""Every route of the case API, asked for what is not among one's cases: it answers as if that were not there."""

from typing import Any
from uuid import uuid4

import pytest

from adapter.cases.registry import RECORDS
from adapter.store.documents import Change
from server.api import schemas
from server.api.routes import COLLECTION, Route, routes

from ..api.test_routes import BODIES, INSTANCES, QUERIES
from .conftest import Hospital, shown

PEOPLE_AND_PLACES = frozenset(("case_manager", "stakeholder", "professional_role", "healthcare_service", "endpoint"))
"""Concepts that are of no client and seen by everybody."""
ONE, MANY, NOBODYS, OWN = "of one that is not seen", "of those that are seen", "of no client", "of who asks"
DECIDED = {
    ("task", "worklist"): MANY,
    ("case_manager", "caseload"): MANY,
    ("case_manager", "credentials"): NOBODYS,
    ("outcome", "measure"): MANY,
    ("outcome", "measures"): NOBODYS,
    ("stakeholder", "directory"): NOBODYS,
    ("screening", "instruments"): NOBODYS,
    ("screening", "instrument"): NOBODYS,
    ("screening", "preview"): NOBODYS,
    ("client", "create"): OWN,
    ("client", "break-glass"): OWN,
    ("client", "broken-glass"): OWN,
    ("client", "mend-glass"): OWN,
}
"""What is shown by each route that is not of one record, or of a list of records, of a client's."""


def decision(route: Route) -> str:
    """What a route is about. A new one that is about something else needs a line in the table."""
    if (route.concept, route.name) in DECIDED:
        return DECIDED[route.concept, route.name]
    if route.concept in PEOPLE_AND_PLACES and route.name in COLLECTION:
        return NOBODYS
    if route.name == "list":
        return MANY
    assert route.name == "create" or "<id>" in route.path, f"{route.method} {route.path} has no decision"
    return ONE


@pytest.fixture(scope="module")
def worlds(hospital: Hospital) -> dict[str, Any]:
    """References by concept of what Sam has, and Dana's client."""
    client, case = hospital.client("sam", "bela")
    made = {"client": client, "case": case, "case_manager": "Practitioner/sam"}
    for route in routes():
        if route.name == "create" and route.concept not in (*made, *PEOPLE_AND_PLACES):
            answer = hospital.ask("sam", "POST", route.path[1:], _body(route, made))
            assert answer.status_code == 201, f"{route.path} {answer.text}"
            made[route.concept] = answer.json()["meta"]["reference"]
    return {"sam": made, "dana": dict(zip(("client", "case"), hospital.client("dana", "alma"), strict=True))}


def _body(route: Route, made: dict[str, Any]) -> Any:
    """A body that is taken, about the client that there is."""
    body = BODIES.get((route.concept, route.name)) or _local(schemas.example(route.body), made)
    if route.name in COLLECTION:
        body |= {"members": [{"client": made["client"]}]} if route.concept == "target_group" else {}
        body |= {"client": made["client"]} if "client" in RECORDS[route.concept].keys() else {}  # noqa: SIM118 - a class method
    return body


def _local(value: Any, made: dict[str, Any]) -> Any:
    if isinstance(value, dict):
        return {name: _local(item, made) for name, item in value.items()}
    if isinstance(value, list):
        return [_local(item, made) for item in value]
    return {"Patient/1": made["client"], "EpisodeOfCare/1": made["case"], "Practitioner/1": made["case_manager"]}.get(str(value), value)


def test_every_route_has_a_decision():
    assert {decision(route) for route in routes()} == {ONE, MANY, NOBODYS, OWN}
    assert DECIDED.keys() <= {(route.concept, route.name) for route in routes()}


def test_what_is_not_seen_answers_as_what_is_not_there(hospital: Hospital, worlds):
    """By id, by a body that names it, to read and to write."""
    sams = worlds["sam"]
    absent = {concept: f"{reference.partition('/')[0]}/nowhere" for concept, reference in sams.items()} | {
        "case_manager": "Practitioner/sam"
    }
    told = []
    for route in (route for route in routes() if decision(route) is ONE):
        there, nowhere = (_asked(hospital, route, made) for made in (sams, absent))
        if there.status_code not in (403, 404) or _without_ids(there, sams) != _without_ids(nowhere, sams):
            told.append(f"{route.method} {route.path}: {there.status_code} {there.text} and not {nowhere.status_code} {nowhere.text}")
    assert not told, "\n".join(told)


def _asked(hospital: Hospital, route: Route, made: dict[str, Any]) -> Any:
    id = INSTANCES.get(route.name, made[route.concept].partition("/")[2])
    path = route.path.replace("<id>", id).replace("<finding>", "phq9-depression")[1:]
    query = "&".join(f"{name}={value}" for name, value in QUERIES.get(route.name, {}).items())
    query = "element=Task/1" if route.name == "trace" else query
    body = _body(route, made) if route.body else None
    headers = {"If_Match": 'W/"1"'} if route.name in ("replace", "delete") else {}
    return hospital.ask("dana", route.method, f"{path}?{query}" if query else path, body, **headers)


def _without_ids(answer: Any, made: dict[str, Any]) -> tuple[int, str]:
    text = shown(answer)
    for reference in made.values():
        text = text.replace(reference.partition("/")[2], "nowhere")
    return answer.status_code, text


def test_nothing_was_changed_by_who_does_not_see_it(hospital: Hospital, worlds):
    for concept, reference in worlds["sam"].items():
        if concept not in PEOPLE_AND_PLACES:
            type, _, id = reference.partition("/")
            stored = hospital.repository.read(type, id)
            assert "Practitioner/dana" not in stored.text, concept


def test_lists_have_what_is_seen_and_nothing_else(hospital: Hospital, worlds):
    sams = {reference.partition("/")[2] for concept, reference in worlds["sam"].items() if concept not in PEOPLE_AND_PLACES}
    for route in routes():
        if decision(route) is MANY and route.method == "GET":
            for whose in ("dana", "sam"):
                path = route.path.replace("<kind>", "due").replace("<id>", INSTANCES.get(route.name, whose))[1:]
                asked = QUERIES.get(route.name, {}) | ({"case_manager": f"Practitioner/{whose}"} if route.name == "worklist" else {})
                query = "&".join(f"{name}={value}" for name, value in asked.items())
                text = shown(hospital.ask("dana", "GET", f"{path}?{query}&members=true" if route.name == "measure" else f"{path}?{query}"))
                assert not [id for id in sams if id in text], route.path
    named = {each["meta"]["reference"] for each in hospital.get("dana", "clients")["items"]}
    assert (worlds["dana"]["client"] in named, worlds["sam"]["client"] in named) == (True, False)
    assert [row["case"] for row in hospital.get("dana", "case-managers/dana/caseload")["items"]] == [worlds["dana"]["case"]]
    assert hospital.get("dana", "case-managers/sam/caseload")["items"] == []


def test_what_is_of_no_client_is_the_same_to_everybody(hospital: Hospital, worlds):
    for route in routes():
        if decision(route) is NOBODYS and route.method == "GET":
            id = INSTANCES.get(route.name, "sam" if route.concept == "case_manager" else "nowhere")
            query = "&".join(f"{name}={value}" for name, value in QUERIES.get(route.name, {}).items())
            path = f"{route.path.replace('<id>', id)[1:]}?{query}"
            first, second = (hospital.ask(who, "GET", path) for who in ("dana", "sam"))
            assert (first.status_code, shown(first)) == (second.status_code, shown(second)), path


def test_an_id_is_not_chosen_by_who_does_not_see_whether_it_is_in_use(hospital: Hospital, worlds):
    body = {"names": [{"family": "Kanarifugl"}], "identifiers": [{"system": "urn:example:mrn", "value": "9"}]}
    taken = worlds["sam"]["client"].partition("/")[2]
    answers = [hospital.ask("dana", "PUT", f"clients/{id}", body, If_None_Match="*") for id in (taken, "free")]
    assert [answer.status_code for answer in answers] == [403, 403]
    assert shown(answers[0]) == shown(answers[1])


def test_who_works_where_is_said_by_no_one_who_works_on_cases(hospital: Hospital):
    """Else a supervisor could lead whom they like."""
    names = [{"family": "Kanarifugl"}]
    role = {"practitioner": "Practitioner/boss", "organization": "Organization/south"}
    told = {"names": names, "discipline": "nurse", **role}
    for path, body in (("case-managers", told), ("professional-roles", role)):
        assert hospital.ask("boss", "POST", path, body).status_code == 403
    version = hospital.get("boss", "case-managers/boss")["meta"]["version"]
    assert hospital.ask("boss", "PUT", "case-managers/boss", told, If_Match=f'W/"{version}"').status_code == 403


def test_a_full_caseload_counts_cases_that_are_not_seen_and_names_none_of_them(hospital: Hospital, worlds):
    hospital.role("sam", "south", caseload_limit=1)
    client, case = worlds["dana"]["client"], worlds["dana"]["case"]
    answer = hospital.ask("dana", "POST", f"{case.replace('EpisodeOfCare', 'cases')}/assignment", {"case_manager": "Practitioner/sam"})
    assert (answer.status_code, answer.json()["rule"]) == (409, "caseload_exceeded")
    assert worlds["sam"]["case"].partition("/")[2] not in answer.text
    hospital.role("sam", "south")
    assert hospital.sees("dana", client)


@pytest.mark.parametrize(
    "practitioner", ["https://dir.example/fhir/Practitioner/1", "Practitioner/1/_history/2", "urn:uuid:1", "Anxiety/1"]
)
def test_the_directory_has_roles_of_people_elsewhere(hospital: Hospital, practitioner: str):
    raw = {"resourceType": "PractitionerRole", "active": True, "practitioner": {"reference": practitioner}}
    hospital.repository.commit([Change("PractitionerRole", id := uuid4().hex, raw, 0)])
    assert f"PractitionerRole/{id}" in {row["reference"] for row in hospital.get("dana", "directory?kind=professional")["items"]}

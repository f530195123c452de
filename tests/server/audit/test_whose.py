"""Each AuditEvent names the patients of what was told, where the answer does not say whose it is, too."""

import re
from typing import Any

import pytest

from adapter.fhir.resource import dumps
from adapter.store.repository import Repository
from adapter.store.state import State
from adapter.sync.people.questions import Doubt, Questions
from server.api.routes import routes
from server.audit import whose
from server.console.own import PARTS
from server.console.routes import PAGES
from tests.server.api.test_routes import QUERIES
from tests.server.console.conftest import form_of
from tests.server.sight import test_pages, test_routes
from tests.server.sight.conftest import REASON, Hospital, hospital
from tests.server.sight.test_routes import worlds

__all__ = ["hospital", "worlds"]
NOT_THERE = frozenset({("document", 404)})
"""Routes whose answer is made by a step that is not taken here, and what they answer."""


@pytest.fixture
def repository(hospital: Hospital) -> Repository:
    return hospital.repository


@pytest.fixture
def sams(hospital: Hospital, worlds: dict[str, Any]) -> dict[str, str]:
    """References by concept of what Sam has, all of one client."""
    made: dict[str, str] = worlds["sam"]
    return made


def _told(told: Any) -> set[str]:
    """Of whom the last access was."""
    patients: set[str] = told()[-1]["patients"]
    return patients


@pytest.mark.parametrize("asked", ["_elements=status", "_summary=text"])
def test_a_part_of_a_resource_is_told_of_whose_it_is(hospital: Hospital, sams, told, asked):
    id = sams["measurement"]
    for path in (f"Observation?patient={sams['client']}&{asked}", f"{id}?{asked}", f"/{id}/_history/1?{asked}"):
        answer = hospital.ask("sam", "GET", f"fhir/{path}")
        assert (answer.status_code, "SUBSETTED" in answer.text, '"subject"' in answer.text) == (200, True, False), answer.text
        assert _told(told) == {sams["client"]}, path
    entries = [{"request": {"method": "GET", "url": f"{id}?{asked}"}}]
    assert hospital.ask("sam", "POST", "fhir/", {"resourceType": "Bundle", "type": "batch", "entry": entries}).status_code == 200
    assert _told(told) == {sams["client"]}


def test_what_is_as_it_was_is_told_of_whose_it_is(hospital: Hospital, sams, told):
    assert hospital.ask("sam", "GET", f"fhir/{sams['measurement']}", If_None_Match='W/"1"').status_code == 304
    assert _told(told) == {sams["client"]}


def test_a_path_with_more_slashes_names_what_it_answers(hospital: Hospital, sams, told):
    for path in (f"fhir//{sams['client']}", f"fhir//{sams['measurement']}?_elements=status", f"fhir///{sams['measurement']}/"):
        assert hospital.ask("sam", "GET", path).status_code == 200
        assert _told(told) == {sams["client"]}, path
    assert hospital.ask("dana", "GET", f"fhir//{sams['measurement']}").status_code == 404
    [event] = told()
    assert (event["said"], event["named"]) == ("404 withheld", {sams["measurement"]})


def test_whose_a_whole_resource_is_is_not_asked_of_the_store(hospital: Hospital, sams, told, monkeypatch):
    asked: list[str] = []
    monkeypatch.setattr(whose, "_of_type", lambda _, type, ids: asked.append(type) or set())
    for path in (sams["measurement"], sams["client"], sams["case_manager"], f"Observation?patient={sams['client']}"):
        assert hospital.ask("sam", "GET", f"fhir/{path}").status_code == 200
    assert asked == []
    assert _told(told) == {sams["client"]}


def test_every_route_with_an_id_says_whose_it_is(hospital: Hospital, sams, told):
    answered, silent = set(), []
    for route in routes():
        if route.method == "GET" and "<id>" in route.path and test_routes.decision(route) is test_routes.ONE:
            path = route.path.replace("<id>", sams[route.concept].partition("/")[2])[1:]
            query = {"element": sams["task"]} if route.name == "trace" else QUERIES.get(route.name, {})
            answer = hospital.ask("sam", "GET", f"{path}?{'&'.join(f'{name}={value}' for name, value in query.items())}")
            if answer.status_code == 200:
                answered.add((route.concept, route.name))
                if _told(told) != {sams["client"]}:
                    silent.append(route.path)
            else:
                assert (route.name, answer.status_code) in NOT_THERE, f"{path} {answer.text}"
    assert not silent
    assert {("case", name) for name in ("timeline", "summary", "trace", "alerts")} | {("planned_service", "candidates")} <= answered


def test_what_is_to_be_done_says_whose_it_is(hospital: Hospital, sams, told):
    """A task of no case, too: its row says of it no more than what it is."""
    body = {"names": [{"family": "Kanarifugl"}], "identifiers": [{"system": "urn:example:mrn", "value": "no-case"}]}
    client = hospital.create("sam", "clients", body)["meta"]["reference"]
    task = {"client": client, "status": "requested", "intent": "order", "owner": "Practitioner/sam", "due": "2020-01-01"}
    made = hospital.create("sam", "tasks", task)["meta"]["reference"]
    told()
    assert made in test_routes.shown(hospital.ask("sam", "GET", "worklists/overdue"))
    assert client in _told(told)


def test_every_page_of_a_record_or_case_says_whose_it_is(hospital: Hospital, sams, told):
    pages, silent = hospital.browser("sam"), []
    told()
    records = [f"/records/{concept}/{reference.partition('/')[2]}" for concept, reference in sams.items()]
    own = [path for path in records if path.split("/")[2] not in test_routes.PEOPLE_AND_PLACES]
    case = sams["case"].partition("/")[2]
    of_case = [rule.replace("<id>", case) for method, rule, _ in PAGES if method == "GET" and rule.startswith("/cases/<id>")]
    for path in [*own, *(f"{path}/edit" for path in own), *(path for path in of_case if "<" not in path)]:
        answer = pages.get(path)
        assert answer.status_code == 200, f"{path} {answer.text}"
        if sams["client"] not in _told(told):
            silent.append(path)
    assert not silent


def test_pages_across_records_say_of_whom_they_are(hospital: Hospital, sams, told):
    """What two systems say differently, who may be one, and whom somebody saw behind the glass."""
    test_pages.test_conflicts_and_questions_are_shown_to_who_sees_what_they_are_about(
        hospital, {name: sams[name].partition("/")[2] for name in ("client", "case", "task")}
    )
    state = State(hospital.repository.database)
    row = {"path": "status", "base": "final", "ours": "amended", "theirs": "corrected"}
    texts = {"rows": dumps([row]), "told": "{}", "ruled": "{}", "base": None, "theirs": None, "reason": None}
    observed = sams["measurement"]
    about = {"remote": "hospital", "reference": observed, "there": observed, "version": "1", "ours": 1}
    state.put("conflicts", f"hospital:{observed}", {**about, **texts, "status": "open", "opened": hospital.clock()})
    other, _ = hospital.client("sam", "bert")
    Questions(state, hospital.clock).ask(Doubt(sams["client"], other, "the names are the same", "mark"))
    pages = hospital.browser("sam")
    assert f"/fhir/{observed}" in pages.get("/conflicts").text
    assert sams["client"] in _told(told)
    assert f"/fhir/{other}" in pages.get("/questions").text
    assert _told(told) >= {sams["client"], other}
    question = Doubt(sams["client"], other, "the names are the same", "mark").id
    assert pages.send(pages.get("/glass"), f"/questions/{question}", answer="different").status_code == 303
    assert _told(told) >= {sams["client"], other}
    hidden, _ = hospital.client("dana", "ally")
    assert hospital.ask("sam", "POST", "glass", {"client": hidden, "reason": REASON}).status_code == 201
    for path in ("/glass", "/glass/broken"):
        assert "ally" in pages.get(path).text
        assert hidden in _told(told), path


def test_what_is_of_another_case_is_neither_shown_nor_changed_as_if_it_were_of_this_one(hospital: Hospital, sams, told):
    """Both are of Sam's clients."""
    client, case = hospital.client("sam", "cara")
    about = {"client": client, "case": case, "case_manager": sams["case_manager"]}
    theirs = {
        route.concept: hospital.create("sam", route.path[1:], test_routes._body(route, about))["meta"]["reference"]
        for route in routes()
        if route.name == "create" and route.concept in (*PARTS.values(), "task")
    }
    inner = {name: theirs[concept].partition("/")[2] for name, concept in PARTS.items()}
    pages, own = hospital.browser("sam"), sams["case"].partition("/")[2]
    page = pages.get("/people")
    asked = set()
    for method, rule, _ in PAGES:
        for name, id in inner.items():
            if f"<{name}>" not in rule:
                continue
            path = re.sub("<[a-z]+>", "x", rule.replace("<id>", own).replace(f"<{name}>", id))
            told()
            answer = pages.get(path) if method == "GET" else pages.send(page, path, word="holds", first="2026-01-01T10:00", version="1")
            assert (answer.status_code, "cara" in answer.text) == (404, False), path
            [event] = told()
            assert (event["outcome"], event["said"]) == ("4", "404 not-found"), "he sees both"
            assert event["named"] >= {sams["case"], theirs[PARTS[name]]}, path
            asked.add((method, name))
    assert asked == {("GET", "plan"), ("POST", "plan"), ("GET", "service"), ("POST", "service"), ("POST", "screening")}
    for place, step in (("referrals", "cancel"), ("referrals", "refer"), ("insurance", "ask_authorisation"), ("transition", "send")):
        for reference in (theirs["task"], theirs["planned_service"], "", f"x/{theirs['task']}"):
            answer = pages.send(page, f"/cases/{own}/{place}", step=step, of=reference, to="Organization/north", reason="none")
            assert (answer.status_code, "no such record" in answer.text) == (404, True), (place, step, reference)
    for reference in theirs.values():
        assert hospital.repository.read(*reference.split("/")).version == 1
    service = sams["planned_service"].partition("/")[2]
    assert pages.get(f"/cases/{own}/services/{service}/sessions").status_code == 200
    assert _told(told) == {sams["client"]}


def test_a_form_that_comes_back_refused_tells_of_whom_it_shows(hospital: Hospital, sams, told):
    """The refusal is written down, and before it what the page shows: what is in the record, and what can be chosen of the case."""
    pages, id = hospital.browser("sam"), {name: reference.partition("/")[2] for name, reference in sams.items()}
    page, goal = pages.get("/people"), f"/records/goal/{id['goal']}/edit"
    opened = form_of(pages.get(goal).text)
    written = hospital.get("sam", f"goals/{id['goal']}")
    theirs = {name: value for name, value in written.items() if name not in ("id", "meta")} | {"description": "Kanarifugl: theirs"}
    assert hospital.ask("sam", "PUT", f"goals/{id['goal']}", theirs, If_Match='W/"1"').status_code == 200
    case = {"client": sams["client"], "case_manager": "Practitioner/sam", "case_number": "N-2"}
    silent = []
    for path, form, said, shows in (
        ("/records/goal/new", {"case": sams["case"]}, "400 invalid", "bela"),
        (goal, {**opened, "description": "Kanarifugl: mine"}, "412 conflict", "Kanarifugl: theirs"),
        (f"/records/client/{id['client']}/edit", {"version": "1", "birth_date": "no date"}, "400 invalid", "no date"),
        (f"/records/measurement/{id['measurement']}/edit", {"version": "1", "status": ""}, "400 invalid", "Measurement"),
        (f"/cases/{id['case']}/screening/phq9", {"disposition": "none"}, "400 invalid", "bela"),
        ("/cases/new", case, "409 conflict", "bela"),
    ):
        told()
        answer = pages.send(page, path, **form)
        assert shows in answer.text, f"{path} {answer.text}"
        *shown, refused = told()
        assert (refused["outcome"], refused["said"]) == ("4", said), path
        if [(event["outcome"], event["said"], event["patients"]) for event in shown] != [("0", None, {sams["client"]})]:
            silent.append(path)
    assert not silent


def test_a_refusal_by_the_case_api_that_names_what_there_is_instead_says_whose_that_is(hospital: Hospital, sams, told):
    case = {"client": sams["client"], "case_manager": "Practitioner/sam", "case_number": "N-2", "case_type": "general"}
    told()
    answer = hospital.ask("sam", "POST", "cases", {**case, "models": [{"model": "brokerage", "primary": True}]})
    assert (answer.status_code, answer.json()["allowed"]) == (409, [sams["case"]])
    shown, refused = told()
    assert (shown["outcome"], shown["patients"], refused["said"]) == ("0", {sams["client"]}, "409 conflict")


def test_who_is_told_no_more_than_why_they_are_refused_is_told_of_nobody(hospital: Hospital, sams, told):
    """And the account says more than they are told: whether what they asked for is there."""
    sam, dana, id = hospital.browser("sam"), hospital.browser("dana"), {name: each.partition("/")[2] for name, each in sams.items()}
    sent, case = sam.get("/people"), f"cases/{id['case']}"
    for ask, said in (
        (lambda: hospital.ask("dana", "GET", case), "404 withheld"),
        (lambda: hospital.ask("dana", "GET", f"{case}/timeline"), "404 withheld"),
        (lambda: hospital.ask("dana", "GET", "cases/nowhere"), "404 not-found"),
        (lambda: hospital.ask("dana", "DELETE", f"goals/{id['goal']}", If_Match='W/"1"'), "404 withheld"),
        (lambda: hospital.ask("sam", "DELETE", f"goals/{id['goal']}"), "428 invalid"),
        (lambda: dana.get(f"/{case}"), "404 withheld"),
        (lambda: dana.get(f"/records/client/{id['client']}"), "404 withheld"),
        (lambda: dana.get("/cases/nowhere"), "404 not-found"),
        (lambda: dana.get("/account"), "403 forbidden"),
        (lambda: sam.send(sent, f"/{case}/transition", step="nonsense"), "400 invalid"),
    ):
        told()
        assert ask().status_code == int(said[:3]), said
        [event] = told()
        assert (event["outcome"], event["said"]) == ("4", said)

"""The two stories, told to the case API alone, come to the same end as when they are replayed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from adapter.cases.story import replay
from adapter.casework.edits import MADE
from adapter.fhir.resource import dumps, parse
from adapter.store.repository import Repository
from server import create_app
from server.api.paths import path_of
from tests.cases.stories import NAMES, story

from ..fhir import Fhir
from .conftest import CaseApi, case, new_client, problem

# Who acts and who is spoken of comes first, then the case, then what is of it.
ORDER = ("case_manager", "client", "stakeholder", "support_person")


class Time:
    """A clock that is set, and goes on by a millisecond whenever it is looked at."""

    def __init__(self):
        self.now = datetime(2025, 1, 1, tzinfo=UTC)

    def __call__(self):
        self.now += timedelta(milliseconds=1)
        return self.now


class Teller:
    """Tells a story to the API at the moments at which it happened."""

    def __init__(self, database):
        self.time = Time()
        client = create_app(Repository(database, self.time)).test_client()
        self.api, self.fhir = CaseApi(client), Fhir(client)

    def tell(self, told):
        for position, entry in enumerate(told.entries):
            self.time.now = datetime.fromisoformat(entry.at).astimezone(UTC)
            door = self.api.as_(entry.by)
            left = sorted(entry.saves, key=lambda saved: ORDER.index(saved.concept) if saved.concept in ORDER else len(ORDER))
            while left:
                # What a rule refuses for want of something that comes with it is said again after that.
                refused = [(saved, answer) for saved in left if (answer := self.save(door, saved)).status_code not in (200, 201)]
                assert len(refused) < len(left), "\n".join(answer.text for _, answer in refused)
                left = [saved for saved, _ in refused]
            if entry.transition:
                body = {"transition": entry.transition, "request_id": f"{told.name}/{position}"}
                way = body | ({"reason": entry.reason} if entry.reason else {})
                answer = door.send("POST", f"cases/{entry.case.partition('/')[2]}/transitions", dumps(way))
                assert answer.status_code == 200, f"{entry.transition}: {answer.text}"

    def save(self, door, saved):
        path = f"{path_of(saved.concept)}/{saved.id}"
        fields = dumps({name: value for name, value in saved.fields.items() if name not in MADE.get(saved.concept, {})})
        now = self.api.send("GET", path)
        if now.status_code == 404:
            own = self.api.as_(saved.reference) if saved.concept == "case_manager" else door
            return own.send("PUT", path, fields, If_None_Match="*")
        return door.send("PUT", path, fields, If_Match=now.headers["ETag"])


@pytest.mark.parametrize("name", NAMES)
def test_a_story_told_to_the_api_ends_as_it_does_when_it_is_replayed(database, name):
    """E-01, E-02, F-RIVER, F-STROKE"""
    told = story(name)
    teller = Teller(database)
    teller.tell(told)
    last = {saved.reference: saved for _, records in replay(told) for saved in records}
    for saved in last.values():
        kept = parse(teller.api.send("GET", f"{path_of(saved.concept)}/{saved.id}").data)
        if saved.concept == "case":
            assert [stretch["step"] for stretch in kept["status_history"]] == [each["step"] for each in saved.fields["status_history"]]
            assert [request["transition"] for request in kept["requests"]] == told.expect["path"]
        else:
            beside = {"id", "meta", *MADE.get(saved.concept, {}), *(("adjustments",) if saved.fields.get("status") == "revoked" else ())}
            assert without(kept, beside) == without(saved.fields, beside), saved.concept


def test_the_twenty_first_case_of_a_case_manager_is_not_opened(database):
    """F-STROKE-CASELOAD, V-01, P-27"""
    teller, first = Teller(database), story("alma").entries[0]
    teller.time.now = datetime.fromisoformat(first.at).astimezone(UTC)
    people = [saved for saved in first.saves if saved.concept in ORDER]
    pat = next(saved for saved in people if saved.concept == "case_manager")
    for saved in sorted(people, key=lambda saved: ORDER.index(saved.concept)):
        assert teller.save(teller.api.as_(pat.reference), saved).status_code == 201
    door = teller.api.as_(pat.reference)
    for number in range(20):
        door.create("cases", case(new_client(door, f"c{number}"), case_manager=pat.reference, case_number=f"N-{number}"))
    told = problem(door.send("POST", "cases", case(new_client(door, "one-more"), case_manager=pat.reference)), 409)
    assert told["rule"] == "caseload_exceeded"
    assert len(door.get(f"case-managers/{pat.id}/caseload")["items"]) == 20


@pytest.mark.parametrize(
    ("day", "verdict"), [pytest.param("2025-03-11", "yes", id="day 30"), pytest.param("2025-03-12", "no", id="day 31")]
)
def test_a_stay_is_a_readmission_up_to_the_thirtieth_day_and_the_case_is_planned_again(database, day, verdict):
    """F-STROKE-READMIT, F-STROKE-DAY31, P-22, O-02, V-15"""
    teller, told = Teller(database), story("alma")
    waiting = next(place for place, entry in enumerate(told.entries) if entry.transition == "TR-19")
    teller.tell(replace(told, entries=told.entries[: waiting + 1]))
    pat, [case] = told.entries[waiting].by, teller.api.get("cases")["items"]
    teller.time.now = datetime(2025, 3, 13, 15, tzinfo=UTC)
    assert teller.api.get(f"cases/{case['id']}/outcome-proposal")["readmission"]["within_30_days"] == "no"
    stay = {
        "resourceType": "Encounter",
        "status": "in-progress",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"},
        "priority": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActPriority", "code": "EM"}]},
        "subject": {"reference": case["client"]},
        "period": {"start": day},
    }
    assert teller.fhir.create(stay)["id"]
    readmission = teller.api.get(f"cases/{case['id']}/outcome-proposal")["readmission"]
    assert (readmission["within_30_days"], readmission["index_discharge_at"]) == (verdict, "2025-02-09")
    door, ways = teller.api.as_(pat), f"cases/{case['id']}/transitions"
    moved = door.send("POST", ways, {"transition": "TR-16", "reason": "Kanarifugl is in hospital again"})
    assert (moved.status_code, moved.json.get("step")) == (200, "risk_evaluation"), moved.text
    # The risk evaluation of before is not about what came since.
    assert problem(door.send("POST", ways, {"transition": "TR-06"}), 422)["rule"] == "not_renewed"
    [risk] = teller.api.get(f"risk-evaluations?case={case['meta']['reference']}")["items"]
    door.create("risk-evaluations", {**risk, "at": "2025-03-13T14:00:00Z"})
    assert problem(door.send("POST", ways, {"transition": "TR-06"}), 422)["rule"] == "not_renewed"
    teller.time.now = datetime(2025, 3, 13, 16, tzinfo=UTC)
    door.create("risk-evaluations", {**risk, "at": "2025-03-13T15:30:00Z"})
    moved = door.send("POST", ways, {"transition": "TR-06"})
    assert (moved.status_code, moved.json.get("step")) == (200, "planning"), moved.text


def without(fields, names):
    return {name: value for name, value in fields.items() if name not in names}

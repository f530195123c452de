"""`$open`, `$transition` and `$assign`; and both stories told by FHIR alone, to the same end."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from adapter.cases.facts import moment
from adapter.cases.registry import RECORDS
from adapter.cases.story import replay
from adapter.casework.edits import MADE
from adapter.clock import utc_now
from adapter.fhir.resource import dumps, parse
from adapter.mapping.registry import faces, mapping_for
from adapter.store.repository import Repository
from tests.cases.stories import NAMES, story

from ..fhir import assert_outcome, entry, transaction

BY = ("by", "valueReference", {"reference": "Practitioner/dana"})
BOSS = ("by", "valueReference", {"reference": "Practitioner/boss"})


class Time:
    """A clock that says what it is told."""

    def __init__(self):
        self.now = utc_now()

    def __call__(self):
        return self.now


@pytest.fixture
def time():
    return Time()


@pytest.fixture
def repository(database, time):
    return Repository(database, time)


def put(fhir, concept, id, fields):
    """Write the faces of a record over what the server has."""
    for mapping in faces(concept, fields):
        stored = fhir.send("GET", f"{mapping.type}/{id}")
        now = parse(stored.text) if stored.status_code == 200 else None
        answer = fhir.send("PUT", f"{mapping.type}/{id}", dumps(mapping.overlay(now, fields) | {"id": id}))
        assert answer.status_code in (200, 201), answer.text


@pytest.fixture
def case(fhir):
    person = {"names": [{"family": "Kanarifugl", "given": ["Dana"]}], "discipline": "nurse"}
    for id, role in (("dana", "case_manager"), ("sam", "case_manager"), ("boss", "supervisor")):
        put(fhir, "case_manager", id, person | {"practitioner": f"Practitioner/{id}", "role": role, "caseload_limit": 1})
    put(fhir, "client", "alma", {"identifiers": [{"system": "urn:example:mrn", "value": "1"}], "names": [{"family": "Kanarifugl"}]})
    models = [{"model": "brokerage", "primary": True}]
    fields = {"client": "Patient/alma", "case_number": "1", "case_type": "general", "models": models, "status": "planned"}
    put(fhir, "case", "k1", fields | {"case_manager": "Practitioner/dana"})
    return "EpisodeOfCare/k1"


def test_a_case_that_came_by_fhir_is_opened_and_moved_on(fhir, operations, case, time):
    """C-02, TR-01"""
    opened = operations.ask(f"{case}/$open", BY)
    assert opened.status_code == 200, opened.text
    assert operations.ask(f"{case}/$open", BY).json["meta"]["versionId"] == opened.json["meta"]["versionId"]
    time.now = datetime(2099, 1, 1, tzinfo=UTC)
    moved = operations.ask(f"{case}/$transition", BY, ("to", "valueCode", "screening"), ("requestId", "valueString", "r1"))
    assert mapping_for(moved.json).extract(moved.json).fields["step"] == "screening"
    again = operations.ask(f"{case}/$transition", BY, ("to", "valueCode", "screening"), ("requestId", "valueString", "r1"))
    assert again.json == moved.json
    targets = [
        entry["resource"]["target"][0]["reference"] for entry in fhir.send("GET", "Provenance?agent=Practitioner/dana").json["entry"]
    ]
    assert sorted(targets) == [f"{case}/_history/2", f"{case}/_history/3"]


def of_case(**fields):
    return {"client": "Patient/alma", "case": "EpisodeOfCare/k1"} | fields


def test_the_rules_hold_for_a_case_that_is_led_here_by_whatever_door(fhir, operations, case):
    """C-16, C-22, V-06, V-12, gol-1"""
    goal = of_case(lifecycle="active", description="Kanarifugl", targets=[{"value": {"text": "walks"}}])
    put(fhir, "goal", "before", goal)  # the case is not led here yet
    operations.ask(f"{case}/$open", BY)
    [mapping] = faces("goal", goal)
    issue = assert_outcome(fhir.put(mapping.overlay(None, goal) | {"id": "g"}), 422, "business-rule")
    assert issue["details"]["coding"][0]["code"] == "goal_target_invalid"
    elsewhere = mapping.overlay(None, {name: value for name, value in goal.items() if name != "case"})
    assert fhir.put(elsewhere | {"id": "g"}).status_code == 201
    service = of_case(status="not_started", intent="order", kind="therapy", description="Kanarifugl", authorisation_required="yes")
    put(fhir, "planned_service", "pt", service)
    booked = of_case(status="booked", client_attendance="accepted", services=["ServiceRequest/pt"])
    [mapping] = faces("appointment", booked)
    refused = fhir.put(mapping.overlay(None, booked) | {"id": "a"})
    assert assert_outcome(refused, 409, "conflict")["details"]["coding"][0]["code"] == "authorisation_missing"


def test_the_history_that_a_case_brings_stays(fhir, operations, case):
    """C-02, B-06"""
    raw = fhir.send("GET", case).json
    past = [{"status": "waitlist", "period": {"start": "2026-01-01"}}]
    assert fhir.put(raw | {"statusHistory": past, "period": {"start": "2026-01-01"}}).status_code == 200
    opened = operations.ask(f"{case}/$open", BY).json
    first, second = opened["statusHistory"]
    assert (first["status"], first["period"]) == ("waitlist", {"start": "2026-01-01", "end": second["period"]["start"]})
    assert (second["status"], opened["status"], opened["period"]) == ("planned", "planned", {"start": "2026-01-01"})


def test_a_step_that_a_case_cannot_go_to_is_refused_with_those_that_it_can(operations, case):
    operations.ask(f"{case}/$open", BY)
    issue = assert_outcome(operations.ask(f"{case}/$transition", BY, ("to", "valueCode", "closed")), 409, "conflict")
    assert issue["details"]["coding"][0]["code"] == "transition_not_allowed"
    assert issue["details"]["text"] == "Possible: screening, declined, cancelled, entered_in_error"
    assert_outcome(operations.ask(f"{case}/$transition", BY, ("transition", "valueString", "TR-24")), 403, "forbidden")
    assert_outcome(operations.ask(f"{case}/$transition", BY, ("to", "valueCode", "nowhere")), 422, "code-invalid")
    assert_outcome(operations.ask(f"{case}/$transition", BY), 400, "invalid")
    nobody = ("by", "valueReference", {"reference": "Practitioner/nobody"})
    assert_outcome(operations.ask(f"{case}/$transition", nobody, ("to", "valueCode", "screening")), 400, "invalid")
    assert_outcome(operations.ask(f"{case}/$transition", ("by", "valueReference", {"display": "x"}), BY), 400, "invalid")


def test_the_process_of_a_case_that_is_led_here_is_not_written_over(fhir, operations, case):
    """C-02, C-09"""
    unled = fhir.send("GET", case).json
    assert fhir.put(unled | {"status": "active"}).status_code == 200  # as another casebridge may send it
    assert fhir.put(unled).status_code == 200
    opened = operations.ask(f"{case}/$open", BY).json
    issue = assert_outcome(fhir.put(opened | {"status": "finished"}), 409, "conflict")
    assert issue["expression"] == ["status"]
    assert_outcome(fhir.put(opened | {"careManager": {"reference": "Practitioner/sam"}}), 409, "conflict")
    bare = {name: opened[name] for name in ("resourceType", "id", "patient")} | {"status": "finished"}
    assert_outcome(fhir.put(bare), 409, "conflict")
    merge = fhir.send("PATCH", case, '{"extension": null}', Content_Type="application/merge-patch+json")
    assert_outcome(merge, 409, "conflict")
    assert fhir.put(opened | {"diagnosis": [{"condition": {"reference": "Condition/1"}}]}).status_code == 200


@pytest.mark.parametrize(
    "deletion",
    [
        pytest.param(lambda fhir, case: fhir.send("DELETE", case), id="by its id"),
        pytest.param(lambda fhir, case: fhir.send("DELETE", "EpisodeOfCare?patient=Patient/alma"), id="by a condition"),
        pytest.param(lambda fhir, case: fhir.send("POST", "", transaction(entry("DELETE", case))), id="in a transaction"),
        pytest.param(
            lambda fhir, case: fhir.send("POST", "", transaction(entry("DELETE", "EpisodeOfCare?patient=Patient/alma"))),
            id="in a transaction, by a condition",
        ),
    ],
)
def test_a_case_that_is_led_here_is_not_deleted_but_entered_in_error(fhir, operations, case, time, deletion):
    """TR-24"""
    operations.ask(f"{case}/$open", BY)
    issue = assert_outcome(deletion(fhir, case), 409, "conflict")
    assert issue["details"]["coding"][0]["code"] == "case_kept"
    assert "TR-24" in issue["diagnostics"]
    assert fhir.send("GET", case).status_code == 200
    time.now = datetime(2099, 1, 1, tzinfo=UTC)
    assert operations.ask(f"{case}/$transition", BOSS, ("transition", "valueString", "TR-24")).json["status"] == "entered-in-error"
    assert_outcome(deletion(fhir, case), 409, "conflict")


def test_of_a_batch_only_the_deletion_of_a_case_is_refused(fhir, operations, case):
    operations.ask(f"{case}/$open", BY)
    spare = fhir.create({"resourceType": "Basic", "code": {"text": "Kanarifugl"}})
    batch = transaction(entry("DELETE", case), entry("DELETE", f"Basic/{spare['id']}"), type="batch")
    assert [each["response"]["status"][:3] for each in fhir.send("POST", "", batch).json["entry"]] == ["409", "204"]


def test_a_case_that_another_system_leads_may_be_deleted(fhir, case):
    assert fhir.send("DELETE", case).status_code == 204


def test_a_case_is_given_to_somebody_who_has_room(fhir, operations, case, time):
    """C-09, V-01, P-27"""
    operations.ask(f"{case}/$open", BY)
    sam = ("caseManager", "valueReference", {"reference": "Practitioner/sam"})
    given = operations.ask(f"{case}/$assign", BY, sam, ("reason", "valueString", "holidays"))
    assert given.json["careManager"]["reference"] == "Practitioner/sam"
    assert given.json["team"] == [{"reference": "CareTeam/k1"}]
    other = fhir.send("GET", case).json
    client = {"identifiers": [{"system": "urn:example:mrn", "value": "2"}], "names": [{"family": "Kanarifugl"}]}
    put(fhir, "client", "river", client)
    fields = mapping_for(other).extract(other).fields
    of_river = {name: fields[name] for name in ("case_type", "models")} | {
        "client": "Patient/river",
        "case_number": "2",
        "status": "planned",
    }
    put(fhir, "case", "k2", of_river)
    assert operations.ask("EpisodeOfCare/k2/$open", BY).status_code == 200
    issue = assert_outcome(operations.ask("EpisodeOfCare/k2/$assign", BY, sam), 409, "conflict")
    assert issue["details"]["coding"][0]["code"] == "caseload_exceeded"
    assert issue["details"]["text"] == "Possible: Practitioner/boss, Practitioner/dana"
    time.now = datetime(2099, 1, 1, tzinfo=UTC)
    assert operations.ask("EpisodeOfCare/k2/$assign", BOSS, sam, ("reason", "valueString", "holidays")).status_code == 200


def tell(fhir, operations, repository, time, told):
    """What happens in a story, by FHIR alone; the last of each record that it tells."""
    last, made = {}, {*MADE["case"], "status"}
    for told_of, written in replay(told):
        time.now = moment(told_of.at).astimezone(UTC)
        by = ("by", "valueReference", {"reference": told_of.by})
        if told_of.transition:
            way = ("transition", "valueString", told_of.transition)
            why = [("reason", "valueString", told_of.reason)] if told_of.reason else []
            answer = operations.ask(f"{told_of.case}/$transition", by, way, *why)
            assert answer.status_code == 200, (told_of.transition, answer.text)
            last.update({saved.reference: saved for saved in written})
            continue
        for saved in written:
            first = saved.concept == "case" and saved.reference not in last
            fields = saved.fields
            if first:
                fields = {key: value for key, value in fields.items() if key not in made} | {"status": "planned"}
            elif saved.concept == "case":
                kept = repository.find("EpisodeOfCare", saved.id).record
                fields = {key: value for key, value in fields.items() if key not in made} | {key: kept[key] for key in made & kept.keys()}
            put(fhir, saved.concept, saved.id, fields)
            last[saved.reference] = saved
        for saved in written:
            if saved.concept == "case" and "step" not in repository.find("EpisodeOfCare", saved.id).record:
                opened = operations.ask(f"{saved.reference}/$open", by)
                assert opened.status_code == 200, opened.text
    return last


@pytest.mark.parametrize("name", NAMES)
def test_a_story_told_by_fhir_alone_comes_to_the_same_end(fhir, operations, repository, time, name):
    """E-01, E-02, B-01"""
    last = tell(fhir, operations, repository, time, story(name))
    for saved in last.values():
        kept = {}
        for mapping in faces(saved.concept, saved.fields):
            kept |= repository.find(mapping.type, saved.id).record
        only_here = RECORDS[saved.concept].LOCAL
        expected = {key: value for key, value in saved.fields.items() if key not in only_here}
        assert mapped(kept) == mapped(expected), saved.reference


@pytest.mark.parametrize(
    ("day", "counts"), [pytest.param("2025-03-11", [1, 1, 1], id="day 30"), pytest.param("2025-03-12", [1, 1, 0], id="day 31")]
)
def test_told_by_fhir_alone_a_stay_is_a_readmission_up_to_the_thirtieth_day(fhir, operations, repository, time, day, counts):
    """P-22, O-02, F-STROKE-READMIT, F-STROKE-DAY31, V-15"""
    told = story("alma")
    waiting = next(place for place, entry in enumerate(told.entries) if entry.transition == "TR-19")
    last = tell(fhir, operations, repository, time, replace(told, entries=told.entries[: waiting + 1]))
    case, by = told.entries[waiting].case, ("by", "valueReference", {"reference": told.entries[waiting].by})
    time.now = datetime(2025, 3, 13, 15, tzinfo=UTC)
    first = next(saved for entry in told.entries for saved in entry.saves if saved.concept == "encounter")
    stay = fhir.send("GET", first.reference).json
    again = {name: stay[name] for name in ("resourceType", "class", "priority", "subject")}
    fhir.create(again | {"status": "in-progress", "period": {"start": day}})
    asked = f"periodStart=2025-02-01&periodEnd=2025-02-28&subject={stay['subject']['reference']}"
    [group] = fhir.send("GET", f"Measure/readmission-30-days/$evaluate-measure?{asked}").json["group"]
    assert [each["count"] for each in group["population"]] == counts
    why = ("reason", "valueString", "Kanarifugl is in hospital again")
    moved = operations.ask(f"{case}/$transition", by, ("transition", "valueString", "TR-16"), why)
    assert mapping_for(moved.json).extract(moved.json).fields["step"] == "risk_evaluation", moved.text
    time.now += timedelta(minutes=2)
    finalise = (by, ("transition", "valueString", "TR-06"))
    issue = assert_outcome(operations.ask(f"{case}/$transition", *finalise), 422, "business-rule")
    assert issue["details"]["coding"][0]["code"] == "not_renewed"
    risk = fhir.send("GET", next(reference for reference, saved in last.items() if saved.concept == "risk_evaluation")).json
    del risk["id"]
    fhir.create(risk | {"occurrenceDateTime": (time.now - timedelta(minutes=1)).isoformat()})
    moved = operations.ask(f"{case}/$transition", *finalise)
    assert mapping_for(moved.json).extract(moved.json).fields["step"] == "planning", moved.text


def mapped(fields):
    """Comparable: moments as such, the stretches of a case's history by what they were."""
    if isinstance(fields, dict):
        return {key: mapped(value) for key, value in fields.items()}
    if isinstance(fields, list):
        return [mapped(value) for value in fields]
    return moment(fields) if isinstance(fields, str) and len(fields) > 10 and fields[4] == "-" and fields[10] == "T" else fields

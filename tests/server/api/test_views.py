"""What the case API shows across records."""

import pytest

from adapter.casework.facts import records_of
from adapter.casework.records import read
from adapter.casework.stories import load_story
from tests.cases.stories import story
from tests.server.fhir import Fhir

from .conftest import BOSS, DANA, SAM, case, new_client, problem


@pytest.fixture
def opened(api, alma):
    return api.create("cases", case())


@pytest.fixture
def river(api, repository):
    """River's whole story: its case's id."""
    return load_story(repository, story("river")).case.partition("/")[2]


def test_a_timeline_has_every_step_and_record_in_order(api, repository, river):
    """S-03"""
    items = api.get(f"cases/{river}/timeline")["items"]
    kept = read(repository, "case", river)
    timeless = {"case", "client", "case_manager", "stakeholder", "support_person"}
    records = records_of(repository, kept.reference, kept.fields)
    whole = {reference for concept, found in records.items() if concept not in timeless for reference in found}
    assert {item["reference"] for item in items if item["concept"] != "step"} == whole
    assert [item["what"] for item in items if item["concept"] == "step"] == [each["step"] for each in kept.fields["status_history"]]
    days = [item["at"][:10] for item in items if "at" in item]
    assert days == sorted(days)
    assert all("at" in item for item in items[: len(days)])


def test_a_summary_has_three_lenses_each_with_data_or_a_note(api, opened, river):
    """C-13"""
    empty = api.get(f"cases/{opened['id']}/summary")
    lenses = ("clinical", "advocacy", "financial")
    assert empty == {"step": "referred"} | {name: {"items": [], "note": "none recorded"} for name in lenses}
    full = api.get(f"cases/{river}/summary")
    assert {"condition", "goal", "risk_evaluation"} <= {item["concept"] for item in full["clinical"]["items"]}
    assert {"coverage", "authorisation"} <= {item["concept"] for item in full["financial"]["items"]}
    assert full["financial"]["costs"]["actual"] == [{"value": 45500, "currency": "USD"}]
    assert all(full[name]["items"] or full[name]["note"] for name in lenses)


def test_a_case_says_in_which_of_six_phases_it_is(api, opened):
    api.send("POST", f"cases/{opened['id']}/transitions", {"to": "screening"})
    assert {name: value for name, value in api.get(f"cases/{opened['id']}/summary").items() if name in ("step", "phase6")} == {
        "step": "screening",
        "phase6": 1,
    }


def test_a_caseload_has_each_open_case_with_step_tier_and_next_due_date(api, alma):
    """C-18"""
    made = [api.create("cases", case(new_client(api, f"c{number}"), case_number=f"N-{number}")) for number in range(12)]
    api.create("cases", case(alma, case_manager=SAM, case_number="S-1"))
    task = {"client": "Patient/c3", "case": made[3]["meta"]["reference"], "status": "requested", "intent": "order", "owner": DANA}
    api.create("tasks", {**task, "due": "2020-01-02"})
    rows = api.get("case-managers/dana/caseload")["items"]
    assert {row["case"] for row in rows} == {each["meta"]["reference"] for each in made}
    assert {row["step"] for row in rows} == {"referred"}
    assert {row["case"]: row.get("next_due") for row in rows}[made[3]["meta"]["reference"]] == "2020-01-02"
    problem(api.send("GET", "case-managers/nobody/caseload"), 404)


def test_a_worklist_is_of_who_acts_or_of_who_is_named(api, opened):
    """C-12"""
    task = {"client": "Patient/alma", "case": opened["meta"]["reference"], "status": "requested", "intent": "order", "owner": DANA}
    made = [
        api.create("tasks", {**task, "due": due, "priority": word})["meta"]["reference"]
        for due, word in (("2020-01-02", "routine"), ("2020-01-01", "routine"), ("2999-01-01", "urgent"))
    ]
    tasks = [row["reference"] for row in api.get(f"worklists/overdue?case_manager={DANA}")["items"] if row["what"] == "task"]
    assert tasks == [made[1], made[0]]
    mine = api.get("worklists/urgent", Casebridge_Actor=DANA)["items"]
    assert [row["reference"] for row in mine] == [made[2]]
    assert api.get(f"worklists/due?case_manager={BOSS}")["items"] == []
    problem(api.send("GET", "worklists/due"), 400)
    problem(api.send("GET", f"worklists/kanarifugl?case_manager={DANA}"), 404)


FAR, SOON, LATE = "2999-01-01T09:00:00Z", "2998-01-01T09:00:00Z", "2999-06-01T09:00:00Z"
NUCC = "http://nucc.org/provider-taxonomy"


def place(id, city):
    return {"resourceType": "Location", "id": id, "address": {"city": city}}


def service(id, location, **more):
    specialty = [{"coding": [{"system": NUCC, "code": "225100000X", "display": "Physical Therapist"}]}]
    about = {"resourceType": "HealthcareService", "id": id, "name": f"Therapy {id}", "location": [{"reference": f"Location/{location}"}]}
    return {**about, "specialty": specialty, **more}


def slots(actor, *starts, status="free"):
    schedule = {"resourceType": "Schedule", "id": f"of-{actor.replace('/', '-')}", "actor": [{"reference": actor}]}
    named = {"reference": f"Schedule/{schedule['id']}"}
    made = [
        {"resourceType": "Slot", "id": f"{schedule['id']}-{n}", "schedule": named, "status": status, "start": start, "end": start}
        for n, start in enumerate(starts)
    ]
    return [schedule, *made]


@pytest.fixture
def town(api, client):
    fhir = Fhir(client)
    found = [place("north", "Northtown"), place("south", "Southtown")]
    found += [service("full", "north"), service("soon", "north"), service("late", "north"), service("unknown", "north")]
    found += [
        service("away", "south"),
        service("shut", "north", notAvailable=[{"description": "moving", "during": {"start": "2020-01-01"}}]),
    ]
    found += slots("HealthcareService/full", FAR, status="busy") + slots("HealthcareService/late", LATE)
    found += slots("HealthcareService/soon", "2020-01-01T09:00:00Z", SOON, FAR)
    for each in found:
        assert fhir.put(each).status_code == 201
    return fhir


def test_a_directory_is_searched_by_specialty_and_place_and_the_available_come_first(api, town):
    """S-02, C-01, C-23"""
    for specialty in ("225100000X", f"{NUCC}|225100000X", "physical"):
        rows = api.get(f"directory?kind=service&near=North&specialty={specialty}")["items"]
        assert [row["reference"].rpartition("/")[2] for row in rows] == ["soon", "late", "unknown", "full", "shut"]
        assert [row["closed"] for row in rows] == [False, False, False, True, True]
    assert rows[0]["next_free"] == SOON.replace("Z", ".000Z")
    assert rows[0]["specialties"] == ["Physical Therapist"]
    assert api.get("directory?kind=service&specialty=101Y00000X")["items"] == []
    problem(api.send("GET", "directory?kind=kanarifugl"), 400)


def test_roles_and_insurers_are_in_the_directory(api, town):
    """S-02, A-10"""
    insurer = api.create("stakeholders", {"kind": "insurer", "name": "Kanarifugl Health"})
    api.create("stakeholders", {"kind": "hospital", "name": "Kanarifugl Hospital"})
    assert [row["reference"] for row in api.get("directory?kind=insurer")["items"]] == [insurer["meta"]["reference"]]
    assert len(api.get("directory?kind=organization")["items"]) == 2
    role = {"resourceType": "PractitionerRole", "id": "pt", "practitioner": {"reference": "Practitioner/dana"}}
    role |= {"specialty": [{"text": "Neurology"}], "location": [{"reference": "Location/south"}]}
    assert town.put(role).status_code == 201
    [row] = api.get("directory?kind=professional&specialty=neuro&near=Southtown")["items"]
    assert (row["reference"], row["name"]) == ("PractitionerRole/pt", "dana Kanarifugl")


def test_a_measure_is_of_a_period_as_json_or_as_a_table(api, river):
    """C-14, O-01"""
    listed = api.get("measures")["items"]
    assert "readmission" in " ".join(row["id"] for row in listed)
    for row in listed:
        found = api.get(f"measures/{row['id']}?start=2025-01-01&end=2025-12-31&members=true")
        assert found["groups"]
        assert all(group["denominator"] <= group["initial"] for group in found["groups"])
        table = api.send("GET", f"measures/{row['id']}?start=2025-01-01&end=2025-12-31&format=csv")
        assert table.content_type == "text/csv; charset=utf-8"
        assert len(table.text.splitlines()) == 1 + len(found["groups"])
    assert any(group["initial"] for group in found["groups"])
    problem(api.send("GET", f"measures/{listed[0]['id']}?start=2025&end=2025-12-31"), 400)
    problem(api.send("GET", f"measures/{listed[0]['id']}?start=2025-12-31&end=2025-01-01"), 400)
    problem(api.send("GET", f"measures/{listed[0]['id']}"), 400)
    problem(api.send("GET", "measures/kanarifugl?start=2025-01-01&end=2025-12-31"), 404)


def test_why_a_service_is_in_the_plan_and_whether_it_helped(api, river):
    """C-03, C-27"""
    services = api.get(f"planned-services?case=EpisodeOfCare/{river}")["items"]
    told = api.get(f"cases/{river}/trace?element={services[0]['meta']['reference']}")
    assert any(link["concept"] == "goal" for link in told["why"])
    problem(api.send("GET", f"cases/{river}/trace?element=ServiceRequest/none"), 400)
    problem(api.send("GET", f"cases/{river}/trace"), 400)


def test_the_risk_of_a_case_is_proposed_with_its_evidence(api, river):
    """P-05, P-06"""
    told = api.get(f"cases/{river}/risk-proposal")
    levels = {factor["kind"]: factor["level"] for factor in told["factors"]}
    assert (levels["mental_health"], levels["blood_pressure"]) == ("moderate", "none")
    assert all(factor["evidence"] for factor in told["factors"])
    assert told["urgent_flags"] == []


def test_the_outcome_of_a_case_is_proposed_from_its_record(api, river):
    """P-21, P-22, O-01"""
    told = api.get(f"cases/{river}/outcome-proposal")
    assert (told["length_of_stay_days"], told["readmission"]["within_30_days"]) == (21, "no")
    assert told["readmission"]["index_discharge_at"] == "2025-05-03"
    assert told["cost"]["expected"]["currency"] == "USD"
    problem(api.send("GET", "cases/none/outcome-proposal"), 404)

"""`PlanDefinition/$apply`: a plan for one person, once, and nobody's changes lost."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from adapter.store.repository import Repository

from ..fhir import assert_outcome, patient

BASE = "https://hospital.example"
PLAN = f"{BASE}/PlanDefinition/falls"


def activity(fhir, name, kind, **more):
    raw = {
        "resourceType": "ActivityDefinition",
        "url": f"{BASE}/ActivityDefinition/{name}",
        "version": "1",
        "status": "active",
        "kind": kind,
    }
    return fhir.create({**raw, **more})["url"]


def template(**more):
    goal = {"id": "walk", "description": {"text": "Kanarifugl walks"}, "priority": {"text": "high"}}
    goal |= {"target": [{"measure": {"text": "steps"}, "detailQuantity": {"value": 1000}, "due": {"value": 3, "unit": "mo"}}]}
    actions = [
        {"id": "pt", "title": "Physiotherapy", "goalId": ["walk"], "definitionCanonical": f"{BASE}/ActivityDefinition/pt"},
        {"id": "group", "action": [{"id": "visit", "title": "Home visit", "description": "Look for Kanarifugl"}]},
        {"id": "ask", "definitionCanonical": f"{BASE}/Questionnaire/steadi"},
    ]
    raw = {"resourceType": "PlanDefinition", "id": "falls", "url": PLAN, "version": "1", "status": "active", "title": "Kanarifugl"}
    return {**raw, "goal": [goal], "action": actions, **more}


@pytest.fixture
def plan(fhir):
    for id in ("p1", "p2"):
        fhir.put({**patient(id), "id": id})
    for id in ("e1", "e2"):
        fhir.put({"resourceType": "EpisodeOfCare", "id": id, "status": "active", "patient": {"reference": "Patient/p1"}})
    fhir.put({"resourceType": "Practitioner", "id": "d1"})
    timing = {"timingTiming": {"repeat": {"frequency": 2, "period": 1, "periodUnit": "wk"}}}
    activity(fhir, "pt", "ServiceRequest", code={"text": "Physiotherapy"}, **timing)
    assert fhir.put(template()).status_code == 201


def apply(fhir, subject="Patient/p1", episode="EpisodeOfCare/e1", **more):
    given = {"subject": subject, "episode": episode, **more}
    items = [{"name": name, "valueString": value} for name, value in given.items() if value]
    return fhir.send("POST", "PlanDefinition/falls/$apply", {"resourceType": "Parameters", "parameter": items})


def applied(fhir, **more):
    answer = apply(fhir, **more)
    assert answer.status_code == 200, answer.text
    return answer.json


def read(fhir, reference):
    answer = fhir.send("GET", reference)
    assert answer.status_code == 200, answer.text
    return answer.json


def counts(fhir):
    return {type: len(fhir.ids(type)) for type in ("CarePlan", "Goal", "ServiceRequest", "Task")}


@pytest.mark.usefixtures("plan")
class TestAPlan:
    def test_it_has_goals_and_requests_in_draft(self, fhir):
        made = applied(fhir, practitioner="Practitioner/d1")
        assert (made["status"], made["intent"], made["instantiatesCanonical"]) == ("draft", "plan", [f"{PLAN}|1"])
        assert made["author"] == {"reference": "Practitioner/d1"}
        [goal] = [read(fhir, each["reference"]) for each in made["goal"]]
        assert (goal["lifecycleStatus"], goal["target"][0]["dueDuration"]["value"]) == ("proposed", 3)
        therapy, visit, form = [read(fhir, each["reference"]["reference"]) for each in made["activity"]]
        assert (therapy["resourceType"], therapy["status"], therapy["intent"]) == ("ServiceRequest", "draft", "plan")
        assert therapy["occurrenceTiming"]["repeat"]["frequency"] == 2
        assert {"reference": f"Goal/{goal['id']}"} in [extension.get("valueReference") for extension in therapy["extension"]]
        assert (visit["resourceType"], visit["for"]) == ("Task", {"reference": "Patient/p1"})
        assert form["input"][0]["valueCanonical"].endswith("/steadi")

    def test_applied_again_it_is_the_same_plan_in_the_same_version(self, fhir):
        first = applied(fhir)
        before = counts(fhir)
        assert applied(fhir) == first
        assert counts(fhir) == before

    def test_each_patient_and_each_episode_has_its_own(self, fhir):
        ids = {applied(fhir)["id"], applied(fhir, episode="EpisodeOfCare/e2")["id"], applied(fhir, episode=None)["id"]}
        ids.add(applied(fhir, subject="Patient/p2", episode=None)["id"])
        assert len(ids) == 4
        assert counts(fhir) == {"CarePlan": 4, "Goal": 4, "ServiceRequest": 4, "Task": 8}

    def test_a_new_version_of_the_template_updates_what_nobody_changed(self, fhir):
        first = applied(fhir)
        goal = template()["goal"][0] | {"description": {"text": "Kanarifugl runs"}}
        fhir.put(template(version="2", goal=[goal]))
        second = applied(fhir)
        assert (second["id"], second["instantiatesCanonical"]) == (first["id"], [f"{PLAN}|2"])
        assert read(fhir, second["goal"][0]["reference"])["description"] == {"text": "Kanarifugl runs"}
        fhir.put(template(version="3"))
        assert read(fhir, applied(fhir)["goal"][0]["reference"])["description"] == {"text": "Kanarifugl walks"}
        assert counts(fhir)["Goal"] == 1

    def test_what_somebody_changed_stays_and_a_changed_plan_gets_what_is_new(self, fhir):
        first = applied(fhir)
        goal = read(fhir, first["goal"][0]["reference"])
        fhir.put({**goal, "lifecycleStatus": "active", "description": {"text": "Kanarifugl dances"}})
        fhir.put({name: value for name, value in first.items() if name != "goal"} | {"status": "active"})
        more = template()["action"] + [{"id": "call", "title": "Call"}]
        fhir.put(template(version="2", action=more))
        second = applied(fhir)
        assert (second["status"], "goal" in second) == ("active", False)
        assert len(second["activity"]) == len(first["activity"]) + 1
        assert read(fhir, f"Goal/{goal['id']}")["description"] == {"text": "Kanarifugl dances"}

    def test_what_somebody_changes_while_it_is_applied_stays_too(self, fhir, monkeypatch):
        goal = read(fhir, applied(fhir)["goal"][0]["reference"])
        fhir.put(template(version="2", goal=[template()["goal"][0] | {"description": {"text": "Kanarifugl runs"}}]))
        theirs, find = {**goal, "description": {"text": "Kanarifugl dances"}}, Repository.find

        def overtaken(repository, type, id):
            found = find(repository, type, id)
            if id == goal["id"]:
                monkeypatch.undo()
                fhir.put(theirs)
            return found

        monkeypatch.setattr(Repository, "find", overtaken)
        applied(fhir)
        assert read(fhir, f"Goal/{goal['id']}")["description"] == {"text": "Kanarifugl dances"}

    def test_what_others_said_of_a_resource_as_a_whole_outlives_the_template_s_next_version(self, fhir):
        goal = read(fhir, applied(fhir)["goal"][0]["reference"])
        label = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "HTEST"}
        tag, profile = {"system": f"{BASE}/tags", "code": "pilot"}, f"{BASE}/StructureDefinition/goal"
        said = {"profile": [profile], "security": [label], "tag": [*goal["meta"]["tag"], tag]}
        assert fhir.put({**goal, "meta": said}).status_code == 200
        fhir.put(template(version="2", goal=[template()["goal"][0] | {"description": {"text": "Kanarifugl runs"}}]))
        after = read(fhir, applied(fhir)["goal"][0]["reference"])
        assert after["description"] == {"text": "Kanarifugl runs"}
        assert (after["meta"]["profile"], after["meta"]["security"]) == ([profile], [label])
        assert tag in after["meta"]["tag"]
        assert len(after["meta"]["tag"]) == 2

    def test_what_somebody_deleted_stays_deleted(self, fhir):
        first = applied(fhir)
        task = next(each["reference"]["reference"] for each in first["activity"] if each["reference"]["reference"].startswith("Task/"))
        fhir.send("DELETE", task)
        applied(fhir)
        assert fhir.send("GET", task).status_code == 410

    def test_of_those_who_apply_at_once_all_get_the_one_plan(self, fhir):
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda _: apply(fhir), range(6)))
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.json["id"] for answer in answers}) == 1
        assert counts(fhir) == {"CarePlan": 1, "Goal": 1, "ServiceRequest": 1, "Task": 2}

    def test_it_is_part_of_the_case(self, fhir, operations):
        made = applied(fhir)
        assert f"CarePlan/{made['id']}" in operations.all("EpisodeOfCare/e1/$everything")

    @pytest.mark.parametrize(
        ("given", "status"),
        [
            ({"subject": None}, 400),
            ({"subject": "Group/1"}, 400),
            ({"subject": "Patient/none"}, 404),
            ({"episode": "EpisodeOfCare/none"}, 404),
            ({"subject": "Patient/p2"}, 400),
            ({"practitioner": "Kanarifugl"}, 400),
            ({"userType": "x"}, 400),
        ],
    )
    def test_what_it_cannot_be_for_is_refused(self, fhir, given, status):
        assert_outcome(apply(fhir, **given), status, "not-found" if status == 404 else "invalid")

    @pytest.mark.parametrize(
        "action",
        [
            {"condition": [{"kind": "applicability", "expression": {"language": "text/fhirpath", "expression": "true"}}]},
            {"dynamicValue": [{"path": "status", "expression": {"language": "text/fhirpath", "expression": "'active'"}}]},
            {"definitionUri": "http://x.example"},
            {"definitionCanonical": f"{BASE}/ActivityDefinition/device"},
            {"definitionCanonical": f"{BASE}/PlanDefinition/falls"},
        ],
    )
    def test_what_a_template_says_that_is_not_served_is_refused_and_nothing_made(self, fhir, action):
        activity(fhir, "device", "DeviceRequest")
        fhir.put(template(action=[{"title": "first"}, action]))
        assert_outcome(apply(fhir), 501, "not-supported")
        assert counts(fhir)["Task"] == 0

    def test_a_plan_that_is_retired_or_not_whole_is_refused(self, fhir):
        fhir.put(template(status="retired"))
        assert_outcome(apply(fhir), 422, "business-rule")
        activity(fhir, "drug", "MedicationRequest")
        fhir.put(template(action=[{"definitionCanonical": f"{BASE}/ActivityDefinition/drug"}]))
        assert_outcome(apply(fhir), 422, "business-rule")
        fhir.put(template(action=[{"definitionCanonical": f"{BASE}/ActivityDefinition/none"}]))
        assert_outcome(apply(fhir), 404, "not-found")

"""The plan templates of the package and of the site, applied: a draft plan with dates that the records understand, and never two."""

import json
from pathlib import Path

import pytest

from adapter.care import template
from adapter.cases.facts import Facts, Situation
from adapter.cases.guards import violations
from adapter.cases.registry import RECORDS
from adapter.config import BASE
from adapter.fhir.resource import parse
from adapter.ig.package import published
from adapter.mapping.registry import mapping_for

from ..fhir import assert_outcome, patient

PACKAGED = ("brain_injury_rehabilitation", "social_needs_navigation", "stroke_home")


@pytest.fixture
def case(fhir):
    fhir.put({**patient("p1"), "id": "p1"})
    fhir.put({**patient("p2"), "id": "p2"})
    fhir.put({"resourceType": "EpisodeOfCare", "id": "e1", "status": "active", "patient": {"reference": "Patient/p1"}})
    condition = {"resourceType": "Condition", "id": "c1", "subject": {"reference": "Patient/p1"}, "code": {"text": "Stroke"}}
    assert fhir.put(condition).status_code == 201
    for id, person in (("a1", "p1"), ("a2", "p2")):
        problem = {"problem": [{"reference": "Condition/c1"}, {"display": "Kanarifugl"}]}
        subject = {"reference": f"Patient/{person}"}
        assert (
            fhir.put({"resourceType": "ClinicalImpression", "id": id, "status": "completed", "subject": subject, **problem}).status_code
            == 201
        )


def apply(fhir, name, **given):
    given = {"subject": "Patient/p1", "episode": "EpisodeOfCare/e1", **given}
    kinds = {"date": "valueDate"}
    url = f"{BASE}/PlanDefinition/{name.replace('_', '-')}"
    items = [{"name": key, kinds.get(key, "valueString"): value} for key, value in given.items()]
    body = {"resourceType": "Parameters", "parameter": [{"name": "canonical", "valueUri": url}, *items]}
    return fhir.send("POST", "PlanDefinition/$apply", body)


def applied(fhir, name, **given):
    answer = apply(fhir, name, **given)
    assert answer.status_code == 200, answer.text
    return parse(answer.get_data())


def parts(fhir, plan):
    references = [*(each["reference"] for each in plan["goal"]), *(each["reference"]["reference"] for each in plan["activity"])]
    return [parse(fhir.send("GET", reference).get_data()) for reference in references]


def counts(fhir):
    return {type: len(fhir.ids(type)) for type in ("CarePlan", "Goal", "ServiceRequest", "Task")}


def test_there_is_a_template_for_each_of_the_three_situations():
    assert template.names() == PACKAGED


@pytest.mark.usefixtures("case")
@pytest.mark.parametrize("name", PACKAGED)
class TestATemplate:
    def test_applied_with_a_date_it_makes_goals_and_services_with_days_within_the_plan(self, fhir, name):
        plan = applied(fhir, name, date="2025-01-31")
        goals = [part for part in parts(fhir, plan) if part["resourceType"] == "Goal"]
        services = [part for part in parts(fhir, plan) if part["resourceType"] == "ServiceRequest"]
        dues = [target["dueDate"] for goal in goals for target in goal.get("target", ())]
        ends = [service["occurrenceTiming"]["repeat"]["boundsPeriod"] for service in services]
        assert plan["period"]["start"] == "2025-01-31"
        assert plan["period"]["end"] == max([*dues, *(end["end"] for end in ends)])
        assert {end["start"] for end in ends} == {"2025-01-31"}
        assert len(services) >= 5

    def test_the_records_understand_what_it_makes(self, fhir, name):
        plan = applied(fhir, name, date="2025-01-31")
        for raw in (plan, *parts(fhir, plan)):
            mapping = mapping_for(raw)
            fields = mapping.extract(raw).fields
            assert not RECORDS[mapping.concept].of(fields).problems(), mapping.concept
            if mapping.concept == "planned_service":
                assert {"kind", "description", "setting", "timing", "performer_role", "goals"} <= fields.keys()
            if mapping.concept == "goal":
                assert fields["kind"]

    def test_c07_applied_again_it_is_the_same_plan_and_with_another_date_it_moves(self, fhir, name):
        first = applied(fhir, name, date="2025-01-31")
        made = counts(fhir)
        assert applied(fhir, name, date="2025-01-31") == first
        assert applied(fhir, name) == first
        moved = applied(fhir, name, date="2025-02-28")
        assert (moved["id"], moved["period"]["start"]) == (first["id"], "2025-02-28")
        assert counts(fhir) == made

    def test_c08_it_cannot_be_put_into_force_before_the_client_has_a_goal_in_it(self, fhir, name):
        plan = applied(fhir, name, date="2025-01-31")
        records = {"plan": {f"CarePlan/{plan['id']}": mapping_for(plan).extract(plan).fields}}
        for raw in parts(fhir, plan):
            mapping = mapping_for(raw)
            records.setdefault(mapping.concept, {})[f"{raw['resourceType']}/{raw['id']}"] = mapping.extract(raw).fields
        fields = records["plan"][f"CarePlan/{plan['id']}"]
        fields |= {"medical_necessity": {"services_determined": True}, "social_situation": {"none_identified": True}}
        now = Situation({}, Facts(records), "2025-02-01T09:00:00Z", "Practitioner/1", None)
        assert [code for code, _ in violations(("V-10",), now)] == ["plan_balance"]
        next(iter(records["goal"].values()))["expressed_by"] = "Patient/p1"
        assert violations(("V-10",), now) == []

    def test_c27_it_names_its_version_and_the_evidence(self, fhir, name):
        plan = applied(fhir, name)
        assert plan["instantiatesCanonical"] == [f"{BASE}/PlanDefinition/{name.replace('_', '-')}|{template.load(name).version}"]
        assert template.load(name).cites


@pytest.mark.usefixtures("case")
class TestWhatThePlanFollowsFrom:
    def test_the_problems_of_the_assessment_are_what_it_addresses(self, fhir):
        plan = applied(fhir, "stroke_home", date="2025-01-31", assessment="ClinicalImpression/a1")
        assert plan["addresses"] == [{"reference": "Condition/c1"}]
        assert {"reference": "ClinicalImpression/a1"} in plan["supportingInfo"]
        assert applied(fhir, "stroke_home") == plan

    def test_another_patient_s_assessment_is_refused(self, fhir):
        assert_outcome(apply(fhir, "stroke_home", assessment="ClinicalImpression/a2"), 400, "invalid")
        assert_outcome(apply(fhir, "stroke_home", assessment="ClinicalImpression/none"), 404, "not-found")

    @pytest.mark.parametrize("date", ["2025", "2025-04", "2025-04-31", "tomorrow"])
    def test_what_is_no_day_is_refused(self, fhir, date):
        assert_outcome(apply(fhir, "stroke_home", date=date), 400, "invalid")

    def test_a_template_that_is_not_known_is_not_found(self, fhir):
        assert_outcome(apply(fhir, "nothing"), 404, "not-found")

    def test_without_a_date_durations_stay_durations(self, fhir):
        plan = applied(fhir, "stroke_home")
        goal = next(part for part in parts(fhir, plan) if part["resourceType"] == "Goal")
        assert "period" not in plan
        assert goal["target"][0]["dueDuration"]["code"] == "wk"


SITE = {
    "resourceType": "PlanDefinition",
    "id": "quit-smoking",
    "url": "https://site.example/PlanDefinition/quit-smoking",
    "version": "2",
    "name": "QuitSmoking",
    "title": "Without tobacco",
    "status": "active",
    "contained": [
        {
            "resourceType": "ActivityDefinition",
            "id": "call",
            "status": "active",
            "kind": "ServiceRequest",
            "code": {"text": "Call by the quit line"},
            "timingTiming": {"repeat": {"boundsDuration": {"value": 1, "code": "mo"}, "frequency": 1, "period": 1, "periodUnit": "wk"}},
        }
    ],
    "goal": [{"id": "quit", "description": {"text": "No tobacco"}, "target": [{"due": {"value": 1, "code": "mo"}}]}],
    "action": [
        {"title": "Call", "goalId": ["quit"], "definitionCanonical": "#call"},
        {"title": "Ask", "timingDuration": {"value": 3, "code": "d"}},
    ],
}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Writes the site's template; what was published before is made again with it, and without it at the end."""

    def write(**changes):
        folder = tmp_path / "templates"
        folder.mkdir()
        (folder / "quit_smoking.json").write_text(json.dumps({**SITE, **changes}))
        monkeypatch.setenv("CASEBRIDGE_CARE", str(tmp_path))
        published.cache_clear()

    yield write
    published.cache_clear()


@pytest.mark.usefixtures("case")
class TestASite:
    def apply(self, fhir, **given):
        items = [{"name": "canonical", "valueUri": SITE["url"]}, {"name": "subject", "valueString": "Patient/p1"}]
        items += [{"name": name, "valueDate": value} for name, value in given.items()]
        return fhir.send("POST", "PlanDefinition/$apply", {"resourceType": "Parameters", "parameter": items})

    def test_it_adds_a_template_by_one_file(self, fhir, site):
        assert self.apply(fhir).status_code == 404
        site()
        plan = self.apply(fhir, date="2025-01-31").json
        assert plan["instantiatesCanonical"] == [f"{SITE['url']}|2"]
        assert plan["period"] == {"start": "2025-01-31", "end": "2025-02-28"}
        task = next(part for part in parts(fhir, plan) if part["resourceType"] == "Task")
        assert task["restriction"] == {"period": {"start": "2025-01-31", "end": "2025-02-03"}}

    def test_a_duration_that_cannot_be_counted_is_refused_and_nothing_made(self, fhir, site):
        site(goal=[{"id": "quit", "description": {"text": "No tobacco"}, "target": [{"due": {"value": 36, "code": "h"}}]}])
        assert_outcome(self.apply(fhir, date="2025-01-31"), 501, "not-supported")
        assert counts(fhir)["Goal"] == 0

"""A site's own care knowledge: used from one file each, and refused by file, place and reason where it cannot be."""

import json
from pathlib import Path
from typing import Any

import pytest

from adapter.care import check, model, template
from adapter.care.instrument import load
from adapter.care.questionnaire import canonical, questionnaire
from adapter.care.scoring import score
from adapter.cases.case import Case
from adapter.errors import Invalid
from adapter.mapping.registry import MAPPINGS

MODEL: dict[str, Any] = {
    "id": "peer_support",
    "version": "1",
    "title": "Peer support",
    "source": "The site's own",
    "description": "A peer comes along.",
    "plan_driver": "own goals",
    "outcome_monitoring": "by the peer",
    "permits": ["accompany", "empower"],
    "suggested_for": ["severe_mental_illness"],
    "caseload": 12,
    "contact_days": {"client": {"low": 7, "rising": 7, "high": 5, "complex": 2}},
    "demands": {"strengths": 5, "follow_up": ["client"]},
}
INSTRUMENT: dict[str, Any] = {
    "id": "who5",
    "version": "1",
    "title": "WHO-5 Well-Being Index",
    "url": "https://site.example/Questionnaire/who5",
    "system": "https://site.example/CodeSystem/who5",
    "panel": "who5",
    "total": "who5-total",
    "licence": "CC BY-NC-SA 3.0 IGO",
    "source": "WHO 2024",
    "items": [
        {"linkId": "cheerful", "type": "integer", "text": "Cheerful", "minimum": 0, "maximum": 5},
        {"linkId": "calm", "type": "integer", "text": "Calm", "minimum": 0, "maximum": 5},
    ],
    "scoring": {
        "kind": "sum",
        "items": ["cheerful", "calm"],
        "bands": [{"band": "low", "from": 0, "to": 4}, {"band": "fair", "from": 5, "to": 10}],
    },
}
TEMPLATE: dict[str, Any] = {
    "resourceType": "PlanDefinition",
    "id": "sleep",
    "url": "https://site.example/PlanDefinition/sleep",
    "version": "1",
    "name": "Sleep",
    "title": "Sleep",
    "status": "active",
    "goal": [{"id": "sleep", "description": {"text": "Sleeps through"}}],
    "action": [{"id": "diary", "title": "Sleep diary", "goalId": ["sleep"]}],
}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Writes data files into a folder of the site's own."""
    monkeypatch.setenv("CASEBRIDGE_CARE", str(tmp_path))

    def write(kind: str, name: str, content: Any) -> Path:
        (tmp_path / kind).mkdir(exist_ok=True)
        path = tmp_path / kind / f"{name}.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return write


def problems() -> list[str]:
    return [each.problem for each in check.everything() if each.problem]


def test_all_that_comes_with_casebridge_can_be_used():
    found = list(check.everything())
    assert [each for each in found if each.problem or each.warning] == []
    assert {each.kind for each in found} == set(check.KINDS)
    check.refuse()


def test_a_site_adds_a_model_by_one_file_and_a_case_can_follow_it(site):
    case = {"client": "Patient/1", "case_number": "1", "case_type": "general", "status": "active", "models": [{"model": "peer_support"}]}
    site("models", "peer_support", MODEL)
    rules = model.rules(["peer_support", "clinical"])
    assert (rules.caseload, rules.days_between("client", "complex"), rules.demands.strengths) == (12, 2, 5)
    assert "peer_support" in model.suggested({"severe_mental_illness"})
    assert not Case.of(case).problems()
    assert any("models" in problem for problem in Case.of({**case, "models": [{"model": "concierge"}]}).problems())
    mapping = next(each for each in MAPPINGS if each.concept == "case")
    raw = mapping.overlay(None, case)
    assert '"peer-support"' in json.dumps(raw)
    assert mapping.extract(raw).fields["models"] == [{"model": "peer_support"}]


def test_a_site_adds_an_instrument_by_one_file(site):
    site("instruments", "who5", INSTRUMENT)
    assert score("who5", {"cheerful": [3], "calm": [1]}).band.band == "low"
    form = questionnaire("who5")
    assert (form["url"], form["id"]) == (canonical("who5"), "who5") == ("https://site.example/Questionnaire/who5", "who5")
    assert form["item"][0]["code"][0]["system"] == "https://site.example/CodeSystem/who5"


def test_a_site_adds_a_plan_template_by_one_file_and_is_told_that_it_cites_nothing(site):
    site("templates", "sleep", TEMPLATE)
    assert template.plan_definition("sleep") == TEMPLATE
    assert [each.warning for each in check.everything() if each.name == "sleep"] == ["It cites no evidence."]
    check.refuse()


@pytest.mark.parametrize(
    ("kind", "name", "content", "where", "reason"),
    [
        ("models", "peer_support", {**MODEL, "demands": {"strenghts": 5}}, "$.demands", "strenghts"),
        ("models", "peer_support", {**MODEL, "permits": ["heal"]}, "$.permits[0]", "heal"),
        ("models", "peer_support", {**MODEL, "caseload": 21}, "", "a caseload is 1 to 20"),
        ("models", "peer_support", {**MODEL, "suggests": ["treat"]}, "", "it suggests what it does not permit"),
        ("models", "peer_support", {**MODEL, "contact_days": {"client": {}}}, "", "above 0, for each tier"),
        ("models", "peer_support", {**MODEL, "demands": {"client_goal_percent": 101}}, "$.demands", "out of range"),
        ("models", "peer_support", {**MODEL, "demands": {"interventions": [[]]}}, "$.demands", "has none"),
        ("models", "other_name", MODEL, "$.id", "named by the id in it"),
        ("instruments", "who5", {**INSTRUMENT, "system": "who5"}, "$.system", "regex"),
        ("instruments", "who5", {**INSTRUMENT, "items": []}, "", "no such linkId: calm, cheerful"),
        ("instruments", "who5", '{\n  "id": "who5",\n  oops\n}', "line 3", "malformed"),
        ("instruments", "who5", '{"id": "who5"', "who5.json", "truncated"),
        ("templates", "sleep", {**TEMPLATE, "id": "snore"}, "$.id", "named by its id"),
        ("templates", "sleep", {**TEMPLATE, "resourceType": "CarePlan"}, "$.resourceType", "CarePlan"),
        ("templates", "sleep", {**TEMPLATE, "action": [{"goalId": ["x"]}]}, "", "names what is not there: x"),
        ("templates", "sleep", {**TEMPLATE, "action": [{"definitionCanonical": "#x"}]}, "", "names what is not there: #x"),
        ("templates", "sleep", {**TEMPLATE, "action": [{"id": "sleep"}]}, "", "an id is used twice"),
        ("templates", "sleep", {**TEMPLATE, "goal": []}, "", "names what is not there: sleep"),
        ("policies", "ours", {}, "ours.json", "begins with one of stratification_, follow_up_, needs_"),
    ],
)
def test_a_bad_file_is_refused_by_its_name_the_place_and_the_reason(site, kind, name, content, where, reason):
    path = site(kind, name, content)
    (problem,) = problems()
    assert problem.startswith(f"{name}.json: ")
    assert where in problem
    assert reason in problem
    with pytest.raises(Invalid) as refused:
        check.refuse()
    assert problem in refused.value.text
    if "named by" not in reason:
        assert check.file(path, kind).problem == problem


@pytest.mark.parametrize(
    ("kind", "name", "reason"),
    [
        ("instruments", "phq9", "casebridge has a file of this name"),
        ("models", "Peer-Support", "small letters and digits"),
        ("model", "peer_support", "A folder of care knowledge is one of"),
    ],
)
def test_a_file_that_is_in_the_wrong_place_or_takes_another_s_is_refused(site, kind, name, reason):
    site(kind, name, "{}")
    assert any(reason in problem for problem in problems())


def test_a_folder_that_is_not_there_is_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("CASEBRIDGE_CARE", str(tmp_path / "none"))
    assert problems() == ["CASEBRIDGE_CARE names no folder."]


def test_what_comes_with_casebridge_can_be_used_though_a_file_of_the_site_cannot(site):
    site("instruments", "who5", "{")
    assert load("phq9").id == "phq9"

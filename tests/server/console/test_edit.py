"""Records written in the console: errors beside their fields, nothing typed lost, nobody overwritten unseen."""

import re

import pytest

from adapter.casework.desk import Actor, Desk
from adapter.casework.records import put, read
from tests.server.console.conftest import ORIGIN, form_of, send, words


def test_a_contact_is_written_by_its_form_with_the_open_goals_to_review(stranger, loaded, dana, repository):
    """P-18"""
    dana()
    path = f"/records/follow_up/new?case={loaded}&source=client"
    goals = [name for name in form_of(stranger.get(path).text) if re.fullmatch(r"goal_reviews\[\d\].achievement", name)]
    told = dict.fromkeys(goals, "") | {f"goal_reviews[{place}].goal": "" for place in range(len(goals))}
    before = sum(1 for stored in repository.scan("Encounter") if stored.concept == "follow_up")
    answer = send(stranger, path, note="Kanarifugl walks well", next_contact_due="2030-01-01T09:00", treatment_working="yes", **told)
    assert (answer.status_code, answer.location) == (303, f"/cases/{loaded}"), words(answer.text)[:600]
    assert sum(1 for stored in repository.scan("Encounter") if stored.concept == "follow_up") == before + 1


def test_what_is_wrong_is_said_beside_its_field_and_what_was_typed_is_kept(stranger, loaded, dana, repository):
    dana()
    count = sum(1 for _ in repository.scan("Goal"))
    answer = send(stranger, f"/records/goal/new?case={loaded}", priority="high", **{"targets[0].due": "soon, says Kanarifugl"})
    assert answer.status_code == 400
    assert 'id="f-description" name="description" value="" aria-invalid="true"' in answer.text
    assert "Is not a date" in words(answer.text)
    assert "soon, says Kanarifugl" in answer.text
    assert 'value="high" selected' in answer.text
    assert sum(1 for _ in repository.scan("Goal")) == count


@pytest.mark.parametrize("place", ["x", "100000000000"])
def test_a_form_with_an_item_at_no_place_is_refused(stranger, loaded, dana, place):
    dana()
    answer = stranger.post("/records/client/new", **{f"names[{place}].family": "Kanarifugl"})
    assert answer.status_code == 400
    assert "at no place of its list" in answer.text
    assert "Kanarifugl" not in answer.text[answer.text.index("<main") :]


def test_a_rule_of_case_management_is_told_at_the_field_that_it_names(stranger, loaded, dana):
    """P-20"""
    dana()
    answer = send(stranger, f"/records/follow_up/new?case={loaded}", treatment_working="no", **{"goal_reviews[0].goal": ""})
    assert answer.status_code == 422
    assert 'id="f-adjustment-decision-e"' in answer.text


def test_a_new_goal_joins_the_plan_that_is_drafted(stranger, drafting, dana, repository):
    dana()
    [draft] = [stored for stored in repository.scan("CarePlan") if stored.record["status"] == "draft"]
    answer = send(stranger, f"/records/goal/new?case={drafting}", description="Kanarifugl: sleep through", kind="health_objective")
    assert answer.status_code == 303, words(answer.text)[:600]
    after = read(repository, "plan", draft.id).fields["goals"]
    assert len(after) == len(draft.record["goals"]) + 1
    assert read(repository, "goal", after[-1].partition("/")[2]).fields["description"] == "Kanarifugl: sleep through"


def test_a_record_that_changed_meanwhile_is_merged_told_and_not_overwritten(stranger, loaded, dana, repository):
    """S-05"""
    dana()
    goal = next(stored for stored in repository.scan("Goal") if stored.record.get("kind") == "personal")
    path = f"/records/goal/{goal.id}/edit"
    opened = form_of(stranger.get(path).text)
    desk = Desk(repository, Actor(stranger.client.get_cookie("casebridge_actor").value), repository.clock)
    now = read(repository, "goal", goal.id)
    put(desk, "goal", goal.id, {**now.fields, "priority": "low", "description": "Kanarifugl: their words"}, expect=now.version)

    answer = stranger.client.post(path, data=opened | {"description": "Kanarifugl: my words"}, headers=ORIGIN)
    assert answer.status_code == 412
    text = words(answer.text)
    assert "Dana Kanarifugl changed this" in text
    assert "Kanarifugl: their words" in text
    assert read(repository, "goal", goal.id).fields["description"] == "Kanarifugl: their words"
    merged = form_of(answer.text)
    assert (merged["description"], merged["priority"]) == ("Kanarifugl: my words", "low")

    assert stranger.client.post(path, data=merged, headers=ORIGIN).status_code == 303
    kept = read(repository, "goal", goal.id).fields
    assert (kept["description"], kept["priority"]) == ("Kanarifugl: my words", "low")


def test_risk_levels_are_proposed_with_their_evidence_and_the_tier_follows(stranger, loaded, dana, repository):
    """P-05, P-06"""
    dana()
    path = f"/records/risk_evaluation/new?case={loaded}"
    proposed = form_of(stranger.get(path).text)
    levels = {proposed[f"factors[{place}].kind"]: proposed[f"factors[{place}].level"] for place in range(4)}
    assert levels == {"existing_conditions": "none", "blood_pressure": "none", "mental_health": "moderate", "finances": "moderate"}
    assert all(proposed[f"factors[{place}].evidence"] for place in range(4))
    before = {stored.id for stored in repository.scan("RiskAssessment")}
    answer = send(stranger, path, **{"potential_for_change.rationale": "Kanarifugl: motivated", "factors[0].level": "high"})
    assert answer.status_code == 303, words(answer.text)[:600]
    [made] = [stored for stored in repository.scan("RiskAssessment") if stored.id not in before]
    assert (made.record["severity"], made.record["tier"], made.record["priority_score"]) == (10, "high", 20)


def test_why_a_service_is_in_the_plan_and_whether_it_helped_is_told(stranger, loaded, dana, repository):
    dana()
    service = next(stored for stored in repository.scan("ServiceRequest") if "physical therapy" in stored.record.get("description", ""))
    text = stranger.text(f"/cases/{loaded}/why/ServiceRequest/{service.id}")
    for told in ("Kanarifugl: physical therapy", "walk 100 m unaided", "serves", "Outcome", "by Dana Kanarifugl"):
        assert told in text


def test_a_case_is_given_to_somebody_of_a_list_who_has_room(stranger, halfway, dana, repository):
    """C-09"""
    dana()
    desk = Desk(repository, Actor(stranger.client.get_cookie("casebridge_actor").value), repository.clock)
    mine = read(repository, "case_manager", desk.actor.reference.partition("/")[2])
    other = put(
        desk,
        "case_manager",
        "kit",
        {**mine.fields, "names": [{"family": "Kanarifugl", "given": ["Kit"]}], "practitioner": "Practitioner/kit"},
    )
    page = stranger.get(f"/cases/{halfway}").text
    assert 'value="Practitioner/kit"' in page
    assert stranger.post(f"/cases/{halfway}/assign", case_manager="Practitioner/kit", reason="Kanarifugl moved").status_code == 303
    assert read(repository, "case", halfway).fields["case_manager"] == f"Practitioner/{other.id}"


def test_each_step_says_what_it_lacks_and_how_it_is_done(stranger, halfway, dana):
    dana()
    page = stranger.get(f"/cases/{halfway}").text
    assert f"/records/goal/new?case={halfway}" in page
    assert "The outcome lacks" in words(page)


def test_the_client_s_word_on_a_draft_is_kept(stranger, drafting, dana, repository):
    dana()
    [draft] = [stored for stored in repository.scan("CarePlan") if stored.record["status"] == "draft"]
    client = draft.record["client"]
    assert stranger.post(f"/cases/{drafting}/plan/{draft.id}/answer", word="declined", by=client).status_code == 303
    assert read(repository, "plan", draft.id).fields["acceptance"]["status"] == "declined"


def test_a_case_that_cannot_be_opened_is_told_with_the_one_that_is_open_and_nothing_typed_is_lost(stranger, halfway, dana, repository):
    """V-04"""
    dana()
    me, client = stranger.client.get_cookie("casebridge_actor").value, read(repository, "case", halfway).fields["client"]
    typed = {"client": client, "case_manager": me, "case_type": "general", "model": "clinical", "case_number": "NEW-7"}
    opened = stranger.post("/cases/new", **typed | {"case_number": "NEW-6"})
    assert opened.status_code == 303
    answer = stranger.post("/cases/new", **typed)
    assert answer.status_code == 409
    assert f'href="{opened.location}"' in answer.text
    assert 'value="NEW-7"' in answer.text
    assert stranger.post("/cases/new", **typed | {"case_number": ""}).status_code == 400


def test_a_screening_that_is_refused_keeps_its_answers(stranger, halfway, dana):
    dana()
    answer = stranger.post(f"/cases/{halfway}/screening/katz", disposition="not_eligible", bathing="dependent", summary="Kanarifugl: read")
    assert answer.status_code in (400, 422)
    assert "Nothing was saved yet" in answer.text
    assert 'name="bathing" value="dependent" checked' in answer.text


def test_a_case_follows_other_models_from_its_page(stranger, halfway, dana, repository):
    """M-05"""
    dana()
    me = stranger.client.get_cookie("casebridge_actor").value
    answer = stranger.post(f"/cases/{halfway}/models", leading="clinical", models=["clinical", "brokerage"], assigned_by=me)
    assert answer.status_code == 303, words(answer.text)[:400]
    followed = [each for each in read(repository, "case", halfway).fields["models"] if "end" not in each.get("period", {})]
    assert {each["model"]: each.get("primary", False) for each in followed} == {"clinical": True, "brokerage": False}


def test_what_a_screening_shows_becomes_a_need_at_somebody_s_word(stranger, halfway, dana, repository):
    """C-19"""
    dana()
    page = stranger.get(f"/cases/{halfway}").text
    path = re.search(r'action="(/cases/[^"]*/findings/[^"]*)"', page)[1]
    for silent in ({}, {"word": "perhaps"}):
        assert stranger.post(path, **silent).status_code == 400
    assert path in stranger.get(f"/cases/{halfway}").text
    assert stranger.post(path, word="holds").status_code == 303
    assert read(repository, "condition", path.rpartition("/")[2]).fields["verification_status"] == "confirmed"
    assert path not in stranger.get(f"/cases/{halfway}").text


def test_somebody_new_is_written_down_before_any_case(stranger, loaded, dana, repository):
    dana()
    typed = {"names[0].given": "Wren", "names[0].family": "Kanarifugl", "identifiers[0].value": "W-1"}
    answer = send(stranger, "/records/client/new", **typed)
    assert answer.status_code == 303, words(answer.text)[:400]
    assert "Wren Kanarifugl" in stranger.text("/people?q=W-1")
    assert f"/cases/new?client=Patient/{answer.location.rpartition('/')[2]}" in stranger.get(answer.location).text


def test_an_outcome_starts_with_what_the_record_tells(stranger, loaded, dana):
    dana()
    assert form_of(stranger.get(f"/records/outcome/new?case={loaded}").text)["length_of_stay_days"] == "21"


def test_a_provider_who_is_in_no_case_yet_can_be_chosen(stranger, halfway, dana, repository):
    """C-01"""
    dana()
    made = send(stranger, "/records/stakeholder/new", kind="rehab_facility", name="Kanarifugl Rehabilitation")
    assert made.status_code == 303, words(made.text)[:400]
    page = stranger.get(f"/records/planned_service/new?case={halfway}").text
    assert f'name="performers" value="Organization/{made.location.rpartition("/")[2]}"' in page

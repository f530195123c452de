"""A plan worked on in the console: what a draft lacks, its services, its options, and changes while it is in force."""

import re

import pytest

from adapter.casework.desk import Actor, Desk
from adapter.casework.facts import facts_of
from adapter.casework.records import put, read
from server.console import plan
from tests.server.console.conftest import ORIGIN, form_of, send, words

_NO_STARTS = (["2030-01-07T09:00"], ["xT", "2030-01-07T09:00"], ["9999-12-31T23:00"] * 2)
_NO_MINUTES = ("²", "0", "1441", "9" * 12, "an hour")


def _plan(repository, status):
    return next(stored.id for stored in repository.scan("CarePlan") if stored.record.get("status") == status)


def _desk(stranger, repository):
    return Desk(repository, Actor(stranger.client.get_cookie("casebridge_actor").value), repository.clock)


@pytest.fixture
def draft(drafting, dana, repository):
    """The id of the draft, somebody being at the console."""
    dana()
    return _plan(repository, "draft")


def test_the_page_of_a_draft_says_what_it_lacks_and_what_is_in_it(stranger, drafting, draft):
    text = stranger.text(f"/cases/{drafting}/plan")
    for told in ("The client must accept the plan first.", "Kanarifugl: walk 100 m unaided", "Kanarifugl: physical therapy", "Leave out"):
        assert told in text
    assert "Nothing is missing" not in text
    answer, by = f"/cases/{drafting}/plan/{draft}/answer", read_client(stranger, drafting)
    assert stranger.post(answer, by=by).status_code == 400
    assert "The client must accept" in stranger.text(f"/cases/{drafting}/plan")
    stranger.post(answer, word="accepted", by=by)
    assert "The client must accept" not in stranger.text(f"/cases/{drafting}/plan")


def read_client(stranger, case):
    """Whose case it is, as the form of the plan's page has it."""
    page = stranger.get(f"/cases/{case}/plan").text
    start = page.index('<select name="by"><option value="') + len('<select name="by"><option value="')
    return page[start : page.index('"', start)]


def test_every_service_is_arranged_at_once_and_an_old_page_changes_nothing(stranger, drafting, draft, repository):
    """P-09"""
    services = read(repository, "plan", draft).fields["services"]
    therapy = services[0]
    versions = {f"version:{key}": read(repository, "planned_service", key.partition("/")[2]).version for key in services}
    told = {f"necessity:{key}": "necessary" for key in services} | {f"why:{therapy}": "Kanarifugl cannot walk yet"}
    who = {f"performers:{key}": read(repository, "planned_service", key.partition("/")[2]).fields["performers"] for key in services}
    path = f"/cases/{drafting}/plan/{draft}/services"
    answer = stranger.client.post(path, data=versions | told | who, headers=ORIGIN)
    assert (answer.status_code, answer.location) == (303, f"/cases/{drafting}/plan"), words(answer.text)[:400]
    kept = read(repository, "planned_service", therapy.partition("/")[2])
    word = kept.fields["medical_necessity"]
    assert (word["determination"], word["rationale"]) == ("necessary", "Kanarifugl cannot walk yet")
    assert word["decided_by"] == stranger.client.get_cookie("casebridge_actor").value

    late = {**versions, **who, **told, f"why:{therapy}": "Kanarifugl: something else"}
    answer = stranger.client.post(path, data=late, headers=ORIGIN)
    assert answer.status_code == 412
    assert read(repository, "planned_service", therapy.partition("/")[2]).version == kept.version


def test_a_page_that_is_kept_as_it_is_decides_nothing_anew(stranger, drafting, draft, repository):
    """P-09"""
    services = read(repository, "plan", draft).fields["services"]
    desk, ids = _desk(stranger, repository), [each.partition("/")[2] for each in services]
    said = read(repository, "planned_service", ids[0]).fields
    lines = {**said["medical_necessity"], "rationale": "Kanarifugl cannot walk,\nor not far "}
    put(desk, "planned_service", ids[0], {**said, "medical_necessity": lines})
    undecided = read(repository, "planned_service", ids[1]).fields
    put(desk, "planned_service", ids[1], {name: value for name, value in undecided.items() if name != "medical_necessity"})
    before = {id: read(repository, "planned_service", id).version for id in ids}
    form = form_of(stranger.get(f"/cases/{drafting}/plan").text, 'class="arrange"')
    assert {name for name in form if name.startswith("version:")} == {f"version:{each}" for each in services}
    sent = {name: value.replace("\n", "\r\n") for name, value in form.items()}
    assert stranger.client.post(f"/cases/{drafting}/plan/{draft}/services", data=sent, headers=ORIGIN).status_code == 303
    assert {id: read(repository, "planned_service", id).version for id in ids} == before


def test_what_is_left_out_of_a_draft_stays_in_the_record_of_the_case(stranger, drafting, draft, repository):
    service = read(repository, "plan", draft).fields["services"][-1]
    desk, id = _desk(stranger, repository), service.partition("/")[2]
    fields = read(repository, "planned_service", id).fields
    put(desk, "planned_service", id, {**fields, "status": "not_started"})
    for _ in range(2):
        assert stranger.post(f"/cases/{drafting}/plan/{draft}/without", element=service).status_code == 303
    assert service not in read(repository, "plan", draft).fields["services"]
    assert read(repository, "planned_service", id).fields["status"] == "cancelled"


def test_options_stand_side_by_side_and_one_is_chosen_after_it_was_shown(stranger, drafting, draft, repository):
    """C-06, P-10"""
    desk, plan = _desk(stranger, repository), read(repository, "plan", draft)
    about = {"client": plan.fields["client"], "case": plan.fields["case"], "kind": "therapy", "status": "not_started"}
    made = {
        name: put(
            desk,
            "planned_service",
            None,
            {**about, "intent": "proposal", "description": f"Kanarifugl: {name}", "goals": goals, "estimated_cost": _dollars(value)},
        ).reference
        for name, value, goals in (("centre", 900, plan.fields["goals"]), ("home", 400, plan.fields["goals"][:1]))
    }
    for place, name in enumerate(made):
        typed = {"title": name, "plain_text": f"Kanarifugl practises at the {name}.", "services": made[name]}
        answer = send(stranger, f"/records/plan/{draft}/edit", **{f"options[{place}].{key}": value for key, value in typed.items()})
        assert answer.status_code == 303, words(answer.text)[:600]
    text = stranger.text(f"/cases/{drafting}/plan")
    assert text.index("400 USD") < text.index("900 USD")
    assert "Choose" not in text

    assert stranger.post(f"/cases/{drafting}/plan/{draft}/options/shown").status_code == 303
    assert "Choose" in stranger.text(f"/cases/{drafting}/plan")
    chosen = next(each["id"] for each in read(repository, "plan", draft).fields["options"] if each["title"] == "home")
    assert stranger.post(f"/cases/{drafting}/plan/{draft}/options/choice", option=chosen).status_code == 303
    after = read(repository, "plan", draft).fields
    assert [each["title"] for each in after["options"] if each.get("chosen")] == ["home"]
    assert len(after["services"]) == len(plan.fields["services"]) + 1


def _dollars(value):
    return {"value": value, "currency": "USD"}


@pytest.fixture
def in_force(halfway, dana, repository):
    """The id of River's plan in force, somebody being at the console."""
    dana()
    return _plan(repository, "active")


def _proposed(stranger, repository, case, plan, severity):
    assert stranger.post(f"/cases/{case}/plan/{plan}/adjustments", reason="barrier", severity=severity).status_code == 303
    return read(repository, "plan", plan).fields["adjustments"][-1]["proposed_at"]


def test_a_minor_change_is_proposed_accepted_and_carried_out_as_the_next_version(stranger, halfway, in_force, repository):
    """P-19"""
    at = _proposed(stranger, repository, halfway, in_force, "minor")
    assert "waits for the client" in stranger.text(f"/cases/{halfway}/plan")
    path = f"/cases/{halfway}/plan/{in_force}/adjustments"
    change = f"{path}/change?proposed_at={at}".replace("+", "%2B")
    refused = send(stranger, change, title="With a ride")
    assert refused.status_code == 422
    assert "The client must accept the adjustment first." in words(refused.text)
    assert stranger.post(f"{path}/answer", proposed_at=at).status_code == 400
    assert "accepted_by_client" not in read(repository, "plan", in_force).fields["adjustments"][-1]
    assert stranger.post(f"{path}/answer", proposed_at=at, word="accepted").status_code == 303
    before = read(repository, "plan", in_force)
    answer = send(stranger, change, title="With a ride")
    assert (answer.status_code, answer.location) == (303, f"/cases/{halfway}/plan"), words(answer.text)[:600]
    after = read(repository, "plan", in_force)
    assert (after.fields["title"], after.fields["goals"]) == ("With a ride", before.fields["goals"])
    assert after.fields["adjustments"][-1]["resulting_plan_version"] == after.version == before.version + 1
    assert "carried out" in stranger.text(f"/cases/{halfway}/plan")


def test_a_change_made_of_an_older_version_of_the_plan_is_not_carried_out(stranger, halfway, in_force, repository):
    at = _proposed(stranger, repository, halfway, in_force, "minor")
    path = f"/cases/{halfway}/plan/{in_force}/adjustments"
    stranger.post(f"{path}/answer", proposed_at=at, word="accepted")
    opened = form_of(stranger.get(f"{path}/change?proposed_at={at}".replace("+", "%2B")).text)
    desk, now = _desk(stranger, repository), read(repository, "plan", in_force)
    put(desk, "plan", in_force, {**now.fields, "title": "Theirs"})
    overtaken = stranger.client.post(
        f"{path}/change", data=opened | {"medical_necessity.summary": "Mine", "reason": "Kanarifugl: a ride"}, headers=ORIGIN
    )
    assert overtaken.status_code == 412
    kept = form_of(overtaken.text)
    assert (kept["title"], kept["medical_necessity.summary"], kept["reason"]) == ("Theirs", "Mine", "Kanarifugl: a ride")
    assert read(repository, "plan", in_force).fields["medical_necessity"] == now.fields["medical_necessity"]
    assert stranger.client.post(f"{path}/change", data=kept, headers=ORIGIN).status_code == 303
    after = read(repository, "plan", in_force).fields
    assert (after["title"], after["medical_necessity"]["summary"]) == ("Theirs", "Mine")


def test_what_is_emptied_on_the_form_of_a_change_is_taken_out_of_the_plan(stranger, halfway, in_force, repository):
    """P-19"""
    at = _proposed(stranger, repository, halfway, in_force, "minor")
    path = f"/cases/{halfway}/plan/{in_force}/adjustments"
    stranger.post(f"{path}/answer", proposed_at=at, word="accepted")
    assert read(repository, "plan", in_force).fields["services"]
    answer = send(stranger, f"{path}/change?proposed_at={at}".replace("+", "%2B"), services=[])
    assert answer.status_code == 303, words(answer.text)[:600]
    after = read(repository, "plan", in_force).fields
    assert "services" not in after
    assert {"op": "remove", "path": "services"} in after["adjustments"][-1]["changes"]


def test_a_change_that_is_sent_twice_is_proposed_once(stranger, halfway, in_force, repository):
    page = stranger.get(f"/cases/{halfway}/plan").text
    [request] = re.findall(r'name="request_id" value="([^"]+)"', page)
    for _ in range(2):
        path = f"/cases/{halfway}/plan/{in_force}/adjustments"
        assert stranger.post(path, reason="barrier", severity="minor", request_id=request).status_code == 303
    assert len(read(repository, "plan", in_force).fields["adjustments"]) == 1
    assert request not in stranger.get(f"/cases/{halfway}/plan").text


def test_a_major_change_is_drafted_as_a_new_plan_while_the_old_one_stays_in_force(stranger, halfway, in_force, repository):
    """P-19"""
    at = _proposed(stranger, repository, halfway, in_force, "major")
    path = f"/cases/{halfway}/plan/{in_force}/adjustments"
    assert stranger.post(f"{path}/redraft", proposed_at=at).status_code == 422
    assert stranger.post(f"{path}/answer", proposed_at=at, word="accepted").status_code == 303
    for _ in range(2):
        assert stranger.post(f"{path}/redraft", proposed_at=at).status_code == 303
    assert read(repository, "plan", _plan(repository, "draft")).fields["replaces"] == [f"CarePlan/{in_force}"]
    assert read(repository, "plan", in_force).fields["status"] == "active"
    assert "replaces" in stranger.text(f"/cases/{halfway}/plan")


def test_the_sessions_of_a_service_are_booked_from_its_plan(stranger, halfway, in_force, repository):
    """P-33"""
    service = read(repository, "plan", in_force).fields["services"][0].partition("/")[2]
    desk, fields = _desk(stranger, repository), read(repository, "planned_service", service).fields
    timing = {"start": "2030-01-07", "frequency": 2, "period": 1, "period_unit": "wk", "count": 4}
    put(desk, "planned_service", service, {**fields, "timing": timing, "authorisation_required": "no"})
    path = f"/cases/{halfway}/services/{service}/sessions"
    text = stranger.text(path)
    assert "Session 2 of the first week" in text
    right = ["2030-01-07T09:00", "2030-01-09T09:00"]
    for first, minutes in (*((each, "60") for each in _NO_STARTS), *((right, each) for each in _NO_MINUTES)):
        wrong = stranger.post(path, first=first, minutes=minutes)
        assert wrong.status_code == 400, (first, minutes)
        assert "Nothing was booked" in words(wrong.text)
    booked = stranger.post(path, first=right, minutes="60")
    assert (booked.status_code, booked.location) == (303, f"/cases/{halfway}"), words(booked.text)[:400]
    starts = [each.record["start"] for each in repository.scan("Appointment") if f"ServiceRequest/{service}" in each.record["services"]]
    assert [start for start in sorted(starts) if start > "2030"] == [f"2030-01-{day}T09:00:00.000Z" for day in ("07", "09", "14", "16")]


def test_as_many_starts_are_asked_for_as_a_period_has_sessions(stranger, halfway, in_force, repository):
    service = read(repository, "plan", in_force).fields["services"][0].partition("/")[2]
    desk, fields = _desk(stranger, repository), read(repository, "planned_service", service).fields
    timing = {"start": "2030-01-07", "frequency": 14, "period": 1, "period_unit": "wk", "count": 28}
    put(desk, "planned_service", service, {**fields, "timing": timing})
    assert stranger.get(f"/cases/{halfway}/services/{service}/sessions").text.count('name="first"') == 14


def test_a_version_that_no_page_sent_changes_nothing(stranger, drafting, draft, repository):
    service = read(repository, "plan", draft).fields["services"][0]
    for strange in ("²", "9" * 5000):
        sent = {f"version:{service}": strange, f"necessity:{service}": "not_necessary"}
        answer = stranger.client.post(f"/cases/{drafting}/plan/{draft}/services", data=sent, headers=ORIGIN)
        assert answer.status_code == 303
        assert stranger.post(f"/records/plan/{draft}/edit", version=strange, title="Mine").status_code == 400
    assert read(repository, "planned_service", service.partition("/")[2]).fields["medical_necessity"]["determination"] == "necessary"


def test_the_version_that_a_draft_sends_is_the_one_that_it_shows(stranger, drafting, draft, repository, monkeypatch):
    service = read(repository, "plan", draft).fields["services"][0]
    desk, id = _desk(stranger, repository), service.partition("/")[2]

    def overtaken(*asked):
        found = facts_of(*asked)
        put(desk, "planned_service", id, {**read(repository, "planned_service", id).fields, "description": "Kanarifugl: theirs"})
        return found

    monkeypatch.setattr(plan, "facts_of", overtaken)
    page = stranger.get(f"/cases/{drafting}/plan").text
    assert form_of(page, 'class="arrange"')[f"version:{service}"] == str(read(repository, "planned_service", id).version)
    assert "Kanarifugl: theirs" in words(page)

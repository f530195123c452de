"""Referrals and transitions of care on the page of a case."""

from html import unescape
from re import findall

import pytest

from adapter.casework.desk import Actor, Desk
from adapter.casework.records import put, read
from adapter.store.documents import Change
from tests.server.console.conftest import words


@pytest.fixture
def desk(repository, halfway):
    """Whoever leads River's case."""
    manager = read(repository, "case", halfway).fields["case_manager"]
    return Desk(repository, Actor(manager), repository.clock, synthetic=True)


@pytest.fixture
def page(stranger, halfway, dana):
    dana()
    return f"/cases/{halfway}"


def section(stranger, page, name):
    text = stranger.get(page).text
    start = text.index(f'<h2 id="{name}">')
    return text[start : text.index("</section>", start)]


def forms(html, step):
    """The hidden fields of each form of this step."""
    found = []
    for form in findall(r"<form .*?</form>", html, flags=16):
        hidden = {name: unescape(value) for name, value in findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', form)}
        found += [hidden] if hidden.get("step") == step else []
    return found


def test_a_service_of_the_plan_is_referred_and_its_answers_are_kept_by_forms(stranger, page, desk):
    """C-01, A-13"""
    put(desk, "stakeholder", "house", {"kind": "rehab_facility", "name": "Kanarifugl House", "active": True})
    [link, *_] = findall(rf'href="({page}/referrals/[^"]+)"', section(stranger, page, "referrals"))
    chosen = stranger.get(link).text
    assert "Kanarifugl House" in words(chosen)
    [form] = forms(chosen, "refer")
    answer = stranger.post(f"{page}/referrals", **form, other="Organization/house", priority="urgent", send="yes")
    assert (answer.status_code, answer.location) == (303, f"{page}#referrals")
    assert "To Kanarifugl House, answer due" in words(section(stranger, page, "referrals"))
    for word, result in (("accepted", ""), ("in_progress", ""), ("completed", "Kanarifugl walks")):
        [asked] = forms(section(stranger, page, "referrals"), "answer")
        assert stranger.post(f"{page}/referrals", **asked, status=word, result=result).status_code == 303
    assert "Completed To Kanarifugl House; Kanarifugl walks" in words(section(stranger, page, "referrals"))
    assert stranger.get(link).status_code == 200


@pytest.mark.parametrize("organization", ["https://dir.example/fhir/Organization/1", "Organization/1/_history/2", "urn:uuid:1"])
def test_a_referral_to_a_role_of_an_organisation_elsewhere_is_shown(stranger, page, desk, organization):
    raw = {"resourceType": "PractitionerRole", "active": True, "organization": {"reference": organization}}
    desk.repository.commit([Change("PractitionerRole", "baker", raw, 0)])
    [link, *_] = findall(rf'href="({page}/referrals/[^"]+)"', section(stranger, page, "referrals"))
    [form] = forms(stranger.get(link).text, "refer")
    assert stranger.post(f"{page}/referrals", **form, other="PractitionerRole/baker").status_code == 303
    assert stranger.get(page).status_code == 200


def test_a_referral_that_cannot_be_sent_is_no_draft_either_when_it_was_to_be_sent(stranger, page, desk):
    """V-16"""
    put(desk, "stakeholder", "pantry", {"kind": "community_org", "name": "Kanarifugl pantry", "active": True})
    put(desk, "stakeholder", "house", {"kind": "rehab_facility", "name": "Kanarifugl House", "active": True})
    [link, *_] = findall(rf'href="({page}/referrals/[^"]+)"', section(stranger, page, "referrals"))
    [form] = forms(stranger.get(link).text, "refer")
    before = _tasks(desk)
    refused = stranger.post(f"{page}/referrals", **form, other="Organization/pantry", send="yes")
    assert (refused.status_code, "Nothing was changed" in refused.text) == (422, True)
    assert _tasks(desk) == before
    assert stranger.post(f"{page}/referrals", **form, other="Organization/house", send="yes").status_code == 303


def _tasks(desk):
    return {stored.reference for type in ("Task", "Provenance") for stored in desk.repository.scan(type)}


def test_a_step_is_taken_with_the_very_record_that_the_form_names(stranger, page, desk, halfway):
    """Not with another's, of whatever case, that has the same id."""
    put(desk, "stakeholder", "house", {"kind": "rehab_facility", "name": "Kanarifugl House", "active": True})
    [link, *_] = findall(rf'href="({page}/referrals/[^"]+)"', section(stranger, page, "referrals"))
    [form] = forms(stranger.get(link).text, "refer")
    stranger.post(f"{page}/referrals", **form, other="Organization/house")
    [draft] = forms(section(stranger, page, "referrals"), "cancel")
    id = draft["of"].partition("/")[2]
    case = read(desk.repository, "case", halfway)
    about = {"client": case.fields["client"], "case": case.reference}
    barrier = {"status": "open", "kind": "transport", "description": "Kanarifugl", "opened_at": "2025-04-20T10:00:00Z"}
    named = put(desk, "barrier", id, about | barrier).reference
    answer = stranger.post(f"{page}/referrals", **draft | {"of": named}, reason="Kanarifugl has another")
    assert (answer.status_code, "no such record" in answer.text) == (404, True)
    assert read(desk.repository, "task", id).fields["status"] == "draft"


def test_a_referral_is_taken_back_with_a_reason(stranger, page, desk):
    put(desk, "stakeholder", "house", {"kind": "rehab_facility", "name": "Kanarifugl House", "active": True})
    [link, *_] = findall(rf'href="({page}/referrals/[^"]+)"', section(stranger, page, "referrals"))
    [form] = forms(stranger.get(link).text, "refer")
    stranger.post(f"{page}/referrals", **form, other="Organization/house")
    [draft] = forms(section(stranger, page, "referrals"), "cancel")
    assert stranger.post(f"{page}/referrals", **draft).status_code == 422
    assert stranger.post(f"{page}/referrals", **draft, reason="Kanarifugl has another").status_code == 303
    assert "Cancelled To Kanarifugl House: Kanarifugl has another" in words(section(stranger, page, "referrals"))


def test_a_transition_is_made_ready_sent_and_acknowledged_by_forms(stranger, page, desk, halfway):
    """P-23, P-24"""
    put(desk, "stakeholder", "house", {"kind": "rehab_facility", "name": "Kanarifugl House"})
    case = read(desk.repository, "case", halfway)
    about = {"client": case.fields["client"], "case": case.reference}
    stay = {"status": "in_progress", "encounter_class": {"code": "IMP"}, "period": {"start": "2025-04-12"}}
    put(desk, "encounter", "stay", about | stay)
    move = {"encounter": "Encounter/stay", "status": "in_progress", "to_setting": "rehab", "receiver": "Organization/house"}
    put(desk, "transition_plan", "move", about | move)
    for step, told in (("prepare", "By the record: the lesson has not been held"), ("send", "Summary sent, requested")):
        assert told not in words(section(stranger, page, "transitions"))
        [form] = forms(section(stranger, page, "transitions"), step)
        assert stranger.post(f"{page}/transition", **form).status_code == 303
        assert told in words(section(stranger, page, "transitions"))
    [form] = forms(section(stranger, page, "transitions"), "answer")
    assert stranger.post(f"{page}/transition", **form, status="accepted").status_code == 303
    assert "Taken over on" in words(section(stranger, page, "transitions"))


@pytest.mark.parametrize("path", ["referrals", "transition"])
def test_a_step_that_there_is_not_is_refused(stranger, page, path):
    assert stranger.post(f"{page}/{path}", step="fly").status_code == 400

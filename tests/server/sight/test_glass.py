"""Breaking the glass: for a reason and a time, told to others, and ended."""

from datetime import timedelta

import pytest

from .conftest import REASON, Hospital

HOUR = timedelta(minutes=60)


def events(hospital: Hospital) -> list[dict]:
    """The AuditEvents of glasses, the oldest first."""
    raws = [stored.raw for stored in hospital.repository.scan("AuditEvent")]
    told = [raw for raw in raws if {each.get("code") for each in raw["subtype"]} & {"break-glass", "mend-glass"}]
    return sorted(told, key=lambda raw: raw["recorded"])


def test_for_a_reason_somebody_is_seen_for_an_hour_and_it_is_told(hospital: Hospital):
    client, case = hospital.client("sam", "ruth")
    before = len(events(hospital))
    assert not hospital.sees("dana", client)
    made = hospital.create("dana", "glass", {"client": client, "reason": REASON})
    assert (made["who"], made["patient"], made["reason"]) == ("Practitioner/dana", client, REASON)
    assert hospital.sees("dana", client)
    assert hospital.ask("dana", "GET", f"cases/{case.partition('/')[2]}/summary").status_code == 200
    assert hospital.ask("dana", "GET", f"fhir/{client}").status_code == 200
    assert not hospital.sees("boss", client), "it is hers alone"
    [event] = events(hospital)[before:]
    assert event["agent"][0]["who"]["reference"] == "Practitioner/dana"
    assert event["entity"][0]["what"]["reference"] == client
    assert event["entity"][-1]["detail"] == [{"type": "reason", "valueString": REASON}]
    hospital.clock.ahead += HOUR - timedelta(seconds=30)
    assert hospital.sees("dana", client)
    hospital.clock.ahead += timedelta(seconds=31)
    assert not hospital.sees("dana", client)
    assert hospital.ask("dana", "GET", f"fhir/{client}").status_code == 404


def test_a_number_that_somebody_has_is_enough(hospital: Hospital):
    client, _ = hospital.client("sam", "rosa")
    asked = {"identifier": {"value": hospital.ids[client]}, "reason": REASON}
    assert hospital.create("dana", "glass", asked)["patient"] == client
    again = hospital.ask("dana", "POST", "glass", asked)
    assert (again.status_code, again.json()["rule"]) == (409, "seen_already")


@pytest.mark.parametrize("reason", ["", "   ", "because", "x" * 501, " " * 40])
def test_without_a_reason_nothing_is_told(hospital: Hospital, reason):
    client, _ = hospital.client("sam", "none")
    answers = [hospital.ask("dana", "POST", "glass", {"client": each, "reason": reason}) for each in (client, "Patient/nobody")]
    assert [answer.status_code for answer in answers] == [400, 400]
    assert answers[0].json() == answers[1].json()
    assert not hospital.sees("dana", client)


def test_a_try_for_who_is_not_here_is_kept_with_its_reason(hospital: Hospital):
    before = len(events(hospital))
    answer = hospital.ask("dana", "POST", "glass", {"identifier": {"system": "urn:example:mrn", "value": "no-such"}, "reason": REASON})
    assert answer.status_code == 404
    [event] = events(hospital)[before:]
    assert (event["outcome"], [entity.get("what") for entity in event["entity"]]) == ("4", [None])
    assert event["entity"][0]["detail"][0]["valueString"] == REASON


def test_a_try_for_a_number_that_several_have_is_kept_with_its_reason(hospital: Hospital):
    for system in ("urn:example:one", "urn:example:two"):
        names = [{"family": "Kanarifugl", "given": ["ragna"]}]
        hospital.create("sam", "clients", {"names": names, "identifiers": [{"system": system, "value": "both-have-it"}]})
    before = len(events(hospital))
    answer = hospital.ask("dana", "POST", "glass", {"identifier": {"value": "both-have-it"}, "reason": REASON})
    assert answer.status_code == 409
    [event] = events(hospital)[before:]
    assert (event["outcome"], [entity.get("what") for entity in event["entity"]]) == ("4", [None])
    assert event["entity"][0]["detail"][0]["valueString"] == REASON


def test_it_is_ended_by_who_broke_it_and_by_who_leads_them_and_by_nobody_else(hospital: Hospital):
    client, _ = hospital.client("sam", "rita")
    for who in ("dana", "boss"):
        made = hospital.create("dana", "glass", {"client": client, "reason": REASON})
        assert hospital.ask("sam", "POST", f"glass/{made['id']}/end").status_code == 404
        assert made["id"] not in str(hospital.get("sam", "glass"))
        assert made["id"] in str(hospital.get(who, "glass"))
        ended = hospital.ask(who, "POST", f"glass/{made['id']}/end")
        assert (ended.status_code, ended.json()["ended_by"]) == (200, f"Practitioner/{who}")
        assert not hospital.sees("dana", client)
    assert events(hospital)[-1]["subtype"][0]["code"] == "110138"


def test_it_is_broken_for_a_person_and_not_for_their_team(hospital: Hospital):
    """A supervisor sees what is tied to the team, not what one of them broke the glass for."""
    client, _ = hospital.client("sam", "rana")
    hospital.create("dana", "glass", {"client": client, "reason": REASON})
    assert not hospital.sees("boss", client)
    hospital.create("boss", "glass", {"client": client, "reason": REASON})
    assert hospital.sees("boss", client)


def _told_of(target: str) -> dict:
    agent = [{"who": {"reference": "Practitioner/dana"}}]
    return {"resourceType": "Provenance", "target": [{"reference": target}], "recorded": "2025-04-22T12:00:00Z", "agent": agent}


def _plan(client: str, case: str) -> dict:
    """A plan of somebody, that goes into a case."""
    about = {"subject": {"reference": client}, "supportingInfo": [{"reference": case}]}
    return {"resourceType": "CarePlan", "status": "active", "intent": "plan", **about}


def test_through_it_nothing_is_changed_so_no_case_is_taken_for_good(hospital: Hospital):
    client, case = hospital.client("sam", "rena")
    own, _ = hospital.client("dana", "runa")
    hospital.create("dana", "glass", {"client": client, "reason": REASON})
    about = {"client": client, "case": case}
    kept = hospital.ask("dana", "GET", f"fhir/{client}").json()
    tries = (
        ("POST", f"cases/{case.partition('/')[2]}/assignment", {"case_manager": "Practitioner/dana"}),
        ("POST", "tasks", {**about, "status": "requested", "intent": "order", "owner": "Practitioner/dana"}),
        ("PUT", f"fhir/{client}", {**kept, "active": False}),
        ("POST", "fhir/Task", {"resourceType": "Task", "status": "requested", "intent": "order", "for": {"reference": client}}),
        ("DELETE", f"fhir/{client}", None),
        *(("POST", "fhir/Provenance", _told_of(target)) for target in (client, case)),
        ("POST", "fhir/CarePlan", _plan(own, case)),
    )
    answers = [hospital.ask("dana", method, path, body).status_code for method, path, body in tries]
    assert answers == [403] * len(tries)
    assigned = hospital.ask("sam", "POST", tries[0][1], tries[0][2])
    assert assigned.status_code == 200
    assert hospital.ask("dana", *tries[1]).status_code == 201, "now it is hers"
    assert hospital.ask("dana", *tries[-1]).status_code == 201
    assert hospital.ask("dana", *tries[-2]).status_code == 201


def test_pages_tell_of_a_broken_glass_and_how_to_break_one(hospital: Hospital):
    client, case = hospital.client("sam", "romy")
    pages, id = hospital.browser("dana"), case.partition("/")[2]
    absent, unseen = pages.get("/cases/absent"), pages.get(f"/cases/{id}")
    assert (absent.status_code, absent.text) == (404, unseen.text)
    assert 'href="/glass"' in unseen.text
    form = pages.get("/glass")
    short = pages.send(form, "/glass", identifier=hospital.ids[client], reason="because")
    assert (short.status_code, hospital.ids[client] in short.text) == (400, True)
    assert pages.send(form, "/glass", identifier=hospital.ids[client], reason=REASON).headers["Location"] == "/glass"
    page = pages.get(f"/cases/{id}")
    assert page.status_code == 200
    assert "The glass is broken</a> for romy Kanarifugl" in page.text
    held = pages.get("/glass")
    [made] = [each for each in hospital.get("dana", "glass")["items"] if each["patient"] == client]
    assert f"/glass/{made['id']}/end" in held.text
    boss = hospital.browser("boss")
    told = boss.get("/glass/broken").text
    assert (REASON.replace(",", ",") in told, client in told, "romy" in told) == (True, True, False)
    assert REASON not in hospital.browser("sam").get("/glass/broken").text
    assert boss.send(boss.get("/glass/broken"), f"/glass/{made['id']}/end", back="broken").headers["Location"] == "/glass/broken"
    assert pages.get(f"/cases/{id}").status_code == 404


def test_who_audits_sees_what_was_broken_and_no_other_page(hospital: Hospital):
    hospital.create("dana", "glass", {"client": hospital.client("sam", "resi")[0], "reason": "An audit reads this reason too."})
    pages = hospital.browser("ada")
    assert "An audit reads this reason too." in pages.get("/glass/broken").text
    assert {pages.get(path).status_code for path in ("/people", "/glass", "/cases/x", "/connections")} == {403}
    assert pages.get("/").headers["Location"] == "/disclosures", "where the account is, and no worklist"

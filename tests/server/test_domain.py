"""Rows of the domain's catalogue that no other test is about: done by the case API, seen by FHIR."""

import pytest

from adapter.mapping.case import SETTING_TYPE
from tests.server.api.conftest import BOSS, DANA, CaseApi, case, new_client, person

LICENCE = {"kind": "RN", "active": True, "unrestricted": True, "period": {"start": "2020-01-01"}}
NURSE_CASE_MANAGER = {"system": "http://nucc.org/provider-taxonomy", "code": "163WC0400X"}


@pytest.fixture
def api(client):
    found = CaseApi(client)
    found.put_new("case-managers/dana", person("dana", credentials=[LICENCE], specialties=[NURSE_CASE_MANAGER]))
    found.as_(BOSS).put_new("case-managers/boss", person("boss", role="supervisor"))
    return found


@pytest.fixture
def alma(api):
    return new_client(api, "alma")


@pytest.fixture
def opened(api, alma):
    return api.create("cases", case())["meta"]["reference"]


def fhir_of(fhir, record):
    """The record's resource, as FHIR has it."""
    answer = fhir.send("GET", record["meta"]["reference"])
    assert answer.status_code == 200
    return answer.json


def contact(opened, **fields):
    whole = {"client": "Patient/alma", "case": opened, "status": "completed", "performer": DANA, "occurred_at": "2025-05-01T10:00:00Z"}
    return whole | fields


def test_a_case_of_each_setting_is_accepted(api, fhir):
    """A-11"""
    for place, (code, word) in enumerate(SETTING_TYPE.pairs.items()):
        made = api.create("cases", case(new_client(api, f"c{place}"), setting_type=word))
        types = [coding["code"] for concept in fhir_of(fhir, made)["type"] for coding in concept["coding"]]
        assert code in types


def test_a_clinical_case_without_an_assigner_has_no_plan_put_into_force(api, alma):
    """A-05, A-04, M-02, V-08"""
    opened = api.create("cases", case(models=[{"model": "clinical", "primary": True}]))
    ways = api.get(f"cases/{opened['id']}/transitions")
    assert "TR-01" in str(ways)
    plan = {"client": "Patient/alma", "case": opened["meta"]["reference"], "status": "active", "intent": "plan"}
    refused = api.send("POST", "plans", plan)
    assert (refused.status_code, refused.json["rule"]) == (422, "clinical_role_invalid")
    assert "who assigned the role" in refused.json["detail"]


def test_a_case_that_an_insurer_assigned_says_so(api, fhir, alma, opened):
    """C-11"""
    payer = api.create("stakeholders", {"kind": "insurer", "name": "Example Health Plan"})
    fields = {
        "client": "Patient/alma",
        "status": "active",
        "source": "insurer",
        "received_at": "2025-05-01",
        "reasons": [{"text": "stroke"}],
    }
    referral = api.create("referrals", fields | {"requester": payer["meta"]["reference"]})
    kept = api.get(f"cases/{opened.partition('/')[2]}")
    assert (
        api.put(
            kept["meta"]["reference"].replace("EpisodeOfCare", "cases"), kept | {"referrals": [referral["meta"]["reference"]]}
        ).status_code
        == 200
    )
    episode = fhir.send("GET", opened).json
    request = fhir.send("GET", episode["referralRequest"][0]["reference"]).json
    organisation = fhir.send("GET", request["requester"]["reference"]).json
    assert {"pay", "ins"} & {coding["code"] for concept in organisation["type"] for coding in concept["coding"]}


def test_everybody_on_the_team_has_a_role(api, fhir, alma, opened):
    """A-06, A-07"""
    kinds = {
        "physician": {"names": [{"family": "Kanarifugl"}]},
        "insurer": {"name": "Example Health Plan"},
        "hospital": {"name": "Example Hospital"},
    }
    members = [api.create("stakeholders", {"kind": kind} | fields)["meta"]["reference"] for kind, fields in kinds.items()]
    sibling = {"client": "Patient/alma", "names": [{"family": "Kanarifugl"}], "relationships": [{"code": "SIB"}]}
    members.append(api.create("support-persons", sibling)["meta"]["reference"])
    participants = [{"member": member, "roles": [{"text": member.partition("/")[0]}]} for member in members]
    team = api.create("care-teams", {"client": "Patient/alma", "case": opened, "status": "active", "participants": participants})
    found = fhir_of(fhir, team)["participant"]
    assert len(found) == 4
    assert all(each["role"] and each["member"]["reference"] in members for each in found)


def test_a_referral_to_an_organisation_without_an_endpoint_is_closed_on_its_behalf(api, fhir, alma, opened):
    """A-13, C-01"""
    pantry = api.create("stakeholders", {"kind": "community_org", "name": "Example Food Pantry"})["meta"]["reference"]
    service = {
        "client": "Patient/alma",
        "case": opened,
        "status": "not_started",
        "intent": "order",
        "kind": "referral",
        "description": "Kanarifugl",
    }
    ordered = api.create("planned-services", service | {"performers": [pantry]})["meta"]["reference"]
    task = {"client": "Patient/alma", "case": opened, "status": "requested", "intent": "order", "focus": ordered, "owner": pantry}
    kept = api.create("tasks", task)
    for status in ("accepted", "completed"):
        answer = api.put(f"tasks/{kept['id']}", kept | {"status": status})
        assert answer.status_code == 200
        kept = answer.json
    raw = fhir_of(fhir, kept)
    assert (raw["status"], raw["focus"], raw["for"]) == ("completed", {"reference": ordered}, {"reference": "Patient/alma"})
    proofs = [entry["resource"] for entry in fhir.send("GET", f"Provenance?target=Task/{kept['id']}").json["entry"]]
    assert {proof["agent"][0]["who"]["reference"] for proof in proofs} == {DANA}
    assert len(proofs) == 3


def test_a_follow_up_with_the_family_lists_them(api, fhir, alma, opened):
    """C-24"""
    fields = contact(opened, type="visit", source="support_network", participants=["RelatedPerson/jon"])
    found = fhir_of(fhir, api.create("follow-ups", fields))["participant"]
    assert {"reference": "RelatedPerson/jon"} in [each.get("individual") for each in found]


def test_a_nurse_who_follows_up_is_known_as_one(api, fhir, alma, opened):
    """C-25"""
    made = fhir_of(fhir, api.create("follow-ups", contact(opened, type="call", source="client")))
    who = [each["individual"]["reference"] for each in made["participant"] if "individual" in each]
    assert DANA in who
    [role] = fhir.send("GET", f"PractitionerRole?practitioner={DANA}").json["entry"]
    codes = [coding["code"] for concept in role["resource"]["specialty"] for coding in concept["coding"]]
    assert "163WC0400X" in codes


@pytest.mark.parametrize(("type", "code"), [("home_visit", "HH"), ("call", "VR"), ("video", "VR"), ("visit", "AMB")])
def test_each_kind_of_contact_has_its_class(api, fhir, alma, opened, type, code):
    """P-15, P-16"""
    made = fhir_of(fhir, api.create("follow-ups", contact(opened, type=type, source="client")))
    assert (made["resourceType"], made["class"]["code"]) == ("Encounter", code)


def test_a_call_that_only_reminds_is_a_message(api, fhir, alma, opened):
    """P-16, C-10"""
    fields = {
        "client": "Patient/alma",
        "case": opened,
        "status": "completed",
        "recipients": ["Patient/alma"],
        "texts": ["Kanarifugl: tomorrow at ten"],
    }
    made = fhir_of(fhir, api.create("messages", fields | {"sent_at": "2025-05-01T10:00:00Z"}))
    assert (made["resourceType"], made["status"], made["subject"]) == ("Communication", "completed", {"reference": "Patient/alma"})


def test_a_risk_evaluation_names_its_evidence_for_each_ailment(api, fhir, alma, opened):
    """P-05"""
    evidence = api.create("conditions", {"client": "Patient/alma", "code": {"text": "diabetes"}, "clinical_status": "active"})
    fields = {
        "client": "Patient/alma",
        "case": opened,
        "status": "final",
        "at": "2025-05-01T10:00:00Z",
        "basis": [evidence["meta"]["reference"]],
        "factors": [{"kind": "existing_conditions", "level": "low", "evidence": [evidence["meta"]["reference"]]}],
        "ailment_risks": [{"ailment": {"text": name}, "probability": share} for name, share in (("stroke", 12), ("fall", 30))],
    }
    made = fhir_of(fhir, api.create("risk-evaluations", fields))
    assert [row["probabilityDecimal"] for row in made["prediction"] if "probabilityDecimal" in row] == [12, 30]
    assert all(fhir.send("GET", basis["reference"]).status_code == 200 for basis in made["basis"])
    wrong = fields | {"ailment_risks": [{"ailment": {"text": "stroke"}, "probability": 101}]}
    assert api.send("POST", "risk-evaluations", wrong).status_code in (400, 422)


def test_a_series_of_readings_is_in_the_order_of_time(api, fhir, alma):
    """W-02"""
    days = ("03", "01", "06", "02", "05", "04")
    for day in days:
        parts = [
            {"code": {"system": "http://loinc.org", "code": code}, "value": {"quantity": {"value": value, "code": "mm[Hg]"}}}
            for code, value in (("8480-6", 120), ("8462-4", 80))
        ]
        code = {"system": "http://loinc.org", "code": "85354-9"}
        reading = {"client": "Patient/alma", "status": "final", "code": code, "components": parts}
        api.create("measurements", reading | {"effective": {"date_time": f"2025-05-{day}T10:00:00Z"}})
    found = fhir.send("GET", "Observation?patient=alma&code=http://loinc.org|85354-9&_sort=date").json["entry"]
    assert [entry["resource"]["effectiveDateTime"][8:10] for entry in found] == sorted(days)


def test_the_server_says_what_it_serves(fhir):
    """W-01"""
    [rest] = fhir.send("GET", "metadata").json["rest"]
    assert {"EpisodeOfCare", "CarePlan", "Goal", "RiskAssessment", "Encounter"} <= {resource["type"] for resource in rest["resource"]}

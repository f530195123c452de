"""A: who has a part in a case."""

import pytest

from tests.server.api.conftest import BOSS, DANA, SAM, problem

OVER = {"active": True, "unrestricted": True, "period": {"start": "2020-01-01", "end": "2025-12-31"}}
CLINICAL = [{"model": "clinical", "primary": True, "assigned_by": BOSS}]


def refused_case(office, api, **fields):
    """The problem with a case of Alma's that is opened with these fields."""
    whole = {"client": office.client(), "case_number": f"R-{next(office.numbers)}", "case_type": "general"}
    return problem(api.send("POST", "cases", whole | fields), 422)


@pytest.mark.parametrize("discipline", ["nurse", "social_worker", "healthcare_administrator", "therapist", "counselor", "physician"])
def test_a_case_manager_of_each_discipline_is_taken(office, fhir, discipline):
    """A-01"""
    manager = office.manager(discipline=discipline)
    [entry] = fhir.send("GET", f"PractitionerRole?practitioner={manager}").json["entry"]
    assert entry["resource"]["practitioner"] == {"reference": manager}


def test_a_discipline_that_there_is_not_is_refused(api):
    """A-01"""
    fields = {"names": [{"family": "Kanarifugl"}], "practitioner": "Practitioner/eve", "discipline": "astrologer"}
    answer = api.as_("Practitioner/eve").send("PUT", "case-managers/eve", fields, If_None_Match="*")
    assert problem(answer, 400)["errors"][0]["path"] == "discipline"


@pytest.mark.parametrize("kind", [pytest.param("RN", id="A-02"), pytest.param("LCSW", id="A-03")])
def test_a_licence_that_is_over_keeps_from_clinical_duties(office, api, kind):
    """A-02, A-03"""
    over = office.manager(credentials=[{"kind": kind, "number": "1", **OVER}])
    assert refused_case(office, api, models=CLINICAL, case_manager=over)["rule"] == "credential_invalid"
    current = {**OVER, "period": {"start": "2020-01-01", "end": "2027-12-31"}}
    valid = office.manager(credentials=[{"kind": kind, "number": "1", **current}])
    assert office.case(models=CLINICAL, case_manager=valid)["case_manager"] == valid


def test_the_clinical_model_needs_a_clinical_licence_without_restrictions(office, api):
    """A-04"""
    restricted = {**OVER, "unrestricted": False, "period": {"start": "2020-01-01"}}
    manager = office.manager(credentials=[{"kind": "RN", "number": "1", **restricted}])
    assert refused_case(office, api, models=CLINICAL, case_manager=manager)["rule"] == "clinical_role_invalid"
    case = office.case()
    answer = api.send("POST", f"cases/{case['id']}/models", {"models": CLINICAL})
    assert answer.status_code == 200
    told = problem(api.send("POST", f"cases/{case['id']}/assignment", {"case_manager": manager}), 422)
    assert told["rule"] == "clinical_role_invalid"


def test_a_clinical_plan_waits_for_who_assigned_the_role(office, api):
    """A-05"""
    case = office.case("planning", models=[{"model": "clinical", "primary": True}])
    office.work(case)
    told = problem(api.send("POST", f"cases/{case['id']}/transitions", {"to": "implementation"}), 422)
    assert (told["rule"], "who assigned the role" in told["detail"]) == ("clinical_role_invalid", True)


def test_a_support_person_is_told_only_with_the_client_s_consent(office, api):
    """A-07"""
    case = office.case()
    sister = office.new("support_person", client=case["client"], names=[{"family": "Kanarifugl"}], relationships=[{"code": "SIB"}])
    told = {**office.of(case), "status": "completed", "sender": DANA, "recipients": [sister["meta"]["reference"]]}
    words = told | {"sent_at": "2026-03-02T08:00:00Z", "texts": ["Kanarifugl walks again"]}
    assert problem(api.send("POST", "messages", words), 422)["rule"] == "consent_missing"
    consent = {
        "client": case["client"],
        "status": "active",
        "scope": "sharing_support",
        "decision": "permit",
        "performers": [case["client"]],
    }
    api.create("consents", consent | {"actor": sister["meta"]["reference"], "agreed_at": "2026-03-01"})
    assert api.create("messages", words)["recipients"] == [sister["meta"]["reference"]]


def test_an_insurer_is_told_only_with_the_client_s_consent(office, api):
    """V-16"""
    case = office.case()
    payer = office.organization("insurer")
    word = {**office.of(case), "kind": "liaison", "status": "completed", "issue": "Kanarifugl needs therapy", "addressed_to": [payer]}
    assert problem(api.send("POST", "advocacy", word), 422)["rule"] == "consent_missing"
    consent = {"client": case["client"], "status": "active", "scope": "sharing_payer", "decision": "permit", "performers": [case["client"]]}
    api.create("consents", consent | {"agreed_at": "2026-03-01"})
    assert api.create("advocacy", word)["addressed_to"] == [payer]


def test_somebody_who_is_twice_in_one_role_is_there_once(office, api, fhir):
    """A-08"""
    case = office.case()
    provider = office.new("stakeholder", kind="physician", names=[{"family": "Kanarifugl"}])["meta"]["reference"]
    role = {"system": "http://snomed.info/sct", "code": "453231000124104", "display": "Primary care provider"}
    seats = [{"member": provider, "roles": [role], "period": {"start": day}} for day in ("2026-01-01", "2026-02-01")]
    made = api.create("care-teams", office.of(case) | {"status": "active", "participants": seats})
    [seat] = fhir.send("GET", f"CareTeam/{made['id']}").json["participant"]
    assert (seat["member"]["reference"], seat["period"]["start"]) == (provider, "2026-01-01")


def test_an_order_without_who_performs_it_keeps_its_plan_from_being_put_into_force(office, api):
    """A-10"""
    case = office.case("planning")
    service = office.work(case)["planned_service"]
    without = {name: value for name, value in service.items() if name != "performers"}
    assert api.put(f"planned-services/{service['id']}", without).status_code == 200
    told = problem(api.send("POST", f"cases/{case['id']}/transitions", {"to": "implementation"}), 422)
    assert (told["rule"], "performer" in told["detail"]) == ("plan_incomplete", True)


def test_a_rehabilitation_without_mental_health_is_a_warning_and_no_obstacle(office, api):
    """A-12"""
    case = office.case("planning", setting_type="rehabilitation")
    service = office.work(case)["planned_service"]
    path = f"cases/{case['id']}/alerts"
    assert "W-REHAB-MH" in [alert["code"] for alert in api.get(path)["items"]]
    assert api.send("POST", f"cases/{case['id']}/transitions", {"to": "implementation"}).status_code == 200
    therapist = office.new("stakeholder", kind="mental_health_professional", names=[{"family": "Kanarifugl"}])["meta"]["reference"]
    now = api.get(f"planned-services/{service['id']}")
    assert api.put(f"planned-services/{service['id']}", now | {"performers": [therapist]}).status_code == 200
    assert "W-REHAB-MH" not in [alert["code"] for alert in api.get(path)["items"]]


def test_only_a_supervisor_goes_over_a_limit(office, api, fhir):
    """A-14"""
    manager = office.manager(caseload_limit=1)
    office.case(case_manager=manager)
    case = office.case()
    over = {"case_manager": manager, "reason": "Kanarifugl knows her"}
    problem(api.as_(SAM).send("POST", f"cases/{case['id']}/assignment", over), 403)
    assert api.as_(BOSS).send("POST", f"cases/{case['id']}/assignment", over).json["case_manager"] == manager
    last = fhir.send("GET", f"Provenance?target=EpisodeOfCare/{case['id']}&agent={BOSS}").json["entry"]
    assert len(last) == 1


def test_a_certificate_names_the_organisation_that_issued_it(office, api, fhir):
    """A-15"""
    certificate = {"kind": "CCM", "number": "1", "active": True, "period": {"start": "2024-01-01", "end": "2028-12-31"}}
    fields = {"names": [{"family": "Kanarifugl"}], "practitioner": "Practitioner/ada", "discipline": "social_worker"}
    bare = api.as_("Practitioner/ada").send("PUT", "case-managers/ada", fields | {"credentials": [certificate]}, If_None_Match="*")
    assert problem(bare, 422)["rule"] == "issuer_missing"
    issuer = office.organization("other", name="Commission for Case Manager Certification")
    manager = office.manager(credentials=[certificate | {"issuer": issuer}])
    [qualification] = fhir.send("GET", manager).json["qualification"]
    named = fhir.send("GET", qualification["issuer"]["reference"]).json
    assert (named["resourceType"], named["name"]) == ("Organization", "Commission for Case Manager Certification")

"""What the gate lets through: the case API by an app, open paths, and the doors that tell how to come in."""

from dataclasses import replace

import pytest
import requests

from adapter.access.policy import policy_for
from adapter.errors import Forbidden, Invalid
from adapter.store.documents import Change
from server import MAX_FORM
from server.auth.clients import LONGEST, Client
from server.auth.grant import UNLIMITED, Grant
from server.auth.principal import Principal
from server.auth.roles import ROLES

from .site import SECONDS, Browser, Site

DANA = Principal("chart", "case-manager", "user/*.cruds", user="dana", fhir_user="Practitioner/dana")


@pytest.fixture
def record(repository):
    person = {"resourceType": "Practitioner", "id": "dana", "name": [{"family": "Kanarifugl", "given": ["Dana"]}]}
    repository.commit([Change("Practitioner", "dana", person, 0)])


def token(site: Site, **other: object) -> str:
    return site.gate.registers.tokens.issue(Principal(**{**vars(DANA), **other}))


@pytest.mark.parametrize("path", ["fhir/metadata", "fhir/.well-known/smart-configuration", "oauth/jwks", "login", "health", "ready"])
def test_what_tells_how_to_come_in_is_open(site: Site, path):
    assert requests.get(f"{site.address}/{path}", timeout=SECONDS).status_code == 200


def test_metadata_say_that_it_is_smart(site: Site):
    [rest] = requests.get(f"{site.fhir}/metadata", timeout=SECONDS).json()["rest"]
    assert rest["security"]["service"][0]["coding"][0]["code"] == "SMART-on-FHIR"


def test_a_refusal_says_how_to_prove_oneself(site: Site):
    first = requests.get(f"{site.fhir}/Patient", timeout=SECONDS)
    assert (first.status_code, first.headers["WWW-Authenticate"]) == (401, 'Bearer realm="casebridge"')
    second = site.get("no-such-token", "Patient")
    assert second.headers["WWW-Authenticate"] == 'Bearer realm="casebridge", error="invalid_token"'
    assert second.json()["issue"][0]["code"] == "login"
    problem = requests.get(f"{site.address}/api/clients", timeout=SECONDS)
    assert (problem.status_code, problem.headers["Content-Type"]) == (401, "application/problem+json")


@pytest.mark.parametrize("path", ["oauth/token", "oauth/revoke", "oauth/introspect", "oauth/authorize", "login", "logout", "apps/river"])
def test_a_form_of_many_fields_is_read_by_no_door_by_which_people_and_programs_come_in(site: Site, dana: Browser, path):
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Origin": site.address}
    answer = dana.session.post(f"{site.address}/{path}", "a&" * 100_000, headers=headers, allow_redirects=False, timeout=SECONDS)
    assert answer.status_code == 413


def test_a_form_of_the_console_is_bounded_too(record, site: Site, dana: Browser):
    page = dana.get("/people")
    assert dana.send(page, "/people", q="kanari", more="x" * (MAX_FORM - 1000)).status_code == 200
    assert dana.send(page, "/people", q="kanari", more="x" * MAX_FORM).status_code == 413


def test_by_the_case_api_a_person_acts_as_themselves(record, site: Site, repository):
    client = {"names": [{"family": "Kanarifugl"}], "identifiers": [{"system": "urn:example:mrn", "value": "1"}]}
    made = site.send(token(site), "POST", "api/clients", client, **{"Content-Type": "application/json"})
    assert made.status_code == 201, made.text
    [line] = [stored.raw for stored in repository.scan("Provenance")]
    assert line["agent"][0]["who"]["reference"] == "Practitioner/dana"


def test_by_the_case_api_nobody_acts_as_somebody_else(record, site: Site):
    named = {"Casebridge-Actor": "Practitioner/other"}
    assert site.send(token(site), "GET", "api/clients", **named).status_code == 403


@pytest.mark.parametrize("operation", ["$open", "$assign", "$transition"])
def test_by_fhir_a_person_who_is_not_in_the_record_acts_as_nobody(record, site: Site, operation):
    by = {"name": "by", "valueReference": {"reference": "Practitioner/dana"}}
    step = {"name": "to", "valueCode": "screening"}
    manager = {"name": "caseManager", "valueReference": {"reference": "Practitioner/dana"}}
    given = {"$open": [by], "$assign": [by, manager], "$transition": [by, step]}[operation]
    body = {"resourceType": "Parameters", "parameter": given}
    nobody, herself = (token(site, fhir_user=fhir_user) for fhir_user in (None, "Practitioner/dana"))
    refused = site.send(nobody, "POST", f"fhir/EpisodeOfCare/k1/{operation}", body)
    assert (refused.status_code, refused.json()["issue"][0]["expression"]) == (403, ["by"])
    assert site.send(herself, "POST", f"fhir/EpisodeOfCare/k1/{operation}", body).status_code == 404


@pytest.mark.parametrize(
    ("other", "method", "status"),
    [
        ({"scope": "user/*.rs"}, "GET", 200),
        ({"scope": "user/*.rs"}, "DELETE", 403),
        ({"scope": "user/Patient.rs"}, "GET", 403),
        ({"scope": "user/*.rs", "role_name": "clinician"}, "GET", 403),
        ({"scope": "user/*.rs", "fhir_user": None}, "GET", 403),
        ({"scope": "system/*.cruds", "role_name": "administrator", "fhir_user": None, "user": None}, "GET", 403),
    ],
)
def test_the_case_api_is_for_people_who_work_on_cases(record, site: Site, other, method, status):
    path = "api/clients" if method == "GET" else "api/clients/x"
    assert site.send(token(site, **other), method, path).status_code == status


def test_a_scope_with_a_query_is_part_of_the_search_and_of_the_read(site: Site, repository):
    for id, code in (("a", "assess-plan"), ("b", "other")):
        plan = {"resourceType": "CarePlan", "id": id, "status": "active", "intent": "plan", "subject": {"reference": "Patient/1"}}
        repository.commit([Change("CarePlan", id, plan | {"category": [{"coding": [{"code": code}]}]}, 0)])
    given = site.token("system/CarePlan.rs?category=assess-plan")
    assert [each["resource"]["id"] for each in site.get(given, "CarePlan").json()["entry"]] == ["a"]
    assert [site.get(given, f"CarePlan/{id}").status_code for id in "ab"] == [200, 404]
    both = site.token("system/CarePlan.rs?category=assess-plan system/CarePlan.rs?category=other")
    assert len(site.get(both, "CarePlan").json()["entry"]) == 2


def test_what_a_transaction_writes_is_judged_by_whom_its_links_mean(site: Site):
    person = {"resourceType": "Patient", "id": "ours", "name": [{"family": "Kanarifugl"}]}
    plan = {"resourceType": "CarePlan", "status": "active", "intent": "plan", "subject": {"reference": "urn:uuid:1b671a64"}}
    entries = [
        {"fullUrl": "urn:uuid:1b671a64", "resource": person, "request": {"method": "PUT", "url": "Patient/ours"}},
        {"resource": plan, "request": {"method": "POST", "url": "CarePlan"}},
    ]
    given = site.token("system/CarePlan.cr?subject=Patient/ours system/Patient.cu")
    answer = site.send(given, "POST", "fhir/", {"resourceType": "Bundle", "type": "transaction", "entry": entries})
    assert answer.status_code == 200, answer.text
    assert [entry["response"]["status"] for entry in answer.json()["entry"]] == ["201 Created", "201 Created"]


def test_an_app_for_one_patient_writes_nothing_of_another_in_which_the_patient_only_takes_part(site: Site, repository):
    def seen(of: str, **more: str) -> dict:
        by = {"performer": [{"reference": "Patient/ours"}]}
        return {
            "resourceType": "Observation",
            "status": "final",
            "code": {"text": "x"},
            "subject": {"reference": f"Patient/{of}"},
            **by,
            **more,
        }

    repository.commit([Change("Observation", "o", seen("theirs", id="o"), 0)])
    given = token(site, scope="patient/*.cruds", patient="ours")
    assert site.get(given, "Observation/o").status_code == 200, "it is in R4's compartment"
    assert site.send(given, "POST", "fhir/Observation", seen("theirs")).status_code == 403
    for method, body in (("PUT", seen("ours", id="o")), ("DELETE", None)):
        assert site.send(given, method, "fhir/Observation/o", body).status_code == 404
    made = site.send(given, "POST", "fhir/Observation", seen("ours"))
    assert made.status_code == 201, made.text
    moved = seen("theirs", id=made.json()["id"])
    assert site.send(given, "PUT", f"fhir/Observation/{moved['id']}", moved).status_code == 403


def test_what_is_granted_without_a_query_costs_a_search_nothing():
    assert UNLIMITED.whole
    assert Grant.of("system/*.cruds").whole
    assert Grant.of("system/CarePlan.rs").conditions("CarePlan", "s") == ()
    assert Grant.of("system/CarePlan.rs").conditions("Goal", "s") is None


def test_one_scope_without_a_query_outdoes_those_with_one():
    assert Grant.of("system/CarePlan.rs?category=a system/*.s").conditions("CarePlan", "s") == ()


@pytest.mark.parametrize("scope", ["patient/*.rs", "patient/Patient.rs"])
def test_a_patients_context_without_a_patient_grants_nothing(scope):
    assert Grant.of(scope).conditions("Patient", "r") is None


def test_an_app_for_one_patient_may_look_up_who_and_where_but_not_write_it():
    grant = Grant.of("patient/*.cruds", "1")
    assert grant.conditions("Organization", "r") == ()
    assert grant.conditions("Organization", "u") is None
    with pytest.raises(Forbidden):
        grant.check("GET", "Subscription")


def test_whoever_asks_has_a_policy_of_who_sees_what():
    for role in ROLES.values():
        assert policy_for(Principal("north", role.name).viewer)
    viewer = replace(DANA, organisation="Organization/city").viewer
    assert (viewer.role, viewer.references, viewer.purpose) == ("case-manager", {"Organization/city", "Practitioner/dana"}, "CAREMGT")
    assert replace(DANA, purpose="ETREAT").viewer.purpose == "ETREAT"


def test_no_role_is_granted_more_than_its_ceiling():
    for role in ROLES.values():
        assert Grant.of(role.ceiling).whole == ("*.cruds" in role.resources)


@pytest.mark.parametrize(
    "other",
    [
        {"id": "North"},
        {"role_name": "king"},
        {"organisation": "Patient/1"},
        {"jwks": None},
        {"jwks_url": "http://north.example/jwks"},
        {"scope": "user/*.rs"},
        {"scope": "system/CarePlan.rs?patient.name=x"},
        {"scope": "system/CarePlan.rs?_lastUpdated=gt2020"},
        {"scope": "system/CarePlan.rs?nothing=x"},
        {"scope": "system/CarePlan.rs?category"},
        {"scope": " ".join(f"system/Patient.rs?_id={number}" for number in range(LONGEST // 20))},
        {"scope": "system/*.rs?category=x"},
        {"redirects": ("http://evil.example/back",), "scope": "user/*.rs"},
        {"redirects": ("https://app.example/back#x",), "scope": "user/*.rs"},
    ],
)
def test_a_client_that_cannot_work_or_is_not_safe_is_not_registered(site: Site, other):
    given = {"id": "south", "name": "South", "role_name": "insurer-reader", "scope": "system/*.rs", "jwks": site.keys.jwks(), **other}
    with pytest.raises(Invalid):
        site.gate.registers.clients.add(Client(**given))


def test_a_private_key_is_never_registered(site: Site):
    private = {**site.key.key.as_dict(private=True), "kid": "x"}
    with pytest.raises(Invalid, match="private key"):
        site.gate.registers.clients.add(Client("south", "South", "auditor", "system/*.rs", jwks={"keys": [private]}))

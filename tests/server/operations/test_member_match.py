"""`$member-match`: one answer or none."""

import pytest

from ..fhir import SYSTEM, assert_outcome, patient

PLAN = "https://payer.example/members"
BORN = "1994-05-06"


def person(number="1", **more):
    return patient(number, birthDate=BORN, gender="female", **more)


def coverage(value="m-1", beneficiary="river", **more):
    return {
        "resourceType": "Coverage",
        "status": "active",
        "identifier": [{"system": PLAN, "value": value}],
        "beneficiary": {"reference": f"Patient/{beneficiary}"},
        "payor": [{"display": "Kanarifugl"}],
        **more,
    }


@pytest.fixture
def match(fhir):
    fhir.put(person(id="river"))
    fhir.put({**coverage(), "id": "c"})

    def match(who, covered, **more):
        given = {"MemberPatient": who, "CoverageToMatch": covered, **more}
        return fhir.send(
            "POST",
            "Patient/$member-match",
            {"resourceType": "Parameters", "parameter": [{"name": name, "resource": raw} for name, raw in given.items()]},
        )

    return match


def told(answer):
    assert answer.status_code == 200, answer.text
    found = {each["name"]: each for each in answer.json["parameter"]}
    assert found["MemberIdentifier"]["valueIdentifier"]["type"]["coding"][0]["code"] == "UMB"
    assert found["MemberId"]["valueReference"]["reference"] == f"Patient/{found['MemberIdentifier']['valueIdentifier']['value']}"
    return found["MemberIdentifier"]["valueIdentifier"]["value"]


OTHERS = coverage("m-9", beneficiary="x")


def test_a_member_is_found_by_an_identifier_of_the_person(match):
    assert told(match(person(id="x"), OTHERS)) == "river"


def test_a_member_is_found_by_the_number_of_a_coverage(match):
    assert told(match(person("another", id="x"), coverage(beneficiary="x"))) == "river"


NOBODY = {
    "nothing but the same demographics": (person("another"), OTHERS),
    "another date of birth": (person() | {"birthDate": "1994-05-07"}, coverage()),
    "a date of birth that is not full": (person() | {"birthDate": "1994-05"}, coverage()),
    "another family name": (person() | {"name": [{"family": "Kanarifugl-Other"}]}, coverage()),
    "another gender": (person() | {"gender": "male"}, coverage()),
    "an identifier that is old": (person() | {"identifier": [{"system": SYSTEM, "value": "1", "use": "old"}]}, OTHERS),
    "no identifier": ({"resourceType": "Patient"}, OTHERS),
}


@pytest.mark.parametrize(("who", "covered"), NOBODY.values(), ids=NOBODY.keys())
def test_who_is_not_surely_a_member_is_nobody(match, who, covered):
    assert assert_outcome(match(who, covered), 422, "processing")["expression"] == ["MemberPatient"]


def test_a_coverage_with_another_subscriber_s_number_is_another(fhir, match):
    fhir.put({**coverage(subscriberId="1"), "id": "c"})
    assert_outcome(match(person("another"), coverage(subscriberId="2")), 422, "processing")
    assert told(match(person("another"), coverage(subscriberId="1"))) == "river"


def test_where_two_fit_it_is_neither(fhir, match):
    fhir.put(person("2", id="twin"))
    fhir.put({**coverage("m-2", beneficiary="twin"), "id": "c2"})
    assert_outcome(match(person("1"), coverage("m-2")), 422, "processing")


def test_a_consent_that_allows_nothing_is_refused(match):
    consent = {
        "resourceType": "Consent",
        "status": "active",
        "scope": {"text": "privacy"},
        "category": [{"text": "sharing"}],
        "policyRule": {"text": "opt-in"},
    }
    assert told(match(person(), coverage(), Consent=consent)) == "river"
    for refused in ({**consent, "status": "inactive"}, {**consent, "provision": {"type": "deny"}}):
        assert assert_outcome(match(person(), coverage(), Consent=refused), 422, "processing")["expression"] == ["Consent"]


def test_both_resources_are_needed(fhir):
    body = {"resourceType": "Parameters", "parameter": [{"name": "MemberPatient", "resource": person()}]}
    assert_outcome(fhir.send("POST", "Patient/$member-match", body), 400, "invalid")

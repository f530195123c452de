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


def named(*given, **more):
    return person(**more) | {"name": [{"family": "Kanarifugl", "given": [*given]}]}


def test_a_twin_who_is_not_here_is_not_the_one_who_is(fhir, match):
    """Who is covered by one contract has its number, and maybe the family's first name in the second place."""
    fhir.put(named("Alma", "Maria", id="river"))
    for given in (["Anna"], ["Anna", "Maria"], ["Maria Anna"]):
        assert_outcome(match(named(*given, id="x"), coverage(beneficiary="x")), 422, "processing")
    for given in (["ALMA"], ["Alma M."], ["Álma", "Anna"], []):
        assert told(match(named(*given, id="x"), coverage(beneficiary="x"))) == "river"


def test_a_coverage_of_another_dependent_is_another(fhir, match):
    fhir.put({**coverage(subscriberId="1", dependent="01"), "id": "c"})
    assert_outcome(match(person("another"), coverage(subscriberId="1", dependent="02")), 422, "processing")
    for same in ({"dependent": "01"}, {}):
        assert told(match(person("another"), coverage(subscriberId="1", **same))) == "river"


def test_of_two_who_were_joined_it_is_who_is_left(fhir, match):
    fhir.put(person(id="former"))
    assert_outcome(match(person(), OTHERS), 422, "processing")
    fhir.put(person(id="former", active=False, link=[{"other": {"reference": "Patient/river"}, "type": "replaced-by"}]))
    assert told(match(person(), OTHERS)) == "river"


def test_a_consent_that_allows_nothing_is_refused(match):
    consent = {
        "resourceType": "Consent",
        "status": "active",
        "scope": {"text": "privacy"},
        "category": [{"text": "sharing"}],
        "policyRule": {"text": "opt-in"},
    }
    in_force = ({}, {"provision": {"period": {"start": "2025-01-01"}}}, {"provision": {"period": {"end": "2100-01-01"}}})
    for more in in_force:
        assert told(match(person(), coverage(), Consent={**consent, **more})) == "river"
    over, coming = {"start": "2024-01-01", "end": "2025-01-01"}, {"start": "2100-01-01"}
    provisions = ({"type": "deny"}, {"type": "permit", "period": over}, {"period": coming})
    for refused in ({**consent, "status": "inactive"}, *({**consent, "provision": provision} for provision in provisions)):
        assert assert_outcome(match(person(), coverage(), Consent=refused), 422, "processing")["expression"] == ["Consent"]


def test_both_resources_are_needed(fhir):
    body = {"resourceType": "Parameters", "parameter": [{"name": "MemberPatient", "resource": person()}]}
    assert_outcome(fhir.send("POST", "Patient/$member-match", body), 400, "invalid")


CONSENT = {"resourceType": "Consent", "status": "active", "scope": {"text": "privacy"}, "category": [{"text": "sharing"}]}
BROKEN = {
    "MemberPatient": [person() | {"name": "Kanarifugl"}, person() | {"name": ["Kanarifugl"]}, person() | {"identifier": [1]}],
    "CoverageToMatch": [coverage(subscriberId=["1"]), coverage() | {"identifier": {"value": "1"}}, {"resourceType": "Coverage"}],
    "Consent": [CONSENT | {"provision": ["deny"]}, CONSENT | {"provision": {"period": "2025"}}, CONSENT | {"status": {}}],
}


@pytest.mark.parametrize(("name", "broken"), [(name, raw) for name, several in BROKEN.items() for raw in several])
def test_a_resource_that_is_malformed_is_refused(match, name, broken):
    given = {"MemberPatient": person(), "CoverageToMatch": coverage(), name: broken}
    assert_outcome(match(given.pop("MemberPatient"), given.pop("CoverageToMatch"), **given), 400, "invalid")

import pytest

from adapter.errors import Invalid, RemoteFatal
from adapter.fhir import bundle
from adapter.fhir.resource import Raw

PATIENT: Raw = {"resourceType": "Patient", "id": "1", "meta": {"versionId": "4"}}


@pytest.mark.parametrize(
    ("etag", "bare"), [('W/"3"', "3"), ('"3"', "3"), ("3", "3"), (3, "3"), ("", None), ('W/""', None), (None, None), ("a-b", "a-b")]
)
def test_a_version_is_bare_whatever_form_it_comes_in(etag: object, bare: str | None) -> None:
    assert bundle.version(etag) == bare


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("Patient/1/_history/3", ("Patient", "1", "3")),
        ("https://ehr.example/fhir/Patient/1/_history/3", ("Patient", "1", "3")),
        ("https://ehr.example/fhir/Patient/1", ("Patient", "1", None)),
        ("https://ehr.example/fhir/Patient?name=a", None),
        ("", None),
        (None, None),
    ],
)
def test_a_location_names_type_id_and_version(url: str | None, found: tuple[str, str, str | None] | None) -> None:
    assert bundle.place(url) == found


def test_entries_carry_their_conditions() -> None:
    create = bundle.create({"resourceType": "Patient"}, if_none_exist="identifier=a")
    assert create["fullUrl"].startswith("urn:uuid:")
    assert create["request"] == {"method": "POST", "url": "Patient", "ifNoneExist": "identifier=a"}
    assert bundle.update(PATIENT, if_match="3")["request"] == {"method": "PUT", "url": "Patient/1", "ifMatch": 'W/"3"'}
    assert bundle.delete("Patient", "1", if_match="3") == {"request": {"method": "DELETE", "url": "Patient/1", "ifMatch": 'W/"3"'}}
    with pytest.raises(Invalid):
        bundle.update({"resourceType": "Patient"}, if_match="3")


def test_only_entries_with_conditions_make_a_bundle_idempotent() -> None:
    safe = [bundle.update(PATIENT, if_match="3"), bundle.delete("Patient", "1"), {"request": {"method": "GET", "url": "Patient/1"}}]
    assert bundle.idempotent(bundle.transaction([*safe, bundle.create(PATIENT, if_none_exist="identifier=a")]))
    for unsafe in (
        bundle.create(PATIENT),
        {"request": {"method": "PUT", "url": "Patient/1"}},
        {"request": {"method": "PATCH", "url": "x"}},
        {},
    ):
        assert not bundle.idempotent(bundle.batch([*safe, unsafe]))


def test_a_condition_escapes_what_search_would_read_as_its_own_marks() -> None:
    assert bundle.token("urn:a", r"1|2,3$4\5") == r"urn:a|1\|2\,3\$4\\5"
    assert bundle.condition({"identifier": bundle.token("urn:a", "1 2")}) == "identifier=urn%3Aa%7C1+2"


def test_results_are_read_in_every_form_servers_use() -> None:
    outcome = {"resourceType": "OperationOutcome", "issue": []}
    entries = [
        {"response": {"status": "201 Created", "location": "Patient/1/_history/1", "etag": "1"}},
        {"response": {"status": "200", "location": "https://ehr.example/fhir/Patient/2/_history/7"}},
        {"response": {"status": "200 OK", "etag": 'W/"4"'}, "resource": PATIENT},
        {"response": {"status": "412 Precondition Failed", "outcome": outcome}},
        {"response": {"status": "404"}, "resource": outcome},
    ]
    found = bundle.results({"resourceType": "Bundle", "entry": entries}, expected=5)
    assert [(r.status, r.type, r.id, r.version) for r in found] == [
        (201, "Patient", "1", "1"),
        (200, "Patient", "2", "7"),
        (200, "Patient", "1", "4"),
        (412, None, None, None),
        (404, None, None, None),
    ]
    assert [r.outcome for r in found] == [None, None, None, outcome, outcome]
    assert [r.raw for r in found] == [None, None, PATIENT, None, None]


@pytest.mark.parametrize("entries", [[], [{"response": {}}], [{"response": {"status": "fine"}}], [{"response": "201"}], [{}, {}]])
def test_an_answer_that_does_not_fit_the_request_is_refused(entries: list[Raw]) -> None:
    with pytest.raises(RemoteFatal):
        bundle.results({"resourceType": "Bundle", "entry": entries}, expected=1)


def test_a_history_entry_that_names_no_resource_is_refused() -> None:
    with pytest.raises(RemoteFatal, match="names no resource"):
        list(bundle.history({"entry": [{"request": {"method": "DELETE", "url": "?"}}]}))

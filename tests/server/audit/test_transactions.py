"""What a transaction asks is in the account where it wrote nothing, too."""

import pytest

from adapter.store.documents import Change

from .test_bare import nurse, weight

__all__ = ["nurse"]

PROBE = {"resource": {"resourceType": "Patient", "gender": "other"}, "request": {"method": "PUT", "url": "Patient?identifier=urn:x|1"}}
STALE = {"resource": weight("w", "vela"), "request": {"method": "PUT", "url": "Observation/w", "ifMatch": 'W/"999"'}}
CREATED = {"request": {"method": "POST", "url": "Observation", "ifNoneExist": "identifier=urn:example:weights|1"}}
REFERRED = {"resourceType": "Basic", "code": {"text": "Kanarifugl"}, "author": {"reference": "Patient?identifier=urn:x|2"}}
REFERS = {"resource": REFERRED, "request": {"method": "POST", "url": "Basic"}}
GET = {"request": {"method": "GET", "url": "Goal?lifecycle-status=planned"}}


def transaction(*entries):
    return {"resourceType": "Bundle", "type": "transaction", "entry": [*entries]}


@pytest.mark.parametrize(
    ("refused", "status", "lines"),
    [
        (STALE, "412 conflict", ["PUT Observation/w"]),
        ({"resource": weight("w", "vela"), "request": {"method": "PUT", "url": "Observation/v"}}, "400 invalid", ["PUT Observation/v"]),
        ({"request": {"method": "PUT", "url": "Observation/w"}}, "400 invalid", ["PUT Observation/w"]),
        ("Kanarifugl", "400 invalid", []),
    ],
)
def test_a_transaction_that_is_refused_says_what_each_of_its_entries_asked(nurse, told, refused, status, lines):
    told()
    assert nurse("POST", "", transaction(PROBE, refused, CREATED | {"resource": weight("x", "vela")}, GET)).status_code == int(status[:3])
    [event] = told()
    assert (event["name"], event["outcome"], event["said"]) == ("transaction", "4", status)
    assert event["query"].splitlines() == [
        "POST ",
        "PUT Patient?identifier=urn%3Ax%7C1",
        *lines,
        "POST Observation If-None-Exist: identifier=urn:example:weights|1",
        "GET Goal?lifecycle-status=planned",
    ]


def test_a_transaction_that_is_refused_says_by_which_references_it_looked_for_somebody(nurse, told):
    told()
    assert nurse("POST", "", transaction(REFERS)).status_code == 404
    [event] = told()
    assert (event["outcome"], event["query"].splitlines()) == ("4", ["POST ", "POST Basic", "reference Patient?identifier=urn:x|2"])


def test_a_transaction_that_finds_what_it_refers_to_as_it_is_says_by_what_it_looked_for_it(nurse, told, repository):
    reference = "Observation?identifier=urn:example:weights|1"
    raw = weight("follows", "vela", derivedFrom=[{"reference": "Observation/w"}])
    repository.commit([Change("Observation", "follows", raw, 0)])
    resource = {**raw, "derivedFrom": [{"reference": reference}]}
    told()
    entry = {"resource": resource, "request": {"method": "PUT", "url": "Observation/follows"}}
    assert nurse("POST", "", transaction(entry)).status_code == 200
    assert repository.read("Observation", "follows").version == 1
    [event] = told()
    lines = ["POST ", "PUT Observation/follows", f"reference {reference}"]
    assert (event["outcome"], event["patients"], event["query"].splitlines()) == ("0", {"Patient/vela"}, lines)

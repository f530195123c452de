"""The CapabilityStatement is walked whole: each claim is proven over HTTP, and a claim that no proof is written for fails."""

from importlib.metadata import version
from urllib.parse import urlencode

import pytest

from adapter.fhir.resource import check_structure
from adapter.store.search_parameters import table
from server import create_app

from .claims import JSON_PATCH, MINIMAL, done, found, prove
from .fhir import Fhir, assert_outcome, entry, patient, transaction


@pytest.fixture
def statement(fhir):
    return fhir.send("GET", "metadata").json


@pytest.fixture
def rest(statement):
    [rest] = statement["rest"]
    return rest


def expected(value):
    """The proof of a claim that is true by what it says."""

    def proof(fhir, claims, claimed):
        assert claimed == value

    return proof


def carries_out(kind):
    def proof(fhir):
        answer = done(fhir.send("POST", "", transaction(entry("PUT", "Patient/b", patient(id="b")), type=kind)))
        assert answer.json["type"] == f"{kind}-response"
        done(fhir.send("GET", "Patient/b"))

    return proof


def tells_all_history(fhir):
    fhir.put(patient(id="b"))
    assert fhir.send("GET", "_history?_count=1").json["entry"][0]["resource"]["id"] == "b"


def searches_all(fhir):
    fhir.put(patient(id="b"))
    assert "b" in {raw["id"] for raw in found(fhir, "?_type=Patient%2CFlag&_id=b")}


SYSTEM = {
    "transaction": carries_out("transaction"),
    "batch": carries_out("batch"),
    "history-system": tells_all_history,
    "search-system": searches_all,
}
SYSTEM_PARAMETERS = {
    "_has": "Patient?_has%3AObservation%3Apatient%3Acode=a",
    "_list": "Patient?_list=l",
    "_type": "?_type=Patient",
}


def interacts_with_all(fhir, claims, interactions):
    assert [interaction.keys() for interaction in interactions] == [{"code"}] * len(interactions)
    for interaction in interactions:
        SYSTEM[interaction["code"]](fhir)


def finds_in_all(fhir, claims, parameters):
    for row in parameters:
        assert row.keys() == {"name", "type", "documentation"}
        found(fhir, SYSTEM_PARAMETERS[row["name"]])


def has_compartments(fhir, claims, definitions):
    for definition in definitions:
        code = definition.removeprefix("http://hl7.org/fhir/CompartmentDefinition/")
        [owner] = [type for type in table() if type.lower() == code]
        fhir.put({"resourceType": "AuditEvent", "id": code, **MINIMAL["AuditEvent"], "agent": [{"requestor": True}]})
        member = {**MINIMAL["Observation"], "id": code} | COMPARTMENT_MEMBERS[owner]
        done(fhir.put(member), 201)
        assert [raw["id"] for raw in found(fhir, f"{owner}/m/Observation")] == [code]


COMPARTMENT_MEMBERS = {
    "Device": {"device": {"reference": "Device/m"}},
    "Encounter": {"encounter": {"reference": "Encounter/m"}},
    "Patient": {"subject": {"reference": "Patient/m"}},
    "Practitioner": {"performer": [{"reference": "Practitioner/m"}]},
    "RelatedPerson": {"performer": [{"reference": "RelatedPerson/m"}]},
}


def is_guarded(fhir, claims, security):
    assert security.keys() == {"cors", "description"}
    assert "loopback only" in security["description"]
    answer = fhir.send("GET", "metadata", Origin="https://app.example")
    assert security["cors"] is ("Access-Control-Allow-Origin" in answer.headers) is False


def is_documented(fhir, claims, text):
    fhir.put(patient(id="doc"))
    assert_outcome(fhir.put(patient("2", id="doc"), If_None_Match="*"), 412, "conflict")
    assert_outcome(fhir.send("GET", "Patient?bird=1"), 400, "invalid")
    assert done(fhir.send("GET", "Patient?bird=1", Prefer="handling=lenient")).json["entry"][-1]["search"]["mode"] == "outcome"
    named = [word.strip("`.") for word in text.split() if word.strip("`.").startswith("_")]
    for name in named:
        path = "Patient/_history" if name in ("_since", "_at") else "Patient"
        value = {"_include": "*", "_revinclude": "*", "_sort": "_id", "_summary": "true", "_total": "none", "_elements": "id"}.get(name)
        found(fhir, f"{path}?{urlencode([(name, value or ('5' if name == '_count' else '2025'))])}")


REST = {
    "mode": expected("server"),
    "documentation": is_documented,
    "security": is_guarded,
    # Each type by itself: test_capability_types.py.
    "resource": lambda fhir, claims, resources: None,
    "interaction": interacts_with_all,
    # Each by itself: test_capability_operations.py.
    "operation": lambda fhir, claims, operations: None,
    "searchParam": finds_in_all,
    "compartment": has_compartments,
}


def speaks(fhir, claims, formats):
    for format in formats:
        for answer in (fhir.send("GET", "metadata", Accept=format), fhir.send("GET", f"metadata?{urlencode([('_format', format)])}")):
            assert done(answer).content_type == "application/fhir+json"


def exports(fhir, claims, instantiated):
    """What Bulk Data's own statement demands: an export of everything, of all patients and of a Group."""
    assert instantiated == ["http://hl7.org/fhir/uv/bulkdata/CapabilityStatement/bulk-data"]
    fhir.put({**MINIMAL["Group"], "id": "exported"})
    for path in ("$export", "Patient/$export", "Group/exported/$export"):
        done(fhir.send("GET", path, Prefer="respond-async"), 202)


def takes_patches(fhir, claims, formats):
    value = [{"name": "name", "valueString": "active"}, {"name": "value", "valueBoolean": True}]
    add = [{"name": "type", "valueCode": "add"}, {"name": "path", "valueString": "Patient"}, *value]
    bodies = {
        "application/merge-patch+json": {"active": True},
        JSON_PATCH: [{"op": "add", "path": "/active", "value": True}],
        "application/fhir+json": {"resourceType": "Parameters", "parameter": [{"name": "operation", "part": add}]},
    }
    for format in formats:
        id = fhir.create(patient())["id"]
        assert done(fhir.send("PATCH", f"Patient/{id}", bodies[format], Content_Type=format)).json["active"] is True


def is_readable_here(fhir, claims, url):
    assert url == claims["implementation"]["url"] + "/metadata"
    assert done(fhir.client.get(url)).json["url"] == url


STATEMENT = {
    "resourceType": expected("CapabilityStatement"),
    "url": is_readable_here,
    "version": expected(version("casebridge")),
    "name": expected("Casebridge"),
    "title": expected("FHIR R4 server of casebridge"),
    "status": expected("active"),
    "date": lambda fhir, claims, date: done(fhir.send("GET", f"CapabilityStatement?date={date}")),
    "kind": expected("instance"),
    "instantiates": exports,
    "software": expected({"name": "casebridge", "version": version("casebridge")}),
    "implementation": expected({"description": "FHIR R4 server of casebridge", "url": "http://localhost/fhir"}),
    "fhirVersion": expected("4.0.1"),
    "format": speaks,
    "patchFormat": takes_patches,
    "rest": lambda fhir, claims, rest: prove(REST, fhir, rest[0]),
}


def test_it_is_a_valid_r4_capability_statement(statement):
    check_structure(statement)


def test_every_claim_of_the_server_is_true(fhir, statement):
    prove(STATEMENT, fhir, statement)


def test_all_types_of_r4_are_there(rest):
    types = {resource["type"] for resource in rest["resource"]}
    assert types == set(table()) == MINIMAL.keys()
    assert len(types) == 145
    assert not types & {"Parameters", "Resource", "DomainResource"}


def test_what_the_types_claim_is_what_is_known_to_be_much(rest):
    assert sum(len(resource["searchParam"]) for resource in rest["resource"]) > 1900
    assert sum(len(resource["searchRevInclude"]) for resource in rest["resource"]) > 700


def condition(reference):
    return {"resourceType": "Condition", "subject": reference}


def test_references_are_literal_or_logical_and_enforced_only_where_that_is_claimed(repository):
    for integrity in (False, True):
        fhir = Fhir(create_app(repository, integrity=integrity).test_client())
        [claimed] = {tuple(resource["referencePolicy"]) for resource in fhir.send("GET", "metadata").json["rest"][0]["resource"]}
        assert claimed == (("literal", "logical", "enforced") if integrity else ("literal", "logical"))
        logical = {"identifier": {"system": "https://x.example", "value": "1"}}
        assert fhir.create(condition(logical))["subject"] == logical
        fhir.put(patient(id="there"))
        assert fhir.create(condition({"reference": "Patient/there"}))["subject"] == {"reference": "Patient/there"}
        done(fhir.send("POST", "Condition", condition({"reference": "Patient/none"})), 422 if integrity else 201)


def test_cors_is_claimed_where_it_is_on(repository):
    fhir = Fhir(create_app(repository, origins=["https://app.example"]).test_client())
    answer = fhir.send("GET", "metadata", Origin="https://app.example")
    assert answer.json["rest"][0]["security"]["cors"] is True
    assert answer.headers["Access-Control-Allow-Origin"] == "https://app.example"


@pytest.mark.parametrize("mode", ["full", "normative", "terminology"])
def test_each_mode_that_r4_has_gets_the_whole_statement(fhir, statement, mode):
    assert done(fhir.send("GET", f"metadata?mode={mode}")).json == statement


def test_a_mode_that_r4_does_not_have_is_refused(fhir):
    assert assert_outcome(fhir.send("GET", "metadata?mode=Kanarifugl"), 400, "invalid")["expression"] == ["mode"]


def test_who_has_the_statement_is_not_sent_it_again(fhir):
    first = fhir.send("GET", "metadata")
    again = fhir.send("GET", "metadata", If_Modified_Since=first.headers["Last-Modified"])
    assert (again.status_code, again.data) == (304, b"")
    assert first.headers["Cache-Control"] == again.headers["Cache-Control"] == "no-store"
    assert fhir.send("GET", "metadata", If_Modified_Since="Thu, 01 Jan 2015 00:00:00 GMT").json == first.json
    assert fhir.send("GET", "metadata", If_None_Match='W/"None"').status_code == 200

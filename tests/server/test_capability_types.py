"""What the CapabilityStatement claims of each type is proven over HTTP: each proof finds `Type/m` as those before it left it."""

from itertools import islice
from urllib.parse import urlencode

import pytest

from adapter.fhir.resource import check_structure
from adapter.store.cost import INCLUDES_AT_MOST

from .claims import JSON_PATCH, MINIMAL, done, found, prove
from .fhir import assert_outcome

VALUES = {
    "token": "a",
    "reference": "Patient/1",
    "string": "a",
    "date": "2025",
    "uri": "http://x.example",
    "quantity": "1",
    "number": "1",
    "composite": "a$2025",
}
LATER = "Fri, 01 Jan 2100 00:00:00 GMT"
UNCHECKED = "The structure of this type is not checked"
ONE = "_tag=https%3A%2F%2Fx.example%7Cone"


def mine(type, **more):
    return {**MINIMAL[type], "id": "m", **more}


def batched(items, size):
    given = iter(items)
    while several := list(islice(given, size)):
        yield several


def reads(fhir, type):
    raw = done(fhir.send("GET", f"{type}/m")).json
    assert {name: value for name, value in raw.items() if name != "meta"} == mine(type)


def vreads(fhir, type):
    assert done(fhir.send("GET", f"{type}/m/_history/1")).json["meta"]["versionId"] == "1"


def updates(fhir, type):
    updated = done(fhir.put(mine(type, implicitRules="https://x.example/1"))).json
    assert (updated["implicitRules"], updated["meta"]["versionId"]) == ("https://x.example/1", "2")


def patches(fhir, type):
    change = [{"op": "add", "path": "/implicitRules", "value": "https://x.example/2"}]
    answer = done(fhir.send("PATCH", f"{type}/m", change, Content_Type=JSON_PATCH))
    assert answer.json["implicitRules"] == "https://x.example/2"


def deletes(fhir, type):
    fhir.put({**MINIMAL[type], "id": "u"})
    done(fhir.send("DELETE", f"{type}/u"), 204)
    done(fhir.send("GET", f"{type}/u"), 410)


def tells_its_history(fhir, type):
    body = done(fhir.send("GET", f"{type}/m/_history")).json
    assert body["total"] == len(body["entry"]) == int(body["entry"][0]["resource"]["meta"]["versionId"])


def tells_the_types_history(fhir, type):
    kinds = {each["request"]["url"].partition("/")[0] for each in done(fhir.send("GET", f"{type}/_history")).json["entry"]}
    assert kinds == {type}


def creates(fhir, type):
    answer = done(fhir.send("POST", type, MINIMAL[type]), 201)
    assert answer.headers["Location"] == f"http://localhost/fhir/{type}/{answer.json['id']}/_history/1"


def searches(fhir, type):
    assert [raw["id"] for raw in found(fhir, f"{type}?_id=m")] == ["m"]


INTERACTIONS = {
    "read": reads,
    "vread": vreads,
    "update": updates,
    "patch": patches,
    "delete": deletes,
    "history-instance": tells_its_history,
    "history-type": tells_the_types_history,
    "create": creates,
    "search-type": searches,
}


def interacts(fhir, claims, interactions):
    for interaction in interactions:
        assert interaction.keys() == {"code"}
        INTERACTIONS[interaction["code"]](fhir, claims["type"])


def conforms(fhir, claims, profile):
    assert profile == f"http://hl7.org/fhir/StructureDefinition/{claims['type']}"
    answer = fhir.send("POST", claims["type"], {**MINIMAL[claims["type"]], "bird": 1})
    assert answer.status_code == (201 if UNCHECKED in claims.get("documentation", "") else 400)


def is_documented(fhir, claims, text):
    DOCUMENTED.get(claims["type"], is_unmodelled)(fhir, claims, text)


def is_unmodelled(fhir, claims, text):
    assert UNCHECKED in text
    assert "FHIRPath Patch of it is refused" in text
    operation = {"name": "operation", "part": [{"name": "type", "valueCode": "delete"}, {"name": "path", "valueString": "meta"}]}
    answer = fhir.send("PATCH", f"{claims['type']}/m", {"resourceType": "Parameters", "parameter": [operation]})
    assert "JSON Patch is" in assert_outcome(answer, 400, "invalid")["diagnostics"]


def is_told_of(fhir, claims, text):
    assert "rest-hook only" in text
    asked = mine("Subscription")
    for wrong in (
        {"channel": {"type": "email", "endpoint": "mailto:a@x.example"}},
        {"channel": {"type": "rest-hook", "endpoint": "http://hospital.example/x"}},
        {"channel": {**asked["channel"], "payload": "application/fhir+xml"}},
        {"criteria": "Observation?patient.name=x"},
        {"criteria": "Observation?_has:Provenance:target:agent=x"},
    ):
        assert fhir.send("POST", "Subscription", asked | wrong).status_code in (400, 403), wrong
    done(fhir.send("POST", "Subscription", {**asked, "status": "active"}), 201)
    assert {raw["status"] for raw in found(fhir, "Subscription")} == {"off", "requested"}


def is_append_only(fhir, claims, text):
    assert "neither changed nor deleted" in text
    before = done(fhir.send("GET", "AuditEvent/m")).text
    changed = mine("AuditEvent", outcome="8")
    patch = [{"op": "add", "path": "/outcome", "value": "8"}]
    for method, body in (("PUT", changed), ("DELETE", None)):
        entry = {"request": {"method": method, "url": "AuditEvent/m"}, **({"resource": body} if body else {})}
        whole = {"resourceType": "Bundle", "type": "transaction", "entry": [entry]}
        for path in ("AuditEvent/m", "AuditEvent?_id=m"):
            assert_outcome(fhir.send(method, path, body), 403, "forbidden")
        assert_outcome(fhir.send("POST", "", whole), 403, "forbidden")
    for path in ("AuditEvent/m", "AuditEvent?_id=m"):
        assert_outcome(fhir.send("PATCH", path, patch, Content_Type=JSON_PATCH), 403, "forbidden")
    assert done(fhir.send("GET", "AuditEvent/m")).text == before


DOCUMENTED = {"Subscription": is_told_of, "AuditEvent": is_append_only}


def versions(fhir, claims, policy):
    assert policy == "versioned-update"
    answer = done(fhir.send("GET", f"{claims['type']}/m"))
    current = answer.json["meta"]["versionId"]
    assert answer.headers["ETag"] == f'W/"{current}"'
    assert_outcome(fhir.put(mine(claims["type"]), If_Match='W/"999"'), 412, "conflict")
    # What says the same is no new version, and costs no write here.
    assert done(fhir.put(answer.json, If_Match=f'W/"{current}"')).json["meta"]["versionId"] == current


def reads_history(fhir, claims, claimed):
    assert claimed is True
    now, before = (done(fhir.send("GET", f"{claims['type']}/m{version}")).json for version in ("", "/_history/1"))
    assert "implicitRules" in now
    assert {name: value for name, value in before.items() if name != "meta"} == mine(claims["type"])


def creates_by_update(fhir, claims, claimed):
    assert claimed is True
    first = fhir.send("GET", f"{claims['type']}/m/_history").json["entry"][-1]
    assert first["request"] == {"method": "PUT", "url": f"{claims['type']}/m"}
    assert first["response"]["status"] == "201 Created"


def creates_conditionally(fhir, claims, claimed):
    assert claimed is True
    type = claims["type"]
    assert done(fhir.send("POST", type, MINIMAL[type], If_None_Exist="_id=m")).json["id"] == "m"
    tagged = {**MINIMAL[type], "meta": {"tag": [{"system": "https://x.example", "code": "one"}]}}
    first, second = (fhir.send("POST", type, tagged, If_None_Exist=ONE) for _ in range(2))
    assert done(first, 201).json["id"] == done(second).json["id"]


def reads_conditionally(fhir, claims, support):
    assert support == "full-support"
    etag = fhir.send("GET", f"{claims['type']}/m").headers["ETag"]
    done(fhir.send("GET", f"{claims['type']}/m", If_None_Match=etag), 304)
    done(fhir.send("GET", f"{claims['type']}/m", If_Modified_Since=LATER), 304)
    done(fhir.send("GET", f"{claims['type']}/m", If_None_Match='W/"999"'))


def updates_conditionally(fhir, claims, claimed):
    assert claimed is True
    type = claims["type"]
    updated = done(fhir.send("PUT", f"{type}?_id=m", {**MINIMAL[type], "implicitRules": "https://x.example/4"})).json
    assert (updated["id"], updated["implicitRules"]) == ("m", "https://x.example/4")


def deletes_conditionally(fhir, claims, policy):
    assert policy == "single"
    assert_outcome(fhir.send("DELETE", f"{claims['type']}?_lastUpdated=gt2000"), 412, "multiple-matches")
    done(fhir.send("DELETE", f"{claims['type']}?{ONE}"), 204)
    assert found(fhir, f"{claims['type']}?{ONE}") == []


def refers(fhir, claims, policies):
    # What they mean is proven below, once: no type differs.
    assert policies == ["literal", "logical"]


def includes(name):
    def proof(fhir, claims, values):
        for several in batched([(name, value) for value in values], INCLUDES_AT_MOST):
            found(fhir, f"{claims['type']}?{urlencode(several)}")

    return proof


def finds(fhir, claims, parameters):
    for row in parameters:
        assert row.keys() - {"documentation"} == {"name", "definition", "type"}
        assert row["definition"].startswith("http://hl7.org/fhir/SearchParameter/")
        assert row["definition"].endswith("-" + row["name"].removeprefix("_"))
        assert row.get("documentation") == ("Compared by its sound." if row["name"] == "phonetic" else None)
    asked = [(row["name"], VALUES[row["type"]]) for row in parameters]
    for several in batched(asked, 10):
        found(fhir, f"{claims['type']}?{urlencode(several)}")


def operates(fhir, claims, operations):
    # test_capability_operations.py asks each of them.
    assert all(operation.keys() == {"name", "definition", "documentation"} for operation in operations)


TYPE = {
    "type": lambda fhir, claims, type: check_structure(MINIMAL[type]),
    "profile": conforms,
    "documentation": is_documented,
    "interaction": interacts,
    "versioning": versions,
    "readHistory": reads_history,
    "updateCreate": creates_by_update,
    "conditionalCreate": creates_conditionally,
    "conditionalRead": reads_conditionally,
    "conditionalUpdate": updates_conditionally,
    "conditionalDelete": deletes_conditionally,
    "referencePolicy": refers,
    "searchInclude": includes("_include"),
    "searchRevInclude": includes("_revinclude"),
    "searchParam": finds,
    "operation": operates,
}


@pytest.mark.slow
def test_every_claim_of_every_type_is_true(fhir):
    for claims in fhir.send("GET", "metadata").json["rest"][0]["resource"]:
        done(fhir.put(mine(claims["type"])), 201)
        prove(TYPE, fhir, claims)

"""What the CapabilityStatement claims of operations is proven: each definition is readable, and each place it names gives a result."""

import pytest

from adapter.mapping.registry import faces

from .claims import MINIMAL, done
from .fhir import Fhir, patient

COLOURS = "https://hospital.example/CodeSystem/colours"
SET = "https://hospital.example/ValueSet/colours"
FORM = "https://hospital.example/Questionnaire/kanarifugl"
MAP = "https://hospital.example/ConceptMap/colours"
RED = [("system", "valueUri", COLOURS), ("code", "valueCode", "red")]
PERSON = {"reference": "Patient/m"}
PERIOD = [("periodStart", "valueDate", "2026"), ("periodEnd", "valueDate", "2026")]
LABEL = [("meta", "valueMeta", {"tag": [{"system": "https://hospital.example", "code": "one"}]})]

RESPONSE = {
    "resourceType": "QuestionnaireResponse",
    "id": "m",
    "questionnaire": FORM,
    "status": "completed",
    "subject": PERSON,
    "item": [{"linkId": "a", "answer": [{"valueString": "Kanarifugl"}]}],
}
WHO = {"reference": "Practitioner/m"}
BY = ("by", "valueReference", WHO)


def of_record(concept, fields):
    return [mapping.overlay(None, fields) | {"id": "m"} for mapping in faces(concept, fields)]


HELD = (
    patient(id="m", birthDate="1994-05-06"),
    *of_record("case_manager", {"names": [{"family": "Kanarifugl"}], "practitioner": WHO["reference"], "discipline": "nurse"}),
    *of_record(
        "case",
        {
            "client": "Patient/m",
            "status": "planned",
            "case_number": "m",
            "case_type": "general",
            "models": [{"model": "brokerage", "primary": True}],
        },
    ),
    {**MINIMAL["Observation"], "id": "m", "subject": PERSON, "code": {"coding": [{"system": COLOURS, "code": "red"}]}},
    {**MINIMAL["CodeSystem"], "id": "m", "url": COLOURS, "name": "Colours", "concept": [{"code": "red", "display": "Red"}]},
    {**MINIMAL["ValueSet"], "id": "m", "url": SET, "compose": {"include": [{"system": COLOURS}]}},
    {
        **MINIMAL["ConceptMap"],
        "id": "m",
        "url": MAP,
        "group": [
            {"source": COLOURS, "target": SET, "element": [{"code": "red", "target": [{"code": "dark", "equivalence": "wider"}]}]},
        ],
    },
    {**MINIMAL["Questionnaire"], "id": "m", "url": FORM, "item": [{"linkId": "a", "type": "string", "text": "Kanarifugl"}]},
    {**MINIMAL["Measure"], "id": "m", "url": "https://casebridge.example/fhir/Measure/adherence"},
    {**MINIMAL["PlanDefinition"], "id": "m", "url": "https://hospital.example/PlanDefinition/kanarifugl", "title": "Kanarifugl"},
    RESPONSE,
)


def of_both(items, on_type):
    """The parameters by level; asked of the type, the operation needs to be told what an instance tells by itself."""
    return {"instance": items, "type": [*items, on_type]}


MEMBER = (("MemberPatient", HELD[0]), ("CoverageToMatch", MINIMAL["Coverage"]), ("Consent", MINIMAL["Consent"]))
BUNDLE = [{"name": name, "resource": raw} for name, raw in MEMBER]

CALLS = {
    "CodeSystem-lookup": ({"type": RED}, "Parameters"),
    "ConceptMap-translate": (of_both(RED, ("url", "valueUri", MAP)), "Parameters"),
    "EpisodeOfCare-assign": ({"instance": [BY, ("caseManager", "valueReference", WHO)]}, "EpisodeOfCare"),
    "EpisodeOfCare-case-trace": ({"instance": [("element", "valueString", "EpisodeOfCare/m")]}, "Parameters"),
    "EpisodeOfCare-open": ({"instance": [BY]}, "EpisodeOfCare"),
    "EpisodeOfCare-transition": ({"instance": [BY, ("to", "valueCode", "screening")]}, "EpisodeOfCare"),
    "EpisodeOfCare-everything": ({"instance": []}, "Bundle"),
    "Group-bulk-member-match": ({"type": [("MemberBundle", "part", BUNDLE)]}, "Parameters"),
    "Group-davinci-data-export": ({"instance": []}, None),
    "Group-export": ({"instance": []}, None),
    "Measure-evaluate-measure": (of_both(PERIOD, ("measure", "valueString", "adherence")), "MeasureReport"),
    "Observation-lastn": ({"type": []}, "Bundle"),
    "Patient-disclosures": ({"instance": []}, "Bundle"),
    "Patient-everything": ({"instance": []}, "Bundle"),
    "Patient-export": ({"type": []}, None),
    "Patient-member-match": (
        {"type": [("MemberPatient", "resource", HELD[0]), ("CoverageToMatch", "resource", MINIMAL["Coverage"])]},
        "Parameters",
    ),
    "PlanDefinition-apply": (
        of_both([("subject", "valueString", "Patient/m")], ("planDefinition", "resource", HELD[-2])),
        "CarePlan",
    ),
    "Questionnaire-populate": (of_both([("subject", "valueReference", PERSON)], ("canonical", "valueUri", FORM)), "Parameters"),
    "QuestionnaireResponse-extract": (of_both([], ("questionnaire-response", "resource", RESPONSE)), "Bundle"),
    "Resource-meta": ({"instance": []}, "Parameters"),
    "Resource-meta-add": ({"instance": LABEL}, "Parameters"),
    "Resource-meta-delete": ({"instance": LABEL}, "Parameters"),
    "ValueSet-expand": (of_both([], ("url", "valueUri", SET)), "ValueSet"),
}
"""By the id of the OperationDefinition: parameters by the level that it is asked on, and what is answered; None: where to ask later."""
# It takes the search parameters of its type, which are no parameters of an operation.
SEARCHED = {"Observation-lastn": "?patient=m&code=red"}


def asked(type, id, level):
    if id == "Resource-validate":
        return [] if level == "instance" else [("resource", "resource", MINIMAL[type])]
    return CALLS[id][0][level]


def begins(fhir, path):
    """That an asynchronous operation is begun, and can be asked about where it says."""
    begun = done(fhir.send("POST", path, Prefer="respond-async"), 202)
    done(fhir.send("GET", begun.headers["Content-Location"].partition("/fhir/")[2]), 202)


@pytest.fixture
def definitions(fhir):
    """The definitions that the statement refers to, read from the server, by the URL it refers to them by."""
    found = {}

    def read(url):
        if url not in found:
            found[url] = done(fhir.send("GET", url.removeprefix("https://casebridge.example/fhir/"))).json
            assert found[url]["url"] == url
        return found[url]

    return read


@pytest.mark.slow
def test_every_claimed_operation_gives_its_result_wherever_it_is_asked(fhir: Fhir, definitions):
    for raw in HELD:
        done(fhir.put(raw), 201)
    there = {raw["resourceType"] for raw in HELD}
    proven = set()
    for claims in fhir.send("GET", "metadata").json["rest"][0]["resource"]:
        type = claims["type"]
        if type not in there:
            done(fhir.put({**MINIMAL[type], "id": "m"}), 201)
        for operation in claims["operation"]:
            definition = definitions(operation["definition"])
            id, code = definition["id"], definition["code"]
            assert (operation["name"], operation["documentation"]) == (code, definition["description"])
            assert definition["resource"] in ([type], ["Resource"])
            assert definition["system"] is False
            kind = "OperationOutcome" if id == "Resource-validate" else CALLS[id][1]
            for level in ("type", "instance"):
                if definition[level]:
                    items = [{"name": name, key: value} for name, key, value in asked(type, id, level)]
                    path = f"{type}/{'m/' if level == 'instance' else ''}${code}{SEARCHED.get(id, '')}"
                    body = {"resourceType": "Parameters", "parameter": items} if items else None
                    if kind is None:
                        begins(fhir, path)
                    else:
                        assert done(fhir.send("POST", path, body)).json["resourceType"] == kind
                    proven.add((id, level))
    assert {id for id, _ in proven} == {*CALLS, "Resource-validate"}
    assert {(id, level) for id, (calls, _) in CALLS.items() for level in calls} <= proven


def test_every_operation_that_the_server_claims_for_itself_is_begun_or_answered(fhir, definitions):
    claims = fhir.send("GET", "metadata").json["rest"][0]["operation"]
    assert [operation["name"] for operation in claims] == ["export", "payer-packet"]
    for operation in claims:
        definition = definitions(operation["definition"])
        assert (operation["name"], operation["documentation"]) == (definition["code"], definition["description"])
        assert (definition["system"], definition["type"], definition["instance"]) == (True, False, False)
    begins(fhir, "$export")
    fhir.put(patient(id="m"))
    asked = {"resourceType": "Parameters", "parameter": [{"name": "patient", "valueReference": PERSON}]}
    assert done(fhir.send("POST", "$payer-packet", asked)).json["resourceType"] == "Parameters"


def test_an_operation_that_changes_nothing_can_be_asked_by_get_and_any_other_cannot(fhir, definitions):
    fhir.put(patient(id="m"))
    claims = next(each for each in fhir.send("GET", "metadata").json["rest"][0]["resource"] if each["type"] == "Patient")
    for operation in claims["operation"]:
        definition = definitions(operation["definition"])
        answer = fhir.send("GET", f"Patient/m/${definition['code']}")
        assert (answer.status_code == 405) is definition["affectsState"]

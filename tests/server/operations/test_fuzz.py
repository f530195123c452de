"""Whatever an operation is sent, it answers or refuses with an OperationOutcome: never a fault of the server."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.care.questionnaire import canonical
from server.fhir.operations.definition import SYSTEM, definitions

from ..fhir import fuzzed, patient

WORDS = [
    "",
    "a",
    "Patient/1",
    "http://x.example",
    "code",
    "system",
    "item",
    "linkId",
    "value",
    "resourceType",
    "concept",
    "include",
    "-1",
    "2025",
]
NAMES = [
    "id",
    "url",
    "status",
    "item",
    "answer",
    "linkId",
    "valueString",
    "compose",
    "include",
    "concept",
    "code",
    "group",
    "action",
    "goal",
    "extension",
]
LEAVES = st.none() | st.booleans() | st.integers(-2, 2) | st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from(WORDS)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4), max_leaves=12
)
TYPES = ["Patient", "Questionnaire", "QuestionnaireResponse", "ValueSet", "ConceptMap", "PlanDefinition", "Observation", "Parameters"]
RESOURCES = st.builds(
    lambda type, more: {"resourceType": type, **more}, st.sampled_from(TYPES), st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=5)
)
KINDS = [
    "valueString",
    "valueCode",
    "valueUri",
    "valueInteger",
    "valueCoding",
    "valueReference",
    "valueMeta",
    "valueCodeableConcept",
    "part",
]


def item(name):
    given = st.tuples(st.sampled_from(KINDS), VALUES).map(lambda pair: {"name": name, pair[0]: pair[1]})
    return given | RESOURCES.map(lambda raw: {"name": name, "resource": raw})


@pytest.mark.parametrize("id", definitions())
def test_no_body_makes_an_operation_fail(fhir, id):
    definition = definitions()[id]
    fhir.put({**patient(), "id": "p1"})
    fhir.put({"resourceType": "EpisodeOfCare", "id": "p1", "status": "active", "patient": {"reference": "Patient/p1"}})
    names = [*definition.parameters, "stranger"]
    items = st.lists(st.sampled_from(names).flatmap(item), max_size=4)
    bodies = items.map(lambda several: {"resourceType": "Parameters", "parameter": several}) | RESOURCES

    @fuzzed(40)
    @given(bodies)
    def ask(body):
        for type, instance in definition.places:
            on = "" if type == SYSTEM else f"{type or 'Patient'}/"
            path = f"{on}{'p1/' if instance else ''}${definition.code}"
            answer = fhir.send("POST", path, body)
            assert answer.status_code < 500 or answer.status_code == 501, answer.text
            assert answer.status_code == 200 or answer.json["resourceType"] == "OperationOutcome"

    ask()


def test_a_body_that_is_nested_deeply_is_refused_or_answered(fhir):
    part = {"name": "meta"}
    for _ in range(400):
        part = {"name": "meta", "part": [part]}
    nested = {"linkId": "a"}
    for _ in range(400):
        nested = {"linkId": "a", "item": [nested]}
    response = {
        "resourceType": "QuestionnaireResponse",
        "id": "r",
        "questionnaire": canonical("phq2"),
        "status": "completed",
        "item": [nested],
    }
    fhir.put({**patient(), "id": "p1"})
    answers = [
        fhir.send("POST", "Patient/p1/$meta-add", {"resourceType": "Parameters", "parameter": [part]}),
        fhir.send("POST", "QuestionnaireResponse/$extract", response),
        fhir.send("POST", "QuestionnaireResponse/$validate", response),
    ]
    assert {answer.status_code for answer in answers} <= {200, 400, 413, 422}, [answer.text[:300] for answer in answers]

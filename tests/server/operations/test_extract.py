"""`QuestionnaireResponse/$extract`: what it makes, and that making it again doubles nothing."""

import pytest

from adapter.care.questionnaire import canonical
from adapter.fhir.resource import check_structure

from ..fhir import assert_outcome

SDC = "http://hl7.org/fhir/uv/sdc/StructureDefinition"
CORE = "http://hl7.org/fhir/StructureDefinition"
FORM = "https://hospital.example/Questionnaire/visit"
UNIT = {"url": f"{CORE}/questionnaire-unit", "valueCoding": {"system": "http://unitsofmeasure.org", "code": "kg", "display": "kg"}}
SURVEY = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "survey"}]}


def code(value):
    return [{"system": "http://loinc.org", "code": value}]


def item(link_id, type, *, definition=None, code=None, items=None, extension=None, **more):
    given = {"definition": definition, "code": code, "item": items, "extension": extension}
    return {"linkId": link_id, "type": type, "text": link_id, **{name: value for name, value in given.items() if value}, **more}


def defined(path):
    return f"{CORE}/{path.partition('.')[0]}#{path}"


OBSERVED = [{"url": f"{SDC}/sdc-questionnaire-observationExtract", "valueBoolean": True}]
CATEGORY = {"url": f"{SDC}/sdc-questionnaire-observation-extract-category", "valueCodeableConcept": SURVEY}
CONTEXT = [{"url": f"{SDC}/sdc-questionnaire-itemExtractionContext", "valueCode": "RelatedPerson"}]


@pytest.fixture
def form(fhir):
    measured = item("vitals", "group", extension=[*OBSERVED, CATEGORY], items=[
        item("weight", "decimal", code=code("29463-7"), extension=[UNIT]),
        item("falls", "integer", code=code("52552-5")),
        item("mood", "choice", code=code("1-8"), repeats=True),
        item("uncoded", "string"),
        item("private", "string", code=code("2-6"), extension=[{**OBSERVED[0], "valueBoolean": False}]),
        item("scan", "attachment", code=code("3-4")),
    ])  # fmt: skip
    person = item("person", "group", extension=CONTEXT, repeats=True, items=[
        item("name", "group", definition=defined("RelatedPerson.name"), items=[
            item("family", "string", definition=defined("RelatedPerson.name.family")),
            item("given", "string", definition=defined("RelatedPerson.name.given"), repeats=True),
        ]),
        item("born", "date", definition=defined("RelatedPerson.birthDate")),
        item("sex", "choice", definition=defined("RelatedPerson.gender")),
        item("kind", "choice", definition=defined("RelatedPerson.relationship")),
        item("phone", "string", definition=defined("RelatedPerson.telecom.value")),
    ])  # fmt: skip
    fhir.create({"resourceType": "Questionnaire", "url": FORM, "status": "active", "item": [measured, person]})


def answer(link_id, *values, items=None):
    found = {"linkId": link_id, "answer": [dict([value]) for value in values]}
    return {name: value for name, value in (found | ({"item": items} if items else {})).items() if value}


def response(*items, status="completed", id="r1"):
    raw = {"resourceType": "QuestionnaireResponse", "id": id, "questionnaire": FORM, "status": status, "item": [*items]}
    return {**raw, "subject": {"reference": "Patient/p1"}, "authored": "2025-05-01", "author": {"reference": "Practitioner/d1"}}


def vitals(*items, **more):
    return response({"linkId": "vitals", "item": [*items]}, **more)


def extract(fhir, raw):
    found = fhir.send("POST", "QuestionnaireResponse/$extract", raw)
    assert found.status_code == 200, found.text
    return found.json


def made(bundle):
    assert bundle["type"] == "transaction"
    return [entry["resource"] for entry in bundle.get("entry", []) if "resource" in entry]


def post(fhir, bundle):
    found = fhir.send("POST", "", bundle)
    assert found.status_code == 200, found.text


@pytest.mark.usefixtures("form")
class TestByObservation:
    def test_each_coded_answer_is_an_observation(self, fhir):
        raw = vitals(
            answer("weight", ("valueDecimal", 71.5)), answer("uncoded", ("valueString", "x")), answer("private", ("valueString", "x"))
        )
        [observation] = made(extract(fhir, raw))
        check_structure(observation)
        assert observation["valueQuantity"] == {"value": 71.5, "unit": "kg", "system": "http://unitsofmeasure.org", "code": "kg"}
        assert (observation["status"], observation["code"]["coding"]) == ("final", code("29463-7"))
        assert (observation["subject"], observation["effectiveDateTime"]) == ({"reference": "Patient/p1"}, "2025-05-01")
        assert (observation["category"], observation["performer"]) == ([SURVEY], [{"reference": "Practitioner/d1"}])
        assert observation["derivedFrom"] == [{"reference": "QuestionnaireResponse/r1"}]

    def test_the_second_extract_of_an_amended_response_updates_and_never_doubles(self, fhir):
        post(fhir, extract(fhir, vitals(answer("weight", ("valueDecimal", 71.5)), answer("falls", ("valueInteger", 2)))))
        first = fhir.ids("Observation?derived-from=QuestionnaireResponse/r1")
        assert len(first) == 2
        post(fhir, extract(fhir, vitals(answer("weight", ("valueDecimal", 70)), answer("falls", ("valueInteger", 2)), status="amended")))
        assert fhir.ids("Observation?derived-from=QuestionnaireResponse/r1") == first
        found = fhir.send("GET", "Observation?code=29463-7").json["entry"]
        assert [(each["resource"]["valueQuantity"]["value"], each["resource"]["status"]) for each in found] == [(70, "amended")]

    def test_what_an_amended_response_no_longer_says_is_taken_away(self, fhir):
        moods = [("valueCoding", {"system": "http://x.example", "code": name}) for name in ("calm", "sad", "tired")]
        post(fhir, extract(fhir, vitals(answer("mood", *moods))))
        assert len(fhir.ids("Observation?code=1-8")) == 3
        post(fhir, extract(fhir, vitals(answer("mood", moods[1]), status="amended")))
        [kept] = fhir.send("GET", "Observation?code=1-8").json["entry"]
        assert kept["resource"]["valueCodeableConcept"]["coding"][0]["code"] == "sad"

    def test_an_answer_that_no_observation_can_hold_is_told(self, fhir):
        found = extract(fhir, vitals(answer("scan", ("valueAttachment", {"title": "x"})), answer("falls", ("valueInteger", 1))))
        parts = {parameter["name"]: parameter["resource"] for parameter in found["parameter"]}
        assert len(made(parts["return"])) == 1
        assert parts["issues"]["issue"][0]["expression"] == ["QuestionnaireResponse.item.where(linkId = 'scan')"]

    def test_a_stored_response_is_extracted_by_its_id(self, fhir):
        raw = vitals(answer("falls", ("valueInteger", 1)))
        assert fhir.put(raw).status_code == 201
        assert made(fhir.send("GET", "QuestionnaireResponse/r1/$extract").json) == made(extract(fhir, raw))


@pytest.mark.usefixtures("form")
class TestByDefinition:
    PERSON = (
        answer(
            "name", items=[answer("family", ("valueString", "Kanarifugl")), answer("given", ("valueString", "Ash"), ("valueString", "Elm"))]
        ),
        answer("born", ("valueDate", "1990-02-03")),
        answer("sex", ("valueCoding", {"system": "http://hl7.org/fhir/administrative-gender", "code": "female"})),
        answer("kind", ("valueCoding", {"system": "http://x.example", "code": "sister"})),
        answer("phone", ("valueString", "555")),
    )

    def person(self, *items, **more):
        return response({"linkId": "person", "item": [*items]}, **more)

    def test_the_elements_are_filled(self, fhir):
        [made_] = made(extract(fhir, self.person(*self.PERSON)))
        check_structure(made_)
        assert made_["name"] == [{"family": "Kanarifugl", "given": ["Ash", "Elm"]}]
        assert (made_["birthDate"], made_["gender"], made_["telecom"]) == ("1990-02-03", "female", [{"value": "555"}])
        assert made_["relationship"] == [{"coding": [{"system": "http://x.example", "code": "sister"}]}]
        assert made_["patient"] == {"reference": "Patient/p1"}

    def test_each_repetition_is_a_resource_and_stays_the_one_it_is(self, fhir):
        def both(status, *names):
            groups = [{"linkId": "person", "item": [answer("name", items=[answer("family", ("valueString", name))])]} for name in names]
            return extract(fhir, response(*groups, status=status))

        fhir.put({"resourceType": "Patient", "id": "p1"})
        post(fhir, both("completed", "Kanarifugl", "Kanarifugl-Ash"))
        first = fhir.ids("RelatedPerson")
        assert len(first) == 2
        post(fhir, both("amended", "Kanarifugl-Elm", "Kanarifugl-Ash"))
        assert fhir.ids("RelatedPerson") == first
        post(fhir, both("amended", "Kanarifugl-Elm"))
        assert len(fhir.ids("RelatedPerson")) == 1

    def test_a_group_without_an_answer_leaves_nothing_behind(self, fhir):
        assert made(extract(fhir, self.person(answer("name", items=[{"linkId": "family"}])))) == []
        [made_] = made(extract(fhir, self.person({"linkId": "name"}, answer("phone", ("valueString", "555")))))
        assert "name" not in made_

    def test_a_definition_that_fits_no_element_is_refused(self, fhir):
        wrong = item("g", "group", extension=CONTEXT, items=[item("a", "string", definition=defined("RelatedPerson.nonsense"))])
        fhir.create({"resourceType": "Questionnaire", "url": f"{FORM}/wrong", "status": "active", "item": [wrong]})
        raw = {**response({"linkId": "g", "item": [answer("a", ("valueString", "Kanarifugl"))]}), "questionnaire": f"{FORM}/wrong"}
        assert_outcome(fhir.send("POST", "QuestionnaireResponse/$extract", raw), 422, "business-rule")

    def test_a_context_by_query_is_refused(self, fhir):
        by_query = {"url": CONTEXT[0]["url"], "valueExpression": {"language": "application/x-fhir-query", "expression": "Patient?_id=1"}}
        form = {
            "resourceType": "Questionnaire",
            "url": f"{FORM}/query",
            "status": "active",
            "item": [item("g", "group", extension=[by_query])],
        }
        fhir.create(form)
        raw = {**response(), "questionnaire": f"{FORM}/query", "item": [{"linkId": "g"}]}
        assert_outcome(fhir.send("POST", "QuestionnaireResponse/$extract", raw), 501, "not-supported")


def test_the_scores_of_our_own_instruments_are_extracted_under_one_id(fhir):
    codes = ["44250-9", "44255-8"]
    items = [answer(link_id, ("valueCoding", {"system": "http://loinc.org", "code": "LA6570-1"})) for link_id in codes]
    raw = {**response(*items), "questionnaire": f"{canonical('phq2')}|1.0.0"}
    first, second = made(extract(fhir, raw)), made(extract(fhir, {**raw, "status": "amended"}))
    assert [(each["id"], each["valueQuantity"]["value"]) for each in first] == [(each["id"], 4) for each in second]
    assert len(first) == 1


@pytest.mark.usefixtures("form")
def test_what_cannot_be_extracted_is_refused(fhir):
    path = "QuestionnaireResponse/$extract"
    assert_outcome(fhir.send("POST", path), 400, "invalid")
    assert_outcome(fhir.send("POST", path, {"resourceType": "QuestionnaireResponse"}), 400, "invalid")
    whole = response()
    del whole["item"]
    assert_outcome(fhir.send("POST", path, {**whole, "status": "in-progress"}), 422, "business-rule")
    assert_outcome(fhir.send("POST", path, {**whole, "questionnaire": "http://x.example"}), 404, "not-found")
    assert_outcome(fhir.send("POST", path, {name: value for name, value in whole.items() if name != "id"}), 400, "invalid")

"""`Questionnaire/$populate`: a response with what is known already, and what could not be answered said."""

import pytest

from adapter.care.questionnaire import canonical
from adapter.fhir.resource import check_structure

from ..fhir import assert_outcome, patient

SDC = "http://hl7.org/fhir/uv/sdc/StructureDefinition"
FORM = "https://hospital.example/Questionnaire/intake"


def item(link_id, type, expression=None, language="text/fhirpath", **more):
    found = {"linkId": link_id, "type": type, **more}
    if expression:
        value = {"language": language, "expression": expression}
        found["extension"] = [{"url": f"{SDC}/sdc-questionnaire-initialExpression", "valueExpression": value}]
    return found


def form(*items, **more):
    return {"resourceType": "Questionnaire", "url": FORM, "version": "3", "status": "active", "item": [*items], **more}


@pytest.fixture
def person(fhir):
    name = [{"use": "official", "family": "Kanarifugl", "given": ["River", "Ash"]}]
    fhir.put({**patient(), "id": "p1", "name": name, "birthDate": "1994-05-02", "gender": "female", "active": True})
    fhir.put({"resourceType": "Encounter", "id": "n1", "status": "finished", "class": {"system": "s", "code": "AMB"}})


def populated(operations, raw, *more):
    subject = ("subject", "valueReference", {"reference": "Patient/p1"})
    answer = operations.ask("Questionnaire/$populate", ("questionnaire", "resource", raw), subject, *more)
    assert answer.status_code == 200, answer.text
    found = {parameter["name"]: parameter["resource"] for parameter in answer.json["parameter"]}
    check_structure(found["response"])
    answers = {item["linkId"]: [next(iter(each.values())) for each in item.get("answer", [])] for item in found["response"].get("item", [])}
    return found["response"], answers, found.get("issues")


@pytest.mark.usefixtures("person")
class TestAnswers:
    def test_each_type_of_question_gets_its_type_of_answer(self, operations):
        options = [{"valueCoding": {"system": "http://hl7.org/fhir/administrative-gender", "code": "female"}}]
        raw = form(
            item("born", "date", "%patient.birthDate"),
            item("given", "string", "%patient.name.where(use='official').given", repeats=True),
            item("first", "string", "%patient.name.given"),
            item("sex", "choice", "%patient.gender", answerOption=options),
            item("active", "boolean", "%patient.active"),
            item("who", "reference", "%patient"),
            item("phone", "string", "%patient.telecom.value"),
            item("fixed", "integer", initial=[{"valueInteger": 7}]),
        )
        response, answers, issues = populated(operations, raw)
        assert (response["status"], response["questionnaire"]) == ("in-progress", f"{FORM}|3")
        assert answers["born"] == ["1994-05-02"]
        assert (answers["given"], answers["first"]) == (["River", "Ash"], ["River"])
        assert answers["sex"] == [options[0]["valueCoding"]]
        assert (answers["active"], answers["who"]) == ([True], [{"reference": "Patient/p1"}])
        assert (answers["phone"], answers["fixed"]) == ([], [7])
        assert issues is None

    def test_groups_are_filled_too_and_what_only_displays_is_left_out(self, operations):
        inner = item("born", "date", "%patient.birthDate")
        response, _, _ = populated(operations, form(item("group", "group", item=[inner, item("note", "display")])))
        assert response["item"] == [{"linkId": "group", "item": [{"linkId": "born", "answer": [{"valueDate": "1994-05-02"}]}]}]

    def test_what_cannot_be_answered_is_left_open_and_told(self, operations):
        raw = form(
            item("cql", "string", "Patient.name", "text/cql"),
            item("function", "string", "%patient.name.trace('x')"),
            item("stranger", "string", "%stranger.name"),
            item("type", "integer", "%patient.birthDate"),
        )
        _, answers, issues = populated(operations, raw)
        assert set(map(tuple, answers.values())) == {()}
        assert len(issues["issue"][0]["expression"]) == 4

    def test_a_context_can_be_given(self, operations, fhir):
        parts = [{"name": "name", "valueString": "visit"}, {"name": "content", "valueReference": {"reference": "Encounter/n1"}}]
        _, answers, _ = populated(operations, form(item("class", "choice", "%visit.class")), ("context", "part", parts))
        assert answers["class"] == [{"system": "s", "code": "AMB"}]

    def test_a_launch_context_may_have_another_name(self, operations):
        launch = [{"url": "name", "valueCoding": {"code": "client"}}, {"url": "type", "valueCode": "Patient"}]
        raw = form(item("born", "date", "%client.birthDate"))
        raw["extension"] = [{"url": f"{SDC}/sdc-questionnaire-launchContext", "extension": launch}]
        _, answers, _ = populated(operations, raw)
        assert answers["born"] == ["1994-05-02"]

    def test_the_form_may_be_an_instance_or_be_named(self, fhir):
        id = fhir.create(form(item("born", "date", "%patient.birthDate")))["id"]
        query = "subject=Patient/p1"
        for path in (
            f"{id}/$populate?{query}",
            f"$populate?{query}&canonical={FORM}",
            f"$populate?{query}&questionnaireRef=Questionnaire/{id}",
        ):
            [parameter] = fhir.send("GET", f"Questionnaire/{path}").json["parameter"]
            assert parameter["resource"]["item"][0]["answer"] == [{"valueDate": "1994-05-02"}]

    def test_our_own_instruments_can_be_named(self, fhir):
        answer = fhir.send("GET", f"Questionnaire/$populate?subject=Patient/p1&canonical={canonical('phq2')}")
        assert len(answer.json["parameter"][0]["resource"]["item"]) == 2

    def test_what_is_not_here_is_refused(self, fhir):
        assert_outcome(fhir.send("GET", "Questionnaire/$populate?canonical=x"), 400, "invalid")
        assert_outcome(fhir.send("GET", "Questionnaire/$populate?subject=Patient/p1"), 400, "invalid")
        assert_outcome(fhir.send("GET", "Questionnaire/$populate?subject=Patient/p1&canonical=x"), 404, "not-found")
        assert_outcome(fhir.send("GET", f"Questionnaire/$populate?subject=Patient/none&canonical={canonical('phq2')}"), 404, "not-found")
        assert_outcome(fhir.send("GET", f"Questionnaire/$populate?subject=Kanarifugl&canonical={canonical('phq2')}"), 400, "invalid")

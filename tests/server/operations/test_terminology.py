"""`$lookup`, `$expand` and `$translate`, for what is held here and for nothing else."""

import pytest

from adapter.config import CS

from ..fhir import assert_outcome

COLOURS = "https://hospital.example/CodeSystem/colours"
SHADES = "https://hospital.example/CodeSystem/shades"
SETS = "https://hospital.example/ValueSet"
MAP = "https://hospital.example/ConceptMap/colours-to-shades"


@pytest.fixture
def held(fhir):
    red = {"code": "red", "display": "Red", "designation": [{"language": "da", "value": "Rød"}]}
    red |= {"concept": [{"code": "crimson", "display": "Crimson"}], "property": [{"code": "warm", "valueBoolean": True}]}
    system = {"resourceType": "CodeSystem", "url": COLOURS, "version": "2", "name": "Colours", "status": "active", "content": "complete"}
    fhir.create({**system, "concept": [red, {"code": "blue", "display": "Blue"}]})

    def value_set(name, **compose):
        fhir.create({"resourceType": "ValueSet", "id": name, "url": f"{SETS}/{name}", "status": "active", "compose": compose})

    value_set("all", include=[{"system": COLOURS}])
    value_set("reds", include=[{"system": COLOURS, "filter": [{"property": "concept", "op": "is-a", "value": "red"}]}])
    value_set("below", include=[{"system": COLOURS, "filter": [{"property": "concept", "op": "descendent-of", "value": "red"}]}])
    value_set("some", include=[{"valueSet": [f"{SETS}/all"]}], exclude=[{"system": COLOURS, "concept": [{"code": "blue"}]}])
    value_set("both", include=[{"valueSet": [f"{SETS}/all", f"{SETS}/below"]}])
    value_set("listed", include=[{"system": "http://loinc.org", "concept": [{"code": "1-8", "display": "A code"}]}])
    value_set("foreign", include=[{"system": "http://snomed.info/sct"}])
    value_set("round", include=[{"valueSet": [f"{SETS}/round"]}])
    value_set("regex", include=[{"system": COLOURS, "filter": [{"property": "code", "op": "regex", "value": ".*"}]}])
    mapped = [{"code": "red", "target": [{"code": "dark", "equivalence": "wider"}, {"code": "light", "equivalence": "inexact"}]}]
    mapped += [{"code": "blue", "target": [{"equivalence": "unmatched"}]}]
    group = {"source": COLOURS, "target": SHADES, "element": mapped, "unmapped": {"mode": "fixed", "code": "none"}}
    fhir.create({"resourceType": "ConceptMap", "url": MAP, "status": "active", "group": [group]})


def named(answer, name):
    assert answer.status_code == 200, answer.text
    return [parameter for parameter in answer.json["parameter"] if parameter["name"] == name]


def codes(fhir, query):
    answer = fhir.send("GET", f"ValueSet/$expand?{query}")
    assert answer.status_code == 200, answer.text
    return [item["code"] for item in answer.json["expansion"].get("contains", [])]


@pytest.mark.usefixtures("held")
class TestLookup:
    def test_a_code_has_its_display_properties_and_relatives(self, fhir):
        answer = fhir.send("GET", f"CodeSystem/$lookup?system={COLOURS}&code=red")
        assert [each["valueString"] for name in ("name", "version", "display") for each in named(answer, name)] == ["Colours", "2", "Red"]
        properties = {each["part"][0]["valueCode"]: each["part"][1] for each in named(answer, "property")}
        assert properties["warm"]["valueBoolean"] is True
        assert properties["child"]["valueCode"] == "crimson"
        assert named(answer, "designation")[0]["part"][-1]["valueString"] == "Rød"

    def test_properties_can_be_chosen_and_the_code_be_a_coding(self, operations):
        coding = {"system": COLOURS, "code": "crimson", "version": "2"}
        answer = operations.ask("CodeSystem/$lookup", ("coding", "valueCoding", coding), ("property", "valueCode", "parent"))
        [found] = named(answer, "property")
        assert found["part"][1]["valueCode"] == "red"

    @pytest.mark.parametrize(
        "query", [f"system={COLOURS}&code=green", f"system={COLOURS}&code=red&version=1", "system=http://x.example&code=1"]
    )
    def test_what_is_not_held_is_not_found(self, fhir, query):
        assert_outcome(fhir.send("GET", f"CodeSystem/$lookup?{query}"), 404, "not-found")

    @pytest.mark.parametrize("query", ["", "code=red", f"system={COLOURS}"])
    def test_it_needs_code_and_system(self, fhir, query):
        assert_outcome(fhir.send("GET", f"CodeSystem/$lookup?{query}"), 400, "invalid")


def test_our_own_code_systems_are_held_without_being_stored(fhir):
    answer = fhir.send("GET", f"CodeSystem/$lookup?system={CS}/goal-kind&code=self-care")
    assert named(answer, "display")[0]["valueString"] == "self care"


@pytest.mark.usefixtures("held")
class TestExpand:
    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("all", ["red", "crimson", "blue"]),
            ("reds", ["red", "crimson"]),
            ("below", ["crimson"]),
            ("some", ["red", "crimson"]),
            ("both", ["crimson"]),
            ("listed", ["1-8"]),
        ],
    )
    def test_it_lists_what_is_composed(self, fhir, name, expected):
        assert codes(fhir, f"url={SETS}/{name}") == expected

    def test_it_is_filtered_and_paged_and_tells_the_total(self, fhir):
        assert codes(fhir, f"url={SETS}/all&filter=RE") == ["red"]
        answer = fhir.send("GET", f"ValueSet/$expand?url={SETS}/all&offset=1&count=1").json["expansion"]
        assert (answer["total"], answer["offset"], [item["code"] for item in answer["contains"]]) == (3, 1, ["crimson"])

    def test_designations_are_there_when_asked_for(self, fhir):
        path = f"ValueSet/$expand?url={SETS}/all"
        assert "designation" not in fhir.send("GET", path).json["expansion"]["contains"][0]
        assert "designation" in fhir.send("GET", f"{path}&includeDesignations=true").json["expansion"]["contains"][0]

    def test_a_value_set_can_be_sent_along_or_be_an_instance(self, fhir):
        raw = {"resourceType": "ValueSet", "status": "active", "compose": {"include": [{"system": COLOURS}]}}
        assert fhir.send("POST", "ValueSet/$expand", raw).json["expansion"]["total"] == 3
        id = fhir.create(raw)["id"]
        assert fhir.send("GET", f"ValueSet/{id}/$expand").json["expansion"]["total"] == 3

    @pytest.mark.parametrize("name", ["foreign", "round", "regex"])
    def test_what_cannot_be_expanded_honestly_is_refused(self, fhir, name):
        assert_outcome(fhir.send("GET", f"ValueSet/$expand?url={SETS}/{name}"), 501, "not-supported")

    def test_what_is_not_held_or_not_asked_is_refused(self, fhir):
        assert_outcome(fhir.send("GET", f"ValueSet/$expand?url={SETS}/none"), 404, "not-found")
        assert_outcome(fhir.send("GET", "ValueSet/$expand"), 400, "invalid")
        assert_outcome(fhir.send("GET", f"ValueSet/$expand?url={SETS}/all&offset=-1"), 400, "invalid")


@pytest.mark.usefixtures("held")
class TestTranslate:
    def translated(self, fhir, query):
        answer = fhir.send("GET", f"ConceptMap/$translate?{query}")
        [result] = named(answer, "result")
        matches = [{part["name"]: part for part in match["part"]} for match in named(answer, "match")]
        found = [(match["equivalence"]["valueCode"], match["concept"]["valueCoding"]["code"]) for match in matches if "concept" in match]
        return result["valueBoolean"], found

    def test_a_code_has_all_its_matches(self, fhir):
        assert self.translated(fhir, f"url={MAP}&system={COLOURS}&code=red") == (True, [("wider", "dark"), ("inexact", "light")])

    def test_without_a_url_the_maps_from_its_system_are_asked(self, fhir):
        assert self.translated(fhir, f"system={COLOURS}&code=red")[0]
        assert self.translated(fhir, "system=http://x.example&code=red") == (False, [])

    def test_a_code_that_has_no_match_has_none(self, fhir):
        assert self.translated(fhir, f"url={MAP}&system={COLOURS}&code=blue") == (False, [])

    def test_a_code_that_is_not_in_the_map_gets_what_it_fixes(self, fhir):
        assert self.translated(fhir, f"url={MAP}&system={COLOURS}&code=green") == (True, [("wider", "none")])

    def test_it_goes_backward_too(self, fhir):
        assert self.translated(fhir, f"url={MAP}&system={SHADES}&code=dark&reverse=true") == (True, [("narrower", "red")])

    def test_the_target_system_narrows_it(self, fhir):
        query = f"url={MAP}&system={COLOURS}&code=red&targetsystem="
        assert self.translated(fhir, f"{query}{SHADES}")[0]
        assert not self.translated(fhir, f"{query}http://x.example")[0]

    def test_concepts_can_be_sent(self, operations):
        concept = {"coding": [{"system": COLOURS, "code": "red"}]}
        answer = operations.ask("ConceptMap/$translate", ("url", "valueUri", MAP), ("codeableConcept", "valueCodeableConcept", concept))
        assert len(named(answer, "match")) == 2

    def test_what_is_not_held_or_not_asked_is_refused(self, fhir):
        assert_outcome(fhir.send("GET", "ConceptMap/$translate?url=http://x.example&code=a"), 404, "not-found")
        assert_outcome(fhir.send("GET", f"ConceptMap/$translate?url={MAP}"), 400, "invalid")
        assert_outcome(fhir.send("GET", "ConceptMap/$translate?code=a"), 400, "invalid")

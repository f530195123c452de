"""What a search answers in other forms: a part of each resource, several types, a compartment, and what it says of itself."""

from urllib.parse import parse_qsl, urlsplit

import pytest

from adapter.fhir.resource import check_structure
from server import create_app

from .fhir import Fhir, assert_outcome, patient

SUBSETTED = "SUBSETTED"


def resources(answer, mode="match"):
    assert answer.status_code == 200, answer.text
    return [entry["resource"] for entry in answer.json.get("entry", []) if entry["search"]["mode"] == mode]


def link(answer, relation):
    return next((item["url"] for item in answer.json["link"] if item["relation"] == relation), None)


@pytest.fixture
def plan(fhir):
    id = fhir.create(patient())["id"]
    return fhir.create(
        {
            "resourceType": "CarePlan",
            "meta": {"tag": [{"code": "t"}]},
            "text": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">Kanarifugl</div>'},
            "status": "active",
            "intent": "plan",
            "title": "Kanarifugl",
            "subject": {"reference": f"Patient/{id}"},
            "note": [{"text": "Kanarifugl"}],
            "activity": [{"progress": [{"text": "Kanarifugl"}], "detail": {"status": "scheduled"}}],
        }
    )


@pytest.mark.parametrize(
    ("query", "elements"),
    [
        ("_summary=true", {"status", "intent", "title", "subject"}),
        ("_summary=text", {"text", "status", "intent", "subject"}),
        ("_summary=data", {"status", "intent", "title", "subject", "note", "activity"}),
        ("_elements=title", {"title", "status", "intent", "subject"}),
        ("_elements=CarePlan.note,activity.detail", {"note", "status", "intent", "subject"}),
        ("_elements=text,nothing", {"text", "status", "intent", "subject"}),
    ],
)
def test_a_part_of_a_resource_is_told_and_marked_as_such(fhir, plan, query, elements):
    [found] = resources(fhir.send("GET", f"CarePlan?{query}"))
    assert set(found) - {"resourceType", "id", "meta"} == elements
    assert [tag["code"] for tag in found["meta"]["tag"]] == ["t", SUBSETTED]
    assert found["meta"]["versionId"] == "1"
    check_structure(found)


def test_the_whole_resource_is_not_marked(fhir, plan):
    [found] = resources(fhir.send("GET", "CarePlan?_summary=false"))
    assert found == plan


def test_parts_of_what_is_included_are_not_taken_away(fhir, plan):
    answer = fhir.send("GET", "CarePlan?_summary=text&_include=CarePlan:subject")
    [included] = resources(answer, "include")
    assert "name" in included


def test_a_summary_and_elements_exclude_each_other(fhir, plan):
    assert_outcome(fhir.send("GET", "CarePlan?_summary=text&_elements=title"), 400, "invalid")


def test_several_types_are_searched_at_once_and_page_by_page(fhir):
    made = {fhir.create(patient(str(number)))["id"] for number in range(3)}
    made |= {fhir.create({"resourceType": "Practitioner", "active": True})["id"] for _ in range(2)}
    fhir.create({"resourceType": "Organization", "name": "Kanarifugl"})
    assert fhir.ids("?_type=Patient,Practitioner") == made
    assert fhir.ids("?_type=Patient,Practitioner&_count=2") == made
    assert fhir.ids("?_type=Patient,Practitioner&_id=" + ",".join(made) + "&_count=1") == made
    assert len(fhir.ids("?_count=4")) == 6
    first = fhir.send("GET", "?_type=Patient,Practitioner&_count=2&_total=accurate")
    assert first.json["total"] == 5
    assert fhir.send("GET", "?_type=Patient,Practitioner&_summary=count").json["total"] == 5
    posted = fhir.send("POST", "_search", "_type=Patient", Content_Type="application/x-www-form-urlencoded")
    assert len(resources(posted)) == 3


@pytest.fixture
def days(fhir):
    """Four kinds of resources, each of a day; ids and days are in different orders."""
    made = [
        ("Encounter", "n1", 3),
        ("Encounter", "n2", 1),
        ("Procedure", "q1", 2),
        ("Flag", "f1", 4),
        ("Flag", "f2", 2),
        ("Procedure", "q2", 0),
    ]
    fhir.put({**patient(), "id": "p1"})
    for type, id, day in made:
        own = {"Encounter": "period", "Flag": "period", "Procedure": "performedPeriod"}[type]
        needed = {"Encounter": {"class": {"code": "AMB"}}, "Flag": {"code": {"text": "Kanarifugl"}}, "Procedure": {}}[type]
        period = {own: {"start": f"2025-01-0{day}"}} if day else {}
        status = "active" if type == "Flag" else "finished" if type == "Encounter" else "completed"
        body = {"resourceType": type, "id": id, "status": status, "subject": {"reference": "Patient/p1"}, **needed, **period}
        assert fhir.put(body).status_code == 201


@pytest.mark.parametrize(
    ("asked", "order"),
    [
        ("_sort=date", "n2 f2 q1 n1 f1 q2"),
        ("_sort=-date", "f1 n1 f2 q1 n2 q2"),
        ("_sort=-_id", "q2 q1 n2 n1 f2 f1"),
        ("_sort=_lastUpdated", "n1 n2 q1 f1 f2 q2"),
        ("_sort=-date,-_id&date:missing=false", "f1 n1 q1 f2 n2"),
        ("_sort=date&subject.family=kanarifugl&date=ge2025-01-03", "n2 f2 q1 n1 f1"),
    ],
)
def test_several_types_come_in_one_order_on_all_their_pages(fhir, days, asked, order):
    for count in (1, 2, 4, 50):
        found, path = [], f"?_type=Encounter,Procedure,Flag&{asked}&_count={count}"
        while path:
            page = fhir.send("GET", path)
            assert page.json["total"] == len(order.split())
            found += [each["id"] for each in resources(page)]
            path = (link(page, "next") or "").partition("/fhir/")[2]
        assert " ".join(found) == order


def test_what_several_types_include_is_there_once_and_not_among_what_is_found(fhir, days):
    page = fhir.send("GET", "?_type=Encounter,Flag&_sort=date&_include=Encounter:subject&_include=Flag:subject")
    assert [each["id"] for each in resources(page, "include")] == ["p1"]
    for sort in ("", "&_sort=-_lastUpdated"):
        page = fhir.send("GET", f"?_type=Patient,Flag{sort}&_include=Flag:subject")
        assert sorted(each["id"] for each in resources(page)) == ["f1", "f2", "p1"]
        assert resources(page, "include") == []


def test_a_count_of_sorted_types_has_no_entries(fhir, days):
    answer = fhir.send("GET", "?_type=Encounter,Procedure,Flag&_sort=date&_summary=count").json
    assert (answer["total"], answer.get("entry")) == (6, None)


def test_parameters_without_a_value_are_left_out_of_a_search_and_of_its_self_link(fhir):
    id = fhir.create(patient())["id"]
    for path in ("Patient?family=&gender:missing=true&identifier=", "Patient?_count=&gender=&bird=&family=kanarifugl"):
        answer = fhir.send("GET", path, Prefer="handling=strict")
        assert [each["id"] for each in resources(answer)] == [id]
        assert "=&" not in link(answer, "self") + "&"
    posted = fhir.send("POST", "Patient/_search", "gender=", Content_Type="application/x-www-form-urlencoded")
    assert len(resources(posted)) == 1


def test_a_condition_without_a_value_is_refused_by_what_it_guards(fhir):
    fhir.create(patient())
    assert_outcome(fhir.send("DELETE", "Patient?identifier="), 400, "invalid")
    assert_outcome(fhir.send("PUT", "Patient?identifier=", patient()), 400, "invalid")
    assert_outcome(fhir.send("POST", "Patient", patient(), If_None_Exist="identifier="), 400, "invalid")


def test_a_search_of_several_types_takes_only_what_all_of_them_have(fhir):
    fhir.create(patient())
    assert_outcome(fhir.send("GET", "?_type=Patient,Organization&birthdate=1990"), 400, "invalid")
    assert_outcome(fhir.send("GET", "?_type=Patient,Organization&_sort=birthdate"), 400, "invalid")
    assert_outcome(fhir.send("GET", "?_type=Bird"), 404, "not-found")
    assert_outcome(fhir.send("GET", "?_type=Patient&_cursor=Patient.%25"), 400, "invalid")


def test_a_compartment_is_searched(fhir, plan):
    id = plan["subject"]["reference"].partition("/")[2]
    assert fhir.ids(f"Patient/{id}/CarePlan") == {plan["id"]}
    assert fhir.ids(f"Patient/{id}/CarePlan?status=draft") == set()
    assert fhir.ids("Patient/nobody/CarePlan") == set()
    assert link(fhir.send("GET", f"Patient/{id}/CarePlan?status=active"), "self").endswith(f"/fhir/Patient/{id}/CarePlan?status=active")
    assert_outcome(fhir.send("GET", f"Patient/{id}/Organization"), 404, "not-found")
    assert_outcome(fhir.send("GET", "Organization/1/Patient"), 404, "not-found")


def test_pages_of_a_sorted_search_follow_their_links(fhir):
    numbers = [3, 1, 2]
    for number in numbers:
        fhir.create(patient(str(number), birthDate=f"199{number}-01-01"))
    found, path = [], "Patient?_sort=-birthdate&_count=1"
    while path:
        answer = fhir.send("GET", path)
        found += [resource["birthDate"][3] for resource in resources(answer)]
        path = (link(answer, "next") or "").partition("/fhir/")[2]
    assert found == ["3", "2", "1"]


def test_the_self_link_says_the_count_that_was_used(fhir):
    fhir.create(patient())
    answer = fhir.send("GET", "Patient?_count=5000")
    assert dict(parse_qsl(urlsplit(link(answer, "self")).query)) == {"_count": "1000"}


@pytest.mark.parametrize("query", ["_filter=name+eq+Kanarifugl", "_contained=true", "_text=Kanarifugl", "_query=x", "_sort=_score"])
def test_what_is_not_served_is_refused_even_under_lenient_handling(fhir, query):
    assert_outcome(fhir.send("GET", f"Patient?{query}", Prefer="handling=lenient"), 400, "invalid")


def test_how_unknown_parameters_are_handled_is_a_setting_that_a_caller_may_overrule(repository):
    lenient = Fhir(create_app(repository, handling="lenient").test_client())
    assert resources(lenient.send("GET", "Patient?bird=1"), "outcome")
    assert_outcome(lenient.send("GET", "Patient?bird=1", Prefer="handling=strict"), 400, "invalid")

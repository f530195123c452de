"""`_sort` by any parameter, and includes that go on."""

import pytest

from adapter.errors import Invalid
from adapter.store import order, search
from adapter.store.documents import Change


@pytest.fixture
def people(save):
    save(
        "Patient",
        a={"name": [{"family": "Kanarifugl", "given": ["Zoe"]}], "birthDate": "1990", "gender": "female"},
        b={"name": [{"family": "Ærenkanarifugl"}, {"family": "Aarenkanarifugl"}], "birthDate": "1950-05", "gender": "male"},
        c={"birthDate": "1990-01-01", "gender": "male"},
        d={"name": [{"family": "kanarifugl", "given": ["Ana"]}], "gender": "female"},
        e={"name": [{"family": "Kanarifugl"}], "birthDate": "1990"},
    )


@pytest.mark.parametrize(
    ("sort", "ids"),
    [
        ("family", "badec"),
        ("-family", "badec"),
        ("family,given", "bdaec"),
        ("birthdate", "baced"),
        ("-birthdate", "acebd"),
        ("gender,-birthdate", "adcbe"),
        ("-gender,_id", "bcade"),
        ("-gender,-_lastUpdated", "cbdae"),
        ("_id", "abcde"),
        ("-_id", "edcba"),
    ],
)
def test_rows_are_in_the_order_that_was_asked_for_and_what_has_no_value_comes_last(people, find, sort, ids):
    assert "".join(find("Patient", ("_sort", sort))) == ids


@pytest.mark.parametrize("sort", ["family", "-birthdate", "gender,-family,given"])
def test_pages_of_a_sorted_search_keep_the_order_while_other_rows_change(people, save, repository, sort):
    def pages():
        cursor = []
        while True:
            page = search.run(repository.database, search.parse("Patient", [("_sort", sort), ("_count", "2"), *cursor]))
            yield [row.id for row in page.rows]
            if page.cursor is None:
                return
            cursor = [("_cursor", page.cursor)]

    whole = search.run(repository.database, search.parse("Patient", [("_sort", sort)]))
    assert [id for page in pages() for id in page] == [row.id for row in whole.rows]
    turning = pages()
    first = next(turning)
    repository.commit([Change("Patient", first[0], None, 1)])
    assert [*first, *(id for page in turning for id in page)] == [row.id for row in whole.rows]


@pytest.mark.parametrize("change", ["gone", "later"])
@pytest.mark.parametrize("row", [0, 1])
def test_a_row_that_changes_while_a_page_is_read_takes_no_other_with_it(people, repository, monkeypatch, row, change):
    def run(*cursor):
        return search.run(repository.database, search.parse("Patient", [("_sort", "birthdate"), ("_count", "2"), *cursor]))

    whole = search.run(repository.database, search.parse("Patient", [("_sort", "birthdate")]))
    ids = [each.id for each in whole.rows]
    in_order, raw = order.in_order, None if change == "gone" else {"resourceType": "Patient", "birthDate": "2020"}

    def then_changed(places, sort):
        found = in_order(places, sort)
        repository.commit([Change("Patient", found[row][1], raw, 1)])
        return found

    monkeypatch.setattr(order, "in_order", then_changed)
    first = run()
    monkeypatch.undo()
    assert first.total in (None, len(ids))
    assert first.cursor
    rows, cursor = [*first.rows], first.cursor
    while cursor:
        page = run(("_cursor", cursor))
        rows, cursor = [*rows, *page.rows], page.cursor
    assert [each.id for each in rows if each.id != ids[row]] == [id for id in ids if id != ids[row]]


def test_a_cursor_of_another_order_is_refused(people, repository):
    page = search.run(repository.database, search.parse("Patient", [("_sort", "family"), ("_count", "2")]))
    with pytest.raises(Invalid):
        search.parse("Patient", [("_sort", "-family"), ("_cursor", page.cursor)])


def test_other_kinds_of_values_are_sorted_too(save, find):
    save("Observation", a={"valueQuantity": {"value": 9}}, b={"valueQuantity": {"value": 10}}, c={"subject": {"reference": "Patient/1"}})
    assert find("Observation", ("_sort", "-value-quantity")) == ["b", "a", "c"]
    assert find("Observation", ("_sort", "subject")) == ["c", "a", "b"]


@pytest.fixture
def tree(save):
    save(
        "Location",
        top={"name": "Kanarifugl"},
        **{f"l{n}": {"partOf": {"reference": f"Location/{'l' + str(n - 1) if n else 'top'}"}} for n in range(4)},
    )
    save("Organization", org={"name": "Kanarifugl"})
    save("Practitioner", gp={"name": [{"family": "Kanarifugl"}]})
    save(
        "Patient",
        p={"generalPractitioner": [{"reference": "Practitioner/gp"}], "managingOrganization": {"reference": "Organization/org"}},
        q={"link": [{"other": {"reference": "Patient/p"}, "type": "seealso"}]},
    )
    save("Questionnaire", form={"url": "http://x.example/form", "status": "active"})
    save(
        "Observation",
        o={"subject": {"reference": "Patient/p"}, "performer": [{"reference": "Practitioner/gp"}, {"reference": "Patient/none"}]},
    )
    save("QuestionnaireResponse", r={"questionnaire": "http://x.example/form|2", "subject": {"reference": "Patient/p"}})


@pytest.mark.parametrize(
    ("type", "id", "includes", "expected"),
    [
        ("Observation", "o", [("_include", "Observation:subject")], ["Patient/p"]),
        ("Observation", "o", [("_include", "*")], ["Patient/p", "Practitioner/gp"]),
        ("Observation", "o", [("_include", "Observation:*")], ["Patient/p", "Practitioner/gp"]),
        (
            "Observation",
            "o",
            [("_include", "Observation:subject"), ("_include:iterate", "Patient:organization")],
            ["Organization/org", "Patient/p"],
        ),
        ("Observation", "o", [("_include:iterate", "Patient:organization")], []),
        ("Location", "l3", [("_include", "Location:partof")], ["Location/l2"]),
        ("Location", "l3", [("_include:iterate", "Location:partof")], ["Location/l0", "Location/l1", "Location/l2", "Location/top"]),
        ("Location", "top", [("_revinclude:iterate", "Location:partof")], ["Location/l0", "Location/l1", "Location/l2", "Location/l3"]),
        ("Patient", "p", [("_revinclude", "Observation:subject")], ["Observation/o"]),
        ("Patient", "p", [("_revinclude", "*")], ["Observation/o", "Patient/q", "QuestionnaireResponse/r"]),
        ("Patient", "p", [("_revinclude", "Observation:performer")], []),
        (
            "Patient",
            "p",
            [("_revinclude", "Observation:patient"), ("_include:iterate", "Observation:performer:Practitioner")],
            ["Observation/o", "Practitioner/gp"],
        ),
        ("QuestionnaireResponse", "r", [("_include", "QuestionnaireResponse:questionnaire")], ["Questionnaire/form"]),
    ],
)
def test_includes_bring_what_they_name_and_iterate_where_they_say_so(tree, repository, type, id, includes, expected):
    result = search.run(repository.database, search.parse(type, [("_id", id), *includes]))
    assert sorted(f"{row.type}/{row.id}" for row in result.included) == expected
    assert not result.cut


def test_it_is_said_where_more_would_be_included_than_is_told(save, repository):
    save("Patient", p={"active": True})
    body = {"resourceType": "Flag", "status": "active", "subject": {"reference": "Patient/p"}}
    repository.commit([Change("Flag", f"f{number}", body, 0) for number in range(1001)])
    result = search.run(repository.database, search.parse("Patient", [("_revinclude", "Flag:subject")]))
    assert (len(result.included), result.cut) == (1000, True)

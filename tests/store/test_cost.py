"""What a search would look at one by one, and when that is too much."""

import pytest

from adapter.errors import TooCostly
from adapter.store import search
from adapter.store.cost import INCLUDES_AT_MOST, Costs, joined, looked_through
from adapter.store.documents import Change
from adapter.store.query import JOINS_AT_MOST
from adapter.store.repository import Repository


def query(text):
    type, _, asked = text.partition("?")
    return search.parse(type, [pair.split("=", 1) for pair in asked.split("&")] if asked else [])


@pytest.mark.parametrize(
    "text",
    [
        "Patient",
        "Patient?_id=a",
        "Patient?identifier=a",
        "Patient?name=river",
        "Patient?name:exact=River",
        "Patient?birthdate=1994-05-17",
        "Patient?_lastUpdated=ge2025",
        "Patient?_sort=-_lastUpdated",
        "Patient?_sort=_id",
        "Patient?_summary=count",
        "Patient?_total=accurate",
        "Patient?_has:Observation:subject:code=1",
        "Patient?_list=a",
        "CarePlan?status=active",
        "CarePlan?status=active&category=assess-plan",
        "CarePlan?status:not=active",
        "CarePlan?subject=Patient/1&date=ge2025&_sort=date&_total=accurate",
        "CarePlan?subject:Patient.name=river",
        "Observation?code=1&value-quantity=gt5",
        "Observation?code:below=http://x|1",
        "Observation?code:not=1",
        "Observation?code:not-in=http://x",
        "Encounter?patient=1&date=ge2025",
        "Observation?component-code-value-quantity=1$gt5,2$gt5&status=final",
    ],
)
def test_an_index_leads_to_what_is_asked_or_a_page_is_soon_full(text):
    assert looked_through(query(text)) == ()


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Patient?name:contains=iver", ("name",)),
        ("Patient?name=river,alma", ("name",)),
        ("Patient?family:missing=true", ("family",)),
        ("Patient?gender=female&_total=accurate", ("gender",)),
        ("Patient?gender=female&_summary=count", ("gender",)),
        ("Patient?gender=female&_sort=birthdate", ("gender", "_sort")),
        ("Patient?_sort=family", ("_sort",)),
        ("Patient?_sort=_lastUpdated,_id", ("_sort",)),
        ("Patient?_lastUpdated=2024,2025", ("_lastUpdated",)),
        ("Patient?birthdate=ge1990&gender=female", ("birthdate",)),
        ("Encounter?date=ge2025", ("date",)),
        ("Observation?value-quantity=gt5", ("value-quantity",)),
        ("Observation?code:text=weight", ("code",)),
        ("CarePlan?status:in=http://x&_total=accurate", ("status",)),
        ("Observation?code:not=1&_total=accurate", ("code",)),
        ("Observation?code:not-in=http://x&_sort=date", ("code", "_sort")),
        ("CarePlan?category:text=assess", ("category",)),
        ("CarePlan?_tag:missing=true", ("_tag",)),
        ("CarePlan?_profile:below=http://x", ("_profile",)),
    ],
)
def test_what_has_no_index_is_looked_for_everywhere(text, names):
    assert looked_through(query(text)) == names


def test_all_that_a_chain_finds_is_read_so_a_common_value_is_too_much_there():
    whole = query("CarePlan?subject:Patient.gender=female")
    [inner] = joined(whole)
    assert looked_through(whole) == ()
    assert looked_through(inner) == ()
    assert looked_through(inner, whole=True) == ("gender",)


@pytest.fixture
def people(database):
    repository = Repository(database)
    raws = [{"resourceType": "Patient", "id": f"p{number}", "gender": "female", "birthDate": "1990"} for number in range(4)]
    repository.commit([Change("Patient", raw["id"], raw, 0) for raw in raws])
    repository.commit([Change("Flag", "f", {"resourceType": "Flag", "id": "f"}, 0)])
    return repository


def test_it_is_refused_where_there_are_more_than_may_be_looked_at_and_the_refusal_says_what_to_add(people):
    for most in (0, 4, 100):
        Costs(people.database, most).check(query("Patient?name:contains=Kanarifugl"))
    with pytest.raises(TooCostly) as refused:
        Costs(people.database, 3).check(query("Patient?name:contains=Kanarifugl"))
    assert "name would look at each" in refused.value.text
    assert "identifier" in refused.value.text
    assert "Kanarifugl" not in refused.value.text
    assert refused.value.expression == ("name",)
    Costs(people.database, 3).check(query("Flag?date=ge2025"))


def test_a_range_of_the_last_update_is_as_much_as_it_holds(people):
    costs = Costs(people.database, 3)
    with pytest.raises(TooCostly):
        costs.check(query("Patient?birthdate=ge1980&_lastUpdated=ge1900"))
    costs.check(query("Patient?birthdate=ge1980&_lastUpdated=lt2000"))


def test_what_is_joined_is_judged_by_itself(people):
    costs = Costs(people.database, 3)
    for text in (
        "Flag?subject:Patient.gender=female",
        "Flag?subject:Patient.name:contains=x",
        "Patient?_has:Flag:subject:subject:Patient.gender=female",
    ):
        with pytest.raises(TooCostly):
            costs.check(query(text))
    costs.check(query("Flag?subject:Patient.birthdate=1990-01-01"))


def test_how_many_there_are_is_asked_again_after_a_minute(people):
    now = [0.0]
    costs = Costs(people.database, 4, now=lambda: now[0])
    costs.check(query("Patient?birthdate=ge1980"))
    people.commit([Change("Patient", "p4", {"resourceType": "Patient", "id": "p4"}, 0)])
    costs.check(query("Patient?birthdate=ge1980"))
    now[0] += 61
    with pytest.raises(TooCostly):
        costs.check(query("Patient?birthdate=ge1980"))


def test_too_many_includes_joins_and_sorts_are_refused_however_small_the_store_is(people):
    costs = Costs(people.database)
    include, has, sorts = "_include=Flag:subject", "_has:Flag:subject:date=2025", ["_id", "-_lastUpdated"]
    costs.check(query("Flag?" + "&".join([include] * INCLUDES_AT_MOST)))
    costs.check(query("Patient?" + "&".join([has] * JOINS_AT_MOST)))
    costs.check(query("Patient?_sort=" + ",".join(sorts * 5)))
    for text in (
        "Flag?" + "&".join([include] * (INCLUDES_AT_MOST + 1)),
        "Patient?" + "&".join([has] * (JOINS_AT_MOST + 1)),
        "Patient?_sort=" + ",".join(sorts * 6),
    ):
        with pytest.raises(TooCostly):
            costs.check(query(text))


def test_what_untyped_chains_ask_is_counted_before_anything_is_asked(people):
    # The worst of six steps that the table of parameters has: 977 queries.
    worst = "MedicationStatement?part-of.part-of.part-of.part-of.part-of.performer._id=x"
    with pytest.raises(TooCostly, match="name the types"):
        Costs(people.database).check(query(worst))
    Costs(people.database).check(query("MedicationStatement?part-of:Procedure.part-of:Procedure.performer:Practitioner._id=x"))
    type, _, chain = worst.partition("?")
    search.parse(type, [chain.split("=")] * JOINS_AT_MOST)
    with pytest.raises(TooCostly):
        search.parse(type, [chain.split("=")] * (JOINS_AT_MOST + 1))

"""What a transaction makes is found by the same conditions as what is stored."""

import pytest

from adapter.clock import utc_now
from adapter.errors import Invalid
from adapter.fhir.resource import dumps, parse
from adapter.store import search
from adapter.store.documents import Change
from adapter.store.matching import candidate, matches
from adapter.store.repository import Repository

OBSERVATION = {
    "resourceType": "Observation",
    "status": "final",
    "identifier": [{"system": "https://lab.example/id", "value": "7"}, {"value": "8"}],
    "code": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}], "text": "Kanarifugl"},
    "subject": {"reference": "Patient/p"},
    "effectiveDateTime": "2025-04",
    "valueQuantity": {"value": 71.5, "unit": "kg", "system": "http://unitsofmeasure.org", "code": "kg"},
}
PERSON = {"resourceType": "Patient", "name": [{"family": "Kanarifugl", "given": ["Ána"]}], "birthDate": "1994-05-02", "active": True}


@pytest.mark.parametrize(
    ("raw", "criteria"),
    [
        (OBSERVATION, criteria)
        for criteria in (
            "identifier=https://lab.example/id|7",
            "identifier=|8",
            "identifier=https://lab.example/id|9",
            "code=29463-7&status=final,amended",
            "code:not=29463-7",
            "status=amended",
            "subject=Patient/p&date=2025",
            "patient=q",
            "date=ge2025-04-15",
            "date=lt2025-04-01",
            "date=2025-04&date=gt2025-01",
            "value-quantity=71.5",
            "value-quantity=gt80",
            "code-value-quantity=http://loinc.org|29463-7$lt72",
            "method:missing=true",
            "_id=x",
            "_id=y",
            "_lastUpdated=ge2020",
            "_lastUpdated=lt2020",
        )
    ]
    + [
        (PERSON, criteria)
        for criteria in (
            "family=kanar",
            "given=ana",
            "given:exact=ana",
            "given:exact=Ána",
            "name:contains=rifu",
            "birthdate=1994-05",
            "birthdate=ne1994-05-02",
            "active=true",
            "family=other,kanarifugl&given=b",
        )
    ],
)
def test_a_filter_says_the_same_of_what_is_stored_and_of_what_is_not_yet(database, raw, criteria):
    repository = Repository(database)
    query = search.parse(raw["resourceType"], [part.split("=", 1) for part in criteria.split("&")])
    repository.commit([Change(raw["resourceType"], "x", raw, 0)])
    stored = [row.id for row in search.run(repository.database, query).rows]
    assert matches(query.filter, candidate("x", parse(dumps(raw)), utc_now())) is (stored == ["x"])


def test_a_filter_that_only_the_database_can_judge_is_refused():
    for query in ({"$where": "1"}, {"fhir.deleted": {"$not": {"$near": [1, 2]}}, "_id": {"$mod": [2, 1], "$exists": True}}):
        with pytest.raises(Invalid):
            matches(query, candidate("x", PERSON, utc_now()))

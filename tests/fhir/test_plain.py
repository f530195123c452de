"""What is plainly valid is valid: a yes is never said of what the full check refuses."""

import random
from decimal import Decimal
from typing import Any

import pytest

from adapter.errors import Invalid
from adapter.fhir.plain import is_plain
from adapter.fhir.resource import check_structure, copy, parse
from tests.mapping.data import synthea

# Each replaces or joins some value of a real resource.
STRANGE: tuple[Any, ...] = (
    *(None, "", " ", "a  b", " a", "a ", "a\n", "é", "Kanarifugl", "<div", "<div>Kanarifugl</div>", "urn:oid:1.2", "http://", "ftp://x/y"),
    *("https://x.example/y?z", "2024", "0000", "2024-13", "2024-02-30", "2024-02-29", "2023-02-29", "2024-01-01T10:00:00", "24:00"),
    *("2024-01-01T10:00:00Z", "2024-01-01T24:00:00Z", "2024-01-01T10:00:60Z", "2024-01-01T10:00:00.123456789Z"),
    *(
        "2024-01-01T10:00:00+14:00",
        "2024-02-30T10:00:00Z",
        "2024-01-01 10:00:00Z",
        "AAAA",
        "AAA",
        "AA==",
        "٢٠٢٤",
        "x" * 65,
        "a/b",
        "true",
        "1",
    ),
    *(0, 1, -1, 2**31, -(2**31), 2**40, True, False, Decimal("1.50"), Decimal("1E+30"), Decimal("0.00"), Decimal("-1")),
    *([], {}, [None], [[]], [{}], ["x"], [{"resourceType": "Patient"}], {"x": 1}, {"extension": []}, {"value": "x"}),
    *({"url": "x", "valueCode": "y"}, {"reference": "Patient/1"}, {"resourceType": "Patient"}, {"coding": [{"code": "x"}]}),
    *({"start": "2024"}, {"id": ""}, {"id": "x y"}),
)
NAMES = (
    *(
        "id",
        "url",
        "extension",
        "_id",
        "_status",
        "valueString",
        "valueBoolean",
        "valueQuantity",
        "contained",
        "text",
        "middleName",
        "code",
    ),
)


@pytest.fixture(scope="module")
def resources() -> list[dict[str, Any]]:
    return [parse(text) for text in synthea()]


def accepted(raw: dict[str, Any]) -> bool:
    try:
        check_structure(raw)
    except Invalid:
        return False
    return True


def places(value: Any) -> list[Any]:
    """Every object and list in a value."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    own = [value] if isinstance(value, dict | list) and value else []
    return own + [place for each in inner for place in places(each)]


def mutated(raw: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """The resource with one thing changed at a random place of it."""
    body = copy(raw)
    place = chance.choice(places(body))
    keys = list(place) if isinstance(place, dict) else list(range(len(place)))
    key = chance.choice(keys)
    match chance.randrange(4):
        case 0:
            del place[key]
        case 1 if isinstance(place, dict):
            place[chance.choice(NAMES)] = chance.choice(STRANGE)
        case 2:
            place[key] = [place[key]] if not isinstance(place[key], list) else place[key][0]
        case _:
            place[key] = chance.choice(STRANGE)
    return body


def test_nearly_all_of_what_is_usual_is_plain_and_valid(resources):
    plain = [raw for raw in resources if is_plain(raw)]
    assert len(plain) > 0.95 * len(resources)
    assert all(map(accepted, plain[::10]))


def test_what_is_plain_after_a_random_change_is_valid_too(resources):
    chance = random.Random(20251122)
    verdicts: dict[tuple[bool, bool], int] = {}
    for _ in range(6000):
        raw = mutated(chance.choice(resources), chance)
        verdict = is_plain(raw), accepted(raw)
        assert verdict != (True, False), raw
        verdicts[verdict] = verdicts.get(verdict, 0) + 1
    assert min(verdicts[True, True], verdicts[False, False]) > 1000, verdicts


@pytest.mark.parametrize(
    "raw",
    [
        {"resourceType": "Patient", "birthDate": "2023-02-29"},
        {"resourceType": "Patient", "deceasedBoolean": True, "deceasedDateTime": "2024"},
        {"resourceType": "Observation", "code": {"text": "x"}},
        {"resourceType": "Patient", "name": {"family": "Kanarifugl"}},
        {"resourceType": "Patient", "kanarifugl": "x"},
        {"resourceType": "Patient", "contained": [{"resourceType": "Observation"}]},
        {"resourceType": "Kanarifugl"},
        {"resourceType": 1},
    ],
)
def test_what_is_wrong_is_not_plain(raw):
    assert not is_plain(raw)

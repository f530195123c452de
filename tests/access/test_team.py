"""Who works where, by PractitionerRoles."""

from datetime import UTC, datetime

import pytest

from adapter.access.team import organisations, people

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
BOSS = "Practitioner/boss"


def role(person: str = "boss", place: str = "north", **more: object) -> dict[str, object]:
    named = {"practitioner": {"reference": f"Practitioner/{person}"}, "organization": {"reference": f"Organization/{place}"}}
    return {"resourceType": "PractitionerRole", **named, **more}


def test_a_team_is_who_works_where_the_leader_works():
    roles = [role(), role(place="south"), role("dana"), role("sam", "south"), role("eve", "east")]
    places = organisations(roles, BOSS, NOW)
    assert places == {"Organization/north", "Organization/south"}
    assert people(roles, places, NOW) == {BOSS, "Practitioner/dana", "Practitioner/sam"}
    assert people(roles, frozenset(), NOW) == frozenset()


@pytest.mark.parametrize(
    ("more", "counts"),
    [
        ({}, True),
        ({"active": True, "period": {"start": "2026-05-01"}}, True),
        ({"period": {"end": "2026-05-01"}}, True),
        ({"active": False}, False),
        ({"active": "true"}, False),
        ({"period": {"end": "2026-04-30"}}, False),
        ({"period": {"start": "2026-05-02"}}, False),
        ({"period": {"start": "soon"}}, False),
        ({"period": {"start": "2026-04-01", "end": "soon"}}, False),
        ({"period": {"start": "soon", "end": "2026-05-02"}}, False),
        ({"period": {"start": "2026-04-01", "end": "2026-04-30T23:59:60Z"}}, False),
        ({"period": {"start": "2026-04-01", "end": "2026-05-01T23:59:60Z"}}, True),
        ({"period": {}}, False),
        ({"period": None}, False),
        ({"organization": {"display": "north"}}, False),
        ({"organization": "Organization/north"}, False),
        ({"practitioner": {"reference": "PractitionerRole/boss"}}, False),
        ({"practitioner": {"reference": "https://elsewhere.example/Practitioner/boss"}}, False),
    ],
)
def test_a_role_counts_while_it_is_held(more, counts):
    found = [role(**more)]
    assert bool(organisations(found, BOSS, NOW)) is counts
    assert (BOSS in people(found, frozenset(("Organization/north",)), NOW)) is counts

"""Whatever the world, a packet holds what the plain rule of tests/access lets the reader see of a member's plans and of what they lead to,
and a privacy officer's account has the rest, by the rule that withholds it.
"""

from collections import Counter
from unittest.mock import patch

from adapter.errors import NotApplicable
from adapter.packet.packet import Asked, packet
from tests.access import rule, worlds
from tests.access.doors import packets
from tests.access.stage import Stage, Told, policies

SEED, MANY = 26, 100_000
EACH = 3
# What the plain rule tells apart.
KINDS = {
    "consent": "consent",
    "no-consent": "consent",
    "sensitive": "sensitive",
    "type": "type",
    "category": "category",
    "beyond-withheld": "beyond",
}


def test_a_packet_and_the_account_in_full_are_those_of_the_plain_rule(database, tmp_path):
    with policies(tmp_path):
        stage = Stage(database, tmp_path / "exports", _chosen())
        for number in stage.worlds:
            for person in worlds.PEOPLE:
                _compare(stage.told(number), person)


def _chosen() -> dict[int, worlds.World]:
    """The first worlds in which something is withheld by each rule: chance alone makes few of some."""
    chosen: dict[int, worlds.World] = {}
    found: Counter[str] = Counter()
    for number in range(MANY):
        world = _planned(worlds.world(SEED, number))
        described = Told(None, world, "")  # type: ignore[arg-type] - nothing is asked of it
        kinds = {kind for person in worlds.PEOPLE for kind, _ in _withheld(described, person)}
        if any(found[kind] < EACH for kind in kinds):
            chosen[number] = world
            found.update(kinds)
        if all(found[kind] >= EACH for kind in KINDS.values()):
            return chosen
    raise AssertionError(f"There are not so many such worlds: {dict(found)}")


def _planned(world: worlds.World) -> worlds.World:
    """The world in which everybody has a plan that leads to everything of everybody."""
    things = [item["id"] for item in world["items"] if item["type"] in worlds.THINGS]
    plain = {"secrets": [], "labelled": False, "codes": [], "day": worlds.TODAY, "category": False}

    def item(type: str, id: str, person: str, links: list[str], end: int) -> worlds.Item:
        state = {**plain, "patients": [person], "time": [worlds.TODAY, end]}
        return {"type": type, "id": f"{id}-{person}", "links": links, "case": None, "deleted": False, "states": [state]}

    plans = [item("CarePlan", "plan", person, [f"all-{person}"], worlds.TODAY) for person in worlds.PEOPLE]
    leading = [item("Condition", "all", person, things, worlds.EVER[1]) for person in worlds.PEOPLE]
    return {**world, "items": [*world["items"], *plans, *leading]}


def _compare(told: Told, person: str) -> None:
    try:
        made = packet(told.stage.repository, told.sight(), Asked(told.lead + person), in_full=True)
    except NotApplicable:
        assert f"Patient/{person}" not in told.seen
        return
    names = {f"{row.type}/{row.id.removeprefix(told.lead)}" for row in made.rows}
    assert {name for name in names if packets.compared(told, name)} == packets.held(told, person, told.seen.keys())
    types = {item["type"] for item in told.items.values()} - {"Group"}
    counted: Counter[tuple[str, str]] = Counter()
    for each, count in made.withheld.items():
        if each.rule in KINDS and each.type in types:
            counted[KINDS[each.rule], each.type] += count or 0
    assert counted == _withheld(told, person)


def _withheld(told: Told, person: str) -> Counter[tuple[str, str]]:
    """By kind and type, what a packet would hold if the reader saw everything, and does not."""
    if f"Patient/{person}" not in told.seen:
        return Counter()
    there = {name for name, item in told.items.items() if not item["deleted"]}
    left = packets.held(told, person, there) - packets.held(told, person, told.seen.keys())
    return Counter((_kind(told, name), name.partition("/")[0]) for name in left)


def _kind(told: Told, name: str) -> str:
    """By which rule an item of the member's is withheld."""
    item, types = told.items[name], told.policy["types"]
    view = types.get(item["type"], types.get("*"))
    if view is None:
        return "type"
    if view.get("category") and not item["states"][-1]["category"]:
        return "category"
    if name in told.seen:
        return "beyond"
    with patch.dict(worlds.POLICIES, {"open": {**told.policy, "sensitive": ["*"]}}):
        return "sensitive" if rule.sees_state({**told.world, "policy": "open"}, item, -1) else "consent"

"""What a Subscription of the reader's tells: of versions and deletions what a read tells, and by criteria what a search finds."""

from random import Random

from adapter.audit.event import Asker
from adapter.store.notifications import DELETE, Notification
from adapter.store.subscriptions import Row, due
from adapter.sync.subscriptions.owners import Standing
from adapter.sync.subscriptions.owners import Told as Answer
from adapter.sync.subscriptions.owners import told as notified

from ..criteria import TYPES, criterion, matching
from ..stage import NOON, Told

_OFTEN = 1 / 3


def ask(told: Told, chance: Random) -> None:
    """In one world in three, some criteria, most of types of which something is withheld; some versions of some items; deletions."""
    if chance.random() > _OFTEN:
        return
    partly = [type for type, view in told.policy["types"].items() if "withheld" in view] + [*told.policy.get("by_characteristic", ())]
    for type in (*chance.sample(TYPES, 2), *(partly * 3)):
        _by_criteria(told, type, chance)
    for name in chance.sample([*told.items], min(4, len(told.items))):
        states = len(told.items[name]["states"])
        versions = {chance.randint(1, states), states + told.items[name]["deleted"]}
        for version in sorted(versions):
            _of_version(told, name, version, deleted=version > states)


def _by_criteria(told: Told, type: str, chance: Random) -> None:
    """As if all of a type were written now."""
    asked = criterion(told, type, chance)
    row = Row("reader", "reader/1", f"{type}?{asked}", told=True, owner={"name": "reader", "role_name": told.world["policy"]})
    names = [*told.items, *(f"Provenance/{each['id']}" for each in told.world["told"])]
    ids = [told.local(name).partition("/")[2] for name in names if name.startswith(f"{type}/")]
    there = [stored for stored in told.stage.repository.find_many(type, ids).values() if not stored.deleted]
    found = {f"{one.type}/{one.id.removeprefix(told.lead)}" for one in due([row], [(None, stored) for stored in there]) if _told(told, one)}
    told.same(matching(told, type, asked), found, f"a Subscription to {row.criteria}")


def _of_version(told: Told, name: str, version: int, *, deleted: bool) -> None:
    type, _, id = told.local(name).partition("/")
    found = _told(told, Notification("reader/1", type, id, version, NOON, DELETE if deleted else "update"))
    told.same((name, version) in told.versions, found is not None, f"a notification of {name}/{version}")
    if found:
        text = "" if deleted else told.get(f"{type}/{id}/_history/{version}").text
        told.same(text, found.text, f"the notification of {name}/{version}")


def _told(told: Told, one: Notification) -> Answer | None:
    return notified(told.stage.repository, Standing(Asker(), told.sight()), one)

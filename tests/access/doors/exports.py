"""`$export` of everything, of people and of a Group, written by the job as ever, and read as its reader does; of one world in fifteen."""

import json
from random import Random
from typing import Any

from adapter.store.repository import Repository
from adapter.sync.exporting.exports import TASK
from adapter.sync.exporting.turns import task
from adapter.sync.workers import jobs

from .. import rule
from ..criteria import TYPES
from ..stage import BASE, NOBODYS, Told

_OFTEN = 1 / 15
_ASYNC = {"prefer": "respond-async"}
_SINCE = "2025-04-22T00:00:00Z"


def ask(told: Told, chance: Random) -> None:
    """One of its levels. For whom the glass was broken is not exported."""
    if chance.random() > _OFTEN:
        return
    world = {**told.world, "glass": None}
    seen, versions = rule.seen(world), rule.versions(world)
    groups = [name for name in told.items if name.startswith("Group/")]
    level = chance.choice(["", "", "Patient", *groups])
    if not level:
        types = chance.sample(TYPES, 4)
        path = f"$export?_since={_SINCE}&_type={','.join(types)}"
        found, deleted = _exported(told, path)
        told.same({name for name in seen if name.startswith((*types,))}, found, path)
        gone = {name for name, item in told.items.items() if (name, len(item["states"]) + 1) in versions and item["type"] in types}
        told.same(gone, deleted, f"{path} deleted")
        return
    path = f"{told.local(level) if '/' in level else level}/$export"
    if level in told.items and level not in seen:
        gone = (level, len(told.items[level]["states"]) + 1) in versions
        told.same(410 if gone else 404, told.get(path, **_ASYNC).status, path)
        return
    found, _ = _exported(told, path)
    told.same(set(), found - seen.keys(), path)
    members = {name for name in seen if name.startswith("Patient/")}
    if level in told.items:
        members &= {f"Patient/{each}" for each in seen[level]["patients"]}
    own = {name for name in seen if name in told.items and f"Patient/{seen[name]['patients'][0]}" in members}
    told.same(set(), {name for name in own - found if not name.startswith(("Group/", "Task/"))}, f"{path} lacks")


def _exported(told: Told, path: str) -> tuple[set[str], set[str]]:
    """The names of what the files have, each once, and of what they say was deleted."""
    begun = told.get(path, **_ASYNC)
    told.same(202, begun.status, path)
    stage, location = told.stage, begun.location or ""
    jobs.perform(task(stage.exported), Repository(stage.repository.database, stage.clock), f"{TASK}:{location.rpartition('/')[2]}")
    manifest = told.get(location).body
    found, deleted = ([raw for file in manifest[kind] for raw in _lines(told, file["url"])] for kind in ("output", "deleted"))
    names = [told.name_of(raw) for raw in found]
    told.same(len({*names}), len(names), f"{path}, each once")
    told.same(202, told.send("DELETE", location).status, f"DELETE {location}")
    urls = (raw["entry"][0]["request"]["url"].partition("/") for raw in deleted)
    return {name for name in names if not name.startswith(NOBODYS)}, {f"{type}/{id.removeprefix(told.lead)}" for type, _, id in urls}


def _lines(told: Told, url: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in told.get(url.removeprefix(f"{BASE}/")).text.splitlines()]

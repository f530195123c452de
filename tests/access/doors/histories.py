"""The past: of a resource, of a type and of everything, in pages."""

from random import Random

from ..criteria import TYPES
from ..stage import BASE, NOBODYS, Told


def ask(told: Told, chance: Random) -> None:
    """The past of some types, of some items, and now and then of everything."""
    ours = told.versions
    for type in chance.sample(TYPES, 2):
        expected = {(name, version) for name, version in ours if name.startswith(f"{type}/")}
        path = f"{type}/_history?_count={chance.choice((1, 2, 50))}"
        told.same(expected, _listed(told, path), path)
    if chance.random() < 0.05:
        path = f"_history?_count={chance.choice((10, 500))}"
        told.same(ours, _listed(told, path), path)
    for name in chance.sample([*told.items], 2):
        _of_one(told, name, chance)


def _of_one(told: Told, name: str, chance: Random) -> None:
    item = told.items[name]
    newest = len(item["states"]) + item["deleted"]
    own = {(name, version) for other, version in told.versions if other == name}
    path = f"{told.local(name)}/_history"
    if (name, newest) not in told.versions:
        told.same(404, told.get(path).status, path)
        return
    told.same(own, _listed(told, f"{path}?_count={chance.choice((1, 50))}"), path)
    told.same(len(own), told.page("GET", path)["total"], f"{path} total")
    since = chance.choice(("2020-01-01", "2025-04-22T23:00:00Z"))
    listed = _listed(told, f"{path}?_since={since}")
    told.same(own if since == "2020-01-01" else set(), listed, f"{path}?_since={since}")


def _listed(told: Told, path: str) -> set[tuple[str, int]]:
    entries = [entry for page in told.pages(path) for entry in page.get("entry", ())]
    found = []
    for each in entries:
        type, id = each["fullUrl"].removeprefix(f"{BASE}/").split("/")[:2]
        found.append((f"{type}/{id.removeprefix(told.lead)}", int(each["response"]["etag"].strip('W/"'))))
    told.same(len({*found}), len(found), f"{path}, each listed once")
    return {each for each in found if not each[0].startswith(NOBODYS)}

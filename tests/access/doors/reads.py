"""Read and version read, one by one, in a batch and in a transaction, with conditions on what was read before."""

from random import Random

from ..stage import Told

_NOT_THERE, _GONE = 404, 410


def ask(told: Told, chance: Random) -> None:
    """Some items, some of their versions, and perhaps what there is not."""
    expected = {told.local(name): status(told, name) for name in told.items}
    expected |= {told.local(f"Provenance/{each['id']}"): status(told, f"Provenance/{each['id']}") for each in told.world["told"]}
    for name, item in told.items.items():
        for version in range(1, len(item["states"]) + 2):
            expected[f"{told.local(name)}/_history/{version}"] = _version_status(told, name, version)
    expected["CarePlan/none"] = _NOT_THERE
    paths = chance.sample([*expected], len(expected))
    way = chance.choice(("GET", "batch", "transaction"))
    if way == "GET":
        paths = paths[:8]
        found = {path: told.get(path).status for path in paths}
    else:
        paths = paths[:24]
        found = {path: status for path, (status, _) in zip(paths, told.batch(paths, way), strict=True)}
    for path in paths:
        told.same(expected[path], found[path], f"{way} {path}")
    _conditional(told, chance)


def status(told: Told, name: str) -> int:
    """What a read of it is answered with."""
    if name in told.seen:
        return 200
    item = told.items.get(name)
    return _GONE if item and (name, len(item["states"]) + 1) in told.versions else _NOT_THERE


def _version_status(told: Told, name: str, version: int) -> int:
    if (name, version) not in told.versions:
        return _NOT_THERE
    return _GONE if version > len(told.items[name]["states"]) else 200


def _conditional(told: Told, chance: Random) -> None:
    """Whoever names the version that they have of what they may not see is told nothing of it."""
    for name in chance.sample([*told.items], 2):
        version = len(told.items[name]["states"])
        expected = 304 if name in told.seen else status(told, name)
        headers = chance.choice(({"if_none_match": f'W/"{version}"'}, {"if_modified_since": "Tue, 22 Apr 2025 23:00:00 GMT"}))
        told.same(expected, told.get(told.local(name), **headers).status, f"GET {name} {headers}")

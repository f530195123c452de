"""Conditional writes and writes by id as oracles: they answer to what is not seen as to what is not there, and change nothing of it.

What they write is in the world from then on, so this door is the last that is asked.
"""

import json
from collections.abc import Iterator
from random import Random
from typing import Any

from .. import resources, rule, worlds
from ..criteria import CODE, Criterion, matching, refers, withheld
from ..stage import Told

_FORBIDDEN = 403


def ask(told: Told, chance: Random) -> None:
    """Each of them, on a type of care; of every other world."""
    if chance.random() < 0.5:
        return
    before = _unseen(told)
    for each in worlds.CARE:
        _several(told, each, chance)
    type = chance.choice(worlds.CARE)
    there = [name for name in told.items if name.startswith(f"{type}/")]
    models = [name for name in there if name in told.seen]
    for name in there:
        _by_id(told, type, name)
    if models and there:
        model, target = chance.choice(models), chance.choice(there)
        _reference(told, type, model, target)
        _create(told, type, model, target)
        _update(told, type, model, target)
    if there:
        _delete(told, type, chance.choice(there))
    told.same(before, _unseen(told), "what is not seen, after writes")


def _unseen(told: Told) -> dict[str, int]:
    """The version of what the reader does not see."""
    names = told.items.keys() - told.seen.keys()
    found = {name: told.stage.repository.find(*told.local(name).split("/")) for name in names}
    return {name: stored.version for name, stored in found.items() if stored}


def _may_write(told: Told, type: str) -> bool:
    writes = told.policy.get("writes", ())
    return (type in writes or "*" in writes) and not withheld(told, type, "performer")


def _is_looked_at(told: Told, name: str) -> bool:
    """Whether what is seen is of somebody who is seen for a broken glass alone."""
    owners = rule.owners_of(name.partition("/")[0], told.seen[name])
    return any(rule.only_by_glass(told.world, owner) for owner in owners)


def _copy(told: Told, name: str) -> dict[str, Any]:
    """A new resource that says what one that is seen says, but for its identifier."""
    item = told.items[name]
    raw = resources.resource(told.world, {**item, "links": [], "case": None}, len(item["states"]) - 1, told.lead)
    return {**raw, "identifier": [{"system": resources.SYSTEM, "value": f"{told.lead}copy"}]}


def _may_create(told: Told, type: str, name: str) -> bool:
    """Whether the copy may be made: it must be seen, and a consent about single resources is not about it."""
    fits = rule.sees_state(told.world, {**told.items[name], "id": "copy"}, -1)
    return fits and _may_write(told, type) and not _is_looked_at(told, name)


def _condition(told: Told, name: str) -> str:
    return f"identifier={resources.SYSTEM}|{told.lead}{name.partition('/')[2]}"


def _by_id(told: Told, type: str, name: str) -> None:
    """A write to what is not seen is answered like one to what is not there, whatever it says."""
    if name in told.seen or (name, len(told.items[name]["states"]) + 1) in told.versions:
        return
    id, text = told.local(name).partition("/")[2], json.dumps([{"op": "test", "path": "/status", "value": "x"}]).encode()
    raw = {"resourceType": type, **({"status": "active", "intent": "plan"} if type == "CarePlan" else {})}
    raw = {**_copy(told, name), **raw}
    for method, body, headers in (
        ("PUT", raw, {}),
        ("PUT", raw, {"if_match": 'W/"1"'}),
        ("PATCH", text, {"content_type": "application/json-patch+json"}),
        ("DELETE", None, {}),
    ):
        ours, none = (_told(told, method, type, each, body, headers) for each in (id, f"{told.lead}none"))
        told.same(none, ours, f"{method} {name} {headers}")


def _told(told: Told, method: str, type: str, id: str, body: Any, headers: dict[str, str]) -> tuple[int, str]:
    # A model that is not seen would be told by its own mark.
    given = {**body, "id": id, "meta": {}} if isinstance(body, dict) else body
    answer = told.send(method, f"{type}/{id}", given, **headers)
    return answer.status, answer.text


def _reference(told: Told, type: str, model: str, target: str) -> None:
    """A reference that searches finds what is seen, and nothing else."""
    raw = {**_copy(told, model), "extension": [{"url": "urn:x", "valueReference": {"reference": f"{type}?{_condition(told, target)}"}}]}
    # The second entry is of nobody, so nothing of it is ever written.
    nobody = {"resourceType": "Goal", "lifecycleStatus": "active", "description": {"text": "Kanarifugl"}, "subject": {"display": "nobody"}}
    entries = [{"resource": each, "request": {"method": "POST", "url": each["resourceType"]}} for each in (raw, nobody)]
    answer = told.post("", {"resourceType": "Bundle", "type": "transaction", "entry": entries})
    told.same(_FORBIDDEN if target in told.seen else 404, answer.status, f"a reference to {target}")


def _shared(told: Told, type: str, chance: Random) -> Iterator[Criterion]:
    """What several items can have in common: a code, and whom they are about."""
    code = chance.choice(worlds.CODES)
    yield Criterion(CODE[type], f"{resources.CODED}|{code}", lambda name: code in told.seen[name]["codes"])
    whose = chance.choice([name for name in told.items if name.startswith("Patient/")])
    yield Criterion("subject", told.local(whose), lambda name: whose in refers(told, name, "subject"))


def _several(told: Told, type: str, chance: Random) -> None:
    """A condition that can fit several, of which some are not seen, is answered by those that are seen. What would write is not asked."""
    models = [name for name in told.items if name in matching(told, type)]
    for condition in _shared(told, type, chance) if models else ():
        raw, fitting, path = _copy(told, chance.choice(models)), len(matching(told, type, condition)), f"{type}?{condition}"
        if fitting != 1:
            told.same(412 if fitting else 204, told.send("DELETE", path).status, f"a conditional delete of {path}")
        if fitting:
            answer = told.post(type, raw, if_none_exist=str(condition))
            told.same(200 if fitting == 1 else 412, answer.status, f"a conditional create but for {path}")
        if fitting > 1:
            told.same(412, told.send("PUT", path, raw).status, f"a conditional update of {path}")


def _create(told: Told, type: str, model: str, target: str) -> None:
    answer = told.post(type, _copy(told, model), if_none_exist=_condition(told, target))
    expected = 200 if target in told.seen else 201 if _may_create(told, type, model) else _FORBIDDEN
    told.same(expected, answer.status, f"a conditional create but for {target}")


def _update(told: Told, type: str, model: str, target: str) -> None:
    answer = told.send("PUT", f"{type}?{_condition(told, target)}", _copy(told, model))
    fits = rule.sees_state(told.world, {**told.items[model], "id": target.partition("/")[2]}, -1)
    over = fits and _may_write(told, type) and not _is_looked_at(told, model) and target in told.seen and not _is_looked_at(told, target)
    allowed = over if target in told.seen else _may_create(told, type, model)
    expected = (200 if target in told.seen else 201) if allowed else _FORBIDDEN
    told.same(expected, answer.status, f"a conditional update of {target}")


def _delete(told: Told, type: str, target: str) -> None:
    answer = told.send("DELETE", f"{type}?{_condition(told, target)}")
    forbidden = target in told.seen and (not _may_write(told, type) or _is_looked_at(told, target))
    told.same(_FORBIDDEN if forbidden else 204, answer.status, f"a conditional delete of {target}")

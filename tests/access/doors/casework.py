"""The case API, as who works on cases asks it: records, their past, lists in pages, and every view of the table of routes.

What a view computes is compared with what it is in a world in which there is only what the reader sees. A write to what is not seen is
answered like one to what is not there.
"""

import json
import re
from random import Random
from typing import Any

from adapter.casework.listing import filters
from adapter.casework.measures import definitions
from adapter.casework.worklist import LISTS
from server.api import schemas
from server.api.paths import path_of
from server.api.routes import COLLECTION, Route, routes

from .. import worlds
from ..rule import owners_of
from ..stage import Answered, Told
from ..worlds import State
from .reads import status

CONCEPTS = {
    **{"Appointment": "appointment", "CarePlan": "plan", "CareTeam": "care_team", "Condition": "condition", "Consent": "consent"},
    **{"Coverage": "coverage", "Encounter": "encounter", "EpisodeOfCare": "case", "Goal": "goal", "Group": "target_group"},
    **{"Observation": "measurement", "Patient": "client", "Task": "task"},
}
"""By type, the concept of what worlds have of it; a List is no record."""
_TYPES = {concept: type for type, concept in CONCEPTS.items()}
_NOT_THERE = 404
_ENDED = ("cancelled", "finished")
# Of no patient, but for the glass, which is asked for by who broke it.
_APART = ("broken-glass", "credentials", "directory", "instrument", "instruments", "measures")


def ask(told: Told, chance: Random) -> None:
    """Some of each."""
    if not told.world["worked"]:
        return
    _record(told, chance.choice([name for name in told.items if name.partition("/")[0] in CONCEPTS]))
    _list(told, chance.choice([*CONCEPTS]), chance)
    who = chance.choice(worlds.STAFF)
    for many in (_caseload, _worklist, _measure):
        many(told, who)
    for route in chance.choices(_VIEWS, k=2):
        _view(told, route, chance)
    _write(told, chance.choice(_WRITES), chance)


_VIEWS = [
    route
    for route in routes()
    if route.method == "GET" and route.name not in (*COLLECTION, *_APART) and route.concept in (*_TYPES, "outcome")
]
_WRITES = [route for route in routes() if route.method != "GET" and route.concept in _TYPES and not route.path.startswith("/glass")]


def _record(told: Told, name: str) -> None:
    """By id, and its versions."""
    path = _path(told, name)
    found, past = told.work("GET", path), told.work("GET", f"{path}/history")
    told.same(status(told, name), found.status, path)
    newest = len(told.items[name]["states"]) + told.items[name]["deleted"]
    if (name, newest) not in told.versions:
        for answer, of in ((found, path), (past, f"{path}/history")):
            _as_none(told, name, answer, told.work("GET", of.replace(_id(told, name), "none")), of)
        return
    numbers = [version["meta"]["version"] for version in past.body["items"]]
    told.same({version for other, version in told.versions if other == name}, {*numbers}, f"{path}/history")
    told.as_alone(path, found)


def _as_none(told: Told, name: str, answer: Answered, none: Answered, asked: str) -> None:
    told.same((none.status, none.text), (answer.status, answer.text.replace(_id(told, name), "none")), asked)


def _list(told: Told, type: str, chance: Random) -> None:
    """Each once on all the pages, of a client or a case, or all."""
    wanted, concept = {name for name in told.seen if name.startswith(f"{type}/")}, CONCEPTS[type]
    ways = {"client": f"Patient/{chance.choice(worlds.PEOPLE)}", "updated_since": "2025-04-22"}
    cases = [each for each in told.items if each.startswith("EpisodeOfCare/")]
    ways |= {"case": chance.choice(cases)} if cases else {}
    by = chance.choice(["", "updated_since", *sorted({*filters(concept)} & {"case", "client"} & ways.keys())])
    query = f"&{by}={told.local(ways[by]) if by in ('case', 'client') else ways[by]}" if by else ""
    if by == "client":
        wanted = {name for name in wanted if client(told, name) == ways[by]}
    if by == "case":
        there = {*told.seen[ways[by]]["patients"]} if ways[by] in told.seen else set()
        wanted = {name for name in wanted if told.items[name]["case"] == ways[by].partition("/")[2] and there & _people(told, name)}
    path, cursor, found = f"api/{path_of(concept)}?limit={chance.choice((2, 200))}{query}", "", list[str]()
    while cursor is not None:
        page = told.work("GET", f"{path}{cursor}").body
        found += [f"{type}/{each['id'].removeprefix(told.lead)}" for each in page["items"]]
        cursor = f"&cursor={page['cursor']}" if "cursor" in page else None
    told.same(len({*found}), len(found), f"{path}, each once")
    told.same(wanted, {*found}, path)


def client(told: Told, name: str) -> str | None:
    """Whom a record is of: nobody, where it is of several."""
    type, patients = name.partition("/")[0], told.seen[name]["patients"]
    return None if type == "Group" or (type == "Appointment" and len(patients) > 1) else f"Patient/{patients[0]}"


def _people(told: Told, name: str) -> set[str]:
    """Whom a record is about, of which a case of any of them may have it."""
    return owners_of(name.partition("/")[0], told.seen[name])


def _caseload(told: Told, who: str) -> None:
    """The open cases of somebody."""
    path = f"api/case-managers/{told.lead}{who}/caseload"
    wanted = {told.local(name) for name, case in _seen(told, "EpisodeOfCare") if case["manager"] == who and case["status"] not in _ENDED}
    told.same(wanted, {row["case"] for row in told.work("GET", path).body["items"]}, path)


def _worklist(told: Told, who: str) -> None:
    """The tasks of somebody, all of which are urgent."""
    path = f"api/worklists/urgent?case_manager=Practitioner/{told.lead}{who}"
    rows = told.work("GET", path).body["items"]
    wanted = {told.local(name) for name, task in _seen(told, "Task") if task["owner"] == who}
    told.same(wanted, {row["reference"] for row in rows if row["what"] == "task"}, path)


def _measure(told: Told, who: str) -> None:
    """How many cases somebody has that are counted: all were open in April."""
    path = "api/measures/utilisation?start=2025-04-01&end=2025-04-30&by=manager"
    [visits] = [group for group in told.work("GET", path).body["groups"] if group["group"] == "emergency-visits"]
    cases = [case for _, case in _seen(told, "EpisodeOfCare")]
    by = visits["strata"].get(f"Practitioner/{told.lead}{who}", {"initial": 0})["initial"]
    told.same((len(cases), sum(case["manager"] == who for case in cases)), (visits["initial"], by), f"{path} of {who}")


def _seen(told: Told, type: str) -> list[tuple[str, State]]:
    return [(name, state) for name, state in told.seen.items() if name.startswith(f"{type}/")]


def _view(told: Told, route: Route, chance: Random) -> None:
    """Any other route that reads, about something of the world or what there is not."""
    names = [name for name in told.items if name.startswith(f"{_TYPES.get(route.concept)}/")]
    there = [name for name in names if name in told.seen]
    instances = {"outcome": chance.choice([*definitions()])}
    id = _id(told, chance.choice(there if there and chance.random() < 0.7 else names)) if names else "none"
    places = {"<id>": instances.get(route.concept, id), "<kind>": chance.choice([*LISTS])}
    path = re.sub("<[a-z]+>", lambda place: places[place[0]], f"api{route.path}")
    if query := _QUERIES.get(route.name, lambda *_: "")(told, chance):
        path = f"{path}?{query}"
    told.as_alone(path, told.work("GET", path))


_QUERIES: dict[str, Any] = {
    "measure": lambda told, chance: f"start=2025-01-01&end=2025-12-31&members=true&by={chance.choice(('manager', 'month'))}",
    "proposal": lambda *_: "instrument=charlson",
    "trace": lambda told, chance: f"element={told.local(chance.choice([*told.items]))}",
    "worklist": lambda told, chance: f"case_manager=Practitioner/{told.lead}{chance.choice(worlds.STAFF)}",
}


def _write(told: Told, route: Route, chance: Random) -> None:
    """To what is not seen, or a new one about what is not seen, with a body that is taken."""
    hidden = [name for name in told.items if status(told, name) == _NOT_THERE]
    about = "Patient" if route.name == "create" else _TYPES[route.concept]
    names = [name for name in hidden if name.startswith(f"{about}/")]
    if not names or (route.name, route.concept) == ("create", "client"):
        return
    name = chance.choice(names)
    case = chance.choice([each for each in hidden if each.startswith("EpisodeOfCare/")] or ["EpisodeOfCare/none"])
    body = json.dumps(schemas.example(route.body)) if route.body else "null"
    for each, stands in {"Practitioner/1": f"Practitioner/{told.lead}noor", "EpisodeOfCare/1": told.local(case)}.items():
        body = body.replace(f'"{each}"', f'"{stands}"')
    body = body.replace('"Patient/1"', f'"{told.local(name if about == "Patient" else f"Patient/{chance.choice(worlds.PEOPLE)}")}"')
    headers = {"if_match": f'W/"{len(told.items[name]["states"])}"'} if route.name in COLLECTION else {}
    asked = (f"api{route.path}".replace("<id>", _id(told, name)), body)
    ours, none = (
        told.work(route.method, path, json.loads(sent), **headers)
        for path, sent in (asked, [each.replace(_id(told, name), "none").replace(_id(told, case), "none") for each in asked])
    )
    text = ours.text.replace(_id(told, name), "none").replace(_id(told, case), "none")
    told.same((none.status, none.text), (ours.status, text), f"{route.method} {asked[0]}")


def _path(told: Told, name: str) -> str:
    return f"api/{path_of(CONCEPTS[name.partition('/')[0]])}/{_id(told, name)}"


def _id(told: Told, name: str) -> str:
    return told.local(name).partition("/")[2]

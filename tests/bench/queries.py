"""What both servers are asked: for each query many requests, with ids, codes and names that are in the data, chosen by a fixed chance."""

import json
import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from adapter.fhir.resource import Raw
from tests.bench.wrk import Ask

MOST = 300
"""Requests of a query at most."""
PAGE = 20
"""How many matches a page has where nothing else is said: HAPI's own default."""
EVERYTHING_PAGE = 1000
"""So that a patient's record comes in one answer where it is not larger."""
_SEED = 4
_DAY = len("2020-01-01")


@dataclass(frozen=True)
class Query:
    """Requests of one kind, and the goal: how many times HAPI's rate ours is to be."""

    name: str
    shape: str
    goal: float
    asks: tuple[Ask, ...]

    @property
    def writes(self) -> bool:
        return self.asks[0].method == "POST"


def queries(resources: Sequence[Raw]) -> list[Query]:
    """All queries, on these resources; those that write come last. Raises ValueError where the data have nothing for one."""
    by_type = defaultdict(list)
    for raw in resources:
        by_type[raw["resourceType"]].append(raw)
    made = []
    for name, (shape, goal, asks) in _QUERIES.items():
        # In an order of their own first, so that the choice does not hang on the order of the resources.
        found = sorted(set(asks(by_type)), key=lambda ask: (ask.path, ask.body or ""))
        if not found:
            raise ValueError(f"the data have nothing for {name}")
        made.append(Query(name, shape, goal, tuple(random.Random(_SEED).sample(found, min(MOST, len(found))))))
    return made


_ByType = dict[str, list[Raw]]


def _reads(by_type: _ByType) -> Iterator[Ask]:
    return (Ask(f"{type}/{raw['id']}") for type, raws in by_type.items() for raw in raws)


def _care_plans(by_type: _ByType) -> Iterator[Ask]:
    return (_search("CarePlan", patient=_patient(raw), status=raw["status"]) for raw in by_type["CarePlan"])


def _care_plans_with(by_type: _ByType) -> Iterator[Ask]:
    plans = "&_include=CarePlan:care-team&_include=CarePlan:condition"
    return (Ask(ask.path + plans) for ask in _care_plans(by_type))


def _observations(by_type: _ByType) -> Iterator[Ask]:
    for raw in by_type["Observation"]:
        if "effectiveDateTime" in raw:
            since = f"ge{raw['effectiveDateTime'][:_DAY]}"
            yield _search("Observation", patient=_patient(raw), code=_token(raw), date=since)


def _conditions(by_type: _ByType) -> Iterator[Ask]:
    return (_search("Condition", code=_token(raw)) for raw in by_type["Condition"])


def _families(by_type: _ByType) -> Iterator[Ask]:
    return (_search("Patient", family=raw["name"][0]["family"]) for raw in by_type["Patient"])


def _patients_having(by_type: _ByType) -> Iterator[Ask]:
    return (_search("Patient", **{"_has:Condition:patient:code": _token(raw)}) for raw in by_type["Condition"])


def _encounters(by_type: _ByType) -> Iterator[Ask]:
    return iter([Ask("Encounter?_count=100")] if by_type["Encounter"] else [])


def _everything(by_type: _ByType) -> Iterator[Ask]:
    return (Ask(f"Patient/{raw['id']}/$everything?_count={EVERYTHING_PAGE}") for raw in by_type["Patient"])


def _creates(by_type: _ByType) -> Iterator[Ask]:
    """A patient and an observation in turn, as small as they come."""
    for number, raw in enumerate(by_type["Patient"]):
        name = [{"family": "Kanarifugl", "given": [f"Bench {number}"]}]
        born = f"19{number % 100:02}-04-22"
        patient = {"resourceType": "Patient", "active": True, "name": name, "gender": "other", "birthDate": born}
        observation = {
            "resourceType": "Observation",
            "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4", "display": "Heart rate"}]},
            "subject": {"reference": f"Patient/{raw['id']}"},
            "effectiveDateTime": "2025-04-22T09:00:00-04:00",
            "valueQuantity": {"value": 60 + number % 40, "unit": "/min", "system": "http://unitsofmeasure.org", "code": "/min"},
        }
        yield from (Ask(type, "POST", json.dumps(body)) for type, body in (("Patient", patient), ("Observation", observation)))


def _search(type: str, **params: str) -> Ask:
    return Ask(f"{type}?{urlencode({**params, '_count': PAGE}, safe=':/')}")


def _patient(raw: Raw) -> str:
    return str(raw["subject"]["reference"])


def _token(raw: Raw) -> str:
    coding = raw["code"]["coding"][0]
    return f"{coding['system']}|{coding['code']}"


_QUERIES: dict[str, tuple[str, float, Callable[[_ByType], Iterator[Ask]]]] = {
    "read": ("GET by id, of any type", 1, _reads),
    "plans": ("CarePlan?patient=…&status=…", 1.5, _care_plans),
    "includes": ("the same, with its care teams and conditions", 3, _care_plans_with),
    "observations": ("Observation?patient=…&code=…&date=ge…", 1.5, _observations),
    "conditions": ("Condition?code=…", 1.5, _conditions),
    "family": ("Patient?family=…", 1.5, _families),
    "has": ("Patient?_has:Condition:patient:code=…", 3, _patients_having),
    "page": ("Encounter?_count=100", 3, _encounters),
    "everything": (f"Patient/…/$everything?_count={EVERYTHING_PAGE}", 3, _everything),
    "create": ("POST of a small Patient or Observation", 1, _creates),
}
NAMES = tuple(_QUERIES)

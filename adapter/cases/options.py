"""The choices that a client has, compared: what each costs, and which of the plan's goals it leaves open (DOMAIN C-06). Pure functions."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from adapter.cases.record import Fields


@dataclass(frozen=True)
class Compared:
    """One choice. `cost` is its estimated cost, None where that is not known; `unmet` are the goals it leaves open."""

    id: str
    title: str
    cost: Fields | None
    unmet: tuple[str, ...]
    necessary: bool
    """Whether each of its services was found to be medically necessary."""


def compared(objectives: Sequence[str], options: Iterable[Fields], services: Mapping[str, Fields]) -> list[Compared]:
    """The options, the cheapest first, those of unknown cost last.

    `objectives` are the goals that each is measured against; an option has `id`, `title`, `services`, and perhaps `estimated_cost`, which
    else is the sum over its services. `services` are the fields of all of them, by reference.
    """
    return sorted((_compared(objectives, option, services) for option in options), key=_by_cost)


def _compared(objectives: Sequence[str], option: Fields, services: Mapping[str, Fields]) -> Compared:
    parts = [services[reference] for reference in option.get("services", []) if reference in services]
    met = {goal for part in parts for goal in part.get("goals", [])}
    needed = [part.get("medical_necessity", {}).get("determination") for part in parts]
    return Compared(
        option["id"],
        option["title"],
        option.get("estimated_cost") or _sum([part.get("estimated_cost") for part in parts]),
        tuple(goal for goal in objectives if goal not in met),
        bool(needed) and all(word == "necessary" for word in needed),
    )


def _sum(costs: Sequence[Fields | None]) -> Fields | None:
    known = [cost for cost in costs if cost]
    currencies = {cost["currency"] for cost in known}
    if len(known) < len(costs) or len(currencies) != 1:
        return None
    return {"value": sum((Decimal(cost["value"]) for cost in known), Decimal()), "currency": currencies.pop()}


def _by_cost(option: Compared) -> tuple[bool, str, Decimal]:
    cost = option.cost or {}
    return option.cost is None, cost.get("currency", ""), Decimal(cost.get("value", 0))

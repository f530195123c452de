"""A case in brief: three lenses, clinical, advocacy, financial (C-13), and what the client prefers (C-21)."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

from adapter.cases.record import Fields
from adapter.casework.facts import Records
from adapter.casework.timeline import Item, item

NONE = "none recorded"

_Seen = Callable[[Fields], bool]


def _every(_: Fields) -> bool:
    return True


def _of_money(fields: Fields) -> bool:
    return fields.get("kind") in ("financial", "financial_planning")


def _of_health(fields: Fields) -> bool:
    return not _of_money(fields)


# What each lens shows of the records of a case.
_LENSES: dict[str, dict[str, _Seen]] = {
    "clinical": {"condition": _every, "goal": _of_health, "risk_evaluation": _every, "assessment": _every, "outcome": _every},
    "advocacy": {"advocacy": _every, "barrier": _every, "consent": _every, "education": _every},
    "financial": {"coverage": _every, "authorisation": _every, "goal": _of_money, "planned_service": _of_money},
}


@dataclass(frozen=True)
class Lens:
    """What a lens shows; `note` says so where that is nothing."""

    items: list[Item]
    costs: dict[str, list[Fields]] = field(default_factory=dict)
    """Of the financial lens: amounts, one for each currency; `estimated` of the planned services, and of the outcome what it has."""

    @property
    def note(self) -> str | None:
        return None if self.items or self.costs else NONE


def lenses(records: Records) -> dict[str, Lens]:
    """The records of a case through each lens, by its name."""
    found = {name: Lens(list(_items(records, shown))) for name, shown in _LENSES.items()}
    found["financial"] = Lens(found["financial"].items, _costs(records))
    return found


def _items(records: Records, shown: dict[str, _Seen]) -> list[Item]:
    return [
        item(concept, reference, fields)
        for concept, seen in shown.items()
        for reference, fields in sorted(records.get(concept, {}).items())
        if seen(fields)
    ]


def _costs(records: Records) -> dict[str, list[Fields]]:
    costs: dict[str, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for service in records.get("planned_service", {}).values():
        if service.get("intent") != "proposal" and "estimated_cost" in service:
            costs["estimated"][service["estimated_cost"]["currency"]] += service["estimated_cost"]["value"]
    for outcome in records.get("outcome", {}).values():
        for name in ("expected", "actual", "saving"):
            if name in outcome.get("cost", {}):
                costs[name][outcome["cost"][name]["currency"]] += outcome["cost"][name]["value"]
    return {name: [{"value": value, "currency": currency} for currency, value in sorted(by.items())] for name, by in costs.items()}


@dataclass(frozen=True)
class Preference:
    """What the client wants of care, as an assessment has it: said by `source`, found at `at`."""

    kind: str
    text: str
    assessment: str
    source: str | None = None
    at: str | None = None


def preferences(records: Records) -> list[Preference]:
    """What the client prefers, the newest assessment first."""
    assessed = sorted(records.get("assessment", {}).items(), key=lambda each: each[1].get("effective_at", ""), reverse=True)
    return [
        Preference(each["kind"], each["text"], reference, each.get("source"), fields.get("effective_at"))
        for reference, fields in assessed
        if fields["status"] != "entered_in_error"
        for each in fields.get("client_preferences", ())
    ]

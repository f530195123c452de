"""What is asked of an insurer about a case's services: complete, or refused with what is missing. Pure functions of `Facts`."""

from collections.abc import Mapping, Sequence

from adapter.cases.facts import Facts, covers
from adapter.cases.insurance import OVER
from adapter.cases.record import Fields
from adapter.errors import NotNow, RuleViolated

# http://terminology.hl7.org/CodeSystem/claim-type, by where the service is done; elsewhere it is a professional's.
_CLAIM_TYPES = "http://terminology.hl7.org/CodeSystem/claim-type"
_INSTITUTIONAL = {"system": _CLAIM_TYPES, "code": "institutional", "display": "Institutional"}
_PROFESSIONAL = {"system": _CLAIM_TYPES, "code": "professional", "display": "Professional"}
_TYPES = dict.fromkeys(("hospital", "rehab", "snf"), _INSTITUTIONAL)
PRIORITIES = {
    code: {"system": "http://terminology.hl7.org/CodeSystem/processpriority", "code": code, "display": display}
    for code, display in (("normal", "Normal"), ("stat", "Immediate"))
}
"""How soon an insurer should answer."""
_PROVIDERS = ("Practitioner/", "PractitionerRole/", "Organization/")
_NEEDED = {
    "coverage": "a coverage that is in force",
    "coverage.payers": "an organisation that is the coverage's payer",
    "code": "the service's code",
    "performers": "who provides the service",
    "medical_necessity": "that the service is medically necessary",
}


def eligibility(services: Sequence[str], facts: Facts, at: str, by: str, coverage: str | None = None) -> Fields:
    """A question what the coverage pays for of these services, and what of it must be authorised: fields of an eligibility request.

    `coverage` is the one to ask about; None is the first by order that is in force. Raises RuleViolated `request_incomplete`, NotNow
    `service_over`.
    """
    known = facts.of("planned_service")
    going = [_going(key, known) for key in services]
    asked, insurer = _insurance(facts, at, coverage)
    _whole({"coverage": asked, "coverage.payers": insurer} if asked else {"coverage": asked})
    items = [
        {"category": {"text": service["kind"]}, **({"code": service["code"]} if "code" in service else {}), "services": [key]}
        for key, service in zip(services, going, strict=True)
    ]
    return {
        **_whose(going[0]),
        "status": "active",
        "purposes": ["auth_requirements", "benefits"],
        "created_at": at,
        "enterer": by,
        "insurer": insurer,
        "coverage": asked,
        "items": items,
    }


def preauthorisation(
    service: str, facts: Facts, at: str, by: str, *, coverage: str | None = None, provider: str | None = None, priority: str = "normal"
) -> Fields:
    """A request to say beforehand that a service is paid for: fields of a preauthorisation of one line.

    `provider` is who provides the service, where not its first performer. Raises as `eligibility` does.
    """
    wanted = _going(service, facts.of("planned_service"))
    asked, insurer = _insurance(facts, at, coverage)
    who = provider or next((each for each in wanted.get("performers", []) if each.startswith(_PROVIDERS)), None)
    necessary = wanted.get("medical_necessity", {}).get("determination") == "necessary"
    given = {"coverage": asked, "code": wanted.get("code"), "performers": who, "medical_necessity": necessary}
    _whole(given | ({"coverage.payers": insurer} if asked else {}))
    timing, cost = wanted.get("timing", {}), wanted.get("estimated_cost")
    line = {
        "sequence": 1,
        "service": service,
        "code": wanted["code"],
        "serviced": {name: timing[name] for name in ("start", "end") if name in timing},
        "quantity": {"value": timing["count"]} if "count" in timing else None,
        "net": cost,
    }
    fields = {
        **_whose(wanted),
        "status": "active",
        "type": _TYPES.get(wanted.get("setting", ""), _PROFESSIONAL),
        "priority": PRIORITIES[priority],
        "created_at": at,
        "enterer": by,
        "provider": who,
        "insurer": insurer,
        "coverage": asked,
        "lines": [{name: value for name, value in line.items() if value}],
        "total": cost,
    }
    return {name: value for name, value in fields.items() if value}


def _going(reference: str, known: Mapping[str, Fields]) -> Fields:
    service = known.get(reference, {})
    if not service or service["status"] in OVER or service["intent"] == "proposal":
        raise NotNow("The service is over, or a mere proposal.", code="service_over", expression=["status"])
    return service


def _insurance(facts: Facts, at: str, wanted: str | None) -> tuple[str | None, str | None]:
    """The coverage to ask about and its insurer, None for what there is not."""
    standing = [
        (each.get("order", 1), key)
        for key, each in facts.of("coverage").items()
        if each["status"] == "active" and covers(each.get("period"), at) and wanted in (None, key)
    ]
    if not standing:
        return None, None
    _, key = min(standing)
    return key, next((payer for payer in facts.of("coverage")[key]["payers"] if payer.startswith("Organization/")), None)


def _whole(given: Fields) -> None:
    missing = [name for name in _NEEDED if name in given and not given[name]]
    if missing:
        told = "; ".join(_NEEDED[name] for name in missing)
        raise RuleViolated(f"The request to the insurer lacks: {told}.", code="request_incomplete", expression=missing)


def _whose(service: Fields) -> Fields:
    return {name: service[name] for name in ("client", "case") if name in service}

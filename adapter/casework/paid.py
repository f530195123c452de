"""What insurers paid for a client's care, by their statements."""

from collections.abc import Iterator

from adapter.cases.facts import day
from adapter.cases.outcomes import total
from adapter.cases.record import Fields
from adapter.fhir.resource import Raw
from adapter.store.filters import KEY
from adapter.store.repository import Repository

_BILLED = "submitted"
"""The category of a total: http://terminology.hl7.org/CodeSystem/adjudication"""


def paid(repository: Repository, case: Fields) -> Fields | None:
    """What the statements about the time of the case come to, as money; None where there are none, or in several currencies."""
    return total(_amounts(repository, case))


def _amounts(repository: Repository, case: Fields) -> Iterator[Fields]:
    """What each says was paid, else billed. http://hl7.org/fhir/R4/explanationofbenefit.html"""
    if "ExplanationOfBenefit" not in repository.types():
        return
    first, last = day(case.get("opened_at", "0001")), day(case.get("closed_at", "9999"))
    for stored in repository.scan("ExplanationOfBenefit", {KEY: case["client"]}):
        raw: Raw = {} if stored.deleted else stored.raw
        when = raw.get("billablePeriod", {}).get("start") or raw.get("created")
        if raw.get("status") != "active" or raw.get("use") != "claim" or not when or not first <= day(when) <= last:
            continue
        billed = [each["amount"] for each in raw.get("total", ()) if _category(each) == _BILLED]
        amount = raw.get("payment", {}).get("amount") or (billed[0] if billed else None)
        if amount and {"value", "currency"} <= amount.keys():
            yield {"value": amount["value"], "currency": amount["currency"]}


def _category(each: Raw) -> str | None:
    return next((coding.get("code") for coding in each.get("category", {}).get("coding", ())), None)

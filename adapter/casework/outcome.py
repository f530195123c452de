"""What came of a case, as far as its record tells: proposed for the review of outcomes, which a person makes."""

from collections.abc import Iterator

from adapter.care.follow_up import policy
from adapter.cases.facts import Facts, day
from adapter.cases.outcomes import computed, total
from adapter.cases.record import Fields
from adapter.casework.facts import records_of
from adapter.casework.records import read
from adapter.clock import Clock, utc_now
from adapter.fhir.resource import Raw
from adapter.store.filters import KEY
from adapter.store.repository import Repository

_BILLED = "submitted"
"""The category of a total: http://terminology.hl7.org/CodeSystem/adjudication"""


def proposed(repository: Repository, id: str, clock: Clock = utc_now) -> Fields:
    """Fields of an outcome record, as of today: readmission (V-15), length of stay, adherence, attainment, cost, emergency visits.

    Only what can be known is there. Raises NotFound, Gone for the case.
    """
    case = read(repository, "case", id)
    facts = Facts(records_of(repository, case.reference, case.fields))
    found = computed(facts, case.reference, clock().date(), policy().readmission_days, total(_paid(repository, case.fields)))
    return {"client": case.fields["client"], "case": case.reference, **found}


def _paid(repository: Repository, case: Fields) -> Iterator[Fields]:
    """What the insurers' statements about the time of the case say was paid, else billed. http://hl7.org/fhir/R4/explanationofbenefit.html"""
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

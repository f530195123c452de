"""Whose a Group is: whom its one characteristic names, such as the insurer whose members it means. http://hl7.org/fhir/R4/group.html"""

from typing import Any

from adapter.fhir.references import split
from adapter.fhir.resource import Raw

MEMBERSHIP = ("contained", "member", "quantity", "text")
"""The elements of a Group that tell who is in it."""
Code = tuple[str, str]
COVERED_BY: Code = ("urn:ietf:rfc:3986", "http://hl7.org/fhir/SearchParameter/Coverage-payor")
"""System and code of the characteristic of those who are covered by an insurer: R4's search parameter for that."""


def addressee(group: Raw) -> str | None:
    """Whom a Group of people is for, as `Type/id`; None for nobody, and where more than that one characteristic says who is in it."""
    only = _characteristic(group)
    reference = (only.get("valueReference") or {}).get("reference")
    found = split(reference) if isinstance(reference, str) else None
    return f"{found[0]}/{found[1]}" if found else None


def payor(group: Raw) -> str | None:
    """The insurer by whom those are covered whom a Group means without naming them; None for any other Group."""
    codings = (_characteristic(group).get("code") or {}).get("coding") or ()
    codes = {(each.get("system"), each.get("code")) for each in codings}
    return addressee(group) if group.get("actual") is False and COVERED_BY in codes else None


def for_one(code: Code, reference: str) -> dict[str, Any]:
    """The characteristic by which a Group is for this one, `Type/id`."""
    system, word = code
    return {"code": {"coding": [{"system": system, "code": word}]}, "valueReference": {"reference": reference}, "exclude": False}


def _characteristic(group: Raw) -> Raw:
    found = [*(group.get("characteristic") or ())]
    alone = group.get("type") == "person" and len(found) == 1 and found[0].get("exclude") is False and "period" not in found[0]
    return found[0] if alone else {}

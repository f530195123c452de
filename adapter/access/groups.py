"""Whose a Group is: whom its one characteristic names, such as the insurer whose members it means. http://hl7.org/fhir/R4/group.html

All Groups are looked at for each who asks for theirs, so one of no right shape, as a remote may send it, is nobody's and names nobody.
"""

from collections.abc import Iterator
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
    reference = _reference(_characteristic(group).get("valueReference"))
    found = split(reference) if reference else None
    return f"{found[0]}/{found[1]}" if found else None


def payor(group: Raw) -> str | None:
    """The insurer by whom those are covered whom a Group means without naming them; None for any other Group."""
    code = _characteristic(group).get("code")
    codings = _items(code.get("coding")) if isinstance(code, dict) else []
    means = any((each.get("system"), each.get("code")) == COVERED_BY for each in codings)
    return addressee(group) if group.get("actual") is False and means else None


def members(group: Raw) -> Iterator[tuple[str, Raw]]:
    """The members that a Group names, each behind the text of its reference."""
    return ((text, member) for member in _items(group.get("member")) if (text := _reference(member.get("entity"))))


def for_one(code: Code, reference: str) -> dict[str, Any]:
    """The characteristic by which a Group is for this one, `Type/id`."""
    system, word = code
    return {"code": {"coding": [{"system": system, "code": word}]}, "valueReference": {"reference": reference}, "exclude": False}


def _characteristic(group: Raw) -> Raw:
    found = group.get("characteristic")
    only = found[0] if isinstance(found, list) and len(found) == 1 and isinstance(found[0], dict) else {}
    return only if group.get("type") == "person" and only.get("exclude") is False and "period" not in only else {}


def _items(value: Any) -> list[Raw]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _reference(value: Any) -> str | None:
    text = value.get("reference") if isinstance(value, dict) else None
    return text if isinstance(text, str) else None

"""What a screening shows, proposed as Conditions, and what becomes of them when the case manager has spoken with the client (C-19).

Nothing is a Condition before a person confirmed it. http://hl7.org/fhir/us/sdoh-clinicalcare/StructureDefinition/SDOHCC-Condition
"""

from dataclasses import dataclass
from uuid import uuid5

from adapter.care.need import CATEGORIES, Need
from adapter.cases.needs import shown
from adapter.errors import RuleViolated
from adapter.mapping.derived import SDOH, answer_ids, namespace
from adapter.mapping.rules import Fields

_CONCERN = {"system": "http://hl7.org/fhir/us/core/CodeSystem/condition-category", "code": "health-concern", "display": "Health Concern"}


@dataclass(frozen=True)
class Finding:
    """A proposed condition: its id once it is kept, its fields, and the linkIds of the answers that show it."""

    id: str
    domain: str
    fields: Fields
    link_ids: tuple[str, ...]


def findings(id: str, type: str, fields: Fields) -> list[Finding]:
    """The unconfirmed conditions that a finished screening or response of this id shows, the same ones each time it is asked.

    Their evidence are the Observations derived from the answers, and the response itself. Raises Invalid for answers out of range.
    """
    if fields.get("status") not in ("completed", "amended") or "client" not in fields:
        return []
    return [
        Finding(
            str(uuid5(namespace(id), f"finding/{each.need.domain}/{each.need.category}")),
            each.need.domain,
            _condition(each.need, fields, [*_observed(id, each.link_ids, fields), f"{type}/{id}"]),
            each.link_ids,
        )
        for each in shown(fields)
    ]


def _observed(id: str, link_ids: tuple[str, ...], fields: Fields) -> list[str]:
    answers = {item["link_id"]: item["values"] for item in fields.get("answers", ())}
    return [f"Observation/{made}" for link_id in link_ids for made in answer_ids(id, link_id, len(answers[link_id]))]


def _condition(need: Need, fields: Fields, evidence: list[str]) -> Fields:
    codes = [{"system": code.system, "code": code.code, "display": code.display} for code in need.codes]
    first, rest = (codes[0], codes[1:]) if codes else ({}, [])
    at = fields.get("completed_at") or fields.get("authored_at")
    return {
        **{name: fields[name] for name in ("client", "case") if name in fields},
        "clinical_status": "active",
        "verification_status": "unconfirmed",
        "categories": [dict(_CONCERN), dict(SDOH), {"system": CATEGORIES, "code": need.category}],
        "code": {**first, "text": need.text, **({"translations": rest} if rest else {})},
        **({"recorded_at": at} if at else {}),
        "evidence": evidence,
    }


def confirmed(condition: Fields, by: str) -> Fields:
    """The condition once the case manager `by` has confirmed it with the client. Raises RuleViolated where it is no proposal any more."""
    return {**_proposed(condition), "verification_status": "confirmed", "asserter": by}


def refuted(condition: Fields, by: str) -> Fields:
    """The condition where the client has no such need, kept so that it is not proposed again. Raises as `confirmed` does."""
    return {**_proposed(condition), "verification_status": "refuted", "asserter": by}


def _proposed(condition: Fields) -> Fields:
    if condition.get("verification_status") != "unconfirmed":
        raise RuleViolated("Only a condition that is not confirmed yet can be.", code="not_proposed", expression=["verification_status"])
    return condition

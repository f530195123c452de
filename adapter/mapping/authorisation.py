"""Authorisation ↔ ClaimResponse of a use other than a claim: http://hl7.org/fhir/R4/claimresponse.html"""

from dataclasses import dataclass
from typing import Any

from adapter.cases.record import Fields
from adapter.config import CS
from adapter.fhir.elements import find, parse_path, set_primitive
from adapter.fhir.resource import Raw
from adapter.mapping.codecs import moment
from adapter.mapping.codes import table
from adapter.mapping.lists import One
from adapter.mapping.rules import ABSENT, Field, Implied, Problem, Ref, coded, period
from adapter.mapping.shapes import OWN_CASE
from adapter.mapping.table import Mapping, ext, ext_code, extension
from adapter.mapping.words import Refined

USE = table("claim-use", "", preauthorisation="preauthorization", eligibility="predetermination")
# R4 has no code for what the insurer decided; "unknown" is an active response without ours.
FM_STATUS = table("fm-status", "cancelled draft entered-in-error", unknown="active")
AUTHORISATION_STATUS = table("authorisation-status", "requested approved denied appealed expired")
DISPOSITION = {
    "requested": "Requested, not decided yet",
    "approved": "Approved",
    "denied": "Denied",
    "appealed": "Denied; an appeal was made",
    "expired": "Expired",
}
_ANSWERED = ("complete", "partial")
_REQUESTED = parse_path(f"{extension('requested-at')}.valueDateTime")


@dataclass(frozen=True)
class Decided(Field):
    """When it was decided: when the response was created, once it has an outcome.

    R4 demands `created` of every response; until there is an outcome it is when the request was made.
    """

    def read(self, node: Raw, report: list[Problem]) -> Any:
        return super().read(node, report) if node.get("outcome") in _ANSWERED else ABSENT

    def write(self, node: Raw, value: Any) -> None:
        requested = find(node, _REQUESTED)
        if value is not ABSENT:
            super().write(node, value)
        elif requested is not None:
            set_primitive(node, self.path, requested)
        if value is ABSENT or node.get("outcome") not in _ANSWERED:
            set_primitive(node, "outcome", "queued" if value is ABSENT else "complete")


@dataclass(frozen=True)
class Requested(Field):
    """When it was asked for; until there is a decision this is when the response was created, too."""

    def write(self, node: Raw, value: Any) -> None:
        super().write(node, value)
        if value is not ABSENT and node.get("outcome") not in _ANSWERED:
            set_primitive(node, "created", value)


def _is_authorisation(raw: Raw) -> bool:
    return raw.get("use") != "claim"


AUTHORISATION = Mapping(
    "authorisation",
    "ClaimResponse",
    (
        Ref("patient", "client"),
        OWN_CASE,
        Ref(f"{extension('authorised-service')}.valueReference", "service"),
        Ref("request", "preauthorisation"),
        One("insurance", "coverage", (Ref("coverage", "value"),), new={"sequence": 1, "focal": True}),
        Ref("insurer", "insurer"),
        Ref("requestor", "requestor"),
        coded("use", "request", USE),
        Refined(coded("status", "status", FM_STATUS), ext_code("authorisation-status", "status", AUTHORISATION_STATUS), over="unknown"),
        Implied("disposition", "status", DISPOSITION.get),
        Field("preAuthRef", "number"),
        period("preAuthPeriod", "validity"),
        Decided("created", "decided_at", moment),
        Requested(f"{extension('requested-at')}.valueDateTime", "requested_at", moment),
        One(
            "adjudication",
            "denial_reason",
            (Field("reason.text", "value"),),
            where=("category.coding.code", "denial-reason"),
            new={"category": {"coding": [{"system": f"{CS}/adjudication", "code": "denial-reason"}]}},
        ),
        ext("appeal", "appeal"),
    ),
    const={"type": {"text": "Authorisation of a planned service"}, "outcome": "queued"},
    when=_is_authorisation,
    owners=dict.fromkeys(("status", "outcome", "disposition", "created", "preAuthRef", "preAuthPeriod", "adjudication"), "theirs"),
)


def answer(raw: Raw) -> Fields:
    """What an insurer's response says in our words, also where it has none of them: its fields, with the status by R4's own elements.

    `requested` is one that is not decided (`queued`, `partial`); `approved` has a number, `denied` says why or grants nothing; `unknown` is
    left to a person, such as one with errors. https://hl7.org/fhir/R4/valueset-remittance-outcome.html
    """
    fields = AUTHORISATION.extract(raw).fields
    if fields.get("status") not in ("unknown", "requested"):
        return fields
    refusals = [each for each in _adjudications(raw) if _refuses(each)]
    number = "preAuthRef" in raw
    decided = {(True, False): "approved", (False, True): "denied"}.get((number, bool(refusals)), "unknown")
    status = {"queued": "requested", "partial": "requested", "complete": decided}.get(raw.get("outcome", ""), "unknown")
    if status != "denied" or "denial_reason" in fields:
        return {**fields, "status": status}
    said = [text for each in refusals if (text := _words(each.get("reason", {})))]
    why = next(iter(said), raw.get("disposition"))
    return {**fields, "status": status} | ({"denial_reason": why} if why else {})


def _adjudications(raw: Raw) -> list[Raw]:
    return [*raw.get("adjudication", ()), *(each for item in raw.get("item", ()) for each in item.get("adjudication", ()))]


def _refuses(adjudication: Raw) -> bool:
    """Whether it is our word for a reason to deny, or a benefit of nothing: http://hl7.org/fhir/R4/valueset-adjudication.html"""
    codes = {coding.get("code") for coding in adjudication.get("category", {}).get("coding", ())}
    return "denial-reason" in codes or ("benefit" in codes and adjudication.get("amount", {}).get("value") == 0)


def _words(concept: Raw) -> str:
    coding: Raw = next(iter(concept.get("coding", ())), {})
    return str(concept.get("text") or coding.get("display") or coding.get("code") or "")


MAPPINGS = (AUTHORISATION,)

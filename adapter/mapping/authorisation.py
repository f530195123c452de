"""Authorisation ↔ ClaimResponse of a use other than a claim: http://hl7.org/fhir/R4/claimresponse.html"""

from dataclasses import dataclass
from typing import Any

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

MAPPINGS = (AUTHORISATION,)

"""The CapabilityStatement, made from the tables that the server works by. http://hl7.org/fhir/R4/capabilitystatement.html

`search_definitions.json` names, by family, parameter and types, those of HL7's SearchParameters whose URL ends in `family-parameter`; that
of all others ends in `Type-parameter` (hl7.fhir.r4.core 4.0.1, CC0).
"""

import json
from collections.abc import Collection, Mapping
from datetime import datetime
from functools import cache
from importlib import resources
from importlib.metadata import PackageNotFoundError, version

from adapter.audit.event import TYPE as AUDIT_EVENT
from adapter.clock import instant
from adapter.errors import Invalid
from adapter.fhir.resource import Raw, dumps
from adapter.fhir.scopes import OAUTH_URIS
from adapter.fhir.structure import is_modelled
from adapter.store.membership import COMPARTMENTS
from adapter.store.search_parameters import COMMON, Parameter, table
from adapter.store.subscriptions import TYPE as SUBSCRIPTION
from server.fhir import headers, patch, subscriptions
from server.fhir.messages import Answer, Request
from server.fhir.operations import registry
from server.fhir.operations.definition import SYSTEM

HL7 = "http://hl7.org/fhir"
_INTERACTIONS = ("read", "vread", "update", "patch", "delete", "history-instance", "history-type", "create", "search-type")
_CHANGING = frozenset({"update", "patch", "delete"})
_CHANGED = {"readHistory": True, "updateCreate": True, "conditionalUpdate": True, "conditionalDelete": "single"}
_BULK_DATA = f"{HL7}/uv/bulkdata/CapabilityStatement/bulk-data"
_SYSTEM_INTERACTIONS = ("transaction", "batch", "history-system", "search-system")
# R4 lets a server ignore which part is asked for. http://hl7.org/fhir/R4/http.html#capabilities
_MODES = (None, "full", "normative", "terminology")
_FORMATS = (headers.FHIR_JSON, "json")
_TITLE = "FHIR R4 server of casebridge"
_DOCUMENTATION = """\
JSON only. Every write may name the version it was made against (If-Match) or ask that there be none yet (If-None-Match: * on an update).
A search parameter that is not known is refused, or left out where the caller prefers `handling=lenient`; searches take GET and POST, and
besides their parameters `_count _elements _include _revinclude _sort _summary _total`. A history takes `_since _at _count`.
Resources come back as they were sent, but for `id`, `meta.versionId` and `meta.lastUpdated`."""
_SECURITY = "Nobody is asked who they are: the server listens on loopback only."
_GATED = "SMART on FHIR: `.well-known/smart-configuration` below the base URL says where tokens are given, and how."
_SMART = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/restful-security-service", "code": "SMART-on-FHIR"}]}
_UNMODELLED = "The structure of this type is not checked, and a FHIRPath Patch of it is refused; a JSON Patch or Merge Patch is not."
_APPEND_ONLY = "An AuditEvent is a part of the account of accesses: it is made, read and searched, and neither changed nor deleted."
_DOCUMENTED = {SUBSCRIPTION: subscriptions.DOCUMENTATION, AUDIT_EVENT: _APPEND_ONLY}
_SYSTEM_PARAMETERS = (
    ("_has", "string", "What another resource refers to: `_has:Type:parameter:parameter=value`, nested too."),
    ("_list", "string", "What the List with this id holds."),
    ("_type", "token", "At the base URL: the types to search, with parameters that all of them have."),
)


def statement(since: datetime, *, cors: bool, integrity: bool, gated: bool = False) -> Raw:
    """What this server can do, as of `since`; the address it answers at is for `read` to add.

    `cors`: whether web pages of other origins may use it; `integrity`: whether references must be to what is there; `gated`: whether
    callers are asked who they are.
    """
    return {
        "resourceType": "CapabilityStatement",
        "version": _version(),
        "name": "Casebridge",
        "title": _TITLE,
        "status": "active",
        "date": instant(since),
        "kind": "instance",
        "instantiates": [_BULK_DATA],
        "software": {"name": "casebridge", "version": _version()},
        "fhirVersion": "4.0.1",
        "format": [*_FORMATS],
        "patchFormat": [*patch.FORMATS],
        "rest": [
            {
                "mode": "server",
                "documentation": _DOCUMENTATION,
                "security": {"cors": cors, **({"service": [_SMART], "description": _GATED} if gated else {"description": _SECURITY})},
                "resource": [_type(type, rows.values(), integrity) for type, rows in table().items()],
                "interaction": [{"code": code} for code in _SYSTEM_INTERACTIONS],
                "operation": registry.claims(SYSTEM),
                "searchParam": [{"name": name, "type": kind, "documentation": text} for name, kind, text in _SYSTEM_PARAMETERS],
                "compartment": [f"{HL7}/CompartmentDefinition/{owner.lower()}" for owner in COMPARTMENTS],
            }
        ],
    }


def read(request: Request, statement: Raw, since: datetime) -> Answer:
    """The statement, made at `since`, with the address the caller uses; 304 where it is known. Raises Invalid for an unknown mode."""
    if request.param("mode") not in _MODES:
        raise Invalid("The mode of metadata is full, normative or terminology; all of them get the whole statement.", expression=["mode"])
    if headers.unchanged(request, Answer(200, updated=since)):
        return Answer(304, updated=since)
    placed = {"url": f"{request.base}/metadata", "implementation": {"description": _TITLE, "url": request.base}}
    rest = [_with_endpoints(each, request.base) for each in statement["rest"]]
    return Answer(200, dumps({**statement, **placed, "rest": rest}), updated=since)


def _with_endpoints(rest: Raw, base: str) -> Raw:
    """Where callers are asked who they are, also where they get tokens: clients of SMART 1 look for it here."""
    security = rest["security"]
    if "service" not in security:
        return rest
    address = base.removesuffix("/fhir")
    endpoints = [{"url": name, "valueUri": f"{address}/oauth/{name}"} for name in ("authorize", "introspect", "revoke", "token")]
    return {**rest, "security": {**security, "extension": [{"url": OAUTH_URIS, "extension": endpoints}]}}


def _version() -> str:
    try:
        return version("casebridge")
    except PackageNotFoundError:
        return "checkout"


@cache
def _families() -> Mapping[tuple[str, str], str]:
    """The family by (type, parameter) of each parameter that is not defined for its type alone."""
    rows = json.loads(resources.files("server.fhir").joinpath("search_definitions.json").read_text("utf-8"))
    return {(type, name): family for family, names in rows.items() for name, types in names.items() for type in types}


def _parameter(type: str, row: Parameter) -> Raw:
    family = "Resource" if row in COMMON else _families().get((type, row.name), type)
    found = {"name": row.name, "definition": f"{HL7}/SearchParameter/{family}-{row.name.removeprefix('_')}", "type": row.fhir_kind}
    return found | ({"documentation": "Compared by its sound."} if row.kind == "phonetic" else {})


def _referring(type: str) -> list[str]:
    """The reference parameters, of all types, that say they may point to this one."""
    return [f"{source}:{row.name}" for source, rows in table().items() for row in rows.values() if type in row.targets]


def _type(type: str, rows: Collection[Parameter], integrity: bool) -> Raw:
    includes = [f"{type}:{row.name}" for row in rows if row.kind == "reference"]
    documentation = _DOCUMENTED.get(type, "" if is_modelled(type) else _UNMODELLED)
    return {
        "type": type,
        "profile": f"{HL7}/StructureDefinition/{type}",
        **({"documentation": documentation} if documentation else {}),
        "interaction": [{"code": code} for code in _INTERACTIONS if type != AUDIT_EVENT or code not in _CHANGING],
        "versioning": "versioned-update",
        "conditionalCreate": True,
        "conditionalRead": "full-support",
        **({} if type == AUDIT_EVENT else _CHANGED),
        "referencePolicy": ["literal", "logical", *(["enforced"] if integrity else [])],
        "searchInclude": ["*", *includes],
        "searchRevInclude": ["*", *_referring(type)],
        "searchParam": [_parameter(type, row) for row in rows],
        # What is asked of every type is listed with each, because `rest.operation` is for what is asked of the server as a whole.
        "operation": [*registry.claims("Resource", writing=type != AUDIT_EVENT), *registry.claims(type)],
    }

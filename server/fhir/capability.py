"""The CapabilityStatement, made from the tables that the server works by. http://hl7.org/fhir/R4/capabilitystatement.html"""

from collections.abc import Iterable
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version

from adapter.clock import instant
from adapter.fhir.resource import Raw
from adapter.store.search_parameters import Parameter, table
from server.fhir import patch
from server.fhir.headers import FHIR_JSON
from server.fhir.operations import registry

_INTERACTIONS = ("read", "vread", "update", "patch", "delete", "history-instance", "history-type", "create", "search-type")
_SYSTEM_INTERACTIONS = ("transaction", "batch", "history-system", "search-system")


def statement(since: datetime) -> Raw:
    """What this server can do, as of `since`; the address it answers at is for the caller to add."""
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": instant(since),
        "kind": "instance",
        "software": {"name": "casebridge", "version": _version()},
        "fhirVersion": "4.0.1",
        "format": [FHIR_JSON, "json"],
        "patchFormat": [*patch.FORMATS],
        "rest": [
            {
                "mode": "server",
                "resource": [_type(type, rows.values()) for type, rows in table().items()],
                "interaction": [{"code": code} for code in _SYSTEM_INTERACTIONS],
            }
        ],
    }


def _version() -> str:
    try:
        return version("casebridge")
    except PackageNotFoundError:
        return "checkout"


def _referring(type: str) -> list[str]:
    """The reference parameters, of all types, that say they may point to this one."""
    return [f"{source}:{row.name}" for source, rows in table().items() for row in rows.values() if type in row.targets]


def _type(type: str, rows: Iterable[Parameter]) -> Raw:
    found: Raw = {
        "type": type,
        "interaction": [{"code": code} for code in _INTERACTIONS],
        "versioning": "versioned-update",
        "readHistory": True,
        "updateCreate": True,
        "conditionalCreate": True,
        "conditionalRead": "full-support",
        "conditionalUpdate": True,
        "conditionalDelete": "single",
        "searchParam": [{"name": row.name, "type": row.fhir_kind} for row in rows],
    }
    includes = [f"{type}:{row.name}" for row in rows if row.kind == "reference"]
    found["searchInclude"] = ["*", *includes]
    found["searchRevInclude"] = ["*", *_referring(type)]
    # What is asked of every type is listed with each, because `rest.operation` is for what is asked of the server as a whole.
    found["operation"] = [*registry.claims("Resource"), *registry.claims(type)]
    return found

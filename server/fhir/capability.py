"""The CapabilityStatement, made from the tables that the server works by. http://hl7.org/fhir/R4/capabilitystatement.html"""

from collections.abc import Iterable
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version

from adapter.clock import instant
from adapter.fhir.resource import Raw
from adapter.store.search_parameters import Parameter, table
from server.fhir.headers import FHIR_JSON

_INTERACTIONS = ("read", "vread", "update", "delete", "history-instance", "history-type", "create", "search-type")
_SYSTEM_INTERACTIONS = ("transaction", "batch", "history-system")


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


def _type(type: str, rows: Iterable[Parameter]) -> Raw:
    found: Raw = {
        "type": type,
        "interaction": [{"code": code} for code in _INTERACTIONS],
        "versioning": "versioned-update",
        "readHistory": True,
        "updateCreate": True,
        "conditionalCreate": True,
        "conditionalRead": "full-support",
        "conditionalUpdate": False,
        "conditionalDelete": "not-supported",
        "searchParam": [{"name": row.name, "type": row.kind} for row in rows],
    }
    includes = [f"{type}:{row.name}" for row in rows if row.kind == "reference"]
    if includes:
        found["searchInclude"] = includes
    return found

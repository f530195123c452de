"""The CapabilityStatement, made from the tables that the server works by. http://hl7.org/fhir/R4/capabilitystatement.html"""

from datetime import datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from adapter.clock import instant
from adapter.fhir.resource import Raw, dumps
from adapter.store.repository import Repository
from adapter.store.search_parameters import Parameter, table
from server.fhir.headers import FHIR_JSON
from server.fhir.messages import Answer, Request

INTERACTIONS = ("read", "vread", "update", "delete", "history-instance", "history-type", "create", "search-type")
SYSTEM_INTERACTIONS = ("transaction", "batch", "history-system")


def metadata(request: Request, repository: Repository) -> Answer:
    """What this server can do."""
    return Answer(200, dumps({**_statement(repository.started), "implementation": {"description": "casebridge", "url": request.base}}))


@cache
def _statement(since: datetime) -> Raw:
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
                "interaction": [{"code": code} for code in SYSTEM_INTERACTIONS],
            }
        ],
    }

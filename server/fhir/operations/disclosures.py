"""`Patient/$disclosures`: the accounting of disclosures of a patient, as a search of the AuditEvents that tell of them. docs/audit.md"""

from dataclasses import replace

from adapter.audit.event import TYPE
from adapter.casework.disclosures import demand
from adapter.store.accounting import asked
from server.fhir import searches
from server.fhir.messages import Answer
from server.fhir.operations.call import Call


def run(call: Call) -> Answer:
    """The first page of the AuditEvents, in order of time; its links lead on. Raises Forbidden for who does not see AuditEvents."""
    demand(call.request.sight)
    params = asked(f"Patient/{call.target}", call.inputs.one("start"), call.inputs.one("end"))
    return searches.of_type(replace(call.request, method="GET", path=TYPE, params=params, body=b""), call.repository, TYPE)

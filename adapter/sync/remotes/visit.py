"""One connection to a remote: what a pull and a push share while they last."""

from dataclasses import dataclass

from adapter.fhir.capability import Capability
from adapter.fhir.client import FhirClient
from adapter.sync.edge import Edge
from adapter.sync.remotes.remote import Remote
from adapter.sync.remotes.strategy import Strategy


@dataclass(frozen=True)
class Visit:
    """A remote, how it is spoken to, and what it can do."""

    remote: Remote
    client: FhirClient
    """Reads pages, in a thread of its own while a pull lasts."""
    single: FhirClient
    """For all else."""
    capability: Capability
    edge: Edge
    strategy: Strategy

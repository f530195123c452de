"""To whom a part of a client's care, or all of it, is given: whether they are there, may be told of the client, and are reached by FHIR."""

from collections.abc import Iterator
from dataclasses import dataclass

from adapter.cases.disclosure import refused
from adapter.cases.record import Fields
from adapter.casework.desk import Desk
from adapter.casework.facts import facts_about
from adapter.errors import Invalid, NotNow, RuleViolated
from adapter.fhir.references import split
from adapter.fhir.resource import Raw
from adapter.store.repository import Repository
from adapter.store.resolving import resolve
from adapter.store.state import State

TYPES = ("Organization", "HealthcareService", "PractitionerRole", "Practitioner")
"""What can be asked."""
_REST = "hl7-fhir-rest"
# By type: the element that says for which organisation they act.
_ACTS_FOR = {"HealthcareService": "providedBy", "PractitionerRole": "organization"}


@dataclass(frozen=True)
class Receiver:
    """Who is asked. `acts_for` is who answers for it: its organisation, or itself where R4 lets it (Provenance.agent.onBehalfOf)."""

    reference: str
    acts_for: str | None
    by_fhir: bool
    """Whether one of its endpoints is a remote of ours, so that a sync brings it the asking and us its answer."""
    active: bool

    @property
    def told(self) -> list[str]:
        """All who are told by telling it."""
        return list(dict.fromkeys(filter(None, (self.reference, self.acts_for))))


def receiver(repository: Repository, reference: str) -> Receiver:
    """Who this is. Raises Invalid for what is not here or cannot be asked."""
    type, _, id = reference.partition("/")
    stored = repository.find(type, id) if type in TYPES else None
    if stored is None or stored.deleted:
        raise Invalid(f"There is no {' or '.join(TYPES)} of this reference.", expression=["to"])
    own = (stored.raw.get(_ACTS_FOR.get(type, "")) or {}).get("reference")
    named = split(own or "")
    # Without the version: consents name none.
    acts_for = "/".join(named[:2]) if named else own or (None if type == "HealthcareService" else reference)
    return Receiver(reference, acts_for, _by_fhir(repository, stored.raw, acts_for), stored.raw.get("active") is not False)


def to_ask(repository: Repository, reference: str) -> Receiver:
    """The same, of who is to be asked for something new. Raises NotNow `receiver_inactive`, too."""
    found = receiver(repository, reference)
    if not found.active:
        raise NotNow("The directory says that it is not active.", code="receiver_inactive", expression=["to"])
    return found


def _by_fhir(repository: Repository, raw: Raw, organization: str | None) -> bool:
    addresses = {*_addresses(repository, raw)}
    if (stored := resolve(repository, organization)) and not stored.deleted:
        addresses |= {*_addresses(repository, stored.raw)}
    return bool(addresses) and any(remote.get("url") in addresses for _, remote in State(repository.whole.database).all("remotes"))


def _addresses(repository: Repository, raw: Raw) -> Iterator[str]:
    """Where its active FHIR endpoints are."""
    for each in raw.get("endpoint", ()):
        type, _, id = str(each.get("reference", "")).partition("/")
        found = repository.find(type, id) if type == "Endpoint" else None
        if found and not found.deleted and found.raw.get("status") == "active" and found.raw["connectionType"].get("code") == _REST:
            yield str(found.raw.get("address", "")).rstrip("/")


def check_told(desk: Desk, about: Fields, to: Receiver) -> None:
    """Raise RuleViolated `consent_missing` where the client, whose record `about` is, has not agreed that they are told (V-16)."""
    facts = facts_about(desk, about.get("case", ""), {"client": about["client"]}, [{"told": to.told}])
    if refused(facts, to.told, desk.now()):
        raise RuleViolated("The client has not agreed that they are told.", code="consent_missing", expression=["to"])

"""The roles of people and of the programs of organisations: how much each may ever be granted, and who works at the console.

Which patients it is about is no part of a role: that follows from caseload, coverage and consent.
"""

from dataclasses import dataclass
from types import MappingProxyType

from adapter.errors import Invalid

_CONTEXTS = ("patient", "system", "user")
_WORDS = ("openid", "fhirUser", "profile", "launch", "launch/patient", "launch/encounter", "offline_access", "online_access")
"""Scopes that are no resource scopes: who the person is, how the app was started, and whether it may go on without them."""

# Whoever reads may ask to be told.
_READING = ("*.rs", "Subscription.cruds")


@dataclass(frozen=True)
class Role:
    """A role and its ceiling: what is granted is never more than this, whatever is registered and asked for."""

    name: str
    resources: tuple[str, ...]
    """Types with letters of SMART's scopes, such as `*.rs`."""
    purpose: str
    """Why it asks, where a client was not registered for another purpose: a code of v3-ActReason."""
    console: bool = False
    """Whether it works on cases, at the console and by the case API."""
    pages: tuple[str, ...] = ()
    """The pages of the console that it sees though it works on no cases; the first is where it begins."""

    @property
    def ceiling(self) -> str:
        """The scopes, in a list with spaces."""
        return " ".join((*(f"{context}/{each}" for context in _CONTEXTS for each in self.resources), *_WORDS))


_ACCOUNT = (*(f"console.disclosures-{page}" for page in ("ask", "find", "show", "csv", "page")), "console.account-show")
ROLES = MappingProxyType(
    {
        role.name: role
        for role in (
            Role("case-manager", ("*.cruds",), "CAREMGT", console=True),
            Role("supervisor", ("*.cruds",), "CAREMGT", console=True),
            Role("clinician", _READING, "TREAT"),
            Role("insurer-reader", _READING, "HPAYMT"),
            Role("new-payer", _READING, "HPAYMT"),
            Role("administrator", ("*.cruds",), "HSYSADMIN", pages=_ACCOUNT),
            Role(
                "auditor",
                ("AuditEvent.rs", "CodeSystem.rs", "Consent.rs", "Provenance.rs"),
                "HCOMPL",
                pages=(*_ACCOUNT, "console.glass-broken"),
            ),
        )
    }
)


def role(name: str) -> Role:
    """The role of that name. Raises Invalid."""
    if name not in ROLES:
        raise Invalid(f"The roles are {', '.join(ROLES)}.")
    return ROLES[name]

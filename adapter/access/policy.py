"""What a role sees: the data in `policies/`, one file for each role, and for each organisation that has one of its own.

A site's own are in `access/` of the folder that CASEBRIDGE_CARE names, whose `policies/` are about care: `<role>.json` in place of ours,
and `<role>.<organisation id>.json` for one organisation.
"""

from collections.abc import Iterable
from functools import cache
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import msgspec

from adapter.access.groups import MEMBERSHIP
from adapter.access.sensitive import categories
from adapter.access.viewer import Viewer
from adapter.config import care_folder
from adapter.errors import Forbidden, Invalid

ANY = "*"
_LONGEST_GLASS = 24 * 60
# Who somebody is and whether they are a supervisor is read from these: they are written only by whose policy names them.
_STANDING = frozenset(("Practitioner", "PractitionerRole"))
# Seen by whom each belongs to, whatever a policy says (adapter/store/sight).
_OWNED = "Subscription"


class View(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What of a type is seen."""

    category: tuple[str, ...] = ()
    """Only what has one of these codes in `category`; empty for all."""
    withheld: tuple[str, ...] = ()
    """Elements that are left out."""


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a role sees."""

    title: str
    ties: tuple[Literal["payor", "manager", "member", "recipient"], ...] = ()
    """How a patient must be tied to them to be seen."""
    everybody: bool = False
    """Whether patients need not be tied to them. Consents are not asked then, and nothing is too sensitive."""
    kind: Literal["payer", "support"] | None = None
    """Which consents are about them that say they are towards one kind only."""
    consent: Literal["opt-in", "opt-out", "not-asked"] = "opt-in"
    """Whether patients must have agreed, must not have objected, or are not asked."""
    sensitive: tuple[str, ...] = ()
    """The sensitive categories that are seen without a consent that names them; `*` for all."""
    open: tuple[str, ...] = ()
    """Types that belong to no patient and are seen whole."""
    types: dict[str, View] = {}
    """What of the types that belong to patients is seen; `*` for all others."""
    by_target: tuple[str, ...] = ()
    """Types that are seen where all that they are about is: Provenance."""
    by_characteristic: tuple[str, ...] = ()
    """Types that are seen by whom their one characteristic names: Group. Of its members those are told who are seen."""
    writes: tuple[str, ...] = ()
    """The types that may be written, as far as they are seen whole; `*` for all but those by which people have their standing."""
    account: Literal["own", "full"] = "own"
    """What a packet tells them of what it withholds: what follows from what they see, or all of it, counted by rule and category."""
    glass: int = 0
    """For how many minutes they may break the glass for a patient who is not tied to them; 0 for never."""

    def view(self, type: str) -> View | None:
        """What of a patient's resources of a type is seen; None for nothing."""
        return self.types.get(type) or self.types.get(ANY)

    def sees(self, type: str) -> bool:
        """Whether anything of a type can be seen."""
        return type in (*self.open, *self.by_target, *self.by_characteristic) or self.view(type) is not None

    def unfindable(self, type: str) -> frozenset[str]:
        """The elements of a type by which nothing is found: what is withheld, and who is in a Group."""
        view = self.view(type)
        return frozenset((*(view.withheld if view else ()), *(MEMBERSHIP if type in self.by_characteristic else ())))

    def may_write(self, type: str) -> bool:
        """Whether resources of the type may be written."""
        view = self.view(type)
        named = type in self.writes or (ANY in self.writes and type not in _STANDING)
        return named and not (view and view.withheld)

    @property
    def audits(self) -> bool:
        """Whether they read the account of accesses, of whomever it tells."""
        return "AuditEvent" in self.open

    @property
    def allowed(self) -> frozenset[str]:
        """The sensitive categories that need no consent."""
        return frozenset(categories()) if ANY in self.sensitive else frozenset(self.sensitive)


# Of these nobody can be the owner; of all other types in `open`, what belongs to a patient would be seen by everybody.
_WITHOUT_PATIENT = frozenset(
    ("ActivityDefinition", "AuditEvent", "CapabilityStatement", "ChargeItemDefinition", "CodeSystem", "CompartmentDefinition", "ConceptMap")
    + ("Endpoint", "EventDefinition", "Evidence", "EvidenceVariable", "ExampleScenario", "GraphDefinition", "HealthcareService")
    + ("ImplementationGuide", "InsurancePlan", "Library", "Location", "Measure", "Medication", "MedicationKnowledge", "MessageDefinition")
    + ("NamingSystem", "ObservationDefinition", "OperationDefinition", "Organization", "OrganizationAffiliation", "PlanDefinition")
    + ("Practitioner", "PractitionerRole", "Provenance", "Questionnaire", "ResearchDefinition", "ResearchElementDefinition")
    + (
        "SearchParameter",
        "SpecimenDefinition",
        "StructureDefinition",
        "StructureMap",
        "Subscription",
        "Substance",
        "TerminologyCapabilities",
    )
    + ("TestReport", "TestScript", "ValueSet")
)


def policy_for(viewer: Viewer) -> Policy:
    """The policy that counts for somebody. Raises Forbidden for a role that has none, Invalid for a file that is none."""
    own = f"{viewer.role}.{viewer.organisation.rpartition('/')[2]}" if viewer.organisation else viewer.role
    found = policies(care_folder())
    policy = found.get(own) or found.get(viewer.role)
    if policy is None:
        raise Forbidden("There is no policy for this role, so it sees nothing.")
    return policy


@cache
def policies(site: Path | None) -> MappingProxyType[str, Policy]:
    """All policies by name, the site's in place of ours. Raises Invalid, naming the file and the path in it."""
    ours = {entry.name: entry.read_bytes() for entry in resources.files("adapter.access").joinpath("policies").iterdir()}
    theirs = {entry.name: entry.read_bytes() for entry in sorted((site / "access").glob("*.json"))} if site else {}
    named = {name: content for name, content in (ours | theirs).items() if name.endswith(".json")}
    return MappingProxyType({name.removesuffix(".json"): _read(name, content) for name, content in named.items()})


def _read(name: str, content: bytes) -> Policy:
    try:
        policy = msgspec.json.decode(content, type=Policy)
    except msgspec.DecodeError as error:
        raise Invalid(f"access/{name}: {error}") from None
    for wrong in _wrong(policy):
        raise Invalid(f"access/{name}: {wrong}")
    return policy


def _wrong(policy: Policy) -> Iterable[str]:
    """What is wrong with a policy."""
    if policy.everybody and (policy.ties or policy.consent != "not-asked" or policy.allowed != categories().keys()):
        yield "who sees everybody has no ties, asks for no consents and sees all that is sensitive"
    if policy.everybody and any(view.category for view in policy.types.values()):
        yield "who sees everybody sees all categories of a type"
    if not 0 <= policy.glass <= _LONGEST_GLASS or (policy.glass and policy.everybody):
        yield f"the glass is broken for at most {_LONGEST_GLASS} minutes, and not by who sees everybody"
    if unknown := set(policy.sensitive) - categories().keys() - {ANY}:
        yield f"there is no sensitive category {min(unknown)}"
    if owned := set(policy.open) - _WITHOUT_PATIENT:
        yield f"{min(owned)} can belong to a patient, so it is listed under types"
    if doubled := set(policy.open) & (policy.types.keys() | set(policy.by_target) | set(policy.by_characteristic)):
        yield f"{min(doubled)} is listed twice"
    if _OWNED in policy.open or _OWNED in policy.types:
        yield f"a {_OWNED} is seen by whom it belongs to, and by nobody else"
    if set(policy.by_target) - {"Provenance"}:
        yield "only a Provenance can be seen by its target"
    if set(policy.by_characteristic) - {"Group"} or set(policy.by_characteristic) & policy.types.keys():
        yield "only a Group can be seen by its characteristic, and is then not listed under types"
    if ANY in policy.types and policy.types[ANY] != View():
        yield "what is withheld, and which categories are seen, is said of a type by its name"

"""What a role sees: the data in `policies/`, one file for each role, and for each organisation that has one of its own.

A site's own are in `policies/` of the folder that CASEBRIDGE_CARE names: `<role>.json` in place of ours, and
`<role>.<organisation id>.json` for one organisation.
"""

from collections.abc import Iterable
from functools import cache
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import msgspec

from adapter.access.sensitive import categories
from adapter.access.viewer import Viewer
from adapter.config import care_folder
from adapter.errors import Forbidden, Invalid

ANY = "*"
# Who somebody is and whether they are a supervisor is read from these: they are written only by whose policy names them.
_STANDING = frozenset(("Practitioner", "PractitionerRole"))


class View(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What of a type is seen."""

    category: tuple[str, ...] = ()
    """Only what has one of these codes in `category`; empty for all."""
    withheld: tuple[str, ...] = ()
    """Elements that are left out."""


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a role sees."""

    title: str
    ties: tuple[Literal["payor", "manager", "member"], ...] = ()
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
    writes: tuple[str, ...] = ()
    """The types that may be written, as far as they are seen whole; `*` for all but those by which people have their standing."""

    def view(self, type: str) -> View | None:
        """What of a patient's resources of a type is seen; None for nothing."""
        return self.types.get(type) or self.types.get(ANY)

    def may_write(self, type: str) -> bool:
        """Whether resources of the type may be written."""
        view = self.view(type)
        named = type in self.writes or (ANY in self.writes and type not in _STANDING)
        return named and not (view and view.withheld)

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
    theirs = {entry.name: entry.read_bytes() for entry in sorted((site / "policies").glob("*.json"))} if site else {}
    named = {name: content for name, content in (ours | theirs).items() if name.endswith(".json")}
    return MappingProxyType({name.removesuffix(".json"): _read(name, content) for name, content in named.items()})


def _read(name: str, content: bytes) -> Policy:
    try:
        policy = msgspec.json.decode(content, type=Policy)
    except msgspec.DecodeError as error:
        raise Invalid(f"policies/{name}: {error}") from None
    for wrong in _wrong(policy):
        raise Invalid(f"policies/{name}: {wrong}")
    return policy


def _wrong(policy: Policy) -> Iterable[str]:
    """What is wrong with a policy."""
    if policy.everybody and (policy.ties or policy.consent != "not-asked" or policy.allowed != categories().keys()):
        yield "who sees everybody has no ties, asks for no consents and sees all that is sensitive"
    if policy.everybody and any(view.category for view in policy.types.values()):
        yield "who sees everybody sees all categories of a type"
    if unknown := set(policy.sensitive) - categories().keys() - {ANY}:
        yield f"there is no sensitive category {min(unknown)}"
    if owned := set(policy.open) - _WITHOUT_PATIENT:
        yield f"{min(owned)} can belong to a patient, so it is listed under types"
    if doubled := set(policy.open) & (policy.types.keys() | set(policy.by_target)):
        yield f"{min(doubled)} is listed twice"
    if set(policy.by_target) - {"Provenance"}:
        yield "only a Provenance can be seen by its target"
    if ANY in policy.types and policy.types[ANY] != View():
        yield "what is withheld, and which categories are seen, is said of a type by its name"

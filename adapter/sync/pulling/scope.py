"""Whose resources a pull asks for: everybody's, or those of the patients that the remote's setting `scope` selects there.

Who is selected is asked anew at each pull. Several selectors select together.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from adapter.errors import RemoteFatal
from adapter.fhir.capability import Capability
from adapter.fhir.exchange import Params
from adapter.fhir.resource import Raw
from adapter.store.membership import members_by
from adapter.sync.pulling.pages import again
from adapter.sync.remotes.visit import Visit

# By which parameter a care manager is searched, and which element names the patient.
# http://hl7.org/fhir/R4/episodeofcare.html, careteam.html, careplan.html
_CARE = {"EpisodeOfCare": ("care-manager", "patient"), "CareTeam": ("participant", "subject"), "CarePlan": ("performer", "subject")}
# The statuses in which a care manager's work for a patient has ended, or was never meant.
_OVER = frozenset({"cancelled", "completed", "entered-in-error", "finished", "inactive", "revoked"})


@dataclass(frozen=True)
class Scope:
    """The ids there of the patients; None: everybody."""

    patients: frozenset[str] | None

    def admits(self, reference: str, targets: Iterable[str]) -> bool:
        """Whether a resource of the remote may come, given what it refers to: it is of no patient, or of one in the scope."""
        if self.patients is None:
            return True
        owners = [each for each in ([reference] if reference.startswith("Patient/") else targets) if each.startswith("Patient/")]
        return not owners or any(each.partition("/")[2] in self.patients for each in owners)


EVERYBODY = Scope(None)


def scope_of(visit: Visit) -> Scope:
    """The patients that the settings select now. Raises RemoteError where the remote does not tell."""
    if not visit.remote.scope:
        return EVERYBODY
    return Scope(frozenset(id for selector, text in visit.remote.scope.items() for id in _SELECTORS[selector](visit, text)))


def patient_parameter(type: str, capability: Capability) -> str | None:
    """The parameter by which resources of a type are searched by patient; None where the type has none or the remote does not know it."""
    if type == "Patient":
        return "_id"
    names = ("patient", *members_by("Patient")[type]) if of_patients(type) else ()
    return next((name for name in names if name in capability.search_params(type)), None)


def of_patients(type: str) -> bool:
    """Whether resources of this type belong to patients. http://hl7.org/fhir/R4/compartmentdefinition-patient.html"""
    return type in members_by("Patient")


def _listed(_: Visit, text: str) -> Iterator[str]:
    """Ids, or Patient/id, with commas or spaces between."""
    return (part.removeprefix("Patient/") for part in text.replace(",", " ").split())


def _members(visit: Visit, id: str, seen: frozenset[str] = frozenset()) -> Iterator[str]:
    """The members of a Group, and of the Groups that are members of it; who is inactive is none any more."""
    for member in visit.single.read("Group", id.removeprefix("Group/")).raw.get("member") or ():
        type, _, named = _named(visit, {} if member.get("inactive") is True else member.get("entity"))
        if type == "Patient":
            yield named
        elif type == "Group" and named not in seen:
            yield from _members(visit, named, seen | {named})


def _cared_for(visit: Visit, reference: str) -> Iterator[str]:
    """The patients of whose episode, team or plan this is the care manager, a participant or a performer, unless that is over."""
    able = {type: row for type, row in _CARE.items() if row[0] in visit.capability.search_params(type)}
    if not able:
        raise RemoteFatal("The remote cannot search episodes, care teams or care plans by a care manager: choose another scope.")
    for type, (parameter, element) in able.items():
        for raw in _found(visit, type, {parameter: reference}):
            named, _, id = _named(visit, raw.get(element))
            if named == "Patient" and raw.get("status") not in _OVER:
                yield id


def _named(visit: Visit, reference: Raw | None) -> tuple[str, str, str]:
    """(type, "/", id) of whom a Reference names; empty where it names nobody of the remote's."""
    return next(visit.edge.targets(reference or {}), "").partition("/")


def _with(parameter: str, end: str, visit: Visit, text: str) -> Iterator[str]:
    """The patients that a search by this parameter finds."""
    return (raw["id"] for raw in _found(visit, "Patient", {parameter: f"{text}{end}"}))


def _found(visit: Visit, type: str, params: Params) -> Iterator[Raw]:
    for page in again(partial(visit.single.search, type, params), type):
        yield from page.entries


_SELECTORS: Mapping[str, Callable[[Visit, str], Iterator[str]]] = {
    "patients": _listed,
    "group": _members,
    "care_manager": _cared_for,
    "identifier_system": partial(_with, "identifier", "|"),
    "tag": partial(_with, "_tag", ""),
}

"""What a request is about, as its path says: a resource of the FHIR endpoint, a record of the case API or of the console."""

import re
from re import Match

from adapter.access.whose import PATIENT
from adapter.cases.registry import TYPES
from adapter.store.search_parameters import table
from server.api.paths import concept_of

_RESOURCE = re.compile(r"/fhir/([A-Z][A-Za-z]+)/([A-Za-z0-9.-]{1,64})(/_history/[0-9]{1,9})?(?:/|$)").match
_ID = re.compile(r"[A-Za-z0-9.-]{1,64}").fullmatch
# Whose concept the path says by a word of its own.
_PAGES = {"cases": "case", "tasks": "task", "apps": "client", "disclosures": "client"}
# What a page of a case is about besides, by the word that stands before its id.
_OF_CASE = {"plan": "plan", "services": "planned_service", "referrals": "planned_service", "findings": "screening"}
_FORM, _TEMPLATES = "new", "templates"
_NOBODYS = frozenset({"Endpoint", "HealthcareService", "Organization", "Practitioner", "PractitionerRole"})
"""Types of records that are in no patient's."""


def resource(path: str) -> Match[str] | None:
    """Type, id and version (`/_history/2`, or None) of the resource that a path of the FHIR endpoint names, however many slashes it has."""
    found = _RESOURCE(re.sub("//+", "/", path))
    return found if found and found[1] in table() else None


def reference(path: str) -> str:
    """The resource that a path of the FHIR endpoint names, as `Type/id`; empty where it names none."""
    found = resource(path)
    return f"{found[1]}/{found[2]}" if found else ""


def records(path: str) -> list[str]:
    """What a path of the case API or of the console names, of what can be in a patient's record, as `Type/id`."""
    parts = [part for part in path.split("/") if part]
    match parts:
        case ["api", collection, id, *_]:
            return faces(concept_of(collection), id)
        case ["records", concept, id, *_] if id != _FORM:
            return faces(concept, id)
        case ["cases", id, word, inner, *_] if word in _OF_CASE and inner != _TEMPLATES:
            return [*faces(_PAGES["cases"], id), *faces(_OF_CASE[word], inner)]
        case [place, id, *_] if place in _PAGES and id != _FORM:
            return faces(_PAGES[place], id)
    return []


def faces(concept: str | None, id: str) -> list[str]:
    """The references by which a record of a concept can be in a patient's record; none for what is no id, or nobody's."""
    return [f"{type}/{id}" for type in TYPES.get(concept or "", ()) if type not in _NOBODYS] if _ID(id) else []


def named(path: str) -> tuple[list[str], list[str]]:
    """What a path names: patients, and other resources, with the version where it says that."""
    found = resource(path)
    if found is None:
        references = records(path)
    else:
        references = [f"{found[1]}/{found[2]}{'' if found[1] == PATIENT else found[3] or ''}"]
    people = [each for each in references if each.startswith(f"{PATIENT}/")]
    return people, [each for each in references if each not in people]

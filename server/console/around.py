"""Whom and what a reference on a form can name: the records of the case, and the people, organisations and services that are known here."""

from collections.abc import Sequence
from functools import cache

from adapter.cases.facts import Facts
from adapter.cases.headline import happened, headline
from adapter.cases.planned_service import PlannedService
from adapter.cases.wording import label
from adapter.store import search
from server.console.form import Known
from server.console.names import full_name
from server.console.shown import day
from server.console.site import Site

_PEOPLE = ("client", "support_person", "case_manager", "stakeholder")
_DIRECTORY = ("Organization", "Practitioner", "HealthcareService")
"""What can have a part in any case, and so need not be in the record of this one."""
_MOST = 200
Named = tuple[str, str]


def choices(site: Site, facts: Facts, but: str | None = None) -> Known:
    """What a form offers; `but` is the id of the record itself. The people around the case come first, then what happened, newest first."""
    names = site.names()
    rows: list[tuple[bool, str, str, str]] = []
    for concept, known in facts.records.items():
        for reference, fields in known.items():
            person, when = concept in _PEOPLE, happened(fields)
            told = full_name(fields) if person else f"{label(concept)}: {headline(concept, fields)}{f', {day(when)}' if when else ''}"
            if reference.rpartition("/")[2] != but:
                rows.append((person, when, reference, told))
    actor = site.desk().actor.reference
    if all(reference != actor for _, _, reference, _ in rows):
        rows.append((True, "", actor, names.of(actor)))
    rows.sort(key=lambda row: (row[0], row[1], row[3]), reverse=True)

    @cache
    def listed(type: str) -> Sequence[Named]:
        return _listed(site, type)

    def offered(types: frozenset[str], several: bool) -> list[Named]:
        """Of any type, several are evidence, and a person is none."""
        near = [(reference, told) for person, _, reference, told in rows if _fits(reference, types, person and several)]
        far = [found for type in _DIRECTORY if type in types for found in listed(type)]
        first = dict(near[:_MOST])
        return [*first.items(), *(found for found in far if found[0] not in first)]

    return offered


def _fits(reference: str, types: frozenset[str], excluded: bool) -> bool:
    return reference.partition("/")[0] in types if types else not excluded


def _listed(site: Site, type: str) -> Sequence[Named]:
    """All of a type that are at work, by name, as far as a list can hold them."""
    site.repository.collection(type)
    query = search.parse(type, [("active:not", "false"), ("_sort", "name"), ("_count", str(_MOST))], clock=site.clock)
    found = site.repository.find_many(type, [row.id for row in search.run(site.repository.database, query).rows])
    return sorted(((each.reference, full_name(each.record)) for each in found.values() if not each.deleted), key=lambda each: each[1])


def performers(site: Site, facts: Facts) -> Sequence[Named]:
    """Who can perform a service."""
    return choices(site, facts)(PlannedService.field("performers").field.types, True)

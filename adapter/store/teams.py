"""Who works where, as it is stored: read for each request, so that who left a team sees nothing of it from the next page on."""

from collections.abc import Iterable
from datetime import datetime

from adapter.access import team
from adapter.fhir.resource import Raw
from adapter.store.filters import KEY, one_of
from adapter.store.repository import Repository

_ROLE = "PractitionerRole"


def organisations(repository: Repository, person: str, moment: datetime) -> frozenset[str]:
    """The organisations in which a person, `Practitioner/x`, works at this moment."""
    return team.organisations(_roles(repository, [person]), person, moment)


def people(repository: Repository, places: frozenset[str], moment: datetime) -> frozenset[str]:
    """The people who work in these organisations at this moment."""
    return team.people(_roles(repository, places), places, moment)


def _roles(repository: Repository, keys: Iterable[str]) -> list[Raw]:
    wanted = sorted(keys)
    found = repository.scan(_ROLE, {KEY: one_of(wanted)}) if wanted else ()
    return [stored.raw for stored in found if not stored.deleted]

"""Patients who are offered to somebody who is not tied to them yet: without these, nobody could take on a case.

A client whom they registered within the last day, an open task of theirs, a referral to them that no case has come of, an open case of
their organisation's that nobody manages. What is offered is seen where it can be taken, in the case API and the console.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from pymongo.client_session import ClientSession

from adapter.access import whose
from adapter.access.viewer import Viewer
from adapter.store import query
from adapter.store.repository import Also, Repository
from adapter.store.state import State

INTAKE = timedelta(days=1)
"""How long who registers a client sees them before a case is opened."""
_INTAKES = "intakes"
_ORGANIZATION = "Organization/"
_OPEN_TASK = "requested,received,accepted,ready,in-progress,on-hold"
_OPEN_CASE = "planned,waitlist,active,onhold"


def offered(repository: Repository, viewer: Viewer, organisations: Iterable[str], moment: datetime) -> frozenset[str]:
    """The patients, as `Patient/x`. `organisations` are those in which the viewer works."""
    places = {*organisations, *filter(None, (viewer.organisation,))}
    found = (_registered(repository, viewer, moment), _asked(repository, viewer.references | places), _unmanaged(repository, places))
    return frozenset(patient for several in found for patient in several)


def registering(repository: Repository, viewer: Viewer, patients: Iterable[str]) -> Also | None:
    """What keeps, in the transaction that makes these patients, that the viewer registered them; None where there are none."""
    until = repository.clock() + INTAKE
    rows = {f"{patient} {who}": {"patient": patient, "who": who, "until": until} for patient in patients for who in _people(viewer)}
    if not rows:
        return None
    State(repository.database).drop_all(_INTAKES, {"until": {"$lte": repository.clock()}})

    def keep(session: ClientSession) -> None:
        State(repository.database).put_some(_INTAKES, rows, session)

    return keep


def _people(viewer: Viewer) -> list[str]:
    return sorted(reference for reference in viewer.references if not reference.startswith(_ORGANIZATION))


def _registered(repository: Repository, viewer: Viewer, moment: datetime) -> Iterator[str]:
    state, mine = State(repository.database), {"who": {"$in": _people(viewer)}}
    for _, row in state.all(_INTAKES, {**mine, "until": {"$gt": moment}}):
        yield row["patient"]


def _asked(repository: Repository, references: Iterable[str]) -> Iterator[str]:
    """Of whom there is an open task of theirs, or a referral to them that no case has come of."""
    named = ",".join(sorted(references))
    for stored in repository.scan("Task", query.parse("Task", [("owner", named), ("status", _OPEN_TASK)]).filter):
        yield from whose.read(stored.whose)
    asked = query.parse("ServiceRequest", [("performer", named), ("status", "active")]).filter
    for stored in repository.scan("ServiceRequest", {**asked, "concept": "referral"}):
        if "case" not in stored.record:
            yield from whose.read(stored.whose)


def _unmanaged(repository: Repository, places: Iterable[str]) -> Iterator[str]:
    if not (named := ",".join(sorted(places))):
        return
    asked = [("organization", named), ("status", _OPEN_CASE), ("care-manager:missing", "true")]
    for stored in repository.scan("EpisodeOfCare", query.parse("EpisodeOfCare", asked).filter):
        yield from whose.read(stored.whose)

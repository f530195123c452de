"""Before somebody is made at a remote it is asked, by the trusted identifiers, whether it has them: `ifNoneExist` knows only our own id."""

from collections.abc import Callable, Iterable

from adapter.fhir import bundle as bundles
from adapter.fhir.resource import Raw
from adapter.store.documents import Stored
from adapter.sync.people.identity import FACTS, OTHER, compare, tokens
from adapter.sync.people.people import People
from adapter.sync.people.questions import Doubt, mark, pair_id
from adapter.sync.plan import Entry
from adapter.sync.pulling.receive import Receiver
from adapter.sync.remotes.remote import Remote
from adapter.sync.remotes.visit import Visit

WAITING = "may be one that the remote has; a person has yet to say"
FOUND = "the remote has somebody who may be this one; a sync links them, or asks a person"
GAVE_WAY = "gave way to another"


def sought(visit: Visit, people: People, owed: Iterable[Stored], receiver: Receiver) -> list[Entry]:
    """What became of the remote's resources that may be those about to be made there: they are received as in a pull."""
    done: list[Entry] = []
    for stored in owed if visit.remote.trust else ():
        if _sought(visit, stored) and (found := _found(visit, stored)):
            done += receiver.resources(stored.type, found)
            _doubted(visit.remote, people, stored, found)
    if done:
        receiver.arrivals.settle()
    return [entry for entry in done if entry.action != "unchanged"]


def kept_back(visit: Visit, people: People, *, asks: bool) -> Callable[[Stored], tuple[str, str] | None]:
    """Tells of one of ours that a remote has not, whether it is not to be made there now: what becomes of it, and why.

    With `asks` the remote is asked about each, for a plan: nothing is received, so what a sync would find is not known yet.
    """

    def end(stored: Stored) -> tuple[str, str] | None:
        if stored.type not in FACTS:
            return None
        if people.unions.gave_way(stored.reference):
            return "unchanged", GAVE_WAY
        if people.questions.waiting(visit.remote.name, stored.reference):
            return "skip", WAITING
        return ("skip", FOUND) if asks and _sought(visit, stored) and _unsettled(visit, people, stored) else None

    return end


def _sought(visit: Visit, stored: Stored) -> bool:
    """Whether the remote can be asked about it, and is to be."""
    known = visit.remote.trust and stored.type in FACTS and not stored.deleted and not stored.link(visit.remote.name)
    return bool(known) and "identifier" in visit.capability.search_params(stored.type)


def _unsettled(visit: Visit, people: People, stored: Stored) -> bool:
    """Whether the remote has somebody who may be this one, of whom nobody has said that they are not."""
    for raw in _found(visit, stored):
        other = people.repository.linked(f"{visit.remote.name}|{stored.type}/{raw['id']}")
        theirs = other.raw if other and not other.deleted else visit.edge.to_local(raw)
        said = people.questions.find(pair_id(stored.reference, other.reference)) if other else None
        if compare(stored.raw, theirs, visit.remote.trust).verdict != OTHER and not (said and said["mark"] == mark([stored.raw, theirs])):
            return True
    return False


def _found(visit: Visit, stored: Stored) -> list[Raw]:
    found: dict[str, Raw] = {}
    for system, value in tokens(stored.raw, visit.remote.trust):
        for page in visit.single.search(stored.type, {"identifier": bundles.token(system, value)}):
            found |= {raw["id"]: raw for raw in page.entries if isinstance(raw.get("id"), str)}
    return [*found.values()]


def _doubted(remote: Remote, people: People, stored: Stored, found: list[Raw]) -> None:
    """Ask about those that have been here for long as somebody else: they do not arrive any more."""
    for raw in found:
        other = people.repository.linked(f"{remote.name}|{stored.type}/{raw['id']}")
        if other is None or other.id == stored.id or other.deleted:
            continue
        told = compare(stored.raw, other.raw, remote.trust)
        if told.verdict != OTHER:
            people.questions.ask(Doubt(stored.reference, other.reference, told.why, mark([stored.raw, other.raw])), remote.name)

"""What a remote has of what we owe it, though nothing here says so: it is asked before a push is planned.

Somebody who is to be made there is looked for by the trusted identifiers, since `ifNoneExist` knows only our own id; what was made there
by a push whose answer was lost, and is deleted here since, by that id: else it would be forgotten, and stay there for ever.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import cache, partial

from adapter.fhir import bundle as bundles
from adapter.fhir.resource import Raw
from adapter.store.documents import Stored
from adapter.sync.edge import knows_own, own_id, own_search
from adapter.sync.people.identity import FACTS, OTHER, compare, tokens
from adapter.sync.people.people import People
from adapter.sync.people.questions import Doubt, mark, pair_id
from adapter.sync.plan import Entry
from adapter.sync.pulling.born import know
from adapter.sync.pulling.receive import Receiver
from adapter.sync.remotes.remote import Remote
from adapter.sync.remotes.visit import Visit

WAITING = "may be one that the remote has; a person has yet to say"
FOUND = "the remote has somebody who may be this one; a sync links them, or asks a person"
GAVE_WAY = "gave way to another"
# Ids in one search: 4 KB of an address, of which servers take 8.
_AT_ONCE = 50


def sought(visit: Visit, people: People, owed: Iterable[Stored], receiver: Receiver) -> list[Entry]:
    """What became of the remote's resources that may be those about to be made there: they are received as in a pull."""
    done: list[Entry] = []
    for stored in owed if visit.remote.trust else ():
        # Who gave way is not made there: whom the remote has is the one that stays, as somebody has said.
        if _sought(visit, stored) and not people.unions.gave_way(stored.reference) and (found := _found(visit, stored)):
            done += receiver.resources(stored.type, found)
            _doubted(visit.remote, people, stored, found)
    if done:
        receiver.arrivals.settle()
    return [entry for entry in done if entry.action != "unchanged"]


def forgotten(visit: Visit, planned: Iterable[Entry], receiver: Receiver) -> list[Entry]:
    """What became of the remote's resources that were made by us and are deleted here since, of which no answer ever told."""
    by_type: dict[str, list[str]] = defaultdict(list)
    for entry in planned:
        if entry.stored and entry.stored.deleted and not entry.there and knows_own(visit.capability, entry.type):
            by_type[entry.type].append(entry.id)
    done: list[Entry] = []
    for type, ids in by_type.items():
        for start in range(0, len(ids), _AT_ONCE):
            for page in visit.single.search(type, own_search(type, *ids[start : start + _AT_ONCE])):
                own = {f"{type}/{raw['id']}": id for raw in page.entries if (id := own_id(raw)) in ids}
                know(receiver.repository, visit.edge, type, own.items())
                done += receiver.resources(type, [raw for raw in page.entries if f"{type}/{raw['id']}" in own])
    return done


def kept_back(visit: Visit, people: People, *, asks: bool) -> Callable[[Stored], tuple[str, str] | None]:
    """Tells of one of ours that a remote has not, whether it is not to be made there now: what becomes of it, and why.

    With `asks` the remote is asked about each, for a plan: nothing is received, so what a sync would find is not known yet.
    """

    # Asked of every person: read once for all of them, when the first is met.
    gone, waiting = cache(people.unions.all_gone), cache(partial(people.questions.waiting, visit.remote.name))

    def end(stored: Stored) -> tuple[str, str] | None:
        if stored.type not in FACTS:
            return None
        if stored.reference in gone():
            return "unchanged", GAVE_WAY
        if stored.reference in waiting():
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

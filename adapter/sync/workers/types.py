"""The types of a pull, read by workers side by side.

Who is who is judged in one process, and first: whoever refers to somebody has to find them under the id that they have here. What follows
from no other type can be read in any order, for the ids of what is referred to are known before it is here. References that lead to what
nobody asked for are followed by who asked, when all types are read.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial

from adapter.store import remote_keys
from adapter.store.documents import Document
from adapter.store.state import State
from adapter.sync.people.identity import FACTS
from adapter.sync.plan import Tally
from adapter.sync.pulling.cursors import Cursor, Cursors
from adapter.sync.pulling.pages import Part, Search
from adapter.sync.pulling.scope import Scope
from adapter.sync.remotes.visit import Visit
from adapter.sync.workers.remote_lease import PARTS, job_id
from adapter.sync.workers.shared import Shared

# How many ids are kept in one document: some megabytes of the 16 that it may have.
_IDS = 50_000
_KNOWN = "known"


@dataclass(frozen=True)
class Reading:
    """What a worker has to know to read a type of a pull that another process began."""

    part: Part
    started: datetime
    """The remote's time then."""
    scope: Scope
    known: Mapping[str, str]
    """Type/id there → our id, of what was found to be born in a casebridge and is not here yet."""


def turns(
    shared: Shared, visit: Visit, cursors: Cursors, tally: Tally, parts: list[Part], started: datetime, scope: Scope
) -> Iterator[list[Part]]:
    """The types that are read here, in turns. Between them workers read the others; what they could not read comes in the last turn."""
    large = [part for part in parts if part.type not in FACTS and (part.count is None or part.count > visit.strategy.page_size)]
    if len(large) < 2:
        yield parts
        return
    yield [part for part in parts if part not in large]
    _keep(shared, visit, large, started, scope)
    read = shared.done("pull", {part.type: {"type": part.type} for part in large})
    shared.state.drop_all(PARTS, {"remote": shared.remote})
    cursors.look()
    for document in filter(None, read.values()):
        tally.include(Tally.of(document))
    yield [part for part in large if not read[part.type]]


def _keep(shared: Shared, visit: Visit, parts: list[Part], started: datetime, scope: Scope) -> None:
    """Keep what workers have to know: of each type, of all of them, and who was born in a casebridge."""
    put = partial(_put, shared.state, shared.remote, shared.held.token)
    for part in parts:
        put(part.type, _document(part))
    put("", {"started": started, "patients": None if scope.patients is None else sorted(scope.patients)})
    here = remote_keys.named(shared.database, shared.remote)
    known = [pair for pair in visit.edge.known.items() if pair[0] not in here]
    for start in range(0, len(known), _IDS):
        put(f"{_KNOWN}:{start}", {_KNOWN: known[start : start + _IDS]})


def _put(state: State, remote: str, token: str, name: str, body: Document) -> None:
    state.put(PARTS, job_id(remote, token, name), {"remote": remote, **body})


def reading(state: State, remote: str, token: str, type: str) -> Reading | None:
    """What a worker has to know to read a type; None where nobody wants it read any more."""
    kept = dict(state.all(PARTS, {"remote": remote}))
    common, part = (kept.get(job_id(remote, token, name)) for name in ("", type))
    if common is None or part is None:
        return None
    scope = Scope(None if common["patients"] is None else frozenset(common["patients"]))
    known = {there: id for body in kept.values() for there, id in body.get(_KNOWN, ())}
    return Reading(_part(type, part, scope), common["started"], scope, known)


def _document(part: Part) -> Document:
    # Searches as pairs: a parameter's name may hold a full stop, a field's may not.
    searches = [{"params": [*search.params.items()], "count": search.count} for search in part.searches]
    return {
        "searches": searches,
        "before": asdict(part.before),
        "after": asdict(part.after),
        "order": dict(part.order),
        "whole": part.whole,
        "scoped": bool(part.patients),
    }


def _part(type: str, document: Document, scope: Scope) -> Part:
    searches = tuple(Search(dict(each["params"]), each["count"]) for each in document["searches"])
    cursors = Cursor(**document["before"]), Cursor(**document["after"])
    patients = scope.patients if document["scoped"] and scope.patients else frozenset[str]()
    return Part(type, searches, *cursors, document["order"], document["whole"], patients)

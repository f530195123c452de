"""Duplicates that a remote merged: ours follow where nothing speaks against it, and else a person is asked."""

from adapter import log
from adapter.errors import Busy, Conflict, VersionConflict
from adapter.store.documents import Document, Stored
from adapter.sync.people.identity import compare
from adapter.sync.people.people import People
from adapter.sync.people.questions import MERGED, NOTED, Doubt, mark
from adapter.sync.remotes.remote import Remote

Pair = tuple[Stored, Stored]
"""The one that stays, and the one that was merged into it."""


def follow(people: People, remote: Remote) -> None:
    """Do what a remote did with two of its own, as far as both have arrived. The lease on the remote is held."""
    for id, found in list(people.questions.all(NOTED)):
        pair = _pair(people, remote, id, found) if found["remote"] == remote.name else None
        if pair is None:
            continue
        first, second = pair
        ours = {*found["ours"], *(each.reference for each in pair if _known_elsewhere(each, remote))}
        if found["why"] != MERGED or not remote.trust or _differ(first, second, remote) or {first.reference, second.reference} <= ours:
            people.questions.open(id)
        elif second.reference in ours:
            _link(people, remote, id, first, second)
        else:
            # All that is about it is the remote's, which has seen to that.
            people.questions.answer(id, "same", by=remote.name)


def _pair(people: People, remote: Remote, id: str, found: Document) -> Pair | None:
    """Who the two of a note are by now; None where one of them is not here, or the note was about who they were before."""
    first, second = (_who(people, found[name]) for name in ("here", "other"))
    if first is None or second is None:
        return None
    if (first.reference, second.reference) == (found["here"], found["other"]):
        return first, second
    people.questions.drop(id)
    if first.id != second.id:
        ours = tuple({found["here"]: first.reference, found["other"]: second.reference}[name] for name in found["ours"])
        people.questions.ask(Doubt(first.reference, second.reference, found["why"], mark([first.raw, second.raw]), ours), remote.name)
    return None


def _who(people: People, reference: str) -> Stored | None:
    while gone := people.unions.gave_way(reference):
        reference = gone[1]["survivor"]
    type, _, id = reference.partition("/")
    stored = people.repository.find(type, id)
    return None if stored is None or stored.deleted else stored


def _known_elsewhere(stored: Stored, remote: Remote) -> bool:
    """Whether others than this remote speak of it: it was made here, or another remote has it."""
    return stored.born is None or any(link.remote != remote.name for link in stored.links)


def _differ(first: Stored, second: Stored, remote: Remote) -> bool:
    told = compare(first.raw, second.raw, remote.trust)
    # HAPI 8.8's $hapi.fhir.merge gives the one that stays the other's identifiers with the use `old`.
    taken_over = {point.about for point in told.points if point.weight == "weak" and point.same}
    return any(point.same is False and point.about not in taken_over for point in told.points)


def _link(people: People, remote: Remote, id: str, first: Stored, second: Stored) -> None:
    try:
        people.link(first.reference, second.reference, by=f"{MERGED}, {remote.name}", held=frozenset({remote.name}))
    except (Busy, VersionConflict):
        # Another remote of theirs is being synced, or somebody keeps changing them: the next sync of this one tries again.
        return
    except Conflict as error:
        log.event("people.not_followed", question=id, error=type(error).__name__)
        people.questions.open(id)

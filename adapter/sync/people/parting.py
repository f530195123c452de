"""A link between two of our resources is taken back, with everything that came by it; what was edited in between stays."""

from collections.abc import Iterator
from dataclasses import replace

from pymongo.client_session import ClientSession

from adapter import log
from adapter.errors import Conflict, Gone, Invalid
from adapter.fhir.references import rewrite
from adapter.fhir.resource import Raw, content, dumps, parse, same
from adapter.store.documents import CURRENT, Change, Document, Link, Stored
from adapter.store.repository import Also
from adapter.sync.base import agreed
from adapter.sync.conflicts.inbox import conflict_id
from adapter.sync.people.joining import carried, undone
from adapter.sync.people.people import People
from adapter.sync.people.questions import Doubt, mark
from adapter.sync.people.repoint import Turn, followed, referring, refers, turning
from adapter.sync.people.unions import LINKED, SPLIT, SPLITTING

TAKEN_BACK = "a link of the two was taken back"


def split(people: People, id: str, *, by: str) -> tuple[str, str]:
    """Make two of one again; returns the references of who stayed and of who is back.

    Back go the links to remotes, the references that the link rewrote, what came from those remotes since, and of the one that stayed
    what it took over. What was made here since about the one that stayed remains with it. Where it was stopped before its end, the same
    call ends it. Raises NotFound, Invalid or Conflict where the link cannot be taken back, Busy where a remote is being synced.
    """
    union = _to_be_split(people, id)
    type, _, first = union["survivor"].partition("/")
    stored = people.repository.read(type, first)
    with people.quiet({moved["remote"] for moved in union["moved"]} | {link.remote for link in stored.links}):
        # Again: until the leases were ours, a sync may have brought more by it, or another may have taken it back.
        union = _to_be_split(people, id)
        if union["status"] == LINKED:
            union = _parted(people, id, union, by)
        people.repeat(lambda: _back(people, id, union))
        people.unions.put(id, {**union, "status": SPLIT})
    log.event("people.split", link=id, type=type)
    return union["survivor"], union["loser"]


def _to_be_split(people: People, id: str) -> Document:
    union = people.unions.get(id)
    if union["status"] not in (LINKED, SPLITTING):
        raise Invalid(
            "This link was taken back already." if union["status"] == SPLIT else "This link is not at its end yet; link them again."
        )
    if later := people.unions.gave_way(union["survivor"]):
        raise Conflict(f"The one that stayed has given way to another since, by {later[0]}; split that first.")
    return union


def _parted(people: People, id: str, union: Document, by: str) -> Document:
    """Write the two as two, each with the links to remotes that are its own."""
    type, _, here = union["survivor"].partition("/")
    first = people.repository.read(type, here)
    second = people.repository.find(type, union["loser"].partition("/")[2])
    if second is not None and second.deleted:
        raise Gone(f"The {type} that gave way was deleted since; there is nothing to give back to.")
    back = {link.key: link for moved in union["moved"] if (link := first.link(moved["remote"])) and link.key == moved["key"]}
    kept = tuple(link for link in first.links if link.key not in back)
    ours, (theirs, steps) = _first_without(people, first, union), _second_with(people, first, second, union)
    links = [
        _returned(people, first, back[moved["key"]], moved["named"], theirs, union) for moved in union["moved"] if moved["key"] in back
    ]
    owed = tuple(link.remote for link in links if link.at != CURRENT)
    remotes = tuple(link.remote for link in back.values())
    others = second.links if second else ()
    born = next((moved["remote"] for moved in union["moved"]), None)
    split_by = {**union, "status": SPLITTING, "split": {"by": by, "at": people.clock()}}
    doubt = Doubt(union["survivor"], union["loser"], TAKEN_BACK, mark([ours, theirs]))

    def keep(session: ClientSession) -> None:
        people.unions.put(id, split_by, session)
        people.questions.keep_apart(doubt, by, session)
        for key, before, made in steps:
            # What comes back may have come by an earlier link to who is back, and is to be told from what is its own.
            people.unions.came(key, union["loser"], {"before": dumps(before), "made": dumps(made)}, session)
        for remote in remotes:
            # What waited for a person about the two as one is no question any more.
            people.state.drop("conflicts", conflict_id(remote, first.reference), {"status": "open"}, session)

    made_here = first.born is None
    people.repository.commit(
        [
            Change(
                type,
                here,
                ours,
                first.version,
                links=kept,
                seen=first.links,
                owed=remotes if made_here else (),
                sent=None if made_here else born,
            ),
            Change(
                type,
                union["loser"].partition("/")[2],
                theirs,
                second.version if second else 0,
                born=born,
                links=(*others, *links),
                seen=second.links if second else None,
                owed=owed,
                sent=born if born not in owed else None,
            ),
        ],
        also=keep,
    )
    return split_by


def _step(people: People, first: Stored, came: Document) -> tuple[Raw, Raw]:
    """What the one that stayed said before something came by the link, and after."""
    if "made" in came:
        return parse(came["before"]), parse(came["made"])
    version = came["version"]
    return tuple(people.repository.vread(first.type, first.id, each).raw for each in (version - 1, version))  # type: ignore[return-value]


def _first_without(people: People, first: Stored, union: Document) -> Raw:
    """The one that stayed, without what came by the link."""
    raw = first.raw
    for came in reversed(union["came"]):
        before, made = _step(people, first, came)
        raw = undone(raw, made, before)
    return raw


def _second_with(people: People, first: Stored, second: Stored | None, union: Document) -> tuple[Raw, list[tuple[str, Raw, Raw]]]:
    """The one that gave way as it was before, with what its remotes said of it since: the remote's key, before and after."""
    if second is None:
        raw = parse(union["theirs"])
    elif not union["gave"]:
        raw = second.raw
    else:
        before, made = _step(people, second, {"version": union["gave"]})
        raw = undone(second.raw, made, before)
    steps = []
    for came in union["came"]:
        if came["key"]:
            now = carried(raw, *_step(people, first, came))
            steps.append((came["key"], raw, now))
            raw = now
    return raw, steps


def _returned(people: People, first: Stored, link: Link, named: bool, raw: Raw, union: Document) -> Link:
    """The link as it goes back: agreed is what the remote has, which may hold what only the one that stayed had."""
    theirs = agreed(people.repository, first, link).theirs
    if not theirs:
        waiting = people.conflicts.find(link.remote, first.reference)
        theirs = parse(waiting["theirs"]) if waiting and waiting["theirs"] else parse(union["theirs"] or "{}")
    turned = rewrite(theirs, turning({union["survivor"]: union["loser"]}))
    if same(content(turned), content(raw)):
        return replace(link, at=CURRENT, theirs=None, named=named)
    return replace(link, at=0, theirs=dumps(turned), named=named)


def _back(people: People, id: str, union: Document) -> Iterator[tuple[Change, Also]]:
    """The references that go back: those that the link rewrote, and those of what came from the remotes of the one that is back."""
    survivor, loser = union["survivor"], union["loser"]
    remotes, turn = {moved["remote"] for moved in union["moved"]}, turning({survivor: loser})
    for stored in referring(people.repository, {survivor}):
        if stored.reference in (survivor, loser):
            continue
        led = people.unions.repointed(id, stored.reference)
        if led and led["back"]:
            continue
        if led:
            raw = _before(people, stored, led["version"], survivor, turn)
        else:
            raw = rewrite(stored.raw, turn) if stored.born in remotes else stored.raw
        links = followed(people.repository, stored, raw, turn, remotes)
        if raw is stored.raw and links == stored.links:
            continue
        owed = tuple(link.remote for link in links if link.remote in remotes) if raw is stored.raw else ()

        def keep(session: ClientSession, stored: Stored = stored, rewritten: bool = bool(led)) -> None:
            if rewritten:
                people.unions.put_repointed(id, stored.reference, stored.version, session, back=True)

        yield Change(stored.type, stored.id, raw, stored.version, links=links, seen=stored.links, owed=owed), keep


def _before(people: People, stored: Stored, version: int, survivor: str, turn: Turn) -> Raw:
    """What the link rewrote, as it was; where it spoke of both before, only what is as the link made it."""
    before, made = _step(people, stored, {"version": version})
    return undone(stored.raw, made, before) if refers(before, {survivor}) else rewrite(stored.raw, turn)

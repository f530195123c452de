"""`Patient/$everything` and `EpisodeOfCare/$everything`, in pages. http://hl7.org/fhir/R4/patient-operation-everything.html

Of a patient: the patient, its compartment and devices, and what these refer to in types that no patient's record has (practitioners,
organisations, places, medications …). Of an episode, for which HL7 defines none: the episode; of its patient's record what refers to it,
directly or by way of another that does; and what all these refer to. What belongs to another patient is never in it.
With `start` or `end` it is what is about care in that time, the patient or episode itself, and what these refer to.
"""

import base64
import binascii
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from adapter.errors import Invalid, NotFound
from adapter.fhir import references
from adapter.fhir.dates import BEGIN, END, span
from adapter.fhir.resource import parse
from adapter.store import compartments, membership
from adapter.store.care_dates import care
from adapter.store.query import MAX_COUNT
from adapter.store.repository import Repository
from adapter.store.rows import Row
from adapter.store.search_parameters import table
from server.fhir.messages import Answer, bundle, entry
from server.fhir.operations.call import Call

_ROOT, _MEMBER, _REFERENCED = 0, 1, 2
Place = tuple[int, str, str]
"""(stage, type, id): where a resource stands in the order that all pages together have."""
_FIRST: Place = (_ROOT, "", "")


@dataclass(frozen=True)
class _Ask:
    """What of everything is wanted, and the page."""

    since: datetime
    types: frozenset[str]
    """Empty means all."""
    count: int
    after: Place
    present: frozenset[str]
    """The types of which there is anything in the store."""
    start: datetime = BEGIN
    """Care that ended before is not wanted, nor what began at `end` or later."""
    end: datetime = END

    def wants(self, type: str) -> bool:
        return type in self.present and (not self.types or type in self.types)

    @property
    def whole(self) -> bool:
        """Whether nothing is left out and this is the first page."""
        return self.since == BEGIN and not self.dated and not self.types and self.after == _FIRST

    @property
    def dated(self) -> bool:
        return (self.start, self.end) != (BEGIN, END)

    def takes(self, row: Row) -> bool:
        return self.wants(row.type) and row.updated >= self.since

    def covers(self, row: Row) -> bool:
        """Whether it is about care in the time that is asked for."""
        if not self.dated:
            return True
        low, high = care(row)
        return low < self.end and high > self.start


def patient(call: Call) -> Answer:
    """A page of a patient's record as a searchset, in which everything is a match, as on HAPI: it is what the operation is to return."""
    root = _root(call)
    ask = _ask(call)
    return _page(call, ask, _of_patient(call.repository, root, ask))


def episode(call: Call) -> Answer:
    """A page of a case as a searchset. The patient's whole compartment is read for each page."""
    root = _root(call)
    ask = _ask(call)
    owner = references.split(str((parse(root.text).get("patient") or {}).get("reference")))
    found = _of_episode(call.repository, root, owner[1] if owner else None, ask)
    return _page(call, ask, (item for item in found if item[0] > ask.after and ask.takes(item[1])))


def _root(call: Call) -> Row:
    row = call.repository.row(call.type, call.target)
    if not call.request.grant.shows(row.type, row.id, row.text, row.updated):
        raise NotFound(f"There is no {row.type} with this id.")
    return row


def _of_patient(repository: Repository, root: Row, ask: _Ask) -> Iterator[tuple[Place, Row]]:
    """What comes behind `ask.after`, read as far as it is asked for."""
    database, read = repository.database, [root]
    if ask.after == _FIRST and ask.takes(root):
        yield (_ROOT, root.type, root.id), root
    left = ask.count + 1
    for type in sorted(membership.record("Patient")):
        stage, last, behind = ask.after
        if (_MEMBER, type) < (stage, last) or not ask.wants(type):
            continue
        after = behind if (stage, last) == (_MEMBER, type) else ""
        limit = 0 if ask.dated else left
        rows = compartments.members(database, "Patient", root.id, type, since=ask.since, after=after, limit=limit)
        found = [row for row in rows if (row.type, row.id) != (root.type, root.id) and ask.covers(row)]
        read += found
        left -= len(found)
        yield from (((_MEMBER, row.type, row.id), row) for row in found)
    outside = {type for type in ask.present - membership.record("Patient").keys() if ask.wants(type)}
    if outside:
        holders = read if ask.whole else [root, *filter(ask.covers, _compartment(repository, root.id, ask))]
        yield from _referred(repository, holders, outside, ask)


def _of_episode(repository: Repository, root: Row, owner: str | None, ask: _Ask) -> Iterator[tuple[Place, Row]]:
    """All of a case, in order."""
    rows = {(row.type, row.id): row for row in _compartment(repository, owner, ask)} if owner else {}
    rows[root.type, root.id] = root
    by_target = defaultdict(list)
    for key, row in rows.items():
        for target in compartments.references(row.text):
            by_target[target].append(key)
    inside = {(root.type, root.id)}
    queue = [*inside]
    while queue:
        queue = list({key for target in queue for key in by_target[target]} - inside)
        inside.update(queue)
    holders = [rows[key] for key in sorted(inside) if rows[key] is root or ask.covers(rows[key])]
    yield (_ROOT, root.type, root.id), root
    yield from (((_MEMBER, row.type, row.id), row) for row in holders if row is not root)
    near = {key for row in holders for key in compartments.references(row.text)} - inside
    referred = [((_REFERENCED, *key), rows[key]) for key in near if key in rows]
    if owner and "Patient" in ask.present:
        referred += [((_REFERENCED, row.type, row.id), row) for row in repository.rows("Patient", [owner])]
    outside = set(ask.present - membership.record("Patient").keys())
    referred += _referred(repository, holders, outside, ask)
    yield from sorted(referred, key=lambda item: item[0])


def _compartment(repository: Repository, id: str, ask: _Ask) -> Iterator[Row]:
    """The whole compartment of a patient, whatever is asked for."""
    for type in membership.record("Patient").keys() & ask.present:
        yield from compartments.members(repository.database, "Patient", id, type)


def _referred(repository: Repository, holders: Iterable[Row], types: set[str], ask: _Ask) -> Iterator[tuple[Place, Row]]:
    """What of these types the holders refer to, behind `ask.after`, in order."""
    wanted: dict[str, set[str]] = defaultdict(set)
    for holder in holders:
        for type, id in compartments.references(holder.text):
            if type in types and (_REFERENCED, type, id) > ask.after:
                wanted[type].add(id)
    for type, ids in sorted(wanted.items()):
        yield from (((_REFERENCED, type, row.id), row) for row in repository.rows(type, ids) if row.updated >= ask.since)


def _page(call: Call, ask: _Ask, found: Iterator[tuple[Place, Row]]) -> Answer:
    items = []
    for item in found:
        row = item[1]
        if not call.request.grant.shows(row.type, row.id, row.text, row.updated):
            continue
        items.append(item)
        if len(items) > ask.count:
            break
    shown, base = items[: ask.count], call.request.base
    entries = [entry({"fullUrl": f"{base}/{row.type}/{row.id}"}, row.text, {"search": {"mode": "match"}}) for _, row in shown]
    last = shown[-1][0] if len(items) > len(shown) else None
    total = len(items) if last is None and ask.after == _FIRST else None
    return Answer(200, bundle("searchset", entries, links=_links(call, last), total=total))


def _links(call: Call, last: Place | None) -> dict[str, str]:
    """The links, with the parameters in the query however they were given."""
    inputs = call.inputs
    kept = [(name, str(inputs.one(name))) for name in ("start", "end", "_since", "_count") if inputs.one(name) is not None]
    kept += [("_type", ",".join(inputs.all("_type")))] if inputs.all("_type") else []
    here, cursor = f"{call.request.base}/{call.type}/{call.target}/$everything", call.request.param("_cursor")

    def link(cursor: str | None) -> str:
        query = urlencode([*kept, *([("_cursor", cursor)] if cursor else [])])
        return f"{here}?{query}" if query else here

    links = {"self": link(cursor)}
    if last:
        links["next"] = link(base64.urlsafe_b64encode(json.dumps(last).encode()).decode().rstrip("="))
    return links


def _ask(call: Call) -> _Ask:
    since, count, cursor = call.inputs.one("_since"), call.inputs.one("_count"), call.request.param("_cursor")
    start, end = (span(call.inputs.one(name)) for name in ("start", "end"))
    types = frozenset(call.inputs.all("_type"))
    if types - table().keys():
        raise Invalid("_type takes names of resource types.", expression=["_type"])
    if count is not None and count < 1:
        raise Invalid("_count needs a number above zero.", expression=["_count"])
    bounds = span(since) or (BEGIN, BEGIN)
    page = min(count or MAX_COUNT, MAX_COUNT)
    after, present = _after(cursor) if cursor else _FIRST, frozenset(call.repository.types())
    return _Ask(bounds[0], types, page, after, present, start[0] if start else BEGIN, end[1] if end else END)


def _after(text: str) -> Place:
    try:
        stage, type, id = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        if not (isinstance(stage, int) and isinstance(type, str) and isinstance(id, str)):
            raise ValueError
    except (ValueError, TypeError, binascii.Error):
        raise Invalid("_cursor needs the value of a next link of this same operation.", expression=["_cursor"]) from None
    return stage, type, id

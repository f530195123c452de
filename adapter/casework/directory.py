"""Who and what there is to refer a client to: professionals, organisations, insurers, services; those that can be had soonest first.

Read from FHIR's own resources, so whatever a remote has sent or a FHIR client has written is in it (S-02, C-01, C-23).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from adapter.casework.desk import Desk
from adapter.errors import NotFound
from adapter.fhir.dates import END, span, spans
from adapter.fhir.resource import Raw, parse
from adapter.store import search
from adapter.store.filters import KEY
from adapter.store.repository import Repository
from adapter.store.resolving import resolve

MOST = 200
"""So many are found and ranked; who wants others asks more closely."""
_Params = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Kind:
    """A kind of entry: its FHIR type, what all of the kind have, and the search parameters for a specialty and for a place."""

    type: str
    always: _Params
    specialty: tuple[str, ...]
    near: str
    elements: tuple[str, ...]
    """Where the specialties stand."""


_ACTIVE = ("active:not", "false")
KINDS: dict[str, Kind] = {
    "professional": Kind("PractitionerRole", (_ACTIVE,), ("specialty",), "location.address", ("specialty",)),
    "organization": Kind("Organization", (_ACTIVE,), ("type",), "address", ("type",)),
    "insurer": Kind("Organization", (_ACTIVE, ("type", "ins,pay")), ("type",), "address", ("type",)),
    "service": Kind("HealthcareService", (_ACTIVE,), ("specialty", "service-type"), "location.address", ("specialty", "type")),
}


@dataclass(frozen=True)
class Found:
    """An entry of the directory. `next_free` is the start of its first free slot; `closed` says that it is not to be had now."""

    kind: str
    reference: str
    name: str
    specialties: tuple[str, ...]
    organization: str | None
    next_free: datetime | None
    closed: bool

    @property
    def rank(self) -> tuple[bool, datetime, str, str]:
        """Those that can be had first, by their first free slot; then by name."""
        return self.closed, self.next_free or END, self.name, self.reference


def directory(desk: Desk, kind: str, *, specialty: str | None = None, near: str | None = None) -> list[Found]:
    """The entries of a kind that have a specialty, at a place: those that can be had first come first.

    `specialty` is a code, system|code or the start of its text; `near` the start of a part of an address. Raises NotFound for a kind that
    there is not, Invalid for a malformed specialty.
    """
    if kind not in KINDS:
        raise NotFound(f"The directory has no such kind; there are {', '.join(KINDS)}.", expression=["kind"])
    wanted = KINDS[kind]
    place: _Params = ((wanted.near, near),) if near else ()
    names = [name + modifier for name in wanted.specialty for modifier in ("", ":text")]
    ways: list[_Params] = [((name, specialty),) for name in names] if specialty else [()]
    rows = {raw["id"]: raw for way in ways for raw in _search(desk, wanted.type, (*wanted.always, *place, *way))}
    free = _first_free(desk, [f"{wanted.type}/{id}" for id in rows] + [_reference(raw, "practitioner") or "" for raw in rows.values()])
    return sorted((_found(desk, kind, raw, free) for raw in rows.values()), key=lambda found: found.rank)


def alike(desk: Desk, reference: str) -> list[Found]:
    """The entries of the kind and the first specialty that the entry of this reference has, without itself; none where it is no entry."""
    type, _, id = reference.partition("/")
    kind = next((name for name, each in KINDS.items() if each.type == type), None)
    stored = desk.repository.find(type, id) if kind else None
    if kind is None or stored is None or stored.deleted:
        return []
    codes = [code for element in KINDS[kind].elements for code in stored.raw.get(element, ())]
    specialty = next((said for code in codes if (said := _token(code))), None)
    return [found for found in directory(desk, kind, specialty=specialty) if found.reference != reference]


def _token(code: Raw) -> str | None:
    """What a search finds the code by: its first coding, or else its text."""
    coding: Raw = next(iter(code.get("coding", ())), {})
    if "code" in coding:
        return "|".join(filter(None, (coding.get("system"), coding["code"])))
    return code.get("text")


def _search(desk: Desk, type: str, params: Sequence[tuple[str, str]]) -> Iterator[Raw]:
    repository = desk.repository
    repository.collection(type)
    query = search.parse(type, [*params, ("_count", str(MOST))], clock=desk.clock)
    yield from (parse(row.text) for row in search.run(repository.database, query, repository.faces).rows)


def _found(desk: Desk, kind: str, raw: Raw, free: dict[str, datetime | None]) -> Found:
    reference = f"{raw['resourceType']}/{raw['id']}"
    person = _reference(raw, "practitioner")
    # A schedule may be of the role or of the person; one without a free slot is full.
    slots = [free[each] for each in (reference, person) if each in free]
    first = min((slot for slot in slots if slot), default=None)
    return Found(
        kind,
        reference,
        _name(desk.repository, raw, person),
        tuple(_word(code) for element in KINDS[kind].elements for code in raw.get(element, ())),
        _reference(raw, "organization") or _reference(raw, "providedBy") or _reference(raw, "partOf"),
        first,
        bool(slots and first is None) or _closed(raw, desk.clock()),
    )


def _name(repository: Repository, raw: Raw, person: str | None) -> str:
    if "name" in raw:
        return str(raw["name"])
    stored = resolve(repository, person)
    names = stored.raw.get("name", ()) if stored and not stored.deleted else ()
    first: Raw = next(iter(names), {})
    return str(first.get("text") or " ".join([*first.get("given", ()), first.get("family", "")]).strip())


def _word(code: Raw) -> str:
    coding: Raw = next(iter(code.get("coding", ())), {})
    return str(code.get("text") or coding.get("display") or coding.get("code", ""))


def _reference(raw: Raw, name: str) -> str | None:
    return (raw.get(name) or {}).get("reference")


def _closed(raw: Raw, now: datetime) -> bool:
    """Whether it says that it is not available now."""
    times = [spans(each["during"]) for each in raw.get("notAvailable", ()) if "during" in each]
    return any(low <= now < high for low, high in filter(None, times))


def _first_free(desk: Desk, actors: Iterable[str]) -> dict[str, datetime | None]:
    """The start of the first free slot of each actor that has a schedule; None for one whose slots are all taken or past."""
    of: dict[str, list[str]] = {}
    wanted = sorted(set(filter(None, actors)))
    for stored in desk.repository.whole.scan("Schedule", {KEY: {"$in": wanted}}) if wanted else ():
        if not stored.deleted:
            of[stored.reference] = [each["reference"] for each in stored.raw.get("actor", ()) if "reference" in each]
    found: dict[str, datetime | None] = {actor: None for actors in of.values() for actor in actors}
    for stored in desk.repository.whole.scan("Slot", {KEY: {"$in": sorted(of)}}) if of else ():
        start = span(stored.raw.get("start")) if not stored.deleted and stored.raw.get("status") == "free" else None
        if start is None or start[0] < desk.clock():
            continue
        for actor in of[_reference(stored.raw, "schedule") or ""]:
            found[actor] = min(start[0], found[actor] or END)
    return found

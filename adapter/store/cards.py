"""What decides who may see a patient's record, looked up by the patient and by whom they are tied to, in a collection beside the resources.

A document for each Coverage, EpisodeOfCare, CareTeam and Consent that says something now, under its own Type/id: it follows from that
resource alone and is written in the same transaction, so no decision is older than what it is made from, and no two writers meet.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from operator import itemgetter

import pymongo
from pymongo.client_session import ClientSession
from pymongo.database import Database

from adapter.access.consent import compiled
from adapter.access.disclosure import Card
from adapter.access.ties import Tie, recipients, ties
from adapter.access.whose import owners
from adapter.fhir.resource import Raw
from adapter.store.documents import Document, Stored
from adapter.store.filters import one_of

CARDS = "cards"
TYPES = frozenset(("CareTeam", "Consent", "Coverage", "EpisodeOfCare"))
_CONSENT = "Consent"
"""The key of all consents."""
# For so many keys at once the embedded store takes a quarter of a millisecond each; for 100 three times that, since it compares each
# document with each key.
_AT_ONCE = 25
# Of more patients all Consents are read, unless there are so many that those of each are read sooner: by its key one takes as long as four.
_MANY, _DEARER = 100, 4
# How many there were when all were read last, by database: nothing but the time that is taken follows from it.
_ALL: dict[str, int] = {}
NONE = Card()
"""Of who has none."""


def expected(reference: str, raw: Raw) -> Document | None:
    """What is to be here because of a resource; None for nothing."""
    of = owners(raw)
    if not of or raw.get("resourceType") not in TYPES:
        return None
    consent = compiled(raw) if raw["resourceType"] == _CONSENT else None
    made = recipients(consent) if consent else ties(raw)
    if not (consent or made):
        return None
    keys = [of[0], *([_CONSENT] if consent else ()), *sorted({tie.key for tie in made})]
    told = [{"way": tie.way, "to": tie.to, "low": tie.low, "high": tie.high} for tie in made]
    parts = {"consent": consent, "ties": told}
    return {"_id": reference, "patient": of[0], "keys": keys, **{name: part for name, part in parts.items() if part}}


def ensure_indexes(database: Database[Document]) -> None:
    """Make the index by which cards are found: one, because the embedded store looks at all of a collection's for each search."""
    database[CARDS].create_indexes([pymongo.IndexModel([("keys", 1)], name="keys")])


def follow(database: Database[Document], changes: Sequence[tuple[Stored | None, Stored]], session: ClientSession) -> None:
    """Write what changes did."""
    pairs = [(_of(old), _of(stored)) for old, stored in changes if stored.type in TYPES and (old is None or old.version != stored.version)]
    gone = [before["_id"] for before, after in pairs if before and before != after]
    new = [after for before, after in pairs if after and before != after]
    if gone:
        database[CARDS].delete_many({"_id": {"$in": gone}}, session=session)
    if new:
        database[CARDS].insert_many(new, session=session)


def renew(database: Database[Document], stored: Stored, session: ClientSession) -> None:
    """Write anew what is to be here because of a resource."""
    database[CARDS].delete_many({"_id": stored.reference}, session=session)
    if found := _of(stored):
        database[CARDS].insert_one(found, session=session)


def held(database: Database[Document], reference: str) -> Document | None:
    """What is here because of a resource."""
    return database[CARDS].find_one({"_id": reference})


def of(database: Database[Document], patients: Iterable[str]) -> dict[str, Card]:
    """The cards of these patients, `Patient/x`; an empty one for who has none."""
    wanted = [*dict.fromkeys(patients)]
    return _cards(wanted, _found(database, wanted))


def consents(database: Database[Document], patient: str) -> dict[str, Raw]:
    """The Consents of a patient, `Patient/x`, that say something, as they are compiled, by `Consent/y`."""
    found = database[CARDS].find({"keys": patient})
    return {document["_id"]: document["consent"] for document in sorted(found, key=itemgetter("_id")) if "consent" in document}


def tied(database: Database[Document], keys: Iterable[str]) -> dict[str, Card]:
    """The cards of all who are, were or will be tied to somebody by one of these keys; of their ties, these."""
    wanted = sorted(keys)
    found = [*database[CARDS].find({"keys": one_of(wanted)})] if wanted else []
    patients = sorted({document["patient"] for document in found})
    # What was found by a key comes last, since that has its ties.
    return _cards(patients, chain(_consents(database, patients), found))


def all_ids(database: Database[Document]) -> Iterator[str]:
    """The Type/id of every resource that there is something of here."""
    return (document["_id"] for document in database[CARDS].find({}, {"_id": 1}))


def _consents(database: Database[Document], patients: Sequence[str]) -> Iterator[Document]:
    """At least the Consents of these patients."""
    shown = {"patient": 1, "consent": 1}
    if len(patients) <= _MANY or len(patients) * _DEARER < _ALL.get(database.name, 0):
        yield from (document for document in _found(database, patients, shown) if "consent" in document)
        return
    every = [*_found(database, [_CONSENT], shown)]
    _ALL[database.name] = len(every)
    yield from every


def _found(database: Database[Document], keys: Sequence[str], shown: Document | None = None) -> Iterator[Document]:
    """The documents that have one of these keys, some twice; `shown` is the projection."""
    for start in range(0, len(keys), _AT_ONCE):
        yield from database[CARDS].find({"keys": one_of(keys[start : start + _AT_ONCE])}, shown)


def _of(stored: Stored | None) -> Document | None:
    return expected(stored.reference, stored.raw) if stored and stored.text else None


def _cards(patients: Iterable[str], documents: Iterable[Document]) -> dict[str, Card]:
    found: dict[str, dict[str, Document]] = defaultdict(dict)
    for document in documents:
        # A Consent is found by whom it names, and once more as a Consent.
        found[document["patient"]][document["_id"]] = document
    return {patient: _card(found[patient].values()) if patient in found else NONE for patient in patients}


def _card(documents: Iterable[Document]) -> Card:
    several = [*documents]
    told = (tie for document in several for tie in document.get("ties", ()))
    return Card(
        tuple(Tie(tie["way"], tie["to"], tie["low"], tie["high"]) for tie in told),
        tuple(document["consent"] for document in several if "consent" in document),
    )

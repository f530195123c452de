"""What decides who may see a patient's record, looked up by the patient and by whom they are tied to, in a collection beside the resources.

A document for each Coverage, EpisodeOfCare, CareTeam and Consent that says something now, under its own Type/id: it follows from that
resource alone and is written in the same transaction, so no decision is older than what it is made from, and no two writers meet.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

import pymongo
from pymongo.client_session import ClientSession
from pymongo.database import Database

from adapter.access.consent import compiled
from adapter.access.disclosure import Card
from adapter.access.ties import Tie, ties
from adapter.access.whose import owners
from adapter.fhir.resource import Raw
from adapter.store.documents import Document, Stored
from adapter.store.filters import one_of

CARDS = "cards"
TYPES = frozenset(("CareTeam", "Consent", "Coverage", "EpisodeOfCare"))
_CONSENT = "Consent"
"""The key of all consents."""
# Beyond so many patients all consents are read sooner than those of each: the embedded store takes half a millisecond for a key.
_AT_ONCE = 100
NONE = Card()
"""Of who has none."""


def expected(reference: str, raw: Raw) -> Document | None:
    """What is to be here because of a resource; None for nothing."""
    of = owners(raw)
    if not of or raw.get("resourceType") not in TYPES:
        return None
    if raw["resourceType"] == _CONSENT:
        found = compiled(raw)
        return {"_id": reference, "patient": of[0], "keys": [*of, _CONSENT], "consent": found} if found else None
    made = ties(raw)
    keys = [of[0], *sorted({tie.key for tie in made})]
    told = [{"way": tie.way, "to": tie.to, "low": tie.low, "high": tie.high} for tie in made]
    return {"_id": reference, "patient": of[0], "keys": keys, "ties": told} if made else None


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
    several = (wanted[start : start + _AT_ONCE] for start in range(0, len(wanted), _AT_ONCE))
    return _cards(wanted, (document for some in several for document in database[CARDS].find({"keys": one_of(some)})))


def tied(database: Database[Document], keys: Iterable[str]) -> dict[str, Card]:
    """The cards of all who are, were or will be tied to somebody by one of these keys; of their ties, these."""
    wanted = sorted(keys)
    found = [*database[CARDS].find({"keys": one_of(wanted)})] if wanted else []
    patients = sorted({document["patient"] for document in found})
    asked = _CONSENT if len(patients) > _AT_ONCE else one_of(patients)
    consents = database[CARDS].find({"keys": asked}) if patients else ()
    return _cards(patients, chain(found, (document for document in consents if "consent" in document)))


def all_ids(database: Database[Document]) -> Iterator[str]:
    """The Type/id of every resource that there is something of here."""
    return (document["_id"] for document in database[CARDS].find({}, {"_id": 1}))


def _of(stored: Stored | None) -> Document | None:
    return expected(stored.reference, stored.raw) if stored and stored.text else None


def _cards(patients: Iterable[str], documents: Iterable[Document]) -> dict[str, Card]:
    found: dict[str, list[Document]] = defaultdict(list)
    for document in documents:
        found[document["patient"]].append(document)
    return {patient: _card(found[patient]) if patient in found else NONE for patient in patients}


def _card(documents: Iterable[Document]) -> Card:
    several = [*documents]
    told = (tie for document in several for tie in document.get("ties", ()))
    return Card(
        tuple(Tie(tie["way"], tie["to"], tie["low"], tie["high"]) for tie in told),
        tuple(document["consent"] for document in several if "consent" in document),
    )

"""Which resource is linked to a remote's, and which a remote is owed: looked up by the remote, in collections beside the resources.

What is here follows from the links and outboxes of the resources and is written in the same transactions. Indexes of every type's
collection would say the same, but the embedded store looks at all of a collection's indexes for each search and each insertion: with one
index instead of four a search by key took it a third less time, and an insertion too. Most resources are neither linked nor owed.
"""

from collections.abc import Iterable, Iterator, Sequence

import pymongo
from pymongo.client_session import ClientSession
from pymongo.database import Database

from adapter.store.documents import Document, Stored

LINKED, NAMED, OWED = "linked", "named", "owed"


def expected(reference: str, links: Iterable[Document], outbox: Iterable[str]) -> dict[str, dict[str, Document]]:
    """What is to be here because of a resource with these links, as they are stored, and this outbox; by collection and id."""
    listed = [*links]
    owed = ({"_id": f"{remote}|{reference}", "of": reference, "remote": remote} for remote in outbox)
    return {
        LINKED: {link["key"]: {"_id": link["key"], "of": reference} for link in listed},
        # Apart, because few are, and each further index would make every link dearer.
        NAMED: {link["key"]: {"_id": link["key"], "of": reference, "remote": link["named"]} for link in listed if "named" in link},
        OWED: {document["_id"]: document for document in owed},
    }


def _of(stored: Stored | None) -> dict[str, dict[str, Document]]:
    return expected(stored.reference, (link.document() for link in stored.links), stored.outbox) if stored else expected("", (), ())


def ensure_indexes(database: Database[Document]) -> None:
    """Make the index by which a remote finds what it is owed, and what has an id here that it was not born with."""
    for name in (NAMED, OWED):
        database[name].create_indexes([pymongo.IndexModel([("remote", 1)], name="remote")])


def follow(database: Database[Document], changes: Sequence[tuple[Stored | None, Stored]], session: ClientSession) -> None:
    """Write what changes did. Raises DuplicateKeyError or BulkWriteError where another resource is linked to the same one of a remote."""
    pairs = [(_of(old), _of(stored)) for old, stored in changes]
    for name in (LINKED, NAMED, OWED):
        gone = [key for before, after in pairs for key in before[name].keys() - after[name].keys()]
        new = [after[name][key] for before, after in pairs for key in after[name] if key not in before[name]]
        if gone:
            database[name].delete_many({"_id": {"$in": gone}}, session=session)
        if new:
            database[name].insert_many(new, session=session)


def linked(database: Database[Document], key: str) -> str | None:
    """The Type/id of the resource that has this link, such as `hospital|Patient/1000`."""
    found = database[LINKED].find_one({"_id": key})
    return str(found["of"]) if found else None


def links(database: Database[Document], remote: str) -> Iterator[tuple[str, str]]:
    """(Type/id there, Type/id here) of everything linked to a remote."""
    # A range, which the embedded store answers by reading all links (0.5 s of 20,000); | is followed by }.
    for document in database[LINKED].find({"_id": {"$gte": f"{remote}|", "$lt": f"{remote}}}"}}):
        yield document["_id"].partition("|")[2], document["of"]


def named(database: Database[Document], remote: str) -> dict[str, str]:
    """Type/id there → our id, of what is linked to a remote and has another id here than the one made from its id there."""
    found = database[NAMED].find({"remote": remote})
    return {document["_id"].partition("|")[2]: document["of"].partition("/")[2] for document in found}


def owed(database: Database[Document], remote: str) -> list[str]:
    """The Type/id of each resource that a remote has not got yet, by type and id."""
    return sorted(document["of"] for document in database[OWED].find({"remote": remote}))


def owed_types(database: Database[Document], remote: str) -> set[str]:
    """The types of what a remote has not got yet."""
    return {reference.partition("/")[0] for reference in owed(database, remote)}


def all_keys(database: Database[Document], name: str) -> Iterator[tuple[str, str]]:
    """Every key that is here, and whose it is said to be."""
    return ((document["_id"], document["of"]) for document in database[name].find({}))

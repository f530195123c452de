"""A connected database: the MongoDB that CASEBRIDGE_DB names, or the embedded store."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import pymongo
from pymongo.database import Database
from pymongo.errors import ConfigurationError, InvalidName, InvalidURI, OperationFailure, PyMongoError

from adapter.config import Settings
from adapter.errors import StoreUnavailable
from adapter.store.embedded import embedded_store
from adapter.store.restoring import refuse_half_restored

CONNECT_SECONDS = 5.0

_ONE_MEMBER_SET = (
    "Every change here is a transaction over several documents, which MongoDB does only in a replica set. One member is enough: "
    "start mongod with --replSet rs0, then run rs.initiate() once in mongosh."
)


@contextmanager
def open_database(
    settings: Settings, notice: Callable[[str], None] = lambda line: print(line, file=sys.stderr), *, restoring: bool = False
) -> Iterator[Database[dict[str, Any]]]:
    """The database, connected and fit for transactions: aware times, and a write is done when a majority has it in the journal.

    Its name is the one in the URI's path, else `settings.database`. `notice` gets what a person should know about the store. One that is
    half restored is refused, but to who is `restoring` it.
    Raises StoreUnavailable, within CONNECT_SECONDS where nothing answers; its text never holds the URI, which can hold a password.
    """
    with _uri(settings, notice) as uri, _client(uri) as client:
        try:
            with pymongo.timeout(CONNECT_SECONDS):
                hello = client.admin.command("hello")
        except OperationFailure as error:
            raise StoreUnavailable(f"MongoDB refuses us ({error.code}): check the user and password in CASEBRIDGE_DB.") from None
        except PyMongoError as error:
            raise StoreUnavailable(_why_unreachable(client, error)) from None
        reason = unfit(hello)
        if reason:
            raise StoreUnavailable(reason)
        database = client.get_default_database(settings.database)
        if not restoring:
            refuse_half_restored(database)
        yield database


def unfit(hello: Mapping[str, Any]) -> str | None:
    """Why the server that gave this `hello` answer cannot be the store, or None where it can.

    https://www.mongodb.com/docs/manual/reference/command/hello/
    """
    if hello.get("setName") or hello.get("msg") == "isdbgrid":
        return None
    if hello.get("isreplicaset"):
        return "MongoDB was started for a replica set that does not exist yet: run rs.initiate() once in mongosh."
    return f"MongoDB runs standalone. {_ONE_MEMBER_SET}"


def _uri(settings: Settings, notice: Callable[[str], None]) -> AbstractContextManager[str]:
    return nullcontext(settings.db) if settings.db else embedded_store(settings.home, notice)


def _client(uri: str) -> pymongo.MongoClient[dict[str, Any]]:
    try:
        return pymongo.MongoClient(uri, tz_aware=True, w="majority", journal=True, appname="casebridge")
    except (ConfigurationError, InvalidURI, InvalidName, ValueError):
        raise StoreUnavailable(
            "CASEBRIDGE_DB is not a MongoDB URI such as mongodb://user:password@host:27017/casebridge?replicaSet=rs0 "
            "(characters like / : @ in a password are written %2F %3A %40), or its mongodb+srv name cannot be resolved."
        ) from None


def _why_unreachable(client: pymongo.MongoClient[dict[str, Any]], error: PyMongoError) -> str:
    servers = client.topology_description.server_descriptions().values()
    kinds = {server.server_type_name for server in servers}
    if "RSGhost" in kinds:
        return unfit({"isreplicaset": True}) or ""
    names = ", ".join(sorted(f"{host}:{port}" for host, port in (server.address for server in servers)))
    if kinds & {"RSSecondary", "RSOther"}:
        return f"The MongoDB replica set at {names} has no primary that takes writes."
    return (
        f"No MongoDB answers at {names} within {CONNECT_SECONDS:.0f} s ({type(error).__name__}). Is it running, and is CASEBRIDGE_DB right?"
    )

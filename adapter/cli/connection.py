"""The store of this process: opened for one command, closed at its end."""

import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pymongo.database import Database

from adapter.cli.terminal import say
from adapter.config import Settings
from adapter.store.connect import open_database
from adapter.store.repository import Repository
from adapter.sync.bridge import Bridge

if TYPE_CHECKING:
    from server.auth.registers import Registers


@contextmanager
def database(*, restoring: bool = False) -> Iterator[Database[dict[str, Any]]]:
    """The database that the environment names; a half restored one only for who is `restoring` it. Raises StoreUnavailable."""
    with open_database(Settings.from_env(), notice=say, restoring=restoring) as opened:
        yield opened


@contextmanager
def repository() -> Iterator[Repository]:
    """The resources and records in it."""
    with database() as opened:
        yield Repository(opened)


@contextmanager
def bridge() -> Iterator[Bridge]:
    """The sync over it."""
    with database() as opened:
        yield Bridge(opened, by=user())


@contextmanager
def registers() -> "Iterator[Registers]":
    """Who may ask a server over it."""
    # What the server needs costs every other command half a second.
    from server.auth.registers import Registers

    with repository() as opened:
        yield Registers.of(opened)


def user() -> str:
    """The user of this process, as a certificate or a decision names them; a number where the system has no name for it."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())

"""What every page is given: the store, the clock, the settings, and the bridge to the remotes."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from adapter.casework.desk import Desk
from adapter.clock import Clock
from adapter.store.repository import Repository
from adapter.sync.bridge import Bridge
from server.console import visitor
from server.console.names import Names
from server.console.rehearsals import Rehearsals


@dataclass(frozen=True, eq=False)
class Site:
    """One console over one store."""

    repository: Repository
    clock: Clock
    plans: Path
    """The folder in which plans wait until they are carried out."""

    @cached_property
    def bridge(self) -> Bridge:
        return Bridge(self.repository.database, self.clock)

    @cached_property
    def rehearsals(self) -> Rehearsals:
        return Rehearsals(Bridge(self.repository.database, self.clock, by="console"), self.plans)

    def desk(self) -> Desk:
        """The visitor's desk. Raises NobodyYet."""
        return visitor.desk(self.repository, self.clock)

    def names(self) -> Names:
        """What references are called, looked up once for a page."""
        return Names(self.repository)

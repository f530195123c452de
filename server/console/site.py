"""What every page is given: the store, the clock, the settings, and the bridge to the remotes."""

from collections import defaultdict
from collections.abc import ItemsView, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import flask

from adapter.access import whose
from adapter.access.policy import Policy
from adapter.access.viewer import Viewer
from adapter.casework.desk import Desk
from adapter.clock import Clock
from adapter.store.repository import Repository
from adapter.store.seen import seen_by
from adapter.store.sight import Sight
from adapter.sync.bridge import Bridge
from server.console import visitor
from server.console.names import Names
from server.console.rehearsals import Rehearsals

_NOBODY, _NOTHING = Viewer("nobody", frozenset(), "HOPERAT"), Policy(title="Nothing")


@dataclass(frozen=True, eq=False)
class Site:
    """One console over one store."""

    whole: Repository
    clock: Clock
    plans: Path
    """The folder in which plans wait until they are carried out."""

    @property
    def repository(self) -> Repository:
        """The store as the visitor sees it; behind a gate that let nobody in, as of a file that is open to all, nothing of it."""
        if "seen" not in flask.g:
            blind = visitor.gated() and "sight" not in flask.g
            sight = Sight(self.whole.database, _NOBODY, _NOTHING, self.clock(), frozenset()) if blind else flask.g.get("sight")
            flask.g.seen = seen_by(self.whole, sight) if sight else self.whole
        found: Repository = flask.g.seen
        return found

    @cached_property
    def bridge(self) -> Bridge:
        # By the one repository, whose commits have the account of who makes them (server/audit) with them.
        return Bridge(self.whole.database, self.clock, repository=self.whole)

    @cached_property
    def rehearsals(self) -> Rehearsals:
        return Rehearsals(Bridge(self.whole.database, self.clock, by="console"), self.plans)

    def seen(self, references: Iterable[str]) -> frozenset[str]:
        """Those of these, `Type/id`, that the visitor sees; all of them where nothing is hidden, whether they are here or not."""
        wanted = frozenset(references)
        if self.repository.sight is None:
            return wanted
        return frozenset(f"{type}/{id}" for type, ids in _by_type(wanted) for id in self.repository.find_many(type, ids))

    def changeable(self, references: Iterable[str]) -> frozenset[str]:
        """Those that the visitor sees and may decide about: of types that the role writes, and not for a broken glass alone."""
        sight = self.repository.sight
        if sight is None:
            return frozenset(references)
        written = ((type, ids) for type, ids in _by_type(references) if sight.policy.may_write(type))
        found = [stored for type, ids in written for stored in self.repository.find_many(type, ids).values()]
        broken = sight.by_glass(owner for stored in found for owner in whose.read(stored.whose))
        return frozenset(stored.reference for stored in found if broken.isdisjoint(whose.read(stored.whose)))

    def desk(self) -> Desk:
        """The visitor's desk. Raises NobodyYet."""
        return visitor.desk(self.repository, self.clock)

    def names(self) -> Names:
        """What references are called, looked up once for a page."""
        return Names(self.repository)


def _by_type(references: Iterable[str]) -> ItemsView[str, list[str]]:
    """The ids of `Type/id`s by their type."""
    found: dict[str, list[str]] = defaultdict(list)
    for reference in references:
        type, _, id = reference.partition("/")
        found[type].append(id)
    return found.items()

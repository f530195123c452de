"""What a remote deleted: told by its history, of all types at once or one by one, or found by comparing ids and asking what is missing."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property, partial

from adapter.clock import instant
from adapter.errors import RemoteFatal
from adapter.fhir.bundle import HistoryEntry
from adapter.fhir.outcome import ends_all
from adapter.sync.pulling.pages import Part, again
from adapter.sync.remotes.visit import Visit

# A remote that no longer has more of a type than this was rather reset, or shows us less than before, than worked on.
_FEW, _MOST = 20, 0.5


@dataclass
class Deletions:
    """What was deleted at one remote. `since` says from when on each type is asked about; a type that was not read yet is not in it."""

    visit: Visit
    since: dict[str, datetime]
    reasons: Counter[str] = field(default_factory=Counter)
    """What is kept here although no search shows it there, and why."""

    def tells(self, type: str) -> bool:
        """Whether the remote has a history of this type."""
        return self.visit.capability.supports(type, "history-type") or self.visit.capability.history

    def told(self, type: str) -> list[str]:
        """The ids there of what the history says is deleted, and is not there again."""
        if type not in self.since or not self.tells(type):
            return []
        if self._everything is not None:
            return self._everything.get(type, [])
        return _deleted(again(partial(self.visit.single.history, type, since=instant(self.since[type])), type)).get(type, [])

    @cached_property
    def _everything(self) -> dict[str, list[str]] | None:
        """What the history of all types says; None where there is none, or it is longer than there are types to ask one by one."""
        alone = sum(self.visit.capability.supports(type, "history-type") for type in self.since)
        if not self.visit.capability.history or alone == 1:
            return None
        most = alone * self.visit.remote.page_size if alone else None
        read = again(partial(self.visit.single.history, since=instant(min(self.since.values()))), "_history")
        try:
            return _deleted(_at_most(most, read))
        except _TooLong:
            return None
        except RemoteFatal as error:
            if not alone or ends_all(error):
                raise
            return None

    def missing(self, part: Part, linked: Iterable[str], present: set[str]) -> list[str]:
        """The ids there of what is linked, was not among those present, and is not there when asked for by itself (404, 410)."""
        held = set(linked)
        absent = sorted(held - present)
        found = self.visit.single.reads([f"{part.type}/{id}" for id in absent]) if absent else {}
        gone = [reference.partition("/")[2] for reference, raw in found.items() if raw is None]
        if len(gone) > max(_FEW, len(held) * _MOST):
            self.reasons[f"kept: most {part.type} are no longer there; was the remote reset?"] += len(gone)
            return []
        if left := len(absent) - len(gone):
            self.reasons[f"kept: a {part.type} that is linked and not found by what is asked for"] += left
        return gone

    def ids(self, part: Part, *, changed: bool = False) -> set[str] | None:
        """The ids of all that the part's searches find, whenever it was `changed` or as they ask; None where the remote counts others."""
        found, counted = set(), 0
        for search in part.searches:
            params = {name: value for name, value in search.params.items() if changed or name != "_lastUpdated"}
            pages = again(partial(self.visit.single.search, part.type, {**params, "_elements": "id"}), part.type)
            found |= {str(raw.get("id")) for page in pages for raw in page.entries}
            counted += self.visit.single.count(part.type, params)
        return found if len(found) == counted else None


class _TooLong(Exception):
    """A history goes on for longer than it is worth."""


def _at_most(most: int | None, entries: Iterable[HistoryEntry]) -> Iterator[HistoryEntry]:
    for number, entry in enumerate(entries):
        if most is not None and number >= most:
            raise _TooLong
        yield entry


def _deleted(entries: Iterable[HistoryEntry]) -> dict[str, list[str]]:
    """By type, the ids whose newest version is a deletion. http://hl7.org/fhir/R4/http.html#history has the newest first."""
    latest: dict[tuple[str, str], bool] = {}
    for entry in entries:
        latest.setdefault((entry.type, entry.id), entry.deleted)
    found = defaultdict(list)
    for (type, id), deleted in latest.items():
        if deleted:
            found[type].append(id)
    return dict(found)

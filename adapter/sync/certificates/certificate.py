"""A sync's certificate: what the remote said it had, and what became of each resource. It must add up, or the cursor does not move."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from adapter.clock import instant
from adapter.sync.plan import Tally

COLUMNS = ("remote has", "fetched", "created", "updated", "merged", "unchanged", "conflict", "skipped", "dead", "deleted")


@dataclass
class Certificate:
    """The account of one sync with one remote."""

    remote: str
    started: datetime
    ended: datetime | None = None
    pulled: Tally = field(default_factory=Tally)
    pushed: Tally = field(default_factory=Tally)
    by: str = ""
    """Who ran it: the user of the process."""
    failure: str = ""
    """Why the sync stopped before its end; what was done until then is done."""
    questions: int = 0
    """How many questions about who is who were open at its end: until each is answered, one person may be two, or be kept back."""

    def adds_up(self, type: str) -> bool:
        """Whether every resource of this type that the remote counted was read and has an end."""
        return type not in self.pulled.failed and self.pulled.expected.get(type, 0) == self.pulled.fetched[type]

    @property
    def holds(self) -> bool:
        """Whether all types add up and the sync came to its end."""
        return not self.failure and not self.pulled.failed and all(self.adds_up(type) for type in self.pulled.expected)

    @property
    def clean(self) -> bool:
        """Whether nothing waits for a person either."""
        waiting = sum(tally.total(action) for tally in (self.pulled, self.pushed) for action in ("conflict", "dead"))
        return self.holds and waiting + self.questions == 0

    def rows(self) -> list[tuple[str, dict[str, int], bool]]:
        """Per type: the columns of the pull, and whether they add up."""
        return [
            (type, self._row(type), self.adds_up(type))
            for type in sorted({*self.pulled.expected, *self.pulled.counts, *self.pulled.failed})
        ]

    def _row(self, type: str) -> dict[str, int]:
        counts = self.pulled.counts.get(type, Counter())
        return {
            "remote has": self.pulled.expected.get(type, 0),
            "fetched": self.pulled.fetched[type],
            "created": counts["create"],
            "updated": counts["update"],
            "merged": counts["merge"],
            "unchanged": counts["unchanged"] + counts["link"],
            "conflict": counts["conflict"],
            "skipped": counts["skip"],
            "dead": counts["dead"],
            "deleted": counts["delete"],
        }

    def to_json(self) -> dict[str, Any]:
        """The certificate as JSON data."""
        return {
            "remote": self.remote,
            "started": instant(self.started),
            "ended": instant(self.ended) if self.ended else None,
            "by": self.by,
            "holds": self.holds,
            "failure": self.failure,
            "questions": self.questions,
            "pull": {type: {**row, "adds up": fine} for type, row, fine in self.rows()},
            "push": {type: dict(counts) for type, counts in sorted(self.pushed.counts.items())},
            "failed": dict(self.pulled.failed),
            "reasons": dict(self.pulled.reasons + self.pushed.reasons),
        }

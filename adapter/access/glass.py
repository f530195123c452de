"""Breaking the glass: somebody sees a patient who is not tied to them, for a reason and a time."""

from dataclasses import dataclass
from datetime import datetime

from adapter.errors import Invalid

SHORTEST, LONGEST = 10, 500
"""Of a reason, in characters."""


@dataclass(frozen=True)
class Broken:
    """That the glass was broken: `who` (`Practitioner/x`) sees `patient` (`Patient/x`) from `began` until `until`, or until its end."""

    id: str
    who: str
    patient: str
    reason: str
    began: datetime
    until: datetime
    ended: datetime | None = None
    ended_by: str | None = None
    """A reference, or the name of an operator."""

    @property
    def over(self) -> datetime:
        """The moment from which it does not count any more."""
        return min(self.until, self.ended) if self.ended else self.until

    def holds(self, moment: datetime) -> bool:
        """Whether it counts at this moment."""
        return self.began <= moment < self.over


def reason(text: str) -> str:
    """The reason as it is kept. Raises Invalid for one that says too little, or too much to be read."""
    found = " ".join(text.split())
    if not SHORTEST <= len(found) <= LONGEST:
        raise Invalid(f"A reason is told in {SHORTEST} to {LONGEST} characters: others will read it.", expression=["reason"])
    return found

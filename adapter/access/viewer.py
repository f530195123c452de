"""Who asks to see something, and what for."""

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources

PAYOR, MANAGER, MEMBER, RECIPIENT = "payor", "manager", "member", "recipient"
"""How somebody can be tied to a patient: pays for the care, manages the case, is in the care team, is whom the patient lets be told."""


@dataclass(frozen=True)
class Viewer:
    """Somebody who asks. References are `Type/id`."""

    role: str
    """The name of the policy that says what the role sees."""
    references: frozenset[str]
    """Who they are: the organisation, the practitioner, the roles that they act in. Consents name them by these, and so do ties."""
    purpose: str
    """Why: a code of v3-ActReason, such as HPAYMT."""
    organisation: str | None = None
    """The one whose policy counts, where it has one of its own; as `Organization/id`."""
    team: frozenset[str] = frozenset()
    """Whose caseloads they see besides their own."""
    glass: frozenset[str] = frozenset()
    """The patients for whom they broke the glass, with a reason that is kept elsewhere: neither ties nor consents are asked for these."""
    offered: frozenset[str] = frozenset()
    """Patients who are offered to them and not tied to them yet: neither are ties asked for these."""
    name: str | None = None
    """What they are known by among all who may ask: by it their Subscriptions are theirs."""

    @property
    def ties(self) -> frozenset[str]:
        """All by whom a patient can be tied to them."""
        return self.references | self.team


@cache
def _within() -> dict[str, str]:
    found: dict[str, str] = json.loads(resources.files("adapter.access").joinpath("purposes.json").read_text("utf-8"))["within"]
    return found


def purposes(code: str) -> frozenset[str]:
    """The purpose and all that it is a kind of."""
    found = [code]
    while found[-1] in _within():
        found.append(_within()[found[-1]])
    return frozenset(found)

"""What of one patient's record is disclosed to somebody now: by the ties, by the consents, by the policy of the role."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import chain, combinations

from adapter.access.consent import BY_CONTENT, PERMIT, Ask, Content, concerns, conditions, decide, named
from adapter.access.policy import Policy
from adapter.access.sensitive import categories
from adapter.access.ties import Tie, key
from adapter.access.viewer import Viewer
from adapter.fhir.resource import Raw


@dataclass(frozen=True)
class Card:
    """What is known of a patient for the decision: the ties, and the consents as they are compiled."""

    ties: tuple[Tie, ...] = ()
    consents: tuple[Raw, ...] = ()


@dataclass(frozen=True)
class Disclosure:
    """What somebody may see of a patient's record."""

    policy: Policy
    ask: Ask
    consents: tuple[Raw, ...] | None
    """None where no consent is asked."""
    sensitive: frozenset[str]
    """The sensitive categories that need no consent."""

    def permits(self, content: Content) -> bool:
        """Whether content of this kind may be seen."""
        if self.policy.view(content.type) is None:
            return False
        if self.consents is None:
            return content.labels <= self.sensitive
        said = decide(self.consents, self.ask, content)
        agreed = said.word == PERMIT if said.word else self.policy.consent == "opt-out"
        return agreed and content.labels <= self.sensitive | said.named

    @cached_property
    def by_content(self) -> bool:
        """Whether a resource's type and categories are not enough to know."""
        return not BY_CONTENT.isdisjoint(conditions(self.consents or ()))

    def visible(self, type: str) -> list[frozenset[str] | None]:
        """The sets of sensitive categories with which resources of a type may be seen; None for all sets.

        Of what needs more to be known, all that could be seen.
        """
        told = frozenset(named(self.consents or ()))
        if self.sensitive == categories().keys() and not told:
            return [None] if self._could(Content(type)) else []
        return [found for found in _subsets(self.sensitive | told) if self._could(Content(type, found))]

    def _could(self, content: Content) -> bool:
        return self.permits(content) if not self.by_content else self.policy.view(content.type) is not None


def disclosure(
    card: Card, viewer: Viewer, policy: Policy, moment: datetime, site: frozenset[str], *, broken: bool = False, offered: bool = False
) -> Disclosure | None:
    """What of a patient's record, given the card, the viewer may see; None for nothing. `broken`: the glass was broken for the patient;
    `offered`: they need not be tied to the viewer."""
    if broken or policy.everybody:
        return Disclosure(policy, Ask(viewer, moment), None, frozenset(categories()))
    wanted = keys(viewer, policy)
    if not offered and not any(tie.key in wanted and tie.holds(moment) for tie in card.ties):
        return None
    ask = Ask(viewer, moment, policy.kind, site)
    if policy.consent == "not-asked":
        return Disclosure(policy, ask, None, policy.allowed)
    return Disclosure(policy, ask, tuple(consent for consent in card.consents if concerns(consent, ask)), policy.allowed)


def keys(viewer: Viewer, policy: Policy) -> frozenset[str]:
    """The keys of the ties by which patients are seen."""
    return frozenset(key(way, to) for way in policy.ties for to in viewer.ties)


def _subsets(items: Iterable[str]) -> Iterator[frozenset[str]]:
    ordered = sorted(items)
    return map(frozenset, chain.from_iterable(combinations(ordered, size) for size in range(len(ordered) + 1)))

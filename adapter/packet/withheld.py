"""What a packet does not hold, counted by rule and category: never which it is, nor what it says.

There are two accounts. What follows from the packet itself and the role's policy (`own`) tells a caller nothing that it does not have in
hands already. What is found by looking at the whole record (`in_full`) is for a privacy officer, and for a role whose policy says so.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from adapter.access.consent import DENY, decide, deciding
from adapter.access.disclosure import Disclosure
from adapter.access.policy import Policy
from adapter.access.reasons import (
    ABOUT_WITHHELD,
    BEYOND_WITHHELD,
    CATEGORY,
    CONSENT,
    ELEMENT,
    NO_CONSENT,
    NOT_HERE,
    NOT_SHOWN,
    OTHER_PERSON,
    OUTSIDE_COVER,
    SENSITIVE,
    TYPE,
)
from adapter.access.sensitive import categories, codings
from adapter.fhir.resource import Raw, parse
from adapter.packet.grounds import content
from adapter.packet.reach import PROVENANCE, Reach
from adapter.store.compartments import references
from adapter.store.rows import Row
from adapter.store.search_parameters import table


@dataclass(frozen=True, order=True)
class Withheld:
    """A rule by which something is withheld, and of what."""

    rule: str
    """One of `reasons.RULES`."""
    type: str = ""
    category: str = ""
    """The sensitive categories that it belongs to, with commas between."""
    element: str = ""
    decided: str = ""
    """The Consents that say so and where; for a privacy officer alone."""


Account = dict[Withheld, int | None]
"""How many resources each rule withholds; None where that is not told, or not counted."""


def own(reach: Reach, policy: Policy, disclosed: Disclosure, outside: int) -> Account:
    """What a caller is told: what the packet's own references lead to and it does not have, and by which rules there may be more.

    `outside` is the number of plans in the period that the caller sees and that lie outside of its cover.
    """
    led = {reference for row in reach.rows.values() if row.type != PROVENANCE for reference in references(row.text)}
    left = [(type, f"{type}/{id}") for type, id in led if type in table()]
    found = Counter(Withheld(_told(type, name, reach, policy), type) for type, name in left if name not in reach.rows)
    perhaps = {
        CONSENT: disclosed.consents is not None,
        SENSITIVE: not disclosed.sensitive >= categories().keys(),
    }
    return _whole(found, reach, policy, outside) | {Withheld(rule): None for rule, may_be in perhaps.items() if may_be}


def _told(type: str, reference: str, reach: Reach, policy: Policy) -> str:
    if reference in reach.others:
        return OTHER_PERSON
    shown = {*policy.open, *policy.by_target, *policy.by_characteristic}
    return NOT_SHOWN if type in shown or policy.view(type) else TYPE


def in_full(reach: Reach, whole: Reach, policy: Policy, disclosed: Disclosure, consents: Mapping[str, Raw], outside: int) -> Account:
    """What is withheld of what the whole record would hold: `whole` was reached by the same ways, unlimited.

    All that is there is in the packet or counted here once. `outside` is the number of plans in the period outside of the cover.
    """
    left = [row for reference, row in whole.rows.items() if reference not in reach.rows]
    found = Counter(_why(row, policy, disclosed, consents) for row in left)
    found.update(Withheld(NOT_HERE, _type(reference)) for reference in whole.asked - whole.there)
    found.update(Withheld(OTHER_PERSON, _type(reference)) for reference in whole.others)
    return _whole(found, reach, policy, outside)


def undecided(account: Account) -> Account:
    """An account without the Consents that decided."""
    found: Counter[Withheld] = Counter()
    for each, count in account.items():
        found[replace(each, decided="")] += count or 0
    return {each: count or None for each, count in found.items()}


def _whole(counted: Mapping[Withheld, int], reach: Reach, policy: Policy, outside: int) -> Account:
    """What was counted, in order, with what follows from the cover and from the policy's elements."""
    views = {type: policy.view(type) for type in {row.type for row in reach.rows.values()}}
    elements = {Withheld(ELEMENT, type, element=name): None for type, view in views.items() if view for name in view.withheld}
    beyond = {Withheld(OUTSIDE_COVER, "CarePlan"): outside} if outside else {}
    found: Account = {**counted, **beyond, **elements}
    return dict(sorted(found.items()))


def _why(row: Row, policy: Policy, disclosed: Disclosure, consents: Mapping[str, Raw]) -> Withheld:
    told = content(row)
    here = Withheld(_rule(row, policy), row.type, ",".join(sorted(told.labels)))
    if here.rule:
        return here
    if disclosed.permits(told):
        return replace(here, rule=BEYOND_WITHHELD)
    said = decide(consents.values(), disclosed.ask, told).word if disclosed.consents is not None else None
    if said == DENY:
        return replace(here, rule=CONSENT, decided=", ".join(map(" ".join, deciding(consents, disclosed.ask, told))))
    asked = disclosed.consents is not None and policy.consent == "opt-in" and said is None
    return replace(here, rule=NO_CONSENT if asked else SENSITIVE)


def _rule(row: Row, policy: Policy) -> str:
    """The rule of the policy that withholds it whatever the patient says; empty for none."""
    view = policy.view(row.type)
    if row.type in policy.by_target:
        return ABOUT_WITHHELD
    if row.type in policy.open:
        return BEYOND_WITHHELD
    if row.type in policy.by_characteristic:
        return CATEGORY
    if view is None:
        return TYPE
    outside = view.category and {*view.category}.isdisjoint(coding["code"] for coding in codings(parse(row.text).get("category")))
    return CATEGORY if outside else ""


def _type(reference: str) -> str:
    return reference.partition("/")[0]

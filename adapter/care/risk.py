"""Risk evaluation and stratification: from facts to factor levels, severity, tier and priority, as a policy file says.

The policy (`policies/<name>.json`) is a project choice, not a validated instrument; a site may use its own. Facts of policy v1:
`charlson` (unadjusted), `acute_severity`, `blood_pressure` (a category), `phq9`, `gad7`, `phq9_item_9` (its points),
`positive_domains` (all domains of need found positive), `recent_inpatient` (an inpatient stay ended in the last 30 days), `lace`,
`katz`, `steadi`, `hits`. A fact that is not known is left out; it is never given as 0.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

import msgspec

from adapter.care import data
from adapter.care.data import Data
from adapter.errors import Invalid, NotFound, RuleViolated, UnknownCode

_FOLDER = "policies"
DEFAULT_POLICY = "stratification_1"

LEVEL_NAMES = ("none", "low", "moderate", "high")
"""The names of the levels 0 to 3."""

Fact = int | bool | str | Collection[str]


class Level(Data, frozen=True, kw_only=True):
    """The level of a fact: of a number from `low` on, or of a code that `equals`. A flag raised with it is urgent."""

    low: int | None = msgspec.field(name="from", default=None)
    equals: str | bool | None = msgspec.field(name="is", default=None)
    level: Literal[0, 1, 2, 3]
    flag: str | None = None

    def __post_init__(self) -> None:
        if (self.low is None) == (self.equals is None):
            raise ValueError("a level has either from or is")


class Rule(Data, frozen=True, kw_only=True):
    """How one fact becomes a level. With `among` the fact is a collection, and the number is how many of those are in it."""

    fact: str
    levels: tuple[Level, ...]
    among: tuple[str, ...] = ()
    only_if: str | None = None
    """The rule counts only when this other fact is true."""

    def __post_init__(self) -> None:
        starts = [level.low for level in self.levels if level.low is not None]
        if starts != sorted(set(starts)) or len(starts) not in (0, len(self.levels)):
            raise ValueError("the levels do not start higher and higher")

    @property
    def numeric(self) -> bool:
        return self.levels[0].low is not None


class Factor(Data, frozen=True, kw_only=True):
    """A risk factor; its level is the highest of its rules'. One that is not required counts 0 while nothing is known of it."""

    kind: str
    rules: tuple[Rule, ...]
    required: bool = True


class Tier(Data, frozen=True, kw_only=True):
    """A tier and the severity from which it holds."""

    tier: str
    low: int = msgspec.field(name="from")


class Policy(Data, frozen=True, kw_only=True):
    """Factors with their rules, the tiers from low to high, and the lowest tier that an urgent flag allows."""

    id: str
    version: str
    title: str
    source: str
    factors: tuple[Factor, ...]
    tiers: tuple[Tier, ...]
    urgent_tier: str

    def __post_init__(self) -> None:
        starts = [tier.low for tier in self.tiers]
        if starts != sorted(set(starts)) or starts[:1] != [0]:
            raise ValueError("the tiers do not start at 0 and then higher and higher")
        if self.urgent_tier not in [tier.tier for tier in self.tiers]:
            raise ValueError("the urgent tier is not one of the tiers")


@dataclass(frozen=True)
class Evaluation:
    """The level (0 to 3) of each factor that something is known of, and the urgent flags that the facts raise."""

    levels: Mapping[str, int]
    urgent_flags: tuple[str, ...]


@dataclass(frozen=True)
class Stratification:
    """Severity (0 to 18 under v1), tier and priority score (0 to 54), with what they follow from."""

    policy: str
    version: str
    levels: Mapping[str, int]
    urgent_flags: tuple[str, ...]
    potential_for_change: int
    severity: int
    tier: str
    priority_score: int


def policy(name: str = DEFAULT_POLICY) -> Policy:
    """The policy of that name. Raises NotFound, and Invalid, naming file and path, for a policy file that breaks the rules above."""
    if name not in data.names(_FOLDER):
        raise NotFound("There is no risk policy of that name.")
    return data.read(_FOLDER, name, Policy)


def evaluate(facts: Mapping[str, Fact], by: Policy | None = None) -> Evaluation:
    """The factor levels and urgent flags of `facts`, by the default policy unless another is given.

    Raises Invalid, naming the fact, for one that the policy does not have or a value that is not of its kind, and UnknownCode for
    a code that it does not list.
    """
    by = by or policy()
    strange = sorted(set(facts) - {rule.fact for factor in by.factors for rule in factor.rules})
    if strange:
        raise Invalid("The risk policy has no such fact.", expression=strange)
    found = {
        factor.kind: [
            _level(rule, facts[rule.fact])
            for rule in factor.rules
            if rule.fact in facts and (rule.only_if is None or facts.get(rule.only_if) is True)
        ]
        for factor in by.factors
    }
    return Evaluation(
        levels={kind: max(hit.level for hit in hits) for kind, hits in found.items() if hits},
        urgent_flags=tuple(hit.flag for hits in found.values() for hit in hits if hit.flag),
    )


def _level(rule: Rule, fact: Any) -> Level:
    if rule.among:
        if isinstance(fact, str) or not isinstance(fact, Collection):
            raise Invalid("The fact is not a list.", expression=[rule.fact])
        fact = len(set(rule.among).intersection(fact))
    if not rule.numeric:
        for level in rule.levels:
            if type(fact) is type(level.equals) and fact == level.equals:
                return level
        raise UnknownCode("The risk policy does not list this code.", expression=[rule.fact])
    if isinstance(fact, bool) or not isinstance(fact, int):
        raise Invalid("The fact is not a whole number.", expression=[rule.fact])
    reached = [level for level in rule.levels if level.low is not None and level.low <= fact]
    if not reached:
        raise Invalid("The fact is below its range.", expression=[rule.fact])
    return reached[-1]


def stratify(
    levels: Mapping[str, int],
    potential_for_change: int,
    urgent_flags: Iterable[str] = (),
    by: Policy | None = None,
) -> Stratification:
    """Severity, tier and priority of factor levels (0 to 3), for a potential for change of 0 none, 1 some or 2 substantial.

    Any urgent flag lifts the tier to the policy's urgent tier at least. Raises RuleViolated with code `risk_incomplete`, naming the
    factors, while a required factor has no level; Invalid for another factor or a value out of range.
    """
    by = by or policy()
    flags = tuple(urgent_flags)
    known = {factor.kind for factor in by.factors}
    wrong = sorted(kind for kind, level in levels.items() if kind not in known or level not in range(len(LEVEL_NAMES)))
    if potential_for_change not in (0, 1, 2):
        wrong.append("potential_for_change")
    if wrong:
        raise Invalid("Not a factor of the risk policy, or out of range.", expression=wrong)
    missing = [factor.kind for factor in by.factors if factor.required and factor.kind not in levels]
    if missing:
        raise RuleViolated("A required risk factor has no level.", code="risk_incomplete", expression=missing)
    severity = sum(levels.values())
    reached = [tier.tier for tier in by.tiers if tier.low <= severity or (flags and _allows(by, tier))]
    return Stratification(
        policy=by.id,
        version=by.version,
        levels=dict(levels),
        urgent_flags=flags,
        potential_for_change=potential_for_change,
        severity=severity,
        tier=reached[-1],
        priority_score=severity * (1 + potential_for_change),
    )


def _allows(by: Policy, tier: Tier) -> bool:
    """Whether `tier` is no higher than the urgent tier."""
    order = [each.tier for each in by.tiers]
    return order.index(tier.tier) <= order.index(by.urgent_tier)


def worklist_order(stratification: Stratification, referred: date, case_number: str) -> tuple[bool, int, date, str]:
    """A sort key for the worklist: urgent flags first, then the highest priority, the oldest referral, the case number."""
    return (not stratification.urgent_flags, -stratification.priority_score, referred, case_number)

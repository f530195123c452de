"""The models of case management that a case follows: what each permits, demands and suggests, read from `models/<id>.json` (DOMAIN §3.6).

A new model is a new file, and needs no code: it says its demands in the words of `Demands`, which the process of a case knows how to check.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from typing import Any, Literal, get_args

import msgspec

from adapter.care import data
from adapter.care.comorbidity import Records, present
from adapter.care.data import Data, Named
from adapter.errors import NotFound

_FOLDER = "models"
STANDARD_CASELOAD = 20
"""The places of a case manager with no other limit (DOMAIN §0.1, X4)."""

Act = Literal["assess", "refer", "liaise", "treat", "coordinate", "empower", "accompany"]
Source = Literal["client", "provider", "support_network"]
Intervention = Literal["narrative_reframing", "environmental_change", "other"]
Sign = Literal["severe_mental_illness", "complex_trauma", "rehabilitation", "single_need"]
"""What speaks for a model."""


class Demands(Data, frozen=True, kw_only=True):
    """What a case needs beyond what every case does. The defaults demand nothing."""

    licence: bool = False
    """The case manager has an active, unrestricted clinical licence (V-08)."""
    assigner: bool = False
    """Who assigned the case manager is recorded (V-08)."""
    session_records: bool = False
    """Each session in which the case manager treats is recorded."""
    outcome_monitor: bool = False
    """Each service names who watches what comes of it."""
    accepted_referral: bool = False
    """A referral was accepted before follow-up begins."""
    strengths: int = 0
    """So many strengths of the client are recorded."""
    goal_strength: bool = False
    """Each goal rests on a strength."""
    interventions: tuple[tuple[Intervention, ...], ...] = ()
    """Of each group the plan has a service of one of these kinds."""
    client_goal_percent: int = 0
    """So much of the goals were expressed by the client or a support person."""
    first_service_hours: int | None = None
    """The first service starts within so many hours of the opening."""
    accompaniment: bool = False
    """Each appointment that took place says whether the case manager came along."""
    follow_up: tuple[Source, ...] = ()
    """Step 6 needs a contact with each of these."""
    referral_confirmation: bool = False
    """Step 6 needs a provider's word on each referral."""
    full_outcome: bool = False
    """Well-being, finances and appropriateness are the case manager's own review; else the monitor's report will do."""
    empowerment_rating: bool = False
    """Step 7 needs the client's rating of how far they were empowered."""
    session_goals: bool = False
    """Step 7 needs the goals reached at each session."""

    def __post_init__(self) -> None:
        if not (0 <= self.client_goal_percent <= 100 and self.strengths >= 0 and (self.first_service_hours or 1) > 0):
            raise ValueError("a number is out of range")
        if not all(self.interventions):
            raise ValueError("a group of interventions has none")


class Model(Named, frozen=True, kw_only=True):
    """A model of case management. `permits` are acts of the case manager's; some need a clinical licence."""

    version: str
    title: str
    source: str
    description: str
    plan_driver: str
    """What the plan is made from, in words."""
    outcome_monitoring: str
    """Who watches the outcomes, in words."""
    permits: tuple[Act, ...]
    permits_if_licensed: tuple[Act, ...] = ()
    suggests: tuple[Act, ...] = ()
    """What the case manager mainly does."""
    suggested_for: tuple[Sign, ...] = ()
    caseload: int
    """The most cases of this model that one case manager should have."""
    contact_days: dict[Source, dict[str, int]]
    """The most days between two completed contacts, by whom with and by tier (V-13)."""
    demands: Demands = Demands()

    def __post_init__(self) -> None:
        if not 1 <= self.caseload <= STANDARD_CASELOAD:
            raise ValueError(f"a caseload is 1 to {STANDARD_CASELOAD}")
        if not all(days and min(days.values()) > 0 for days in self.contact_days.values()):
            raise ValueError("contacts have a number of days, above 0, for each tier")
        if not set(self.suggests) <= {*self.permits, *self.permits_if_licensed}:
            raise ValueError("it suggests what it does not permit")


@dataclass(frozen=True)
class ModelRules:
    """The rules of all models that a case follows together."""

    models: tuple[str, ...]
    permits: frozenset[Act]
    permits_if_licensed: frozenset[Act]
    demands: Demands
    caseload: int
    contact_days: Mapping[Source, Mapping[str, int]]

    def permitted(self, act: Act, *, licensed: bool) -> bool:
        """Whether the case manager may do this; `licensed`: they have an active, unrestricted clinical licence."""
        return act in self.permits or (licensed and act in self.permits_if_licensed)

    def days_between(self, source: Source, tier: str | None) -> int | None:
        """The most days between two contacts with that source; None where the models say nothing of it.

        While the tier is not known, or is none of the model's, the longest: a shorter one would be a guess.
        """
        days = self.contact_days.get(source)
        return None if days is None else days.get(tier or "", max(days.values()))

    @property
    def places(self) -> Fraction:
        """How many places of a standard caseload of 20 the case takes: 2 where a case manager should have 10 like it."""
        return Fraction(STANDARD_CASELOAD, self.caseload)


def names() -> tuple[str, ...]:
    """The ids of all models, the site's too, in alphabetical order."""
    return data.names(_FOLDER)


def load(model: str) -> Model:
    """The model of that id. Raises NotFound, and Invalid, naming file and path, for a file that breaks the rules above."""
    if model not in names():
        raise NotFound("There is no model of case management of that name.", expression=["models"])
    return data.read(_FOLDER, model, Model)


def rules(models: Iterable[str]) -> ModelRules:
    """The rules of a case that follows these models: what any permits, whatever any demands, the shortest intervals, the smallest caseload.

    Brokerage forbids treatment by not permitting it, so it does so only where no other model permits it. A case without a model is
    permitted nothing and demanded nothing. Raises NotFound.
    """
    followed = [load(name) for name in sorted(set(models))]
    return ModelRules(
        models=tuple(model.id for model in followed),
        permits=frozenset(act for model in followed for act in model.permits),
        permits_if_licensed=frozenset(act for model in followed for act in model.permits_if_licensed),
        demands=reduce(_stricter, (model.demands for model in followed), Demands()),
        caseload=min((model.caseload for model in followed), default=STANDARD_CASELOAD),
        contact_days=_shortest(model.contact_days for model in followed),
    )


def signs(conditions: Records, setting: str | None = None, needs: Collection[str] = ()) -> frozenset[Sign]:
    """What speaks for a model: the client's conditions, by the grouping `care_model`; the case's setting; a need that is the only one."""
    found = {sign for sign in get_args(Sign) if sign in present("care_model", conditions)}
    if setting == "rehabilitation":
        found.add("rehabilitation")
    return frozenset(found or ({"single_need"} if len({*needs}) == 1 else ()))


def suggested(signs: Collection[Sign]) -> tuple[str, ...]:
    """The models that the signs speak for, those with most of them first; a person decides."""
    matches = {name: len({*load(name).suggested_for} & {*signs}) for name in names()}
    return tuple(sorted((name for name, count in matches.items() if count), key=lambda name: -matches[name]))


def _union(one: tuple[Any, ...], other: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(dict.fromkeys((*one, *other)))


_STRICTER: dict[str, Callable[[Any, Any], Any]] = {
    "strengths": max,
    "client_goal_percent": max,
    "first_service_hours": lambda one, other: min((hours for hours in (one, other) if hours is not None), default=None),
    "interventions": _union,
    "follow_up": _union,
}
"""How two demands become one that meets both; of a yes and a no the yes."""


def _stricter(one: Demands, other: Demands) -> Demands:
    each = {name: _STRICTER.get(name, lambda a, b: a or b)(getattr(one, name), getattr(other, name)) for name in Demands.__struct_fields__}
    return msgspec.structs.replace(one, **each)


def _shortest(tables: Iterable[Mapping[Source, Mapping[str, int]]]) -> dict[Source, dict[str, int]]:
    found: dict[Source, dict[str, int]] = {}
    for table in tables:
        for source, days in table.items():
            known = found.setdefault(source, {})
            known.update({tier: min(number, known.get(tier, number)) for tier, number in days.items()})
    return found

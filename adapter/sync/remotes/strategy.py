"""How a sync goes about one remote: by what it was found to do, else by what it says it does."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from adapter.fhir.capability import Capability
from adapter.fhir.client import FhirClient
from adapter.fhir.retry import RetryPolicy
from adapter.fhir.wary import IF_MATCH, IF_NONE_EXIST, WaryClient
from adapter.sync.remotes.profile import Profile, Value
from adapter.sync.remotes.remote import Remote


@dataclass(frozen=True)
class Strategy:
    """The choices for one remote; `RULES` says what each follows from."""

    bundle: str
    """`transaction`, `batch`, or `single` for none: what several creates and updates go in."""
    bundle_size: int
    """How many of them go in one Bundle."""
    page_size: int
    """How many resources are asked for at once."""
    unheeded: tuple[str, ...]
    """The conditions (`If-Match`, `If-None-Exist`) that the remote does not heed: they are looked at just before a write."""
    wait_after_write: float
    """Seconds after which a search finds what was written: a request whose answer was lost is not sent again before."""
    deletes_by: str
    """`history-type`, `history-system` or `ids`: what tells of deletions there (a shorter history of the system is read instead)."""
    since: bool
    """Whether a pull asks by `_lastUpdated` for what changed; else it reads all and compares."""
    patch: bool
    """Whether a change can be sent by itself, as a JSON Patch."""


@dataclass(frozen=True)
class Known:
    """What a rule can look at. `capability` is `believed`."""

    profile: Profile | None
    capability: Capability
    remote: Remote

    def found(self, name: str, otherwise: Any) -> Any:
        """What the probe of that name found, `otherwise` where it found nothing."""
        value = self.profile.value(name) if self.profile else None
        return otherwise if value is None else value

    def claims(self, interaction: str) -> bool:
        """Whether it does this on a type, any."""
        return any(interaction in type.interactions for type in self.capability.types.values())


@dataclass(frozen=True)
class Rule:
    """How one field of the strategy is chosen; `follows` says from what, for people."""

    choose: Callable[[Known], Any]
    follows: str


def _unheeded(known: Known) -> tuple[str, ...]:
    claimed = any(type.conditional_create for type in known.capability.types.values())
    heeded = {
        IF_MATCH: known.found("if_match", "412") != "ignored",
        IF_NONE_EXIST: known.found("conditional_create", claimed),
    }
    return tuple(condition for condition, so in heeded.items() if not so)


def _bundle(known: Known) -> str:
    if _unheeded(known):
        return "single"
    return next((kind for kind in ("transaction", "batch") if kind in known.capability.system), "single")


def _deletes_by(known: Known) -> str:
    return "history-type" if known.claims("history-type") else "history-system" if known.capability.history else "ids"


RULES = {
    "bundle": Rule(_bundle, "transaction, else batch, where every condition is heeded"),
    "bundle_size": Rule(
        lambda known: min(known.remote.bundle_size, known.found("transaction_size", known.remote.bundle_size)),
        "the setting bundle_size, at most what transaction_size found",
    ),
    "page_size": Rule(
        lambda known: min(known.remote.page_size, known.found("page_limit", known.remote.page_size)),
        "the setting page_size, at most what page_limit found",
    ),
    "unheeded": Rule(_unheeded, "if_match and conditional_create; not probed, the claim of conditional create"),
    "wait_after_write": Rule(lambda known: float(known.found("search_delay", 0)), "search_delay; not probed, none"),
    "deletes_by": Rule(_deletes_by, "history_type, else history_system, else ids are compared"),
    "since": Rule(
        lambda known: any("_lastUpdated" in type.search_params for type in known.capability.types.values()), "search_last_updated"
    ),
    "patch": Rule(lambda known: known.claims("patch"), "patch"),
}


def strategy(profile: Profile | None, capability: Capability, remote: Remote) -> Strategy:
    """The choices for a remote, of which `capability` is what it claims. Without a profile they follow from the claims alone."""
    known = Known(profile, believed(profile, capability), remote)
    return Strategy(**{name: rule.choose(known) for name, rule in RULES.items()})


def client(remote: Remote, chosen: Strategy) -> FhirClient:
    """A client that goes about the remote so."""
    kind = partial(WaryClient, unheeded=chosen.unheeded) if chosen.unheeded else FhirClient
    # Half of the base is the least that is waited before a request is sent again.
    base = max(RetryPolicy.base, 2 * chosen.wait_after_write)
    return remote.client(kind, page_size=chosen.page_size, retry=RetryPolicy(base=base, cap=max(RetryPolicy.cap, base)))


# The interactions that a finding tells of, and when it means that they work.
_SYSTEM: dict[str, tuple[str, Callable[[Value], bool]]] = {
    "transaction": ("transaction", lambda value: value == "atomic"),
    "batch": ("batch", bool),
    "history_system": ("history-system", bool),
}
_TYPE: dict[str, tuple[str, Callable[[Value], bool]]] = {
    "history_type": ("history-type", bool),
    "patch": ("patch", lambda value: "json" in str(value)),
    "delete": ("delete", lambda value: value in ("404", "410")),
}


def believed(profile: Profile | None, capability: Capability) -> Capability:
    """What the remote can do: what it claims, without what it was found not to do, and with what else was found of the whole system.

    A type is never believed to do more than it claims: the probes look at Patients and Observations only.
    """
    if profile is None:
        return capability
    told = {name: value for name in profile.findings if (value := profile.value(name)) is not None}
    works = {interaction for name, (interaction, so) in _SYSTEM.items() if name in told and so(told[name])}
    fails = {interaction for name, (interaction, so) in (_SYSTEM | _TYPE).items() if name in told and not so(told[name])}
    dated = told.get("search_last_updated")
    with_date, without = ({"_lastUpdated"} if dated is so else set() for so in (True, False))
    types = {
        name: replace(each, interactions=each.interactions - fails, search_params=(each.search_params | with_date) - without)
        for name, each in capability.types.items()
    }
    return replace(capability, types=types, system=(capability.system | works) - fails)

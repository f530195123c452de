"""What a patient's Consents say to somebody who asks: http://hl7.org/fhir/R4/consent.html

R4: a provision is "an exception to the base policy of this consent", nested ones to the one around them. So of a tree the deepest provision
that fits decides, and of several that fit beside each other one that denies; of several Consents one whose provision denies, then one
whose provision permits, then the base policies, where again one that denies goes first. A Consent of which nothing fits says nothing.

What a provision says beyond what can be judged here narrows: such a permission permits nothing, such a denial denies.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from adapter.access.sensitive import of_label
from adapter.access.viewer import Viewer, purposes
from adapter.config import EXT
from adapter.fhir.dates import BEGIN, END, Span, period
from adapter.fhir.references import split
from adapter.fhir.resource import Raw

PERMIT, DENY = "permit", "deny"
PAYER, SUPPORT = "payer", "support"
_SCOPE = "http://terminology.hl7.org/CodeSystem/consentscope"
_TYPES = "http://hl7.org/fhir/resource-types"
_REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
_ACTION = "http://terminology.hl7.org/CodeSystem/consentaction"
# Which scopes are about who is told, and for which purpose alone; a Consent to a treatment or an advance directive is not.
_SCOPES: dict[str, str | None] = {"patient-privacy": None, "research": "HRESCH"}
_BASES = {"OPTIN": PERMIT, "OPTINR": PERMIT, "OPTOUT": DENY, "OPTOUTE": DENY}
_RECIPIENTS = frozenset(("IRCP", "PRCP", "GRANTEE"))
_CUSTODIANS = frozenset(("CST", "performer"))
_TOLD = frozenset(("access", "use", "disclose"))
_TOWARDS = {"sharing-payer": PAYER, "sharing-support": SUPPORT}
_UNCLEAR = "?"
"""Among the values of a condition: there is one that cannot be judged here."""

Rule = dict[str, Any]
"""A provision as it is kept: `type`, the conditions by name, each a list of texts or a span, and `rules`, the nested ones."""


@dataclass(frozen=True)
class Ask:
    """Who asks, why and when."""

    viewer: Viewer
    moment: datetime
    kind: str | None = None
    """`payer` or `support`: which consents are meant that say they are towards one of these only."""
    site: frozenset[str] = frozenset()
    """The references of the organisation that keeps the data here."""

    @cached_property
    def purposes(self) -> frozenset[str]:
        return purposes(self.viewer.purpose)


@dataclass(frozen=True)
class Content:
    """What of a resource consents can be about."""

    type: str
    labels: frozenset[str] = frozenset()
    """The sensitive categories that it belongs to."""
    reference: str = ""
    codes: frozenset[str] = frozenset()
    """`system|code` of each coding in it."""
    dates: Span = (BEGIN, END)
    """The time of the care that it is about; all of time where it says none."""


@dataclass(frozen=True)
class Said:
    """What consents say: permit, deny, or nothing; and the sensitive categories that a permission names."""

    word: str | None = None
    named: frozenset[str] = field(default=frozenset())


NOTHING = Said()


def compiled(raw: Raw) -> Raw | None:
    """A Consent as it is kept to be asked; None for one that is not in force or not about who is told."""
    scope = next((code for code in _codes([raw.get("scope")], _SCOPE) if code in _SCOPES), None)
    if raw.get("status") != "active" or scope is None:
        return None
    provision = raw.get("provision")
    rule = _rule(provision) if isinstance(provision, dict) else {}
    if "modifierExtension" in raw:
        rule["beyond"] = [_UNCLEAR]
    return {
        "purpose": _SCOPES[scope],
        "towards": next((_TOWARDS[word] for word in _refined(raw) if word in _TOWARDS), None),
        "base": next((_BASES[code] for code in _codes([raw.get("policyRule")], None) if code in _BASES), None),
        "rule": rule,
    }


def decide(consents: Iterable[Raw], ask: Ask, content: Content) -> Said:
    """What the Consents of a patient, compiled, say about this content to who asks."""
    concerned = [consent for consent in consents if concerns(consent, ask)]
    for words in ([_said(consent["rule"], ask, content) for consent in concerned], [_base(consent, ask, content) for consent in concerned]):
        if (found := _together(words)).word:
            return found
    return NOTHING


def deciding(consents: Mapping[str, Raw], ask: Ask, content: Content) -> list[tuple[str, str]]:
    """Which Consents of a patient, compiled and by reference, say what `decide` comes to, each with the element that does (FHIRPath).

    None of them where nothing is said.
    """
    concerned = {reference: consent for reference, consent in consents.items() if concerns(consent, ask)}
    said = {reference: _said(consent["rule"], ask, content) for reference, consent in concerned.items()}
    if word := _together(said.values()).word:
        rules = [(reference, concerned[reference]["rule"]) for reference, each in said.items() if each.word == word]
        return [(reference, path) for reference, rule in rules for path in _saying("Consent.provision", rule, ask, content)]
    based = {reference: _base(consent, ask, content).word for reference, consent in concerned.items()}
    decided = DENY if DENY in based.values() else PERMIT
    return [(reference, "Consent.policyRule") for reference, word in based.items() if word == decided]


def _saying(path: str, rule: Rule, ask: Ask, content: Content, unclear: bool = False) -> list[str]:
    """The provisions of a tree that say what the tree says. They are kept in the order that the Consent has them in."""
    word = _said(rule, ask, content, unclear).word
    unclear |= _fits(rule, ask, content) is None
    inner = [(f"{path}.provision[{number}]", each) for number, each in enumerate(rule.get("rules", ()))]
    agreeing = [(place, each) for place, each in inner if _said(each, ask, content, unclear).word == word]
    return [found for place, each in agreeing for found in _saying(place, each, ask, content, unclear)] or [path]


def concerns(consent: Raw, ask: Ask) -> bool:
    """Whether a Consent is about telling somebody of this kind, for this purpose, at all."""
    return consent["towards"] in (None, ask.kind) and (consent["purpose"] is None or consent["purpose"] in ask.purposes)


def conditions(consents: Iterable[Raw]) -> frozenset[str]:
    """The names of the conditions that provisions of these have."""
    return frozenset(name for consent in consents for rule in _all(consent["rule"]) for name in rule)


def named(consents: Iterable[Raw]) -> frozenset[str]:
    """The sensitive categories that provisions of these name."""
    return frozenset(label for consent in consents for rule in _all(consent["rule"]) for label in rule.get("labels", ())) - {_UNCLEAR}


def _all(rule: Rule) -> Iterator[Rule]:
    yield rule
    for inner in rule.get("rules", ()):
        yield from _all(inner)


def _together(words: Iterable[Said]) -> Said:
    """What several say that stand beside each other."""
    said = [each for each in words if each.word]
    if any(each.word == DENY for each in said):
        return Said(DENY)
    return Said(PERMIT, frozenset().union(*(each.named for each in said))) if said else NOTHING


def _base(consent: Raw, ask: Ask, content: Content) -> Said:
    """What the base policy says: where the outermost provision permits or denies nothing itself, it only says where the Consent counts."""
    fits = True if "type" in consent["rule"] else _fits(consent["rule"], ask, content)
    word = consent["base"]
    return Said(word) if word and (fits or (fits is None and word == DENY)) else NOTHING


def _said(rule: Rule, ask: Ask, content: Content, unclear: bool = False, named: frozenset[str] = frozenset()) -> Said:
    fits = _fits(rule, ask, content)
    if fits is False:
        return NOTHING
    unclear |= fits is None
    named |= frozenset(rule.get("labels", ()))
    inner = _together(_said(each, ask, content, unclear, named) for each in rule.get("rules", ()))
    if inner.word:
        return inner
    word = rule.get("type")
    return Said(word, named if word == PERMIT else frozenset()) if word and not (unclear and word == PERMIT) else NOTHING


def _fits(rule: Rule, ask: Ask, content: Content) -> bool | None:
    """Whether all conditions hold; None where that cannot be judged."""
    held = {_CONDITIONS[name](values, ask, content) for name, values in rule.items() if name in _CONDITIONS}
    return False if False in held else None if None in held else True


def _among(values: Iterable[str], found: frozenset[str]) -> bool | None:
    return True if not found.isdisjoint(values) else None if _UNCLEAR in values else False


def _now(values: list[Any], ask: Ask) -> bool | None:
    return None if _UNCLEAR in values else values[0] <= ask.moment < values[1]


def _dated(values: list[Any], content: Content) -> bool | None:
    """Data that lie in the time only in part, or may do so, are as good as unclear: no permission reaches them, and each denial does."""
    low, high = content.dates
    if _UNCLEAR in values:
        return None
    return False if high <= values[0] or low >= values[1] else True if values[0] <= low and high <= values[1] else None


_CONDITIONS: dict[str, Callable[[list[Any], Ask, Content], bool | None]] = {
    "period": lambda values, ask, _: _now(values, ask),
    "actors": lambda values, ask, _: _among(values, ask.viewer.references),
    # Data that came from elsewhere are kept here too, so another's name says nothing for certain.
    "custodians": lambda values, ask, _: _among(values, ask.site) or None,
    "purposes": lambda values, ask, _: _among(values, ask.purposes),
    "actions": lambda values, *_: _among(values, _TOLD),
    "classes": lambda values, _, content: _among(values, frozenset((content.type,))),
    "labels": lambda values, _, content: _among(values, content.labels),
    "codes": lambda values, _, content: _among(values, content.codes),
    "instances": lambda values, _, content: _among(values, frozenset((content.reference,))),
    "dates": lambda values, _, content: _dated(values, content),
    "beyond": lambda *_: None,
}
BY_CONTENT = frozenset(("codes", "instances", "dates"))
"""The conditions for which a resource's type and categories are not enough to know."""


def _rule(provision: Raw) -> Rule:
    """A provision as it is kept."""
    actors = [(_codes([item.get("role")], None), _reference(item)) for item in _items(provision, "actor")]
    given = {
        "period": _span(provision, "period"),
        "dates": _span(provision, "dataPeriod"),
        "actors": [text if _RECIPIENTS.intersection(roles) else _UNCLEAR for roles, text in actors if not _CUSTODIANS.intersection(roles)],
        "custodians": [text for roles, text in actors if _CUSTODIANS.intersection(roles)],
        "purposes": [_code(item, _REASON) for item in _items(provision, "purpose")],
        "actions": [code for item in _items(provision, "action") for code in _codes([item], _ACTION) or [_UNCLEAR]],
        "classes": [_code(item, _TYPES) for item in _items(provision, "class")],
        "labels": [label for item in _items(provision, "securityLabel") for label in sorted(of_label(item)) or [_UNCLEAR]],
        "codes": [code for item in _items(provision, "code") for code in _tokens(item) or [_UNCLEAR]],
        "instances": [_reference(item) if item.get("meaning") == "instance" else _UNCLEAR for item in _items(provision, "data")],
        "beyond": [_UNCLEAR] if "modifierExtension" in provision else [],
        "rules": [_rule(item) for item in _items(provision, "provision")],
    }
    rule: Rule = {name: values for name, values in given.items() if values}
    if "type" in provision:
        rule["type"] = PERMIT if provision["type"] == PERMIT else DENY
    return rule


def _items(node: Raw, name: str) -> list[Raw]:
    """The items of a list; what is no such thing is there too, as an item that says nothing, so that no condition vanishes."""
    found = node.get(name, [])
    return [item if isinstance(item, dict) else {} for item in (found if isinstance(found, list) else [found])]


def _span(provision: Raw, name: str) -> list[Any]:
    if name not in provision:
        return []
    found = period(provision[name])
    return [*found] if found else [_UNCLEAR]


def _reference(item: Raw) -> str:
    reference = item.get("reference")
    text = reference.get("reference") if isinstance(reference, dict) else None
    found = split(text) if isinstance(text, str) else None
    return f"{found[0]}/{found[1]}" if found else _UNCLEAR


def _code(coding: Raw, system: str) -> str:
    return str(coding["code"]) if coding.get("system") == system and "code" in coding else _UNCLEAR


def _codes(concepts: Iterable[Any], system: str | None) -> list[str]:
    """The codes of these concepts, of one system or of any."""
    codings = [coding for concept in concepts if isinstance(concept, dict) for coding in _items(concept, "coding")]
    return [str(coding["code"]) for coding in codings if "code" in coding and system in (None, coding.get("system"))]


def _tokens(concept: Raw) -> list[str]:
    return [f"{coding['system']}|{coding['code']}" for coding in _items(concept, "coding") if "system" in coding and "code" in coding]


def _refined(raw: Raw) -> list[str]:
    """Towards whom the sharing is, which R4's scopes do not say: our extension consent-scope."""
    return [str(item.get("valueCode")) for item in _items(raw, "extension") if item.get("url") == f"{EXT}/consent-scope"]

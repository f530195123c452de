"""Records made at random from the rules themselves: a new rule kind or a new table needs nothing here unless its class is new."""

from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from adapter.mapping.answers import VALUE, Answers, Item
from adapter.mapping.appointment import OfClient, Others
from adapter.mapping.assessment import Meetings
from adapter.mapping.choices import Choice, OneOf
from adapter.mapping.codecs import Codec
from adapter.mapping.condition import Translated
from adapter.mapping.follow_up import Minutes, Party
from adapter.mapping.lists import Each, One, RefsTo, Values
from adapter.mapping.planned_service import Occurrence
from adapter.mapping.rules import Codeable, Coded, Field, Group, Implied, Ref, Rule
from adapter.mapping.table import Mapping
from adapter.mapping.words import Refined, Words

CUSTOM: dict[type, Any] = {}
"""Strategies for rule classes that belong to one concept: class → function from rule to strategy."""

words = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=8).filter(
    lambda text: text.strip() != ""
)
ids = st.from_regex(r"[a-z0-9]{1,8}", fullmatch=True)
days = st.dates().map(lambda day: day.isoformat())
moments = st.one_of(
    days,
    days.map(lambda day: day[:7]),
    st.tuples(days, st.times(), st.sampled_from(["Z", "+05:30", "-03:30"])).map(
        lambda t: f"{t[0]}T{t[1].replace(microsecond=0).isoformat()}{t[2]}"
    ),
)

CODECS: dict[str, Any] = {
    "text": words,
    "list of text": st.lists(words, min_size=1, max_size=3),
    "boolean": st.booleans(),
    "integer": st.integers(-9999, 9999),
    "decimal": st.decimals(-9999, 9999, places=2).filter(Decimal.is_finite),
    "time": st.times().map(lambda time: time.replace(microsecond=0).isoformat()),
    "date": st.one_of(days, days.map(lambda day: day[:4])),
    "dateTime": moments,
    "instant": moments.filter(lambda text: "T" in text),
    "reference": ids.map(lambda text: f"Patient/{text}"),
}


def _codec(codec: Codec) -> Any:
    return CODECS[codec.name]


def value_for(rule: Rule) -> Any:
    """A strategy for the values of this rule's attribute."""
    if type(rule) in CUSTOM:
        return CUSTOM[type(rule)](rule)
    match rule:
        case Coded():
            return st.sampled_from(rule.table.words)
        case Field():
            return _codec(rule.codec)
        case Codeable():
            full = st.fixed_dictionaries({"code": ids}, optional={"system": ids, "display": words, "text": words})
            return full | st.fixed_dictionaries({"text": words})
        case Ref():
            return CODECS["reference"]
        case Values():
            return st.lists(value_for(rule.rules[0]), min_size=1, max_size=4, unique_by=lambda value: str(rule.key_of({"value": value})))
        case Each():
            required = () if rule.partial else tuple(name.partition(".")[0] for name in rule.key)
            items = fields_for(rule.rules, required).filter(lambda fields: rule.key_of(fields) is not None)
            return st.lists(items, min_size=1, max_size=3, unique_by=rule.key_of)
        case Group():
            return fields_for(rule.rules).filter(bool)
        case OneOf():
            return value_for(rule.rule)
        case Choice():
            return st.one_of(*(st.fixed_dictionaries({inner.attr: value_for(inner)}) for inner in rule.options))
    raise NotImplementedError(f"no strategy for {type(rule).__name__}")


def fields_for(rules: tuple[Rule, ...], required: tuple[str, ...] = ()) -> Any:
    """A strategy for the fields of a list of rules; each may be absent unless it is required."""
    parts = {rule.attr: value_for(rule) for rule in rules if not isinstance(rule, Implied)}
    return st.fixed_dictionaries(
        {name: parts[name] for name in required}, optional={name: part for name, part in parts.items() if name not in required}
    )


def record_for(mapping: Mapping) -> Any:
    """A strategy for records of this mapping's face."""
    return fields_for(mapping.rules)


def _translated(rule: Translated) -> Any:
    more = st.lists(st.fixed_dictionaries({"code": ids, "system": ids}), max_size=2, unique_by=str)
    full = st.tuples(st.fixed_dictionaries({"code": ids}, optional={"system": ids, "text": words}), more)
    return full.map(lambda pair: {**pair[0], **({"translations": pair[1]} if pair[1] else {})}) | st.fixed_dictionaries({"text": words})


def _others(rule: Others) -> Any:
    each = Each(rule.path, rule.attr, rule.rules, rule.key, partial=True)
    return value_for(each).map(lambda items: [{**item, "actor": f"Location/{position}"} for position, item in enumerate(items)])


def _references(rule: RefsTo) -> Any:
    target = st.tuples(st.sampled_from(rule.types), ids).map("/".join)
    return st.lists(target, min_size=1, max_size=4, unique=True)


def _answers(_: Answers) -> Any:
    given = st.lists(value_for(VALUE), min_size=1, max_size=3)
    answer = st.fixed_dictionaries({"link_id": ids.map("q{}".format), "values": given}, optional={"text": words})
    return st.lists(answer, min_size=1, max_size=4, unique_by=lambda answer: answer["link_id"])


CUSTOM |= {
    RefsTo: _references,
    Meetings: lambda rule: _references(rule.further),
    Occurrence: lambda rule: value_for(rule.timing),
    Answers: _answers,
    Item: lambda rule: st.lists(value_for(rule.rule), min_size=1, max_size=3, unique=True) if rule.many else value_for(rule.rule),
    One: lambda rule: value_for(rule.rules[0]),
    Refined: lambda rule: st.one_of(value_for(rule.coarse), value_for(rule.fine)),
    Party: lambda _: st.tuples(st.sampled_from(["Patient", "Practitioner", "RelatedPerson", "Organization"]), ids).map("/".join),
    Minutes: lambda _: st.integers(0, 9999),
    Translated: _translated,
    Words: lambda rule: st.lists(st.sampled_from(rule.table.words), min_size=1, max_size=3, unique=True),
    OfClient: lambda rule: value_for(rule.inner),
    Others: _others,
}

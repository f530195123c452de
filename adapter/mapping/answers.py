"""Items of a QuestionnaireResponse: those we know by linkId, and the open list of all others.

http://hl7.org/fhir/R4/questionnaireresponse.html
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from adapter.config import CS
from adapter.errors import DuplicateItem, Invalid
from adapter.fhir.elements import parse_path, set_primitive
from adapter.fhir.resource import Raw
from adapter.mapping.choices import Choice, clear_choice, is_choice
from adapter.mapping.codecs import boolean, date, decimal, integer, moment, text, time
from adapter.mapping.codes import CodeTable, table
from adapter.mapping.rules import ABSENT, UNREADABLE, Coded, Field, Fields, Group, Problem, Ref, Row, Rule, coding, quantity

STATUS = table("questionnaire-answers-status", "in-progress completed amended entered-in-error stopped")

VALUE = Choice(
    "value",
    "value",
    (
        coding("valueCoding", "code"),
        Field("valueString", "text"),
        Field("valueBoolean", "boolean", boolean),
        Field("valueInteger", "integer", integer),
        Field("valueDecimal", "decimal", decimal),
        Field("valueDate", "date", date),
        Field("valueDateTime", "date_time", moment),
        Field("valueTime", "time", time),
        quantity("valueQuantity", "quantity"),
        Field("valueUri", "uri"),
        Ref("valueReference", "reference"),
    ),
)
"""An answer of any type but an Attachment ⇄ {type: value}; a coded answer is a Coding, which has no text."""


def _objects(node: Raw, name: str) -> list[Raw]:
    held = node.get(name)
    return [each for each in held if isinstance(each, dict)] if isinstance(held, list) else []


def _say(item: Raw, values: Sequence[Any], read: Callable[[Raw], Any], write: Callable[[Raw, Any], None]) -> None:
    """Bring the item's answers to these values. One that says a value already is untouched; others are said anew in a freed one's place.

    Questions nested in an answer stay when its value goes. A changed Coding or Quantity takes nothing over: its score was of the old one.
    """
    free = [(read(answer), answer) for answer in _objects(item, "answer")]
    answers: list[Raw | None] = []
    for value in values:
        place = next((place for place, (old, _) in enumerate(free) if old == value), None)
        answers.append(None if place is None else free.pop(place)[1])
    for place, value in enumerate(values):
        if answers[place] is None:
            answer = free.pop(0)[1] if free else {}
            clear_choice(answer, "value")
            write(answer, value)
            answers[place] = answer
    for _, answer in free:
        clear_choice(answer, "value")
    item["answer"] = [*answers, *(answer for _, answer in free if "item" in answer)]
    if not item["answer"]:
        del item["answer"]


def _is_bare(item: Raw) -> bool:
    return not item.keys() & {"answer", "item"}


@dataclass(frozen=True)
class Item:
    """The answer to the item of one linkId ⇄ an attribute, by the rule for the answer's value; `many`: several answers ⇄ a list."""

    link_id: str
    rule: Rule
    system: str = ""
    """Of a Coding or Quantity, whose code alone the rule reads."""
    many: bool = False

    @property
    def attr(self) -> str:
        return self.rule.attr

    @property
    def _path(self) -> str:
        return f"item[linkId={self.link_id}]"

    @property
    def _element(self) -> str:
        return next(self.rule.rows()).path.partition(".")[0]

    def _found(self, node: Raw) -> list[Raw]:
        return [item for item in _objects(node, "item") if item.get("linkId") == self.link_id]

    def _decode(self, answer: Raw) -> Any:
        if not any(is_choice(name, "value") for name in answer):
            return ABSENT
        value = self.rule.read(answer, [])
        held = answer.get(self._element)
        if value is ABSENT or (self.system and (not isinstance(held, dict) or held.get("system") != self.system)):
            return UNREADABLE
        return value

    def _encode(self, answer: Raw, value: Any) -> None:
        if self.system:
            answer[self._element] = {"system": self.system}
        self.rule.write(answer, value)

    def read(self, node: Raw, report: list[Problem]) -> Any:
        found = self._found(node)
        values = [value for item in found for answer in _objects(item, "answer") if (value := self._decode(answer)) is not ABSENT]
        if not values:
            return ABSENT
        if len(found) > 1 or (len(values) > 1 and not self.many) or UNREADABLE in values or "modifierExtension" in found[0]:
            report.append(Problem(self._path, "not an answer of the kind that belongs here, or more than one"))
            return UNREADABLE
        return values if self.many else values[0]

    def write(self, node: Raw, value: Any) -> None:
        found = self._found(node)
        if len(found) > 1:
            raise DuplicateItem(f"{self.attr}: two items have the same linkId.", expression=[self._path])
        if not found and value is ABSENT:
            return
        item = found[0] if found else {"linkId": self.link_id}
        if not found:
            node["item"] = [*node.get("item", ()), item]
        values = [] if value is ABSENT else value if self.many else [value]
        _say(item, values, self._decode, self._encode)
        if _is_bare(item):
            node["item"] = [each for each in node["item"] if each is not item]
            if not node["item"]:
                del node["item"]

    def rows(self) -> Iterator[Row]:
        for row in self.rule.rows():
            yield replace(row, path=f"{self._path}.answer.{row.path}", attr=f"{row.attr}[]" if self.many else row.attr)


def chosen(link_id: str, attr: str, words: CodeTable, *, many: bool = False) -> Item:
    """An item whose answer is a word of ours, coded in the code system of the table's name."""
    return Item(link_id, Coded("valueCoding.code", attr, text, "", words), f"{CS}/{words.name}", many)


def section(link_id: str, attr: str, *items: Item) -> Group:
    """A group of items, each linkId being the section's and its own ⇄ a dict."""
    return Group(f"item[linkId={link_id}]", attr, tuple(replace(item, link_id=f"{link_id}/{item.link_id}") for item in items))


def in_order(rules: Sequence[Rule]) -> Callable[[Raw, Raw], None]:
    """What keeps the items that these rules know in the order of the rules, which is the questionnaire's: R4 has no other.

    An item that is answered later than those behind it would stand last. Where a sender's items were in another order they stay in it.
    http://hl7.org/fhir/R4/questionnaireresponse.html#link
    """
    inner: dict[str, Callable[[Raw, Raw], None] | None] = {}
    for rule in rules:
        if isinstance(rule, Item):
            inner[rule.link_id] = None
        elif isinstance(rule, Group) and rule.path.startswith("item["):
            inner[str(parse_path(rule.path)[0].values[0])] = in_order(rule.rules)
    place = {link_id: at for at, link_id in enumerate(inner)}

    def ours(node: Raw) -> list[Raw]:
        return [item for item in _objects(node, "item") if item.get("linkId") in place]

    def arrange(before: Raw, after: Raw) -> None:
        known = {item["linkId"]: item for item in ours(before)}
        if [*known] == sorted(known, key=place.__getitem__):
            _arrange(after, sorted(ours(after), key=lambda item: place[item["linkId"]]))
        for item in ours(after):
            within = inner[item["linkId"]]
            if within:
                within(known.get(item["linkId"], {}), item)

    return arrange


@dataclass
class _Tree:
    """The items of a response by linkId, at whatever depth, in the order they stand."""

    items: dict[str, Raw] = field(default_factory=dict)
    fields: dict[str, Fields] = field(default_factory=dict)
    """Of the answered ones."""
    not_ours: set[str] = field(default_factory=set)
    """linkIds that occur twice or have an answer that is not understood."""


@dataclass(frozen=True)
class Answers:
    """All answered items, wherever they are nested ⇄ a list of {link_id, text, values}, by link_id.

    An item whose linkId is repeated, or of which an answer cannot be read, stays and is not in the record. New items are added at the root.
    """

    attr: str = "answers"
    unless: tuple[str, ...] = ()
    """linkIds of items at the root that are, with all they contain, other rules' homes."""

    def _walk(self, node: Raw, *, root: bool = False) -> Iterator[Raw]:
        for item in _objects(node, "item"):
            if not (root and item.get("linkId") in self.unless):
                yield item
                for answer in _objects(item, "answer"):
                    yield from self._walk(answer)
                yield from self._walk(item)

    def _tree(self, node: Raw, report: list[Problem]) -> _Tree:
        tree = _Tree()
        for item in self._walk(node, root=True):
            link_id = item.get("linkId")
            if not isinstance(link_id, str):
                continue
            values = [value for answer in _objects(item, "answer") if (value := VALUE.read(answer, [])) is not ABSENT]
            if link_id in tree.items:
                if link_id not in tree.not_ours:
                    report.append(Problem("item.linkId", "items have the same linkId; they are left as they are"))
                tree.not_ours.add(link_id)
            elif values and (UNREADABLE in values or "modifierExtension" in item):
                report.append(Problem("item.answer.value[x]", "an answer that is not understood; the item is left as it is"))
                tree.not_ours.add(link_id)
            elif values:
                said = {"text": item["text"]} if text.check(item.get("text")) else {}
                tree.fields[link_id] = {"link_id": link_id, **said, "values": values}
            tree.items[link_id] = item
        for link_id in tree.not_ours:
            tree.fields.pop(link_id, None)
        return tree

    def read(self, node: Raw, report: list[Problem]) -> Any:
        return list(self._tree(node, report).fields.values()) or ABSENT

    def write(self, node: Raw, value: Any) -> None:
        tree = self._tree(node, [])
        wanted: dict[str, Raw] = {}
        for fields in [] if value is ABSENT else value:
            link_id = fields.get("link_id") if isinstance(fields, dict) else None
            if not isinstance(link_id, str) or not fields.get("values"):
                raise Invalid(f"{self.attr}: an answer lacks link_id or values.", expression=["item"])
            if link_id in wanted or link_id in tree.not_ours or link_id in self.unless:
                raise DuplicateItem(f"{self.attr}: two items would have the same linkId.", expression=["item.linkId"])
            wanted[link_id] = item = tree.items.get(link_id, {"linkId": link_id})
            self._update(item, tree.fields.get(link_id, {}), fields)
        _unsay(node, tree.fields.keys() - wanted.keys())
        _arrange(node, [item for link_id, item in wanted.items() if link_id not in tree.items or item in _objects(node, "item")])

    def _update(self, item: Raw, old: Fields, new: Fields) -> None:
        if old.get("text") != new.get("text"):
            set_primitive(item, "text", new.get("text"))
        if old.get("values") != new["values"]:
            _say(item, new["values"], lambda answer: VALUE.read(answer, []), VALUE.write)

    def rows(self) -> Iterator[Row]:
        note = "items whose linkId is repeated, or with an answer that is not understood, stay as they are"
        yield Row("item[].answer[].value[x]", f"{self.attr}[]", "list by link_id, at any depth", note)


def _unsay(node: Raw, gone: set[str]) -> None:
    """Take the answers of these items away, and the items where nothing is nested in them; innermost first, so that none is left empty."""
    if not gone or "item" not in node:
        return
    for item in _objects(node, "item"):
        for answer in _objects(item, "answer"):
            _unsay(answer, gone)
        _unsay(item, gone)
        if item.get("linkId") in gone:
            _say(item, (), lambda _: ABSENT, VALUE.write)
        elif "answer" in item:
            item["answer"] = [answer for answer in item["answer"] if answer]
            if not item["answer"]:
                del item["answer"]
    node["item"] = [item for item in node["item"] if not (isinstance(item, dict) and item.get("linkId") in gone and _is_bare(item))]
    if not node["item"]:
        del node["item"]


def _arrange(node: Raw, ours: list[Raw]) -> None:
    """Put these items in this order into the places at the root that they hold together; new ones after all others."""
    if not ours:
        return
    mine = {id(item) for item in ours}
    items = node.get("item", [])
    order = iter(ours)
    node["item"] = [next(order) if id(item) in mine else item for item in items]
    node["item"] += order

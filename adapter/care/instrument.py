"""An instrument: what it asks, which answers it takes, and what they are worth, read from `instruments/<id>.json`.

A new instrument is a new file. A method is a published variant of an instrument: other weights or bands for the same questions.
"""

from collections.abc import Iterable
from typing import Annotated, Literal

import msgspec

from adapter.care import data
from adapter.care.data import Coding, Data, Named, Step
from adapter.errors import NotFound

_FOLDER = "instruments"

System = Annotated[str, msgspec.Meta(pattern="^(loinc|local|https?://.+|urn:.+)$")]
"""Of codes: LOINC, casebridge's own, or the url of another."""


class Answer(Data, frozen=True, kw_only=True):
    """A coded answer and its points."""

    code: str
    display: str
    score: int = 0
    unknown: bool = False
    """It says that the person does not know or does not tell: never a point, and a sum cannot be made."""
    exclusive: bool = False
    """It cannot stand beside another answer."""
    replaces: tuple[str, ...] = ()
    """Codes of lighter answers that no longer count beside it."""
    also: tuple[str, ...] = ()
    """Other codes that published forms use for the same answer."""


class SkipIf(Data, frozen=True, kw_only=True):
    """The item is not asked, and counts 0, when an earlier item has this answer."""

    item: str
    answer: str


class Item(Data, frozen=True, kw_only=True):
    """A question. A choice takes coded answers; the points of another type come from its step table."""

    link_id: str = msgspec.field(name="linkId")
    type: Literal["choice", "boolean", "integer", "decimal"]
    text: str
    system: System | None = None
    """Of its code (the linkId) and its answers' codes; the instrument's unless stated."""
    required: bool = True
    repeats: bool = False
    answers: tuple[Answer, ...] = ()
    minimum: int | None = None
    maximum: int | None = None
    unit: str | None = None
    points: tuple[Step, ...] = ()
    """For a choice: what the sum of its answers is worth; for a boolean no is 0 and yes is 1."""
    skip_if: SkipIf | None = None

    def __post_init__(self) -> None:
        data.check_ascending(self.points)
        if (self.type == "choice") != bool(self.answers):
            raise ValueError("a choice, and nothing else, has answers")
        if self.type in ("integer", "decimal") and (self.minimum is None or self.maximum is None):
            raise ValueError("a number has a minimum and a maximum")
        if self.points and self.points[0].low > (self.minimum or 0) or self.type == "decimal" and not self.points:
            raise ValueError("some values in range have no points")
        codes = [code for answer in self.answers for code in (answer.code, *answer.also)]
        _check_unique("answer", codes)
        _check_known("answer", (code for answer in self.answers for code in answer.replaces), codes)


class Band(Data, frozen=True, kw_only=True):
    """A range of totals, both ends included, and its name; `code` is the published answer code for it."""

    band: str
    low: int = msgspec.field(name="from")
    high: int = msgspec.field(name="to")
    code: str | None = None


class Threshold(Data, frozen=True, kw_only=True):
    """Holds when `items` together reach `at_least` points; `alone`: and no other item has any."""

    items: tuple[str, ...]
    at_least: int = 1
    alone: bool = False


class Flag(Threshold, frozen=True, kw_only=True):
    """What a person must see when the threshold is reached: urgent ones call for action today, the others are advice."""

    flag: str
    urgent: bool = False


class Domain(Threshold, frozen=True, kw_only=True):
    """A domain of need, positive when the threshold is reached."""

    domain: str


class Subtotal(Data, frozen=True, kw_only=True):
    """A sum over some items that is reported under its own code."""

    name: str
    code: str
    items: tuple[str, ...]


class CutPoint(Data, frozen=True, kw_only=True):
    """The lowest positive total; by administrative gender where that matters."""

    value: int
    by_gender: dict[str, int] = {}


class Scoring(Data, frozen=True, kw_only=True):
    """How answers become a result.

    `sum` adds the points of `items`; `any` is positive when one of them has a point; `domains` reports domains and no total;
    `domain_count` counts the positive domains.
    """

    kind: Literal["sum", "any", "domains", "domain_count"]
    items: tuple[str, ...] = ()
    bands: tuple[Band, ...] = ()
    cut_point: CutPoint | None = None
    flags: tuple[Flag, ...] = ()
    domains: tuple[Domain, ...] = ()
    subtotals: tuple[Subtotal, ...] = ()

    def __post_init__(self) -> None:
        if bool(self.items) != (self.kind in ("sum", "any")):
            raise ValueError("a sum or any has items, and nothing else has")
        if any(band.low > band.high for band in self.bands) or any(
            lower.high + 1 != upper.low for lower, upper in zip(self.bands, self.bands[1:], strict=False)
        ):
            raise ValueError("the bands leave a gap or overlap")


class Method(Data, frozen=True, kw_only=True):
    """A published variant: these items instead of those with the same linkId, none of the omitted, perhaps another scoring."""

    items: tuple[Item, ...] = ()
    omit: tuple[str, ...] = ()
    scoring: Scoring | None = None


class Confirmation(Data, frozen=True, kw_only=True):
    """Where codes were looked up that a list of ours had only by hearsay."""

    codes: tuple[str, ...]
    where: str


class Instrument(Named, frozen=True, kw_only=True):
    """An instrument under one of its methods. `panel` and `total` are codes in `system`; not every instrument has a total."""

    version: str
    title: str
    url: str | None = None
    """Of its Questionnaire, for a site's own; unless stated it is one of casebridge's."""
    system: System
    panel: str
    total: str | None = None
    licence: str
    source: str
    confirmed: tuple[Confirmation, ...] = ()
    codings: tuple[Coding, ...] = ()
    """Codes of other systems for the whole instrument."""
    method: str | None = None
    items: tuple[Item, ...]
    scoring: Scoring
    methods: dict[str, Method] = {}

    def __post_init__(self) -> None:
        link_ids = [item.link_id for item in self.items]
        _check_unique("linkId", link_ids)
        scoring = self.scoring
        _check_known("linkId", scoring.items, link_ids)
        parts: tuple[Threshold | Subtotal, ...] = (*scoring.flags, *scoring.domains, *scoring.subtotals)
        _check_known("linkId", [item for part in parts for item in part.items], link_ids)
        for position, item in enumerate(self.items):
            if item.skip_if:
                _check_known("earlier linkId", [item.skip_if.item], link_ids[:position])
        for name, method in self.methods.items():
            if name == self.method:
                raise ValueError("a method has the name of the default")
            _check_known("linkId", (*(item.link_id for item in method.items), *method.omit), link_ids)
            self.under(name)

    def under(self, method: str) -> "Instrument":
        """This instrument under the method of that name. Raises NotFound."""
        if method == self.method:
            return self
        if method not in self.methods:
            raise NotFound(f"The instrument {self.id} has no method of that name; it has {', '.join(self.all_methods)}.")
        variant = self.methods[method]
        instead = {item.link_id: item for item in variant.items}
        items = tuple(instead.get(item.link_id, item) for item in self.items if item.link_id not in variant.omit)
        return msgspec.structs.replace(self, method=method, items=items, scoring=variant.scoring or self.scoring, methods={})

    @property
    def all_methods(self) -> tuple[str, ...]:
        """The names of its methods, the default first; empty when there is only one way to score it."""
        return (self.method, *self.methods) if self.method else ()


def names() -> tuple[str, ...]:
    """The ids of all instruments, in alphabetical order."""
    return data.names(_FOLDER)


def load(instrument_id: str, method: str | None = None) -> Instrument:
    """The instrument, under its default method or the one named.

    Raises NotFound for an unknown id or method, and Invalid, naming file and path, for a data file that breaks the rules above.
    """
    if instrument_id not in names():
        raise NotFound("There is no instrument of that id.", expression=["instrument.id"])
    instrument = data.read(_FOLDER, instrument_id, Instrument)
    return instrument if method is None else instrument.under(method)


def _check_unique(what: str, names: list[str]) -> None:
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise ValueError(f"{what} used twice: {', '.join(doubled)}")


def _check_known(what: str, used: Iterable[str], known: Iterable[str]) -> None:
    strange = sorted(set(used) - set(known))
    if strange:
        raise ValueError(f"no such {what}: {', '.join(strange)}")

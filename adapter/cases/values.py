"""The groups of fields that many records share. Shapes: docs/architecture.md, "Values"."""

import mongoengine

from adapter.cases.fields import Choice, Date, DateTime, Exact, Flag, Items, Part, Ref, Text, Time, Whole


class Value(mongoengine.EmbeddedDocument):  # type: ignore[misc]
    """A group of fields within a record."""

    meta = {"abstract": True}
    ONE_OF: frozenset[str] = frozenset()  # exactly one of these is present


class Code(Value):
    """A coded concept: one coding, a text, or both."""

    system = Text()
    code = Text()
    display = Text()
    text = Text()


class Period(Value):
    """A time from `start` to `end`; an open side is absent."""

    start = DateTime()
    end = DateTime()


class Quantity(Value):
    """A measured amount."""

    value = Exact()
    comparator = Choice("<", "<=", ">=", ">")
    unit = Text()
    system = Text()
    code = Text()


class Money(Value):
    """An amount in a currency of ISO 4217."""

    value = Exact(required=True)
    currency = Text(required=True)


class Range(Value):
    """From `low` to `high`, both counted in."""

    low = Part(Quantity)
    high = Part(Quantity)


class AnyValue(Value):
    """One value of one of several types, under the name of its type."""

    ONE_OF = frozenset(
        ("quantity", "range", "code", "text", "boolean", "integer", "decimal", "date", "date_time", "time", "period", "uri", "reference")
    )

    quantity = Part(Quantity)
    range = Part(Range)
    code = Part(Code)
    text = Text()
    boolean = Flag()
    integer = Whole()
    decimal = Exact()
    date = Date()
    date_time = DateTime()
    time = Time()
    period = Part(Period)
    uri = Text()
    reference = Ref()


class Identifier(Value):
    """A business identifier. Key in a list: system, value."""

    use = Choice("usual", "official", "temp", "secondary", "old")
    type = Part(Code)
    system = Text()
    value = Text()
    period = Part(Period)


class Name(Value):
    """A person's name. Key in a list: use."""

    use = Choice("usual", "official", "temp", "nickname", "anonymous", "old", "maiden")
    text = Text()
    family = Text()
    given = Items(Text())
    prefix = Items(Text())
    suffix = Items(Text())
    period = Part(Period)


class Telecom(Value):
    """A way to reach somebody; rank 1 is preferred. Key in a list: system, value."""

    system = Choice("phone", "fax", "email", "pager", "url", "sms", "other")
    value = Text()
    use = Choice("home", "work", "temp", "old", "mobile")
    rank = Whole(1)
    period = Part(Period)


class Address(Value):
    """A postal address. Key in a list: use, type."""

    use = Choice("home", "work", "temp", "old", "billing")
    type = Choice("postal", "physical", "both")
    text = Text()
    line = Items(Text())
    city = Text()
    district = Text()
    state = Text()
    postal_code = Text()
    country = Text()
    period = Part(Period)


class Hours(Value):
    """When somebody or something is there in a week; `start` and `end` are times of day. Key in a list: days, start."""

    days = Items(Choice("mon", "tue", "wed", "thu", "fri", "sat", "sun"))
    all_day = Flag()
    start = Time()
    end = Time()


class Note(Value):
    """A free text, perhaps with who wrote it and when. Key in a list: text."""

    text = Text(required=True)
    at = DateTime()
    by = Ref()


class Answer(Value):
    """What was answered to one question of an instrument; several values where it allows them. Key in a list: link_id."""

    link_id = Text(required=True)
    text = Text()
    values = Items(Part(AnyValue), required=True)


class Score(Value):
    """The result of an instrument, computed from its answers. Key in a list: name."""

    name = Text(required=True)
    value = Exact()
    band = Text()
    complete = Flag()


class Participant(Value):
    """Who took part, as what and when. Key in a list: individual, role."""

    individual = Ref()
    role = Part(Code)
    period = Part(Period)


GENDER = ("male", "female", "other", "unknown")

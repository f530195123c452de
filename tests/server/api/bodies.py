"""Records made at random from the record classes: whole by their rules, with one item in each list."""

from decimal import Decimal

from hypothesis import strategies as st

from adapter.cases.fields import Choice, Date, DateTime, Exact, Flag, Items, Moment, Part, Ref, Text, Time, Whole
from adapter.casework.edits import MADE

WORDS = st.sampled_from(["Kanarifugl", "å 1", "x", "a b"])
DAYS = st.sampled_from(["2024-02-29", "2025-04-22", "2025-01-01"])
MOMENTS = st.sampled_from(["2025-04-22T09:00:00Z", "2025-04-22T09:00:00.250-04:00"])
IDS = st.sampled_from(["a", "b-1", "C.2"])


def _whole(field):
    return st.integers(field.min_value if field.min_value is not None else 0, field.max_value if field.max_value is not None else 99)


def _exact(field):
    low, high = (field.min_value or 0, field.max_value or 99)
    return st.decimals(low, high, places=2).map(lambda value: Decimal(str(value)))


LEAVES = {
    Moment: lambda _: MOMENTS,
    DateTime: lambda _: DAYS | MOMENTS | st.just("2025-04"),
    Date: lambda _: DAYS | st.just("2025"),
    Time: lambda _: st.sampled_from(["09:00:00", "17:30:00"]),
    Choice: lambda field: st.sampled_from(sorted(field.words)),
    Ref: lambda field: st.tuples(st.sampled_from(sorted(field.types or {"Patient", "Observation"})), IDS).map("/".join),
    Text: lambda _: WORDS,
    Flag: lambda _: st.booleans(),
    Whole: _whole,
    Exact: _exact,
}


def record(kind, depth=2, key=()):
    """A strategy for what may be written of a record class: what is required, and some of the rest."""
    made = MADE.get(getattr(kind, "concept", ""), {})
    of = {field.db_field: field for field in kind._fields.values() if field.db_field not in made}
    if one_of := getattr(kind, "ONE_OF", ()):
        leaves = [name for name in sorted(one_of) if depth or not isinstance(of[name], Part)]
        return st.one_of(*(st.fixed_dictionaries({name: value(of[name], depth - 1)}) for name in leaves))
    keys = {path.partition(".")[0] for path in key}
    needed = {name for name, field in of.items() if field.required or name in keys}
    more = {name for name, field in of.items() if name not in needed and (depth or not isinstance(field, Part | Items))}
    if not needed and more:
        needed = {min(more)}
    return st.fixed_dictionaries(
        {name: value(of[name], depth - 1) for name in sorted(needed)},
        optional={name: value(of[name], depth - 1) for name in sorted(more - needed)},
    )


def value(field, depth, key=()):
    """A strategy for the values of a field."""
    if isinstance(field, Part):
        return record(field.document_type, max(depth, 0), key)
    if isinstance(field, Items):
        return st.lists(value(field.field, depth, field.key), min_size=1, max_size=1)
    return next(LEAVES[kind] for kind in type(field).__mro__ if kind in LEAVES)(field)

"""docs/search.md: what search serves, what it does not and why, made from the tables that it works by."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields

from adapter.store.agreement import Agreement, Category, measured
from adapter.store.disagreements import DISAGREEMENTS, SPECIFICATION
from adapter.store.filters import PATTERN_AT_MOST
from adapter.store.includes import MAX_INCLUDED
from adapter.store.membership import COMPARTMENTS
from adapter.store.query import DEFAULT_COUNT, JOINS_AT_MOST, MAX_COUNT, SUMMARIES, UNSERVED
from adapter.store.search_parameters import COMMON, Parameter, table
from adapter.store.syntax import ALL_AT_MOST, PARAMETERS_AT_MOST, VALUE_AT_MOST

# R4's parameters of the types of the first rank that are not in the table, and why.
OMITTED = {
    ("Location", "near"): "asks for distances, for which the embedded store has no index",
    ("Patient", "age"): "R4 gives it no expression; `birthdate` finds the same",
    ("Patient", "birthOrderBoolean"): "R4 gives it no expression",
    ("Patient", "part-agree"): "R4's expression for it is of DocumentReference, in an example",
}
_MODIFIERS = (
    ("all but composite", "`:missing`", ""),
    ("token", "", "`system|code` of an element of type code: with the system that R4 requires its codes to be of"),
    ("token", "`:not`", "also finds what has no value"),
    ("token", "`:text`", "starts with, in CodeableConcept.text, Coding.display, Identifier.type.text"),
    ("token", "`:in` `:not-in`", "a ValueSet that is stored here, by URL: its expansion, listed codes, or whole CodeSystems stored here"),
    ("token", "`:above` `:below`", "`system|code`, by the hierarchy of a CodeSystem that is stored here"),
    ("reference", "`:Type`, `:identifier`", ""),
    ("uri", "`:above` `:below`", ""),
    ("string", "`:exact` `:contains`", "without one: starts with; accents and case do not count but for `:exact`"),
)
_PREFIXES = (
    ("date", "eq ne gt lt ge le sa eb ap", "in UTC; a time without a zone is UTC; ap within a tenth of the gap to today"),
    ("number, quantity", "eq ne gt lt ge le sa eb ap", "eq and ne in the precision as written: `5.4` is [5.35, 5.45); ap within a tenth"),
)
_CONTROLS = (
    ("`_count`", f"{DEFAULT_COUNT} where nothing is said, at most {MAX_COUNT}; 0 counts"),
    ("`_sort`", "any parameters but composites, ten at most, `-` for descending; what has no value comes last; across types too"),
    ("`_summary`", ", ".join(SUMMARIES)),
    ("`_elements`", "elements of the resource; those that must be there come along"),
    ("`_total`", "none, estimate and accurate (both count); on the first page of a search that has one page it is always told"),
    ("`_totalMethod`", "none, estimate and count: another name for `_total`, which fhirpy uses"),
    (
        "`_include`, `_revinclude`",
        f"`Type:parameter[:Target]`, `Type:*`, `*`, with `:iterate`; {MAX_INCLUDED} at most, and it is said where there are more",
    ),
    ("`_has`, chains", f"nested, six steps at most; {JOINS_AT_MOST} at most"),
    ("cost", "what would look at each resource of a large type is refused with what to add: [limits.md](limits.md)"),
    ("`_list`", "the id of a List; no functional lists"),
    ("`_type`", "at the base URL, with parameters that all the types have; without `_sort` type after type"),
    ("compartments", f"`Type/id/Type` for {', '.join(COMPARTMENTS)}"),
    (
        "`Prefer: handling`",
        "strict refuses what is not known; lenient leaves it out of the search and of the self link, and says so in an entry",
    ),
    (
        "length",
        f"{PARAMETERS_AT_MOST} parameters and {ALL_AT_MOST} characters in all, {VALUE_AT_MOST} in a value; {PATTERN_AT_MOST} in values "
        "that are compared by their beginning or a part",
    ),
    ("a parameter without a value", "left out of the search and of the self link; refused in the condition of a write"),
)


def document() -> str:
    """The page as Markdown."""
    parts = ["# Search\n\nMade from the tables in `adapter/store` by `make docs`; do not edit it.\n"]
    parts.append(_table("Modifiers", ("kind", "modifiers", "meaning"), _MODIFIERS))
    parts.append(_table("Prefixes", ("kind", "prefixes", "meaning"), _PREFIXES))
    parts.append(_table("What shapes the answer", ("", ""), _CONTROLS))
    omitted = [*((f"`{name}`", reason) for name, reason in UNSERVED.items()), ("`_contained`", "only `false`, which is what happens")]
    omitted += [(f"`{type}.{name}`", reason) for (type, name), reason in OMITTED.items()]
    parts.append(_table("What is not served", ("parameter", "reason"), omitted))
    parts += _agreement(measured())
    rows = [(item.subject, item.here, item.there, f"{item.words} ([R4]({item.link}))") for item in DISAGREEMENTS]
    parts.append(_table("Where HAPI answers differently", ("question", "here", "HAPI 8.8", "what R4 says"), rows))
    parts.append(_WORDS)
    parts.append(_table("All types", _HEAD, map(_row, COMMON)))
    named = {type: [row for row in found.values() if row not in COMMON] for type, found in sorted(table().items())}
    for type, own in named.items():
        if own and [row.name for row in own] != ["identifier"]:
            parts.append(_table(type, _HEAD, map(_row, own)))
    others = [type for type, own in named.items() if [row.name for row in own] == ["identifier"]]
    parts.append(f"## By identifier only\n\n{', '.join(others)}.\n")
    without = [type for type, own in named.items() if not own]
    if without:
        parts.append(f"## By what is common to all only\n\n{', '.join(without)}.\n")
    return "\n".join(parts)


_WORDS = f"""\
All of R4's words above were compared with a stored copy of <{SPECIFICATION}> (v4.0.1); what stands outside of quotation marks is ours.
No setting was changed for the comparison: what is strict here was asked for with `Prefer: handling=strict` of both servers.
"""


def _agreement(found: Agreement) -> Iterator[str]:
    """How often the two servers answer alike, from the last comparison."""
    categories = [*found.categories, _sum(found.categories)]
    yield _table("Agreement with HAPI", _AGREEMENT, map(_category, categories))
    (here, judged), (there, judged_there), (passed, checks) = found.here, found.there, found.battery
    yield (
        f"Of {found.date}, by `{found.command}`: a differential tester that makes its questions from the data. Its referee reads R4 by "
        f"itself: it finds {_share(here, judged)} of what it can judge right here, {_share(there, judged_there)} on HAPI. Of its checks of "
        f"the protocol {passed} of {checks} pass here. `tests/live/test_differential.py` (in `make test-live`) asks questions of its own: "
        "it fails where an answer differs and no row of the next table explains it, and where such a row is not met.\n"
    )


_AGREEMENT = (
    "category",
    "questions",
    "HAPI answers",
    "agree",
    "agree where HAPI finds some, not all",
    "agree or right by the referee",
    "explained below",
)


def _category(row: Category) -> tuple[str, ...]:
    shares = ((row.agree, row.scored), (row.informative_agree, row.informative), (row.fair, row.judged))
    return row.category, str(row.asked), str(row.scored), *(_share(*share) for share in shares), _open(row)


def _open(row: Category) -> str:
    differ = row.scored - row.agree
    return f"{row.explained} of {differ}" if differ else ""


def _sum(rows: Sequence[Category]) -> Category:
    names = [field.name for field in fields(Category) if field.name != "category"]
    return Category("**all**", **{name: sum(getattr(row, name) for row in rows) for name in names})


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.2f} %" if whole else "–"


_HEAD = ("parameter", "kind", "elements")


def _row(row: Parameter) -> tuple[str, str, str]:
    paths = ", ".join(f"`{path}`" for path in row.paths if path)
    parts = " $ ".join(" or ".join(f"`{path}`" for path in inner) for _, inner in row.parts)
    return row.name, row.kind, f"{paths}{': ' if paths and parts else ''}{parts}"


def _table(title: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return f"## {title}\n\n" + "\n".join(f"| {' | '.join(_cell(text) for text in line)} |" for line in lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")

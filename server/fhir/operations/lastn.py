"""`Observation/$lastn`: the latest observations of each code. http://hl7.org/fhir/R4/observation-operation-lastn.html"""

from collections.abc import Iterator
from datetime import datetime

from adapter.errors import Invalid
from adapter.fhir.dates import BEGIN, spans
from adapter.fhir.resource import Raw, parse
from adapter.store import query, search
from adapter.store.rows import Row
from server.fhir import headers
from server.fhir.messages import Answer, bundle, entry
from server.fhir.operations.call import Call

_WHO, _WHAT = ("patient", "subject"), ("code", "category")
_EFFECTIVE = ("effectiveDateTime", "effectiveInstant", "effectivePeriod", "effectiveTiming")


def run(call: Call) -> Answer:
    """A searchset with the `max` (1 where not said) latest of each code, latest first; codes that share a coding are one."""
    params = [(name, value) for name, value in call.inputs.others if name not in ("_format", "_pretty")]
    named = {name.partition(":")[0].partition(".")[0] for name, _ in params}
    if not named & {*_WHO} or not named & {*_WHAT}:
        raise Invalid("$lastn needs patient or subject, and code or category.", expression=["patient", "code"])
    if shaping := sorted(named & query.CONTROLS):
        raise Invalid("$lastn takes search parameters that say what to find, none that shape the answer.", expression=shaping)
    strict = (headers.prefer(call.request, "handling") or call.request.handling) != "lenient"
    rows = [(row, parse(row.text)) for row in _found(call, params, strict)]
    rows.sort(key=lambda pair: (_moment(pair[1]), pair[0].updated, pair[0].id), reverse=True)
    groups: list[list[Row]] = []
    by_code: dict[tuple[str, str], list[Row]] = {}
    for row, raw in rows:
        codes = list(_codes(raw))
        group = next((by_code[code] for code in codes if code in by_code), None)
        if group is None:
            group = []
            groups.append(group)
        group.append(row)
        for code in codes:
            by_code.setdefault(code, group)
    kept = [row for group in groups for row in group[: call.inputs.one("max") or 1]]
    base = call.request.base
    entries = [entry({"fullUrl": f"{base}/{row.type}/{row.id}"}, row.text, {"search": {"mode": "match"}}) for row in kept]
    return Answer(200, bundle("searchset", entries, total=len(kept)))


def _found(call: Call, params: list[tuple[str, str]], strict: bool) -> Iterator[Row]:
    call.repository.collection("Observation")
    cursor: str | None = ""
    while cursor is not None:
        page = [*params, ("_count", str(query.MAX_COUNT)), *([("_cursor", cursor)] if cursor else [])]
        asked = call.request.searched(query.parse("Observation", page, strict=strict, base=call.request.base), whole=True)
        result = search.run(call.repository.database, asked)
        yield from result.rows
        cursor = result.cursor


def _moment(raw: Raw) -> datetime:
    return next((found[0] for name in _EFFECTIVE if (found := spans(raw.get(name)))), BEGIN)


def _codes(raw: Raw) -> Iterator[tuple[str, str]]:
    code = raw.get("code", {})
    codings = code.get("coding", [])
    yield from ((coding.get("system", ""), coding["code"]) for coding in codings if "code" in coding)
    if not codings:
        yield "text", code.get("text", "")

"""The accounting of disclosures of one patient: who was told what, when, why and by which rule, as AuditEvents say it."""

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass
from datetime import datetime
from html import escape
from io import StringIO

from adapter.audit.event import CLIENT, COUNT, CREATED, DELETED, DONE, FIRST, INTERACTION, RULE, TOLD, UPDATED, USER
from adapter.clock import instant
from adapter.fhir.resource import Raw

COLUMNS = ("date", "recipient", "by", "what", "purpose", "rule", "event")
# What changes the record is no disclosure: Provenance tells of it.
_CHANGES = frozenset((CREATED, UPDATED, DELETED))


@dataclass(frozen=True)
class Disclosure:
    """One time that somebody was told of a patient."""

    date: str
    """An instant in UTC."""
    recipient: str
    """On whose behalf it was asked, else who asked."""
    by: str
    """The person or program that asked."""
    what: str
    """The interaction, and the types of what was told with their numbers."""
    purpose: str
    """A code of v3-ActReason."""
    rule: str
    """By which it was allowed."""
    event: str
    """The AuditEvent that says so."""


def disclosures(events: Iterable[Raw]) -> Iterator[Disclosure]:
    """The disclosures that these AuditEvents tell of, in their order."""
    for raw in events:
        if raw.get("outcome") == DONE and raw.get("action") not in _CHANGES:
            yield disclosure(raw)


def disclosure(raw: Raw) -> Disclosure:
    """What an AuditEvent says, as if it told somebody of a patient."""
    agents = [each for each in raw.get("agent", ()) if isinstance(each, dict)]
    asking = next((_name(each) for each in agents if each.get("requestor")), "")
    behalf = [_name(each) for each in agents if str((each.get("who") or {}).get("reference", "")).startswith("Organization/")]
    told = [each for entity in raw.get("entity", ()) for each in entity.get("detail", ())]
    details = {each["type"]: each["valueString"] for each in told if "valueString" in each}
    purposes = [coding["code"] for each in raw.get("purposeOfEvent", ()) for coding in each.get("coding", ()) if "code" in coding]
    return Disclosure(
        date=_utc(str(raw.get("recorded", ""))),
        recipient=behalf[0] if behalf else asking,
        by=asking,
        what=_what(raw, details),
        purpose=" ".join(purposes),
        rule=str(details.get(RULE, "")),
        event=f"AuditEvent/{raw.get('id', '')}",
    )


def _utc(recorded: str) -> str:
    """The instant in UTC, whatever zone it was written in; as it was written where it is none of Python's, as with a leap second."""
    try:
        return instant(datetime.fromisoformat(recorded))
    except ValueError:
        return recorded


def _name(agent: Raw) -> str:
    who = agent.get("who") or {}
    identifier = who.get("identifier") or {}
    kinds = {CLIENT: "client", USER: "user"}
    return str(who.get("reference") or f"{kinds.get(str(identifier.get('system')), '')} {identifier.get('value', '')}".strip())


def _what(raw: Raw, details: dict[str, str]) -> str:
    codings = [coding for coding in raw.get("subtype", ()) if isinstance(coding, dict)]
    own = [coding for coding in codings if coding.get("system") == INTERACTION]
    name = str((own or codings or [{}])[0].get("code", ""))
    types = Counter(each.partition("/")[0] for each in details.get(TOLD, "").split())
    focus = [str(reference) for entity in raw.get("entity", ()) if (reference := (entity.get("what") or {}).get("reference"))]
    patients = sum(reference.startswith("Patient/") for reference in focus)
    told = [f"{number} {type}" for type, number in sorted(types.items())]
    told = told or [reference for reference in focus if not reference.startswith("Patient/")]
    if not told and details.get(COUNT):
        told = [details[COUNT]]
    of_many = f" (of {patients} patients)" if patients > 1 else ""
    of_many += f", as {details[FIRST]} says" if FIRST in details else ""
    return f"{name}: {', '.join(told)}{of_many}" if told else f"{name}{of_many}"


def as_csv(rows: Iterable[Disclosure]) -> str:
    """The rows as CSV (RFC 4180), with a head."""
    out = StringIO()
    written = csv.writer(out, lineterminator="\r\n")
    written.writerow(COLUMNS)
    written.writerows(map(_cells, rows))
    return out.getvalue()


def _cells(row: Disclosure) -> list[str]:
    # A spreadsheet takes what begins so for a formula.
    return [f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text for text in astuple(row)]


_STYLE = """
body { font: 10.5pt/1.45 system-ui, sans-serif; color: #111; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; } caption { text-align: left; color: #555; padding-bottom: .3rem; }
th, td { border-bottom: 1px solid #ccc; padding: .2rem .5rem; text-align: left; vertical-align: top; overflow-wrap: anywhere; }
thead { display: table-header-group; } th { overflow-wrap: normal; }
@media print { body { margin: 0; max-width: none; } tr { break-inside: avoid; } } @page { margin: 18mm; }
""".strip()


def as_page(patient: str, rows: Sequence[Disclosure], made: str, low: str | None = None, high: str | None = None) -> str:
    """The accounting as one HTML text that loads nothing, to be printed and filed. `made` is when, an instant; `low` and `high` are from
    when up to the end of what it is, where that was asked."""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in COLUMNS)
    body = "\n".join(f"<tr>{''.join(f'<td>{escape(text)}</td>' for text in astuple(row))}</tr>" for row in rows)
    number = len(rows)
    period = "".join(f" {word} {escape(text)}" for word, text in (("from", low), ("to", high)) if text)
    caption = f"{number or 'No'} disclosure{'' if number == 1 else 's'}{period}, as of {escape(made)}"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Accounting of disclosures</title>\n<style>\n{_STYLE}\n</style>\n</head>\n<body>\n"
        f"<h1>Accounting of disclosures of {escape(patient)}</h1>\n"
        f"<table><caption>{caption}</caption><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table>\n</body>\n</html>\n"
    )

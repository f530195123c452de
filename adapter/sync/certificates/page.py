"""A certificate as a page that can be printed and filed: one HTML text that loads nothing. No patient data is in a certificate."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from adapter.store.documents import Document
from adapter.sync.certificates.certificate import COLUMNS
from adapter.sync.certificates.kept import checksum
from adapter.sync.plan import ACTIONS

_STYLE = """
body { font: 10.5pt/1.45 system-ui, sans-serif; color: #111; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.1rem; margin: 1.8rem 0 .4rem; }
.verdict { font-weight: 600; padding: .5rem .8rem; border: 2px solid; margin: 1rem 0; }
.holds { color: #0a5c2b; } .fails { color: #9b1c1c; }
table { border-collapse: collapse; width: 100%; } caption { text-align: left; color: #555; padding-bottom: .2rem; }
th, td { border-bottom: 1px solid #ccc; padding: .2rem .5rem; text-align: left; vertical-align: top; overflow-wrap: anywhere; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; overflow-wrap: normal; } tr.fails td { font-weight: 600; }
code { font-family: ui-monospace, monospace; font-size: .9em; overflow-wrap: anywhere; } thead { display: table-header-group; }
@media screen { .wide { overflow-x: auto; } .wide th, .wide td { overflow-wrap: normal; } }
@media print { body { margin: 0; max-width: none; } tr { break-inside: avoid; } h2 { break-after: avoid; } }
@page { margin: 18mm; }
""".strip()


def page(id: str, body: Document) -> str:
    """The certificate as one HTML text."""
    held = "holds" if body["holds"] else "fails"
    parts = [
        f"<h1>Certificate of a sync with {escape(body['remote'])}</h1>",
        f'<p class="verdict {held}">{escape(verdict(body))}</p>',
        _facts(id, body),
        *_pulled(body),
        *_pushed(body),
        *_listed("Types that could not be read to their end", ("type", "why"), body.get("failed", {}).items()),
        *_listed("Why some were skipped, refused or left to a person", ("count", "what, and why"), _reasons(body["reasons"])),
        *_listed("In conflict at its end", ("resource", "why"), (each.values() for each in body.get("conflicts", ()))),
        *_listed("Refused or unkept at its end", ("resource", "way", "why"), (each.values() for each in body.get("dead letters", ()))),
        f"<h2>Checksum</h2><p>SHA-256 of this certificate's JSON file, as <code>casebridge certificates export {escape(id)}</code> "
        f"writes it:</p><p><code>{checksum(id, body)}</code></p>",
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Certificate {escape(id)}</title>\n<style>\n{_STYLE}\n</style>\n</head>\n<body>\n"
        + "\n".join(parts)
        + "\n</body>\n</html>\n"
    )


def verdict(body: Document) -> str:
    """What a certificate says, in a line."""
    if not body["holds"]:
        return f"It does not hold: {body['failure'] or 'not every type adds up; the next pull reads those again'}"
    if body.get("clean", True):
        return "All adds up, and nothing waits for a person."
    return "All adds up; something waits for a person."


def _facts(id: str, body: Document) -> str:
    facts = {
        "certificate": id,
        "remote": body["remote"],
        "address": body.get("address") or "not kept",
        "began": body["started"],
        "ended": body["ended"] or "did not",
        "run by": body.get("by") or "not kept",
        "open questions about who is who": body.get("questions", "not kept"),
        "casebridge": body.get("casebridge") or "not kept",
    }
    rows = "".join(f'<tr><th scope="row">{escape(name)}</th><td>{escape(str(value))}</td></tr>' for name, value in facts.items())
    return f"<table>{rows}</table>"


def _pulled(body: Document) -> Iterable[str]:
    told = {type: row for type, row in body["pull"].items() if any(row[column] for column in COLUMNS) or not row["adds up"]}
    if told:
        rows = [
            ((type, *(row[name] for name in COLUMNS), "yes" if row["adds up"] else "NO"), not row["adds up"]) for type, row in told.items()
        ]
        yield f"<h2>From {escape(body['remote'])} to here</h2>"
        yield _table(("type", *COLUMNS, "adds up"), rows, COLUMNS)
    if empty := len(body["pull"]) - len(told):
        yield f"<p>{empty} {'other ' if told else ''}types: nothing new there.</p>"


def _pushed(body: Document) -> Iterable[str]:
    actions = [action for action in ACTIONS if any(counts.get(action) for counts in body["push"].values())]
    if actions:
        yield f"<h2>From here to {escape(body['remote'])}</h2>"
        rows = [((type, *(counts.get(action, 0) for action in actions)), False) for type, counts in body["push"].items()]
        yield _table(("type", *actions), rows, actions)


def _reasons(reasons: Mapping[str, int]) -> Iterable[tuple[int, str]]:
    return ((count, reason) for reason, count in reasons.items())


def _listed(title: str, columns: Sequence[str], rows: Iterable[Iterable[Any]]) -> Iterable[str]:
    listed = [(tuple(row), False) for row in rows]
    if listed:
        yield f"<h2>{escape(title)}</h2>"
        yield _table(columns, listed, ("count",))


def _table(columns: Sequence[str], rows: Iterable[tuple[Sequence[Any], bool]], numbers: Sequence[str]) -> str:
    """Rows under their columns; each with whether it is to be noticed."""
    kinds = [' class="n"' if column in numbers else "" for column in columns]
    head = "".join(f'<th scope="col"{kind}>{escape(column)}</th>' for column, kind in zip(columns, kinds, strict=True))
    cells = [
        (noticed, "".join(f"<td{kind}>{escape(str(cell))}</td>" for cell, kind in zip(row, kinds, strict=True))) for row, noticed in rows
    ]
    lines = "".join(f"<tr{' class=fails' if noticed else ''}>{row}</tr>\n" for noticed, row in cells)
    # On a narrow screen a table is moved sideways within its place, by keyboard too.
    return f'<div class="wide" tabindex="0"><table><thead><tr>{head}</tr></thead><tbody>\n{lines}</tbody></table></div>'

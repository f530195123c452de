"""`casebridge audit`: the account of who saw and did what, and whether it is still what was written."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Any

import click

from adapter import log
from adapter.audit.anchor import is_early
from adapter.audit.disclosures import COLUMNS, as_csv, as_page, disclosures
from adapter.audit.event import TYPE
from adapter.cli.connection import repository
from adapter.cli.exits import Failure
from adapter.cli.terminal import as_json, line, progress, say, table
from adapter.clock import instant
from adapter.config import Settings
from adapter.errors import Invalid
from adapter.fhir import references
from adapter.fhir.resource import Raw
from adapter.store import trail
from adapter.store.accounting import about
from adapter.store.repository import Repository

_ANCHOR_SECONDS = 600.0
_HASH = 64
_SHOWN = 100
_json = click.option("--json", "json", is_flag=True, help="As JSON.")


@click.group()
def audit() -> None:
    """The account of accesses: verify, anchor, disclosures, prune.

    docs/audit.md says what is in it, and what it can prove.
    """


@audit.command()
@click.option("--anchor", "held", help="The hash of an anchor that was kept elsewhere: it has to be here still.")
@_json
def verify(held: str | None, json: bool) -> None:
    """Check that the account is what was written.

    Every AuditEvent is compared with its place in its chain, and every chain with the anchors. The exit code is 1 if something does not
    hold. AuditEvents are named by their ids, and nobody. What was pruned that was not yet older than CASEBRIDGE_AUDIT_DAYS says (without
    it, anything) is told; it is a fault if it went after the anchor of --anchor.

    \b
      casebridge audit verify
      casebridge audit verify --anchor 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
    """
    if held is not None and len(held) != _HASH:
        raise Invalid(f"An anchor is known by a hash of {_HASH} characters: casebridge audit anchor prints it.")
    days = Settings.from_env().audit_days
    with repository() as opened, progress() as report:
        opened.collection(TYPE)
        found = [*trail.verify(opened.database, held, progress=report)]
        entries = opened.database[TYPE].estimated_document_count()
        known = trail.anchors(opened.database)
    last, pruned = known.last, sorted(known.prunings, key=lambda each: each.kept)
    found += known.early(held, days) if held else []
    if json:
        number, hash = (last.number, last.hash) if last else (None, None)
        told = {"findings": [each.to_json() for each in found], "pruned": [each.to_json() for each in known.prunings]}
        as_json({"entries": entries, "anchor": number, "hash": hash, **told})
    else:
        for each in [each for each in pruned if is_early(each, days)][:_SHOWN]:
            line(str(each))
        if pruned:
            line(f"{sum(each.entries for each in pruned)} entries were pruned, {len(pruned)} times; --json lists each.")
        for fault in found[:_SHOWN]:
            line(f"{fault.kind}: {fault.text}")
        if len(found) > _SHOWN:
            line("… and more; --json lists all.")
        anchored = f"anchor {last.number} of {instant(last.at)}" if last else "no anchor yet"
        line(f"{entries} entries, {anchored}: {len(found) or 'no'} fault{'' if len(found) == 1 else 's'}.")
    if found:
        raise Failure


@audit.command()
@_json
def anchor(json: bool) -> None:
    """Print the hash of the latest anchor, to be kept elsewhere.

    It is made now if there is anything new. Whoever has it can show with `casebridge audit verify --anchor` that nothing before it was
    changed. A server makes an anchor every ten minutes, and when it stops.

    \b
      casebridge audit anchor
    """
    with repository() as opened:
        opened.collection(TYPE)
        made = trail.anchor(opened.database, opened.clock())
    if json:
        as_json({"number": made.number, "at": instant(made.at), "hash": made.hash} if made else None)
    elif made:
        line(made.hash)
        say(f"anchor {made.number} of {instant(made.at)}")
    else:
        say("Nothing is in the account yet.")


@audit.command("disclosures")
@click.argument("patient", metavar="PATIENT")
@click.option("--from", "low", help="From this day or time on, such as 2026-01-01.")
@click.option("--to", "high", help="Up to the end of this day or time.")
@click.option("--csv", "form", flag_value="csv", help="As CSV.")
@click.option("--fhir", "form", flag_value="fhir", help="As a Bundle of the AuditEvents.")
@click.option("--json", "form", flag_value="json", help="As JSON.")
@click.option("--page", type=click.Path(path_type=Path, dir_okay=False), help="Write a page to be printed and filed to this file.")
def disclosures_(patient: str, low: str | None, high: str | None, form: str | None, page: Path | None) -> None:
    """Who was told of PATIENT, when, what, why, and by which rule.

    PATIENT is an id here, with or without Patient/ before it.

    \b
      casebridge audit disclosures river --from 2026-01-01
      casebridge audit disclosures Patient/river --csv > river.csv
      casebridge audit disclosures river --page river.html
    """
    reference = patient if "/" in patient else f"Patient/{patient}"
    found = references.split(reference)
    if found is None or found[0] != "Patient":
        raise Invalid("PATIENT is the id of a patient here, such as Patient/1.")
    with repository() as opened:
        events = [*about(opened, reference, low, high)]
        now = instant(opened.clock())
    rows = [*disclosures(events)]
    if page:
        page.write_text(as_page(reference, rows, now, low, high), "utf-8")
        say(f"{len(rows)} disclosures written to {page}.")
    elif form == "csv":
        click.echo(as_csv(rows), nl=False)
    elif form == "fhir":
        as_json(_bundle(events))
    elif form == "json":
        as_json([vars(row) for row in rows])
    else:
        table(COLUMNS, [tuple(vars(row).values()) for row in rows], title=f"{reference}, as of {now}")


@audit.command()
def prune() -> None:
    """Take away what is older than CASEBRIDGE_AUDIT_DAYS.

    Before that all is verified, and an anchor says what goes, so that what is left still holds. Where something does not hold, nothing
    is taken away.

    \b
      CASEBRIDGE_AUDIT_DAYS=2190 casebridge audit prune
    """
    days = Settings.from_env().audit_days
    if days is None:
        raise Invalid("CASEBRIDGE_AUDIT_DAYS says for how many days the account is kept; without it, it is kept for ever.")
    with repository() as opened:
        opened.collection(TYPE)
        now = opened.clock()
        gone = trail.prune(opened.database, now, now - timedelta(days=days))
    line(f"{gone} entries older than {days} days were taken away.")


@contextmanager
def anchoring(opened: Repository, seconds: float = _ANCHOR_SECONDS) -> Iterator[None]:
    """Anchor the account every so many seconds while the context is open, and at its end."""
    stopping = Event()
    opened.collection(TYPE)
    thread = Thread(target=_anchor_again, args=(opened, seconds, stopping), name="anchors", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()


def _anchor_again(opened: Repository, seconds: float, stopping: Event) -> None:
    ended = False
    while not ended:
        ended = stopping.wait(seconds)
        try:
            trail.anchor(opened.database, opened.clock())
        except Exception as error:  # noqa: BLE001 - the worker loop: the store can be away, and nothing would be anchored any more
            log.event("audit.not_anchored", level=logging.ERROR, error=type(error).__name__)


def _bundle(events: list[Raw]) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "collection", **({"entry": [{"resource": each} for each in events]} if events else {})}

"""`casebridge access`: who works where, by which a supervisor has a team, and who saw somebody who was not among their cases."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click

from adapter.access.glass import Broken
from adapter.cases.case_manager import CaseManager
from adapter.cases.record import Fields
from adapter.casework.desk import SUPERVISORS, Actor, Desk
from adapter.casework.records import put, read
from adapter.cli.connection import repository, user
from adapter.cli.terminal import as_json, say, table
from adapter.clock import instant
from adapter.errors import NotFound
from adapter.store.glass import Glass
from adapter.store.repository import Repository


def _words(name: str) -> tuple[str, ...]:
    return tuple(sorted(CaseManager.enumerations()[name]))


@click.group()
def access() -> None:
    """Who works on cases, and who broke the glass, and why.

    Breaking the glass is to see somebody who is not among one's cases, for a reason and a time.
    """


@access.command()
@click.argument("id")
@click.option("--family", help="Their family name; needed for somebody new.")
@click.option("--given", help="Their given name.")
@click.option("--discipline", type=click.Choice(_words("discipline")), help="What they are by training; needed for somebody new.")
@click.option("--role", type=click.Choice(_words("role")), help="Supervisors and directors lead a team.")
@click.option("--organisation", help="Where they work, such as Organization/north: who leads there sees their cases.")
def staff(id: str, family: str | None, given: str | None, discipline: str | None, role: str | None, organisation: str | None) -> None:
    """Write or change the record of the case manager ID.

    Those who work on cases cannot write it, since it says who leads whom. Then: casebridge user add.

    \b
      casebridge access staff dana --family Example --given Dana --discipline nurse --organisation Organization/north
    """
    name = {part: value for part, value in (("family", family), ("given", [given] if given else None)) if value}
    with repository() as opened:
        desk = Desk(opened, Actor(f"operator {user()}"), opened.clock)
        before, version = _before(opened, id)
        told = {"names": _named(before.get("names", []), name), "discipline": discipline, "role": role, "organization": organisation}
        fields = {**before, **{name: value for name, value in told.items() if value}, "practitioner": f"Practitioner/{id}"}
        put(desk, "case_manager", id, fields, expect=version, activity="staff")
    lets_in = "supervisor" if fields.get("role") in SUPERVISORS else "case-manager"
    say(f"{id} works on cases: casebridge user add NAME --role {lets_in} --fhir-user Practitioner/{id}")


def _named(names: Sequence[Fields], name: Fields) -> list[Fields]:
    """The names, of which the usual one, else the first, says what is told now. A name's text does not, so it goes."""
    if not name:
        return [*names]
    at = next((number for number, each in enumerate(names) if each.get("use") == "usual"), 0)
    kept = {part: value for part, value in (names[at] if names else {}).items() if part != "text"}
    return [*names[:at], {**kept, **name}, *names[at + 1 :]]


def _before(repository: Repository, id: str) -> tuple[Fields, int]:
    """The record as it is, and its version; nothing of somebody new."""
    try:
        found = read(repository, "case_manager", id)
    except NotFound:
        return {}, 0
    return found.fields, found.version


@access.command()
@click.option("--held", is_flag=True, help="Only what counts now.")
@click.option("--json", "json", is_flag=True, help="As JSON.")
def breaks(held: bool, json: bool) -> None:
    """What was broken, the newest first.

    \b
      casebridge access breaks --held
    """
    with repository() as opened:
        now = opened.clock()
        found = [each for each in Glass(opened).all() if not held or each.holds(now)]
    if json:
        as_json([_told(each) for each in found])
        return
    rows = [(each.id, each.who, each.patient, instant(each.began), instant(each.over), each.reason) for each in found]
    table(("id", "who", "whom", "from", "until", "why"), rows)


@access.command()
@click.argument("id")
def end(id: str) -> None:
    """End the one with this ID now; it stays in the list.

    \b
      casebridge access end 0b7c1e52-7d0e-4b53-9d15-0a9f5f6f6a11
    """
    with repository() as opened:
        Glass(opened).end(id, f"operator {user()}")
    say("It does not count any more.")


def _told(broken: Broken) -> dict[str, Any]:
    told = {name: instant(value) if name in ("began", "until", "ended") and value else value for name, value in asdict(broken).items()}
    return {name: value for name, value in told.items() if value is not None}

"""`casebridge subscriptions`: who is told of changes, how that goes, and the secrets by which it is known to come from here."""

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

import click

from adapter.cli.connection import repository
from adapter.cli.exits import until_asked_to_stop
from adapter.cli.terminal import as_json, line, say, table
from adapter.clock import instant
from adapter.config import Settings
from adapter.errors import Conflict, NotFound
from adapter.log import safe_url
from adapter.store.documents import Change, Stored
from adapter.store.repository import Repository
from adapter.store.subscriptions import TYPE, Row
from adapter.sync.subscriptions.delivery import with_status
from adapter.sync.subscriptions.owners import Owners
from adapter.sync.subscriptions.signature import secret, site_key, written

if TYPE_CHECKING:
    from server.auth.subscribers import Subscribers

_json = click.option("--json", "json", is_flag=True, help="As JSON.")


@click.group()
def subscriptions() -> None:
    """Who is told of changes: list, show, pause, resume, deliver."""


@subscriptions.command("list")
@_json
def list_(json: bool) -> None:
    """Every Subscription, and how much it is yet to be told.

    \b
      casebridge subscriptions list
    """
    with repository() as opened:
        found = [_told(opened, stored, row) for stored, row in _all(opened)]
    if json:
        as_json(found)
    elif not found:
        say("There is none.")
    else:
        columns = ("id", "owner", "status", "type", "waiting", "endpoint", "error")
        rows = [tuple("" if each[name] is None else each[name] for name in columns) for each in found]
        table(("subscription", *columns[1:]), rows, numbers=("waiting",))


@subscriptions.command()
@click.argument("subscription")
@_json
def show(subscription: str, json: bool) -> None:
    """Show SUBSCRIPTION, and what it is to be told next. Its headers are left out: they can be secrets.

    \b
      casebridge subscriptions show 0c5f…
    """
    with repository() as opened:
        stored, row = _one(opened, subscription)
        found = _told(opened, stored, row)
        ahead = opened.notifications.oldest(row.queue, 10)
    found["next"] = [{"at": instant(each.at), "event": each.event, "resource": each.reference, "version": each.version} for each in ahead]
    if json:
        as_json(found)
        return
    for name in ("id", "owner", "status", "error", "criteria", "endpoint", "payload", "end", "waiting"):
        line(f"{name}: {'none' if found[name] is None else found[name]}")
    if found["next"]:
        table(("moment", "event", "resource", "version"), [each.values() for each in found["next"]])


@subscriptions.command("secret")
@click.argument("subscription")
def secret_(subscription: str) -> None:
    """Print the secret that signs SUBSCRIPTION's notifications.

    Give it to the subscriber by a way that others cannot read.

    \b
      casebridge subscriptions secret 0c5f…
    """
    with repository() as opened:
        _, row = _one(opened, subscription)
    line(written(secret(site_key(Settings.from_env()), row.queue)))


@subscriptions.command()
@click.argument("subscription")
def pause(subscription: str) -> None:
    """Stop telling SUBSCRIPTION until it is resumed.

    What it is to be told is kept meanwhile.

    \b
      casebridge subscriptions pause 0c5f…
    """
    _set(subscription, "off")


@subscriptions.command()
@click.argument("subscription")
def resume(subscription: str) -> None:
    """Tell SUBSCRIPTION again, and first what has waited.

    Its endpoint is asked anew, then told oldest first. Also after a 410 or a long outage.

    \b
      casebridge subscriptions resume 0c5f…
    """
    _set(subscription, "requested")


@subscriptions.command()
@click.argument("subscription")
@click.option("--yes", is_flag=True, help="Do not ask.")
def skip(subscription: str, yes: bool) -> None:
    """Drop what SUBSCRIPTION is to be told next.

    For one notification that its endpoint will never take, and that all others wait for.

    \b
      casebridge subscriptions skip 0c5f…
    """
    with repository() as opened:
        _, row = _one(opened, subscription)
        ahead = opened.notifications.oldest(row.queue, 1)
        if not ahead:
            raise NotFound("Nothing waits.")
        about = f"{ahead[0].event} of {ahead[0].reference}, version {ahead[0].version}"
        if not yes:
            click.confirm(f"Never tell {subscription} of the {about}?", abort=True, err=True)
        opened.notifications.drop(ahead[0])
    say(f"Skipped: {about}.")


@subscriptions.command()
def deliver() -> None:
    """Tell subscribers what they are owed, until stopped. `serve` does it too; one process at a time does, whichever came first.

    \b
      casebridge subscriptions deliver
    """
    from adapter.sync.subscriptions.turns import delivering, site

    settings = Settings.from_env()
    with repository() as opened, delivering(opened, site(settings, _owners(opened, settings))):
        say("Delivering. Ctrl-C stops it.")
        until_asked_to_stop()
    say("Stopped.")


def _owners(opened: Repository, settings: Settings) -> Owners:
    @cache
    def subscribers() -> "Subscribers":
        # What the server needs costs a second; where all is the operator's own it is not needed.
        from server.auth.subscribers import Subscribers

        return Subscribers(opened, settings.site)

    return lambda owner, type: subscribers().standing(owner, type)


def _set(id: str, status: str) -> None:
    with repository() as opened:
        stored, _ = _one(opened, id)
        if stored.raw["status"] == "off" == status:
            raise Conflict("It is off already.")
        opened.commit([Change(TYPE, id, with_status(stored.raw, status), stored.version)])
    say(f"{id} is {status}.")


def _all(opened: Repository) -> Iterator[tuple[Stored, Row]]:
    rows = {row.id: row for row in opened.subscribed() if not row.gone}
    for id, stored in sorted(opened.find_many(TYPE, rows).items()):
        yield stored, rows[id]


def _one(opened: Repository, id: str) -> tuple[Stored, Row]:
    found = next(((stored, row) for stored, row in _all(opened) if row.id == id), None)
    if found is None:
        raise NotFound("There is no Subscription with this id; `casebridge subscriptions list` shows those that there are.")
    return found


def _told(opened: Repository, stored: Stored, row: Row) -> dict[str, Any]:
    raw = stored.raw
    channel = raw["channel"]
    return {
        "id": row.id,
        "owner": row.owner["name"] if row.owner else None,
        "status": raw["status"],
        "error": raw.get("error"),
        "type": raw["criteria"].lstrip("/").partition("?")[0],
        "criteria": raw["criteria"],
        "endpoint": safe_url(channel.get("endpoint", "")),
        "payload": channel.get("payload"),
        "end": raw.get("end"),
        "waiting": opened.notifications.count(row.queue),
    }

"""`casebridge sandbox`: take out of a remote what a casebridge put there."""

from collections import Counter
from collections.abc import Iterator

import click

from adapter.cli.connection import bridge
from adapter.cli.exits import Failure
from adapter.cli.terminal import Report, as_json, line, progress, say, table
from adapter.errors import RemoteFatal, RemoteUnauthorised
from adapter.fhir import bundle as bundles
from adapter.fhir.capability import Capability
from adapter.fhir.client import FhirClient
from adapter.store.documents import Change
from adapter.sync.bridge import Bridge
from adapter.sync.edge import own_id, own_search
from adapter.sync.plan import Entry
from adapter.sync.pushing.order import batches, ordered
from adapter.sync.pushing.push import synthetic
from adapter.sync.remotes.remote import Remote
from adapter.sync.workers import remote_lease


@click.group()
def sandbox() -> None:
    """Leave no mess in a sandbox."""


@sandbox.command()
@click.argument("remote")
@click.option("--all", "all_", is_flag=True, help="Also what other casebridges put there, or this one before its database was lost.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "json", is_flag=True, help="As JSON; needs --yes.")
def clean(remote: str, all_: bool, yes: bool, json: bool) -> None:
    """Delete at a remote what was made there for trying.

    That is what carries a casebridge identifier that this database knows and the synthetic tag, and nothing else: others try things there
    too. What refers to another goes first. Here nothing is deleted: our resources lose their link to REMOTE and are owed to it again, so
    that the next push would make them anew.

    \b
      casebridge sandbox clean hapi
    """
    if json and not yes:
        raise click.UsageError("--json needs --yes.")
    with bridge() as opened:
        each = opened.remotes.get(remote)
        with each.client() as client, remote_lease.hold(opened.state, remote) as held:
            capability = client.capability()
            with progress() as report:
                found = [entry for entry in _found(client, capability, report) if all_ or _known(opened, entry)]
            counts = Counter(entry.type for entry in found)
            if not json:
                _announce(each, counts)
            if not found or not (yes or click.confirm(f"Delete these {len(found)} resources at {each.url}?", err=True)):
                say("Nothing was deleted.")
                return
            left: dict[str, str] = {}
            with progress() as report:
                done = 0
                for batch in reversed(list(batches(ordered(found), each.bundle_size))):
                    held.check()
                    refused = _delete(client, batch, transaction=capability.transaction)
                    _unlink(opened, each, [entry for entry in batch if entry.reference not in refused])
                    left |= refused
                    done += len(batch)
                    report("delete", done, len(found))
    if json:
        as_json({"remote": remote, "deleted": len(found) - len(left), "left": left})
    else:
        for reference, reason in left.items():
            line(f"left: {reference}: {reason}")
        line(f"{len(found) - len(left)} deleted, {len(left)} left.")
    if left:
        raise Failure


def _announce(each: Remote, counts: Counter[str]) -> None:
    if counts:
        table(("type", "to delete"), sorted(counts.items()), numbers=("to delete",), title=f"Ours and synthetic at {each.url}")
    else:
        line(f"Nothing of ours is at {each.url}.")


def _found(client: FhirClient, capability: Capability, report: Report) -> Iterator[Entry]:
    """What a casebridge made there and tagged as synthetic, in the remote's own terms."""
    types = [type for type in capability.types if capability.supports(type, "delete") and _searchable(capability, type)]
    for done, type in enumerate(types, start=1):
        for page in client.search(type, own_search(type)):
            for raw in page.entries:
                # The remote's search is not what decides about a deletion.
                if own_id(raw) and synthetic(raw):
                    yield Entry("push", "create", type, raw["id"], f"{type}/{raw['id']}", target=raw)
        report("look", done, len(types))


def _known(opened: Bridge, entry: Entry) -> bool:
    """Whether a resource of the remote was made by this database."""
    return opened.repository.find(entry.type, own_id(entry.target or {}) or "") is not None


def _searchable(capability: Capability, type: str) -> bool:
    """Whether the remote finds what we made of this type; where it does not, we could make none."""
    asked = set(own_search(type)) & {"identifier"}
    return capability.supports(type, "search-type") and asked <= capability.search_params(type)


def _delete(client: FhirClient, batch: list[Entry], *, transaction: bool) -> dict[str, str]:
    """Delete a batch, in one transaction if the remote takes it: circles of references go in no other way. What was refused, and why."""
    if transaction and len(batch) > 1:
        try:
            client.transaction(bundles.transaction([bundles.delete(entry.type, entry.id) for entry in reversed(batch)]))
            return {}
        except RemoteUnauthorised:
            raise
        except RemoteFatal:
            say("A transaction of deletions was refused; trying one by one.")
    refused = {}
    for entry in reversed(batch):
        try:
            client.delete(entry.type, entry.id)
        except RemoteUnauthorised:
            raise
        except RemoteFatal as error:
            refused[entry.reference] = error.text
    return refused


def _unlink(opened: Bridge, each: Remote, deleted: list[Entry]) -> None:
    """Our resources forget those that are gone; what was born here is owed to the remote again."""
    for entry in deleted:
        stored = opened.repository.linked(f"{each.name}|{entry.reference}")
        if stored is None:
            continue
        links = stored.links_beside(each.name)
        owed = () if stored.born or stored.deleted else (each.name,)
        change = Change(
            stored.type, stored.id, None if stored.deleted else stored.raw, stored.version, links=links, seen=stored.links, owed=owed
        )
        opened.repository.commit([change])

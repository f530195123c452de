"""`casebridge dead`: what a remote refused, or could not be kept here; look at it, send it again, or give it up."""

from collections.abc import Sequence

import click

from adapter.cli.certificates import show_certificate
from adapter.cli.connection import bridge
from adapter.cli.exits import Failure
from adapter.cli.terminal import as_json, line, progress, say, table
from adapter.clock import instant
from adapter.errors import Invalid
from adapter.fhir.resource import laid_out
from adapter.sync.bridge import Bridge
from adapter.sync.pushing.dead import Letter, Letters

_json = click.option("--json", "json", is_flag=True, help="As JSON.")
_named = click.argument("letters", nargs=-1, metavar="[LETTER]…")
_remote = click.option("--remote", help="All those of this remote.")


@click.group()
def dead() -> None:
    """What was refused: list, show, resend, drop."""


@dead.command("list")
@click.option("--remote", help="Only those of this remote.")
@_json
def list_(remote: str | None, json: bool) -> None:
    """What was refused, and why.

    A resource that a remote refused is still owed: every push tries it again, by itself. One of the remote's that could not be kept is read
    again by every pull.

    \b
      casebridge dead list --json
    """
    with bridge() as opened:
        found = list(_letters(opened).all(remote))
    if json:
        as_json([{"remote": each.remote, "direction": each.direction, "resource": each.resource, "reason": each.reason} for each in found])
    elif found:
        table(("letter", "since", "why"), [(each.id, instant(each.at), each.reason) for each in found])
    else:
        say("There is none.")


@dead.command()
@click.argument("letter")
@click.option(
    "--texts", is_flag=True, help="The remote's OperationOutcome as it came: its texts can quote the resource, so not for a ticket."
)
@_json
def show(letter: str, texts: bool, json: bool) -> None:
    """Show why LETTER was refused, as the remote says it.

    \b
      casebridge dead show hapi:push:CarePlan/0c5f…
    """
    with bridge() as opened:
        found = _letters(opened).get(letter)
        stored = opened.repository.find(*found.reference.split("/")) if found.reference else None
    changed = stored is not None and stored.version != found.version
    if json:
        as_json({**found.to_json(), "changed_since": changed, **({"texts": found.outcome} if texts else {})})
        return
    line(f"{found.resource}, {'for' if found.direction == 'push' else 'from'} {found.remote}, since {instant(found.at)}")
    line(found.reason)
    if found.issues:
        table(("severity", "code", "element"), found.issues)
    if texts and found.outcome:
        line(laid_out(found.outcome))
    if found.temporary:
        line("The remote failed over it rather than refused it: it may take it another time.")
    if changed:
        line("It was changed here since.")


@dead.command()
@_named
@_remote
@_json
def resend(letters: tuple[str, ...], remote: str | None, json: bool) -> None:
    """Send these LETTERs again now, and nothing else.

    What could not be kept here is read again. The exit code is 0 only if nothing was refused.

    \b
      casebridge dead resend hapi:push:CarePlan/0c5f…
      casebridge dead resend --remote hapi
    """
    with bridge() as opened:
        chosen = _chosen(opened, letters, remote)
        bodies, clean = [], True
        for name in dict.fromkeys(letter.remote for letter in chosen):
            with progress() as report:
                certificate = opened.resend(name, [letter for letter in chosen if letter.remote == name], report)
            bodies.append(certificate.to_json())
            clean = clean and certificate.clean
        left = [letter.id for letter in chosen if letter.id in {each.id for each in _letters(opened).all()}]
    if json:
        as_json({"certificates": bodies, "left": left})
    else:
        for body in bodies:
            show_certificate(body)
        line(f"{len(chosen) - len(left)} of {len(chosen)} are no longer refused.")
    if left or not clean:
        raise Failure


@dead.command()
@_named
@_remote
@click.option("--yes", is_flag=True, help="Do not ask.")
def drop(letters: tuple[str, ...], remote: str | None, yes: bool) -> None:
    """Give these LETTERs up.

    The resources stay as they are, on both sides: ours is not sent again until it changes here, theirs not read again until it changes
    there.

    \b
      casebridge dead drop hapi:push:CarePlan/0c5f…
    """
    with bridge() as opened:
        chosen = _chosen(opened, letters, remote)
        if not chosen or not (yes or click.confirm(f"Give up {len(chosen)}?", err=True)):
            say("Nothing was given up.")
            return
        for letter in chosen:
            _letters(opened).give_up(letter, opened.repository)
    say(f"{len(chosen)} given up.")


def _letters(opened: Bridge) -> Letters:
    return Letters(opened.state, opened.clock)


def _chosen(opened: Bridge, ids: Sequence[str], remote: str | None) -> list[Letter]:
    """Those that are named, or all of a remote. Raises NotFound, and Invalid where neither is given or both are."""
    if bool(ids) == bool(remote):
        raise Invalid("Name dead letters, or all of a remote with --remote; `casebridge dead list` shows them.")
    if remote:
        opened.remotes.get(remote)
        return list(_letters(opened).all(remote))
    return [_letters(opened).get(id) for id in dict.fromkeys(ids)]

"""`casebridge client`: the programs that may ask this server, and what they may ask for."""

from pathlib import Path
from typing import Any

import click

from adapter.cli.connection import registers
from adapter.cli.terminal import as_json, say, table
from adapter.fhir.resource import decode

_jwks = click.option("--jwks", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A file with its public keys.")
_jwks_url = click.option("--jwks-url", help="Where it publishes its public keys, instead of a file.")


@click.group()
def client() -> None:
    """Programs that may ask a server with --auth.

    docs/security.md tells how an insurer registers once and then pulls.
    """


@client.command()
@click.argument("id")
@click.option("--role", required=True, help="insurer-reader, clinician, case-manager, supervisor, administrator or auditor.")
@click.option("--scope", required=True, help="The most that it may ask for, such as 'system/*.rs'.")
@click.option("--name", help="As people know it.  [default: ID]")
@click.option("--organisation", help="For whom it asks, such as Organization/north.")
@click.option("--purpose", help="Why it asks: a code of v3-ActReason, such as HPAYMT.")
@click.option("--redirect", "redirects", multiple=True, help="Of an app: an address to which people are sent back; several are possible.")
@click.option("--launch-url", help="Of an app that is started from the console: where.")
@_jwks
@_jwks_url
def add(id: str, jwks: Path | None, **options: Any) -> None:
    """Register the client ID: a service, or an app for people.

    A service has keys (--jwks or --jwks-url), an app an address to go back to (--redirect). There is no secret: a service proves who it
    is by its keys (SMART Backend Services), an app without keys by PKCE alone.

    \b
      casebridge client add north --role insurer-reader --organisation Organization/north --purpose HPAYMT \\
        --scope 'system/*.rs' --jwks-url https://north.example/jwks.json
      casebridge client add growth-chart --role clinician --scope 'launch openid fhirUser patient/*.rs' \\
        --redirect https://chart.example/back
    """
    from server.auth.clients import Client

    given = {name: value for name, value in options.items() if name not in ("role", "name", "redirects")}
    made = Client(id, options["name"] or id, options["role"], jwks=_read(jwks), redirects=tuple(options["redirects"]), **given)
    with registers() as opened:
        opened.clients.add(made)
    say(f"{id} is registered, {'an app' if made.app else 'a service'}.")


@client.command("list")
@click.option("--json", "json", is_flag=True, help="As JSON.")
def list_(json: bool) -> None:
    """The clients that are registered, disabled ones too.

    \b
      casebridge client list
    """
    with registers() as opened:
        found = [*opened.clients.all()]
    if json:
        as_json([{**vars(each), "app": each.app} for each in found])
        return
    rows = [
        (each.id, "app" if each.app else "service", each.role_name, each.organisation or "", each.scope, "no" if each.disabled else "yes")
        for each in found
    ]
    table(("client", "kind", "role", "organisation", "scope", "let in"), rows)


@client.command()
@click.argument("id")
def disable(id: str) -> None:
    """Let the client ID in no more; its tokens end at once.

    \b
      casebridge client disable north
    """
    with registers() as opened:
        opened.clients.disable(id)
    say(f"{id} is let in no more.")


@client.command()
@click.argument("id")
@_jwks
@_jwks_url
def rotate(id: str, jwks: Path | None, jwks_url: str | None) -> None:
    """Replace the public keys of the client ID. Tokens that it has stay good for their minutes.

    A client that publishes its keys at a URL changes them there, without this command.

    \b
      casebridge client rotate north --jwks north.jwks.json
    """
    if not jwks and not jwks_url:
        raise click.UsageError("The new keys are in a file (--jwks) or at a URL (--jwks-url).")
    with registers() as opened:
        opened.clients.rotate(id, jwks=_read(jwks), jwks_url=jwks_url)
    say(f"{id} has new keys.")


def _read(path: Path | None) -> Any:
    return decode(path.read_bytes()) if path else None

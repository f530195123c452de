"""`casebridge client`: the programs that may ask this server, and what they may ask for."""

from pathlib import Path
from typing import Any

import click

from adapter.cli.connection import registers, repository
from adapter.cli.terminal import as_json, say, table
from adapter.fhir.resource import decode

_jwks = click.option("--jwks", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A file with its public keys.")
_jwks_url = click.option("--jwks-url", help="Where it publishes its public keys, instead of a file.")


@click.group()
def client() -> None:
    """Programs that may ask this server.

    docs/security.md tells how an insurer registers once and then pulls.
    """


@client.command()
@click.argument("id")
@click.option("--role", required=True, help="insurer-reader, new-payer, clinician, case-manager, supervisor, administrator or auditor.")
@click.option("--scope", required=True, help="The most that it may ask for, such as 'system/*.rs'.")
@click.option("--name", help="As people know it.  [default: ID]")
@click.option("--organisation", help="For whom it asks, such as Organization/north.")
@click.option("--purpose", help="Why it asks: a code of v3-ActReason, such as HPAYMT.")
@click.option("--redirect", "redirects", multiple=True, help="Of an app: an address to which people are sent back; several are possible.")
@click.option("--launch-url", help="Of an app that is started from the console: where.")
@click.option("--rate", type=click.FloatRange(0, min_open=True), help="How many requests a second it may send.  [default: as all]")
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
    from adapter.sync.exporting.attribution import attributed
    from server.auth.clients import Client
    from server.auth.registers import Registers

    given = {name: value for name, value in options.items() if name not in ("role", "name", "redirects")}
    made = Client(id, options["name"] or id, options["role"], jwks=_read(jwks), redirects=tuple(options["redirects"]), **given)
    with repository() as opened:
        Registers.of(opened).clients.add(made)
        group = attributed(opened, made.role_name, made.organisation) if made.organisation else None
    say(f"{id} is registered, {'an app' if made.app else 'a service'}.{f' Its members are Group/{group}.' if group else ''}")


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


@client.command()
@click.argument("id")
@click.argument("number", type=click.FloatRange(0))
def rate(id: str, number: float) -> None:
    """Let the client ID send NUMBER requests a second.

    0 is for as many as all may. It counts from its next token on, within five minutes. docs/limits.md tells more.

    \b
      casebridge client rate north 500
    """
    with registers() as opened:
        opened.clients.set_rate(id, number or None)
    say(f"{id} may send {f'{number:g} requests a second' if number else 'as many requests as all may'}.")


def _read(path: Path | None) -> Any:
    return decode(path.read_bytes()) if path else None

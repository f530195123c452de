"""`casebridge user`: the people who may log in here."""

import sys

import click

from adapter.cli.connection import registers
from adapter.cli.terminal import as_json, say, table
from adapter.config import Settings
from adapter.errors import Invalid


@click.group()
def user() -> None:
    """People who may log in at this server.

    By a password of theirs, or at an OpenID Provider (docs/security.md). A password is asked for at the terminal, or read from the first
    line of standard input; it is never an argument.
    """


@user.command()
@click.argument("name")
@click.option("--role", required=True, help="case-manager, supervisor, clinician, insurer-reader, administrator or auditor.")
@click.option("--organisation", help="To whom the person belongs, such as Organization/north.")
@click.option("--fhir-user", help="Whom the person is in the record, such as Practitioner/dana: what they do is attributed to them.")
@click.option("--oidc", metavar="VALUE", help="As what the OpenID Provider knows the person: then no password is asked for.")
def add(name: str, role: str, organisation: str | None, fhir_user: str | None, oidc: str | None) -> None:
    """Register the person NAME.

    VALUE is what the provider tells as the claim that CASEBRIDGE_OIDC_CLAIM names: a subject, which is its own number of a person, or an
    e-mail address.

    \b
      casebridge user add dana --role case-manager --fhir-user Practitioner/dana
      casebridge user add dana --role case-manager --fhir-user Practitioner/dana --oidc 248289761001
    """
    from server.auth.users import User

    made = User(name, role, organisation, fhir_user, _account(oidc) if oidc else None)
    with registers() as opened:
        opened.users.add(made, None if oidc else _password())
    say(f"{name} may log in.")


@user.command("list")
@click.option("--json", "json", is_flag=True, help="As JSON.")
def list_(json: bool) -> None:
    """The people who are registered, disabled ones too.

    \b
      casebridge user list
    """
    with registers() as opened:
        found = [*opened.users.all()]
    if json:
        as_json([vars(each) for each in found])
        return
    rows = [
        (each.name, each.role_name, each.organisation or "", each.fhir_user or "", each.account or "", "no" if each.disabled else "yes")
        for each in found
    ]
    table(("user", "role", "organisation", "in the record", "at the provider", "let in"), rows)


@user.command()
@click.argument("name")
def disable(name: str) -> None:
    """Let the person NAME in no more; their tokens end at once.

    Sessions end too, in every process.

    \b
      casebridge user disable dana
    """
    with registers() as opened:
        opened.users.disable(name)
    say(f"{name} is let in no more.")


@user.command()
@click.argument("name")
def password(name: str) -> None:
    """Give the person NAME a password, or another one.

    Whoever is logged in is logged out.

    \b
      casebridge user password dana
    """
    with registers() as opened:
        opened.users.set_password(name, _password())
    say("The password is changed.")


@user.command()
@click.argument("name")
@click.argument("value", required=False)
@click.option("--none", "none", is_flag=True, help="NAME has no account there any more.")
def oidc(name: str, value: str | None, none: bool) -> None:
    """Join the person NAME to an account at the OpenID Provider.

    VALUE is as in `casebridge user add`. It takes the place of another one; whoever is logged in is logged out.

    \b
      casebridge user oidc dana 248289761001
    """
    if none == bool(value):
        raise click.UsageError("Name the account, or say --none.")
    account = _account(value) if value else None
    with registers() as opened:
        opened.users.join(name, account)
    say(f"{name} has no account there." if none else f"{name} may log in there.")


def _account(value: str) -> str:
    """As what a person is registered whom the provider names so. Raises Invalid where there is none."""
    from server.auth.oidc import account

    provider = Settings.from_env().oidc
    if provider is None:
        raise Invalid("No OpenID Provider is named: CASEBRIDGE_OIDC_ISSUER and CASEBRIDGE_OIDC_CLIENT say which (docs/security.md).")
    return account(provider, value)


def _password() -> str:
    """The new password, from a terminal asked for twice and not shown. Raises Invalid where there is none."""
    if sys.stdin.isatty():
        return str(click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    text = sys.stdin.readline().rstrip("\n")
    if not text:
        raise Invalid("There is no password on standard input.")
    return text

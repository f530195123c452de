"""`casebridge user`: the people who may log in here."""

import sys

import click

from adapter.cli.connection import registers
from adapter.cli.terminal import as_json, say, table
from adapter.errors import Invalid


@click.group()
def user() -> None:
    """People who may log in at a server with --auth.

    A password is asked for at the terminal, or read from the first line of standard input; it is never an argument.
    """


@user.command()
@click.argument("name")
@click.option("--role", required=True, help="case-manager, supervisor, clinician, insurer-reader, administrator or auditor.")
@click.option("--organisation", help="To whom the person belongs, such as Organization/north.")
@click.option("--fhir-user", help="Whom the person is in the record, such as Practitioner/dana: what they do is attributed to them.")
def add(name: str, role: str, organisation: str | None, fhir_user: str | None) -> None:
    """Register the person NAME.

    \b
      casebridge user add dana --role case-manager --fhir-user Practitioner/dana
    """
    from server.auth.users import User

    with registers() as opened:
        opened.users.add(User(name, role, organisation, fhir_user), _password())
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
    rows = [(each.name, each.role_name, each.organisation or "", each.fhir_user or "", "no" if each.disabled else "yes") for each in found]
    table(("user", "role", "organisation", "in the record", "let in"), rows)


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
    """Give the person NAME another password.

    Whoever is logged in by the old one is logged out.

    \b
      casebridge user password dana
    """
    with registers() as opened:
        opened.users.set_password(name, _password())
    say("The password is changed.")


def _password() -> str:
    """The new password, from a terminal asked for twice and not shown. Raises Invalid where there is none."""
    if sys.stdin.isatty():
        return str(click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    text = sys.stdin.readline().rstrip("\n")
    if not text:
        raise Invalid("There is no password on standard input.")
    return text

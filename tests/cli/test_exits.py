"""How commands end: one line, the right exit code, and never patient data."""

import pytest
from click.testing import CliRunner
from pymongo.errors import OperationFailure, ServerSelectionTimeoutError

from adapter import errors
from adapter.cli import cli
from adapter.cli.exits import CODES
from adapter.errors import CasebridgeError
from adapter.sync.remotes.remote import Remotes

NAMED = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, CasebridgeError)]
# What else an error of a kind must say.
MORE = {errors.RuleViolated: {"code": "x"}, errors.Throttled: {"retry_after": 1}}


def fail_with(monkeypatch, error: BaseException) -> None:
    def fail(self):
        raise error

    monkeypatch.setattr(Remotes, "all", fail)


@pytest.mark.parametrize("kind", NAMED)
def test_every_named_error_is_its_text_and_a_documented_exit_code(casebridge, monkeypatch, kind):
    more = next((more for of, more in MORE.items() if issubclass(kind, of)), {})
    fail_with(monkeypatch, kind("What went wrong.", **more))
    ran = casebridge("remote", "list")
    assert ran.err.splitlines()[-1] == "casebridge: What went wrong."
    assert ran.code == kind.exit_code
    assert kind.exit_code in CODES
    assert ran.out == ""


@pytest.mark.parametrize("error", [KeyError("Kanarifugl"), ValueError("Kanarifugl"), RecursionError("Kanarifugl")])
def test_an_unforeseen_error_is_its_class_and_never_its_text(casebridge, monkeypatch, error):
    fail_with(monkeypatch, error)
    ran = casebridge("remote", "list")
    assert ran.code == 70
    assert f"({type(error).__name__})" in ran.err
    assert "--debug" in ran.err


def test_debug_shows_where_an_unforeseen_error_comes_from(environment, monkeypatch):
    fail_with(monkeypatch, KeyError("a key"))
    result = CliRunner().invoke(cli, ["--debug", "remote", "list"], env=environment)
    assert result.exit_code == 70
    assert "in fail" in result.stderr


@pytest.mark.parametrize("error", [OperationFailure("Kanarifugl"), ServerSelectionTimeoutError("Kanarifugl")])
def test_a_failing_database_is_the_store_s_exit_code(casebridge, monkeypatch, error):
    fail_with(monkeypatch, error)
    ran = casebridge("remote", "list")
    assert ran.code == 6
    assert type(error).__name__ in ran.err


def test_a_database_that_is_not_there_is_the_store_s_exit_code(casebridge, environment):
    environment["CASEBRIDGE_DB"] = "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=200"
    assert casebridge("verify").code == 6


def test_ctrl_c_says_that_what_was_reported_is_saved(casebridge, monkeypatch):
    fail_with(monkeypatch, KeyboardInterrupt())
    ran = casebridge("remote", "list")
    assert ran.code == 130
    assert "All that was reported done is saved" in ran.err


def test_the_exit_codes_are_in_the_help(casebridge):
    ran = casebridge("--help")
    assert ran.code == 0
    assert all(f"{code:<4} {meaning}" in ran.out for code, meaning in CODES.items())


def walk(command, path=()):
    yield path, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from walk(inner, (*path, name))


COMMANDS = [pytest.param(path, command, id=" ".join(path)) for path, command in walk(cli) if path]


@pytest.mark.parametrize(("path", "command"), COMMANDS)
def test_every_command_explains_itself_with_an_example(casebridge, path, command):
    ran = casebridge(*path, "--help")
    assert ran.code == 0
    assert hasattr(command, "commands") or f"casebridge {' '.join(path)}" in ran.out.partition("\n")[2]
    assert len(command.get_short_help_str(limit=200)) <= 60


@pytest.mark.parametrize("option", ["--password", "--secret", "--token"])
def test_no_command_takes_a_secret_as_an_argument(option):
    assert not [path for path, command in walk(cli) for each in command.params if option in each.opts]

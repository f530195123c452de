"""Secrets are never printed, not even by what holds them: a walk over all that may. That none is logged: tests/server/auth."""

import dataclasses
import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import adapter
import server
from adapter.clock import utc_now
from adapter.config import Settings
from adapter.fhir.keys import Keys
from adapter.store.repository import Repository
from adapter.sync.subscriptions.turns import site
from server.auth.clients import Client
from server.auth.principal import Principal
from server.auth.registers import Registers
from server.auth.users import User

# What a field is called that may hold one; a yes or no holds none.
_NAMED = re.compile(r"secret|passw|token|key|jwk|csrf|cookie|credential|verifier|signature|auth\b|uri\b|(^|_)db$|workers")
_YES_OR_NO = (bool, "bool")
# What such a field holds that is shown: never the secret itself.
_HARMLESS = {
    "where the secret is, by name": (
        *("config.Oidc.secret_file", "fhir.auth.Basic.secret", "fhir.auth.Bearer.secret", "fhir.oauth.ClientSecret.secret"),
        *(
            "fhir.secret.Secret.keyring",
            "fhir.tls.Transport.key_file",
            "sync.remotes.remote.Remote.auth",
            "sync.remotes.remote.Remote.key_file",
        ),
    ),
    "how the keys are found": ("fhir.smart.BackendService.keys", "auth.registers.Registers.tokens"),
    "what anybody may read": ("auth.clients.Client.jwks_url", "auth.public_keys._Held.keys"),
    "by what things are told apart": (
        *("cases.reactions.Finding.key", "mapping.appointment.Others.key", "mapping.lists.Each.key", "mapping.lists.One.key"),
        *("mapping.lists.RefsTo.key", "mapping.lists.Values.key", "store.gathering._Round.keys", "sync.loading.imports.Source.key"),
        "fhir.operations.invariants.Invariant.key",
    ),
}


def classes() -> Iterator[type]:
    """Every dataclass of ours."""
    for package in (adapter, server):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if found.name.endswith("__main__"):
                continue
            module = importlib.import_module(found.name)
            for value in vars(module).values():
                if isinstance(value, type) and dataclasses.is_dataclass(value) and value.__module__ == module.__name__:
                    yield value


def named(field: dataclasses.Field[Any], owner: type) -> str:
    return f"{owner.__module__.partition('.')[2]}.{owner.__name__}.{field.name}"


def test_what_holds_a_secret_does_not_show_it_when_it_is_printed() -> None:
    shown = {
        named(field, owner)
        for owner in classes()
        for field in dataclasses.fields(owner)
        if field.repr and _NAMED.search(field.name) and field.type not in _YES_OR_NO
    }
    known = {each for several in _HARMLESS.values() for each in several}
    assert shown - known == set(), "declare them with field(repr=False), or say what they hold"
    assert known - shown == set(), "these are not there any more"


def test_a_setting_that_is_a_secret_is_not_shown_with_the_others(tmp_path: Path) -> None:
    secrets = {
        "CASEBRIDGE_DB": "mongodb://casebridge:s3cret-of-the-store@db1/casebridge?replicaSet=rs0",
        "CASEBRIDGE_WORKERS": "redis://:s3cret-of-the-queue@queue:6379/0",
        "CASEBRIDGE_KEY": "s3cret-of-the-site" * 3,
    }
    settings = Settings.from_env({"CASEBRIDGE_HOME": str(tmp_path), **secrets})
    assert (settings.db, settings.workers, settings.key) == tuple(secrets.values())
    assert "s3cret" not in f"{settings!r} {settings} {site(settings)}"


def test_what_is_made_for_a_caller_shows_no_secret_of_it(repository: Repository, tmp_path: Path) -> None:
    keys = Keys(tmp_path / "keys")
    keys.make("ES384", utc_now())
    [key] = keys.all()
    registers = Registers.of(repository)
    registers.users.add(User("dana", "case-manager"), "a long s3cret that dana knows")
    registers.clients.add(Client("north", "North", "insurer-reader", "system/*.rs", jwks=keys.jwks()))
    secret = registers.tokens.issue(Principal("north", "insurer-reader", "system/*.rs"))
    proof = registers.users.proven("dana", "a long s3cret that dana knows")
    assert proof
    shown = f"{proof} {key} {keys} {registers.tokens.find(secret)} {registers.clients.find('north')} {registers.users.find('dana')}"
    private = key.key.as_dict(private=True)
    for each in (secret, private["d"], private["x"], "s3cret", "argon2"):
        assert each not in shown

"""`casebridge keys`, and a remote that is reached with them."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from joserfc.jwk import KeySet

from tests.cli.conftest import Casebridge
from tests.sync.authorisation import CLIENT, Authorisation, guarded_hospital


@pytest.fixture
def guarded(new_database: Callable[[], Any]) -> Iterator[Authorisation]:
    with guarded_hospital(new_database()) as made:
        yield made


def test_keys_are_made_listed_rotated_and_dropped(casebridge: Casebridge) -> None:
    first = casebridge("keys", "new", "city").out.strip()
    assert casebridge("keys", "new", "city").code == 2
    second = casebridge("keys", "rotate", "city").out.strip()
    listed = casebridge("keys", "list", "city", "--json").json
    assert listed == [
        {"kid": first, "algorithm": "ES384", "signs": False},
        {"kid": second, "algorithm": "ES384", "signs": True},
    ]
    assert [line.split() for line in casebridge("keys", "list", "city").out.splitlines()[1:]] == [
        [first, "ES384"],
        [second, "ES384", "yes"],
    ]
    assert casebridge("keys", "drop", "city", second, "--yes").code == 2
    assert casebridge("keys", "drop", "city", first, answer="n\n").code == 130
    assert casebridge("keys", "drop", "city", first, answer="y\n").code == 0
    assert [each["kid"] for each in casebridge("keys", "list", "city", "--json").json] == [second]


def test_the_jwks_is_printed_and_holds_nothing_private(casebridge: Casebridge, tmp_path) -> None:
    folder = ("--folder", tmp_path / "secrets")
    casebridge("keys", "new", "city", *folder)
    ran = casebridge("keys", "jwks", "city", *folder)
    assert [key.is_private for key in KeySet.import_key_set(json.loads(ran.out)).keys] == [False]
    assert casebridge("keys", "jwks", "city").code == 2
    assert casebridge("keys", "rotate", "city").code == 2


def test_a_hospital_is_reached_with_them(casebridge: Casebridge, guarded: Authorisation) -> None:
    casebridge("keys", "new", "city")
    settings = {"auth.kind": "smart-backend", "auth.client_id": CLIENT, "auth.keys": "city", "auth.scope": "system/*.cruds"}
    sets = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
    assert casebridge("remote", "add", "city", guarded.fhir, *sets, "--set", "types=Patient").code == 0
    refused = casebridge("remote", "check", "city")
    assert (refused.code, "casebridge keys jwks city" in refused.err) == (4, True)
    guarded.client.jwks = casebridge("keys", "jwks", "city").json
    assert casebridge("remote", "check", "city").code == 0
    assert casebridge("sync", "city").code == 0


def test_credentials_in_clear_are_refused_when_a_remote_is_added(casebridge: Casebridge) -> None:
    add = ("remote", "add", "city", "http://ehr.example/fhir", "--auth", "bearer", "--secret-env", "CITY")
    ran = casebridge(*add)
    assert (ran.code, "in clear" in ran.err) == (2, True)
    assert casebridge(*add, "--set", "cleartext=yes").code == 0
    assert casebridge("remote", "set", "city", "cleartext=no").code == 2

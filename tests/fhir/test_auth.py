import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
import requests
from keyring.backend import KeyringBackend
from keyring.backends import fail

from adapter.errors import Invalid
from adapter.fhir.auth import auth_from
from adapter.fhir.tls import Transport


def sent(config: dict[str, str | None]) -> str | None:
    prepared = requests.Request("GET", "https://ehr.example/fhir", auth=auth_from(config)).prepare()
    return prepared.headers.get("Authorization")


def test_no_authentication_sends_nothing() -> None:
    assert auth_from({}) is None
    assert auth_from({"kind": "none", "user": None}) is None


def test_basic_sends_user_and_secret_as_utf_8(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("påss:word\n", encoding="utf-8")
    (tmp_path / "secret").chmod(0o600)
    assert sent({"kind": "basic", "user": "anna", "secret_file": str(tmp_path / "secret")}) == "Basic YW5uYTpww6Vzczp3b3Jk"


def test_bearer_reads_its_token_anew_for_each_request(monkeypatch: pytest.MonkeyPatch) -> None:
    config: dict[str, str | None] = {"kind": "bearer", "secret_env": "WIRE_TOKEN"}
    for token in ("one", "two"):
        monkeypatch.setenv("WIRE_TOKEN", token)
        assert sent(config) == f"Bearer {token}"


def test_a_secret_is_never_in_what_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WIRE_TOKEN", "s3cret")
    auth = auth_from({"kind": "bearer", "secret_env": "WIRE_TOKEN"})
    assert auth is not None
    auth(requests.Request("GET", "https://ehr.example").prepare())
    assert "WIRE_TOKEN" in repr(auth)
    assert "s3cret" not in repr(auth) + str(vars(auth))


def test_a_missing_secret_says_what_to_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("WIRE_TOKEN", raising=False)
    with pytest.raises(Invalid, match="set the environment variable WIRE_TOKEN"):
        sent({"kind": "bearer", "secret_env": "WIRE_TOKEN"})
    with pytest.raises(Invalid, match=f"set the file {tmp_path}/none"):
        sent({"kind": "bearer", "secret_file": f"{tmp_path}/none"})


def test_a_secret_with_a_line_break_is_refused_without_showing_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WIRE_TOKEN", "s3cret\r\nX-Other: 1")
    with pytest.raises(Invalid, match="line break") as caught:
        sent({"kind": "bearer", "secret_env": "WIRE_TOKEN"})
    assert "s3cret" not in caught.value.text


@pytest.mark.parametrize(
    "config",
    [
        {"kind": "digest"},
        {"kind": "bearer"},
        {"kind": "bearer", "secret_env": "A", "secret_file": "b"},
        {"kind": "basic", "secret_env": "A"},
        {"kind": "basic", "user": "a:b", "secret_env": "A"},
        {"kind": "bearer", "token": "s3cret"},
        {"kind": "client_credentials", "secret_env": "A"},
        {"kind": "client_credentials", "client_id": "casebridge"},
        {"kind": "client_credentials", "client_id": "casebridge", "secret_env": "A", "secret_in": "query"},
        {"kind": "smart-backend", "client_id": "casebridge", "keys": "city"},
        {"kind": "smart-backend", "client_id": "casebridge", "scope": "system/*.rs"},
        {"kind": "smart-backend", "client_id": "casebridge", "scope": "system/*.rs", "keys": "../city"},
        {"kind": "smart-backend", "client_id": "casebridge", "scope": "user/*.rs", "keys": "city"},
        {"kind": "smart-backend", "client_id": "casebridge", "scope": "system/*.sr", "keys": "city"},
    ],
)
def test_settings_that_cannot_work_are_refused_without_showing_values(config: dict[str, str | None]) -> None:
    with pytest.raises(Invalid) as caught:
        auth_from(config)
    assert "s3cret" not in caught.value.text


def test_a_secret_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("s3cret")
    for mode in (0o600, 0o640):
        path.chmod(mode)
        assert sent({"kind": "bearer", "secret_file": str(path)}) == "Bearer s3cret"
    path.chmod(0o604)
    with pytest.raises(Invalid, match=f"Other users can read {path}: .*chmod 600"):
        sent({"kind": "bearer", "secret_file": str(path)})


class Memory(KeyringBackend):
    """A keyring that is open, kept in memory."""

    priority = 1.0

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password


@pytest.fixture
def system_keyring() -> Iterator[None]:
    """The keyring of this process is the test's."""
    before = keyring.get_keyring()
    keyring.set_keyring(Memory())
    yield
    keyring.set_keyring(before)


def test_the_system_keyring_can_hold_a_secret(system_keyring: None) -> None:
    keyring.set_password("casebridge", "city", "s3cret")
    assert sent({"kind": "bearer", "secret_keyring": "casebridge/city"}) == "Bearer s3cret"
    with pytest.raises(Invalid, match="set the keyring entry casebridge/town"):
        sent({"kind": "bearer", "secret_keyring": "casebridge/town"})


def test_a_keyring_that_is_not_there_says_what_to_do(system_keyring: None, monkeypatch: pytest.MonkeyPatch) -> None:
    config: dict[str, str | None] = {"kind": "bearer", "secret_keyring": "casebridge/city"}
    keyring.set_keyring(fail.Keyring())
    with pytest.raises(Invalid, match=r"cannot be asked for casebridge/city \(NoKeyringError\)"):
        sent(config)
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(Invalid, match=r"pip install 'casebridge\[keyring\]'"):
        sent(config)


def test_the_keyring_is_imported_only_where_it_is_asked_for() -> None:
    code = "import sys, adapter.cli; assert 'keyring' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_all_who_talk_to_a_remote_share_its_token() -> None:
    config = {"kind": "client_credentials", "client_id": "casebridge", "secret_env": "WIRE_SECRET"}
    first = auth_from(config, "https://ehr.example/fhir")
    assert auth_from(dict(reversed(config.items())), "https://ehr.example/fhir") is first
    assert auth_from(config, "https://other.example/fhir") is not first
    assert auth_from({**config, "scope": "x"}, "https://ehr.example/fhir") is not first


@pytest.mark.parametrize("kind", ["basic", "bearer", "client_credentials"])
def test_credentials_are_not_sent_in_clear(kind: str) -> None:
    config = {"kind": kind, "user": "anna", "client_id": "casebridge", "secret_env": "WIRE_SECRET"}
    with pytest.raises(Invalid, match=r"would go to ehr\.example in clear"):
        auth_from(config, "http://ehr.example/fhir")
    with pytest.raises(Invalid, match=r"would go to ehr\.example in clear"):
        auth_from({**config, "token_url": "http://ehr.example/token"}, "https://ehr.example/fhir")
    assert auth_from(config, "http://ehr.example/fhir", Transport(cleartext=True))
    assert auth_from({"kind": "none"}, "http://ehr.example/fhir") is None

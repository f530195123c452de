from pathlib import Path

import pytest
import requests

from adapter.errors import Invalid
from adapter.fhir.auth import auth_from


def sent(config: dict[str, str | None]) -> str | None:
    prepared = requests.Request("GET", "https://ehr.example/fhir", auth=auth_from(config)).prepare()
    return prepared.headers.get("Authorization")


def test_no_authentication_sends_nothing() -> None:
    assert auth_from({}) is None
    assert auth_from({"kind": "none", "user": None}) is None


def test_basic_sends_user_and_secret_as_utf_8(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("påss:word\n", encoding="utf-8")
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
    ],
)
def test_settings_that_cannot_work_are_refused_without_showing_values(config: dict[str, str | None]) -> None:
    with pytest.raises(Invalid) as caught:
        auth_from(config)
    assert "s3cret" not in caught.value.text

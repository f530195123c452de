"""Key pairs in files: who can read them, which of them signs, and what of them is told to others."""

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from joserfc import jwt
from joserfc.jwk import KeySet

from adapter.errors import Conflict, Invalid, NotFound
from adapter.fhir.keys import ALGORITHMS, Keys, keys_named

NOW = datetime(2025, 4, 22, 13, 0, 0, 123_000, UTC)


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return keys_named("city", tmp_path / "keys")


def put(keys: Keys, kid: str, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, password: bytes | None = None) -> Path:
    """A key of another's making, as a person puts it there."""
    path = keys.folder / f"{kid}.pem"
    path.parent.mkdir(parents=True, exist_ok=True)
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, encryption))
    path.chmod(0o600)
    return path


def test_a_private_key_is_the_owners_alone(keys: Keys) -> None:
    made = keys.make("ES384", NOW)
    (path,) = keys.folder.iterdir()
    assert made.kid.startswith("20250422T130000123Z-")
    assert path.name == f"{made.kid}.pem"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(keys.folder.stat().st_mode) == 0o700


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_what_a_key_signs_its_public_half_verifies(keys: Keys, algorithm: str) -> None:
    made = keys.make(algorithm, NOW)
    (kept,) = keys.all()
    signed = jwt.encode({"alg": algorithm, "kid": kept.kid}, {"iss": "casebridge"}, kept.key, algorithms=[algorithm])
    assert jwt.decode(signed, KeySet.import_key_set(keys.jwks()), algorithms=[algorithm]).claims == {"iss": "casebridge"}
    assert kept.kid == made.kid


def test_nothing_private_is_in_the_jwks(keys: Keys) -> None:
    for number, algorithm in enumerate(ALGORITHMS):
        keys.make(algorithm, NOW + timedelta(seconds=number))
    found = keys.jwks()["keys"]
    assert [key["alg"] for key in found] == [*ALGORITHMS]
    assert [{*key} - {"n", "e", "crv", "x", "y"} for key in found] == [{"kty", "kid", "alg", "use", "key_ops"}] * 2
    assert {key["use"] for key in found} == {"sig"}


def test_the_newest_key_signs_and_the_others_stay_until_they_are_dropped(keys: Keys) -> None:
    first, second = (keys.make("ES384", NOW + timedelta(seconds=number)).kid for number in range(2))
    assert [key.kid for key in keys.all()] == [first, second]
    with pytest.raises(Conflict, match="is the key that signs"):
        keys.drop(second)
    keys.drop(first)
    assert [key["kid"] for key in keys.jwks()["keys"]] == [second]
    with pytest.raises(NotFound):
        keys.drop(first)


def test_a_new_key_that_would_not_sign_is_not_made(keys: Keys) -> None:
    later = keys.make("ES384", NOW).kid
    with pytest.raises(Conflict, match=later):
        keys.make("ES384", NOW - timedelta(days=1))
    assert [key.kid for key in keys.all()] == [later]


def test_a_key_made_elsewhere_is_used_under_the_name_of_its_file(keys: Keys) -> None:
    put(keys, "of-theirs", rsa.generate_private_key(65537, 2048))
    put(keys, "of-ours", ec.generate_private_key(ec.SECP384R1()))
    assert [(key.kid, key.algorithm) for key in keys.all()] == [("of-ours", "ES384"), ("of-theirs", "RS384")]


def test_a_key_that_cannot_sign_is_refused(keys: Keys) -> None:
    curve = ec.generate_private_key(ec.SECP384R1())
    for key, password, text in (
        (rsa.generate_private_key(65537, 1024), None, "is none that can sign"),
        (ec.generate_private_key(ec.SECP256R1()), None, "is none that can sign"),
        (curve, b"hush", "is not an unencrypted private key"),
    ):
        put(keys, "a", key, password)
        with pytest.raises(Invalid, match=text):
            keys.all()
    put(keys, "a", curve).chmod(0o644)
    with pytest.raises(Invalid, match="Other users can read"):
        keys.all()
    put(keys, "a", curve).write_text("hush")
    with pytest.raises(Invalid, match="is not an unencrypted private key in PEM") as caught:
        keys.all()
    assert "hush" not in caught.value.text


def test_a_name_cannot_lead_elsewhere(tmp_path: Path) -> None:
    for name in ("../city", "", "City", "a/b", "."):
        with pytest.raises(Invalid, match="The name of keys"):
            keys_named(name, tmp_path)


def test_keys_are_in_the_home_folder_unless_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CASEBRIDGE_HOME", str(tmp_path))
    assert keys_named("city").folder == tmp_path / "keys" / "city"
    with pytest.raises(NotFound, match="casebridge keys new city"):
        keys_named("city").all()


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("a file")
    with pytest.raises(Invalid, match="A key cannot be kept in"):
        keys_named("city", tmp_path / "keys").make("ES384", NOW)

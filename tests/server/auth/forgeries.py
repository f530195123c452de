"""ID tokens that are not to be taken: what they say, and how they are signed."""

import base64
import hmac
import json
from collections.abc import Callable
from typing import Any

from joserfc.jwk import ECKey

from adapter.clock import utc_now

from .provider import CLIENT, SECRET, Signing, rsa

Forge = Callable[[Signing, dict[str, Any]], str]

SAID: list[tuple[dict[str, Any], str]] = [
    ({"nonce": "another"}, "nonce"),
    ({"nonce": None}, "nonce"),
    ({"aud": "another-client"}, "aud"),
    ({"aud": None}, "aud"),
    ({"aud": []}, "aud"),
    ({"aud": {"client": CLIENT}}, "aud"),
    ({"aud": [CLIENT, "another-client"]}, "azp"),
    ({"aud": [CLIENT, "another-client"], "azp": "another-client"}, "azp"),
    ({"azp": "another-client"}, "azp"),
    ({"iss": "https://other.example"}, "iss"),
    ({"iss": None}, "iss"),
    ({"exp": -600}, "exp"),
    ({"exp": None}, "exp"),
    ({"exp": "never"}, "exp"),
    ({"exp": True}, "exp"),
    ({"iat": 600}, "iat"),
    ({"iat": None}, "iat"),
    ({"nbf": 600}, "nbf"),
    ({"sub": None}, "sub"),
    ({"sub": 248289761001}, "sub"),
    ({"sub": {"$ne": ""}}, "sub"),
    ({"at_hash": "of-another-token"}, "at_hash"),
    ({"at_hash": 5}, "at_hash"),
    ({"at_hash": {"of": 1}}, "claims"),
]
"""What a token says otherwise (moments in seconds from now), and why it is refused."""


def otherwise(says: dict[str, Any]) -> dict[str, Any]:
    """Claims with their moments as they are at this one."""
    now = int(utc_now().timestamp())
    return {name: now + value if name in ("exp", "iat", "nbf") and type(value) is int else value for name, value in says.items()}


def _encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).decode().rstrip("=")


def _unsigned(claims: dict[str, Any], **header: Any) -> str:
    return f"{_encoded(json.dumps(header).encode())}.{_encoded(json.dumps(claims).encode())}."


def _by_secret(secret: bytes, claims: dict[str, Any]) -> str:
    """By hand: the library refuses to make such a one."""
    text = _unsigned(claims, alg="HS256", kid="first").removesuffix(".")
    return f"{text}.{_encoded(hmac.digest(secret, text.encode(), 'sha256'))}"


def _of_another(own: Signing, claims: dict[str, Any]) -> str:
    return own.sign(claims).rpartition(".")[0] + "." + own.sign({**claims, "sub": "another"}).rpartition(".")[2]


FORGERIES: dict[str, Forge] = {
    "a stranger's key under the provider's key id": lambda _, claims: rsa("first").sign(claims),
    "a key that is not published": lambda _, claims: rsa("second").sign(claims),
    "a curve's key under the key id of an RSA key": lambda _, claims: Signing("first", ECKey.generate_key("P-256"), "ES256").sign(claims),
    "no key id": lambda own, claims: Signing("", own.key).sign(claims),
    "alg none": lambda _, claims: _unsigned(claims, alg="none"),
    "alg none with a key id": lambda _, claims: _unsigned(claims, alg="none", kid="first"),
    "no alg": lambda _, claims: _unsigned(claims, kid="first"),
    "HS256 with the client's secret": lambda _, claims: _by_secret(SECRET.encode(), claims),
    "HS256 with the public key as its secret": lambda own, claims: _by_secret(own.key.as_pem(private=False), claims),
    "an algorithm that the provider does not announce": lambda own, claims: Signing("first", own.key, "RS512").sign(claims),
    "the signature cut off": lambda own, claims: own.sign(claims).rpartition(".")[0] + ".",
    "another token's signature": _of_another,
    "no token": lambda _, __: "no.token.at-all",
    "a token too long": lambda _, __: "x" * 20_000,
}

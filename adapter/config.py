"""Settings, read once from the environment. Nothing here connects to anything."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import platformdirs

from adapter.errors import Invalid

# The base of everything casebridge publishes: extensions, code systems, identifier systems. A name, not an address that must answer.
BASE = "https://casebridge.example/fhir"
EXT = f"{BASE}/StructureDefinition"
CS = f"{BASE}/CodeSystem"
# Identifies a resource born in any casebridge by the id it has there; added to what is sent, taken off what is received.
OWN_ID = f"{BASE}/NamingSystem/id"

SYNTHETIC_TAG = {"system": f"{CS}/tag", "code": "synthetic", "display": "Synthetic data"}


OIDC_CLAIMS = ("sub", "email", "preferred_username", "upn", "oid")
"""The claims by which people of an OpenID Provider may be known here."""


@dataclass(frozen=True)
class Oidc:
    """The OpenID Provider at which people may log in, by its issuer, and the `client` that this server is there."""

    issuer: str
    client: str
    name: str
    """As people know it."""
    claim: str = "sub"
    """The claim by which a person is known here: one of OIDC_CLAIMS."""
    secret_file: str | None = None
    """The file with the client's secret; None: it is in the environment, or there is none."""


@dataclass(frozen=True)
class Settings:
    """How this process runs. `db` is a MongoDB URI, or None for the embedded store."""

    db: str | None = field(repr=False)
    database: str
    home: Path
    """Where the embedded store keeps its data, its log and its lock."""
    log_level: str
    origins: tuple[str, ...] = ()
    """The origins whose web pages may use the server, besides its own."""
    integrity: bool = False
    """Whether the server refuses writes that leave references to what is not here."""
    handling: str = "strict"
    """Of search parameters that are not known, where a caller has no preference: strict refuses them, lenient leaves them out."""
    url: str | None = None
    """The address by which callers know a reverse proxy before the server, such as https://fhir.example."""
    subscribers: tuple[str, ...] = ()
    """The URLs under which notifications may be sent, besides this machine."""
    retry_seconds: float = 300.0
    """The longest wait before a subscriber that cannot be reached is tried again."""
    workers: str | None = field(default=None, repr=False)
    """The Redis server by which workers are told of jobs, such as redis://host:6379/0; None: this process does all by itself."""
    care: Path | None = None
    """The folder of the site's own care knowledge: models/, instruments/, templates/ (docs/care.md)."""
    exports: Path | None = None
    """The folder for the files of exports, which all servers and workers of a site share, a folder in it for each database; None for
    that in `home`."""
    key: str | None = field(default=None, repr=False)
    """What the secrets of subscriptions are derived from; None for the key in `home`."""
    site: frozenset[str] = frozenset()
    """What the organisation that keeps the data goes by, such as Organization/city: consents may name it as their custodian."""
    rate: float | None = None
    """How many requests a second each client and person may send, 0 for any number; None for what the server thinks right."""
    address_rate: float | None = None
    """The same of each address from which nobody known asks."""
    scan: int | None = None
    """How many resources of a type a search may look at one by one, 0 for any number; None for what the server thinks right."""
    oidc: Oidc | None = None
    """Where people may log in besides."""
    passwords: bool = True
    """Whether people may log in by a password that is kept here."""
    audit_days: int | None = None
    """For how many days the account of accesses is kept, after which `casebridge audit prune` takes it away; None for ever."""

    def export_folder(self, database: str) -> Path:
        """Where the files of this database's exports are; the address of a MongoDB may name another one than `database` here."""
        return (self.exports or self.home / "exports") / database

    @staticmethod
    def from_env(env: Mapping[str, str] = os.environ) -> "Settings":
        return Settings(
            db=env.get("CASEBRIDGE_DB") or None,
            database=env.get("CASEBRIDGE_DATABASE", "casebridge"),
            home=Path(env.get("CASEBRIDGE_HOME") or platformdirs.user_data_dir("casebridge", appauthor=False)),
            log_level=env.get("CASEBRIDGE_LOG", "WARNING").upper(),
            origins=tuple(env.get("CASEBRIDGE_ORIGINS", "").split()),
            integrity=_switch(env, "CASEBRIDGE_INTEGRITY", False),
            handling=_handling(env, "CASEBRIDGE_HANDLING"),
            url=env.get("CASEBRIDGE_URL") or None,
            subscribers=tuple(env.get("CASEBRIDGE_SUBSCRIBERS", "").split()),
            retry_seconds=_seconds(env, "CASEBRIDGE_RETRY_SECONDS", 300.0),
            workers=env.get("CASEBRIDGE_WORKERS") or None,
            care=care_folder(env),
            exports=Path(folder) if (folder := env.get("CASEBRIDGE_EXPORTS")) else None,
            key=env.get("CASEBRIDGE_KEY") or None,
            site=_organisations(env, "CASEBRIDGE_SITE"),
            rate=_number(env, "CASEBRIDGE_RATE"),
            address_rate=_number(env, "CASEBRIDGE_ADDRESS_RATE"),
            scan=_whole(env, "CASEBRIDGE_SCAN"),
            oidc=_oidc(env),
            passwords=_switch(env, "CASEBRIDGE_PASSWORDS", True),
            audit_days=_days(env, "CASEBRIDGE_AUDIT_DAYS"),
        )


_SWITCH = {**dict.fromkeys(("1", "on", "true", "yes"), True), **dict.fromkeys(("0", "off", "false", "no"), False)}


def care_folder(env: Mapping[str, str] = os.environ) -> Path | None:
    """The folder of the site's own care knowledge; None where it has none."""
    named = env.get("CASEBRIDGE_CARE")
    return Path(named) if named else None


def _oidc(env: Mapping[str, str]) -> Oidc | None:
    issuer, client = env.get("CASEBRIDGE_OIDC_ISSUER", ""), env.get("CASEBRIDGE_OIDC_CLIENT", "")
    if not issuer and not client:
        return None
    if not issuer or not client:
        raise Invalid("An OpenID Provider is named by CASEBRIDGE_OIDC_ISSUER and CASEBRIDGE_OIDC_CLIENT, both.")
    claim = env.get("CASEBRIDGE_OIDC_CLAIM") or "sub"
    if claim not in OIDC_CLAIMS:
        raise Invalid(f"CASEBRIDGE_OIDC_CLAIM is one of {', '.join(OIDC_CLAIMS)}.")
    try:
        name = env.get("CASEBRIDGE_OIDC_NAME") or urlsplit(issuer).hostname or issuer
    except ValueError:
        raise Invalid("CASEBRIDGE_OIDC_ISSUER is no URL.") from None
    return Oidc(issuer, client, name, claim, env.get("CASEBRIDGE_OIDC_SECRET_FILE") or None)


def _seconds(env: Mapping[str, str], name: str, default: float) -> float:
    text = env.get(name) or str(default)
    if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?", text) or not float(text):
        raise Invalid(f"{name} is a number of seconds greater than 0.")
    return float(text)


def _number(env: Mapping[str, str], name: str) -> float | None:
    text = env.get(name)
    if text and not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?", text):
        raise Invalid(f"{name} is a number, 0 for no limit.")
    return float(text) if text else None


def _whole(env: Mapping[str, str], name: str) -> int | None:
    text = env.get(name) or None
    # What is between 0 and 1 would be rounded to no limit.
    if text is not None and not re.fullmatch(r"[0-9]{1,9}", text):
        raise Invalid(f"{name} is a whole number, 0 for no limit.")
    return int(text) if text else None


def _switch(env: Mapping[str, str], name: str, default: bool) -> bool:
    text = env.get(name, "").lower()
    if text and text not in _SWITCH:
        raise Invalid(f"{name} is on or off.")
    return _SWITCH.get(text, default)


def _handling(env: Mapping[str, str], name: str) -> str:
    text = env.get(name, "").lower() or "strict"
    if text not in ("strict", "lenient"):
        raise Invalid(f"{name} is strict or lenient.")
    return text


def _days(env: Mapping[str, str], name: str) -> int | None:
    text = env.get(name) or None
    if text is not None and not re.fullmatch(r"[1-9][0-9]{0,5}", text):
        raise Invalid(f"{name} is a whole number of days greater than 0.")
    return int(text) if text else None


def _organisations(env: Mapping[str, str], name: str) -> frozenset[str]:
    named = env.get(name, "").split()
    if not all(re.fullmatch(r"Organization/[A-Za-z0-9.-]{1,64}", each) for each in named):
        raise Invalid(f"{name} is such as Organization/city; several with space between.")
    return frozenset(named)

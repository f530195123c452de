"""Settings, read once from the environment. Nothing here connects to anything."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import platformdirs

from adapter.errors import Invalid

# The base of everything casebridge publishes: extensions, code systems, identifier systems. A name, not an address that must answer.
BASE = "https://casebridge.example/fhir"
EXT = f"{BASE}/StructureDefinition"
CS = f"{BASE}/CodeSystem"
# Identifies a resource born in any casebridge by the id it has there; added to what is sent, taken off what is received.
OWN_ID = f"{BASE}/NamingSystem/id"

SYNTHETIC_TAG = {"system": f"{CS}/tag", "code": "synthetic", "display": "Synthetic data"}


@dataclass(frozen=True)
class Settings:
    """How this process runs. `db` is a MongoDB URI, or None for the embedded store."""

    db: str | None
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
            integrity=env.get("CASEBRIDGE_INTEGRITY", "").lower() in ("1", "on", "true", "yes"),
            handling="lenient" if env.get("CASEBRIDGE_HANDLING", "").lower() == "lenient" else "strict",
            url=env.get("CASEBRIDGE_URL") or None,
            subscribers=tuple(env.get("CASEBRIDGE_SUBSCRIBERS", "").split()),
            retry_seconds=_seconds(env, "CASEBRIDGE_RETRY_SECONDS", 300.0),
            workers=env.get("CASEBRIDGE_WORKERS") or None,
            care=care_folder(env),
            exports=Path(folder) if (folder := env.get("CASEBRIDGE_EXPORTS")) else None,
            key=env.get("CASEBRIDGE_KEY") or None,
            site=_organisations(env, "CASEBRIDGE_SITE"),
        )


def care_folder(env: Mapping[str, str] = os.environ) -> Path | None:
    """The folder of the site's own care knowledge; None where it has none."""
    named = env.get("CASEBRIDGE_CARE")
    return Path(named) if named else None


def _seconds(env: Mapping[str, str], name: str, default: float) -> float:
    text = env.get(name) or str(default)
    if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?", text) or not float(text):
        raise Invalid(f"{name} is a number of seconds greater than 0.")
    return float(text)


def _organisations(env: Mapping[str, str], name: str) -> frozenset[str]:
    named = env.get(name, "").split()
    if not all(re.fullmatch(r"Organization/[A-Za-z0-9.-]{1,64}", each) for each in named):
        raise Invalid(f"{name} is such as Organization/city; several with space between.")
    return frozenset(named)

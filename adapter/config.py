"""Settings, read once from the environment. Nothing here connects to anything."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

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
        )

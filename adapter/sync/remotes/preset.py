"""Presets: what is known of a kind of FHIR server before it is asked, one TOML file each in `presets/`.

A file has a `title`, the settings that it `needs` from the user, the `[settings]` of a remote that suit it, and `[[fact]]`s: what one
`says`, its `source`, the day it was `checked`, and whether it was `verified` by us or only read.
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapter.errors import NotFound
from adapter.sync.remotes.remote import Remote
from adapter.sync.remotes.settings import typed

_FOLDER = Path(__file__).with_name("presets")


@dataclass(frozen=True)
class Fact:
    """Something that is known of a kind of server. Not `verified`: read in its source, and not tried by us."""

    says: str
    source: str
    checked: str
    verified: bool


@dataclass(frozen=True)
class Preset:
    """The settings that suit a kind of server, and what is known of it."""

    name: str
    title: str
    needs: tuple[str, ...]
    """What only the user can say, as `--set` takes it."""
    settings: dict[str, Any]
    facts: tuple[Fact, ...]


def names() -> list[str]:
    """The presets that there are."""
    return sorted(path.stem for path in _FOLDER.glob("*.toml"))


def preset(name: str) -> Preset:
    """A preset by name. Raises NotFound naming those that there are."""
    if name not in names():
        raise NotFound(f"There is no preset {name}; there are: {', '.join(names())}.")
    body = tomllib.loads((_FOLDER / f"{name}.toml").read_text("utf-8"))
    facts = tuple(Fact(**{**fact, "checked": fact["checked"].isoformat()}) for fact in body.get("fact", ()))
    return Preset(name, body["title"], tuple(body.get("needs", ())), typed(Remote, body.get("settings", {})), facts)

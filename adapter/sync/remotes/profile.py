"""A remote's profile: what probes found out about it and when, kept in the state."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime

from adapter.clock import instant
from adapter.fhir.resource import Raw
from adapter.store.state import State

Value = bool | int | float | str | None


@dataclass(frozen=True)
class Finding:
    """The answer to one question; None where it could not be told. `note` says why, or what was seen: counts and statuses."""

    value: Value
    note: str = ""


@dataclass(frozen=True)
class Profile:
    """What a remote was found to do, by the names of `probes.PROBES`. `software` is what it called itself then."""

    software: str
    at: datetime
    findings: Mapping[str, Finding] = field(default_factory=dict)

    def value(self, name: str) -> Value:
        """The answer to a question, None where it was not asked or could not be told."""
        found = self.findings.get(name)
        return found.value if found else None

    def to_json(self) -> Raw:
        return {**asdict(self), "at": instant(self.at)}


def kept(state: State, remote: str) -> Profile | None:
    """The profile of a remote, None where it was never probed."""
    found = state.get("profiles", remote)
    if found is None or "findings" not in found:
        return None
    findings = {name: Finding(**finding) for name, finding in found["findings"].items()}
    return Profile(found["software"], found["at"], findings)


def keep(state: State, remote: str, profile: Profile) -> None:
    """Keep a remote's profile instead of its former one."""
    state.put("profiles", remote, {**(state.get("profiles", remote) or {}), **asdict(profile)})


def marks(state: State, remote: str) -> list[str]:
    """The marks of probes whose resources may still be at the remote, for they did not come to their end."""
    return list((state.get("profiles", remote) or {}).get("unclean", ()))


def mark(state: State, remote: str, marks: list[str]) -> None:
    """Remember these marks."""
    state.put("profiles", remote, {**(state.get("profiles", remote) or {}), "unclean": marks})

"""SMART scopes, of versions 1 and 2, as what they allow: `system/Patient.read` is `system/Patient.rs`.

https://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from adapter.errors import Invalid

OAUTH_URIS = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"
"""By which a CapabilityStatement of a server that speaks SMART 1 says where tokens are given."""
_SCOPE = re.compile(r"(patient|user|system)/(\*|[A-Z][A-Za-z]{1,63})\.(\*|read|write|c?r?u?d?s?)(?:\?([^\s\"\\]{1,500}))?")
_V1 = {"read": "rs", "write": "cud", "*": "cruds"}


@dataclass(frozen=True)
class Scope:
    """What one scope allows: `actions` (letters of `cruds`) on the resources of `type` (`*`: any type), all or those that `query` finds."""

    context: str
    type: str
    actions: frozenset[str]
    query: str = ""

    def __str__(self) -> str:
        return f"{self.context}/{self.type}.{''.join(letter for letter in 'cruds' if letter in self.actions)}"

    @property
    def word(self) -> str:
        """The scope as version 2 writes it, with its query."""
        return f"{self}?{self.query}" if self.query else str(self)

    def common(self, other: "Scope") -> "Scope | None":
        """What both allow; None for nothing."""
        actions = self.actions & other.actions
        if self.context != other.context or not actions or ("*" not in (self.type, other.type) and self.type != other.type):
            return None
        queries = dict.fromkeys(filter(None, (self.query, other.query)))
        return replace(self, type=other.type if self.type == "*" else self.type, actions=actions, query="&".join(queries))


def scopes(text: str) -> list[Scope]:
    """The scopes in a list with spaces; those that are none of SMART's resource scopes are left out."""
    found = [_SCOPE.fullmatch(word) for word in text.split()]
    return [Scope(match[1], match[2], frozenset(_V1.get(match[3], match[3])), match[4] or "") for match in found if match and match[3]]


def narrowed(text: str, allowed: str) -> str:
    """Of the scopes in a list with spaces what another list allows, a scope that is allowed whole in its own words.

    Words that are no resource scopes (`openid`, `launch/patient`) are allowed where the other list has them.
    """
    ceiling, words = scopes(allowed), set(allowed.split())
    found: dict[str, None] = {}
    for word in text.split():
        asked = scopes(word)
        parts = [part for scope in asked for other in ceiling if (part := scope.common(other))]
        if asked and not set(asked) & set(parts):
            found.update(dict.fromkeys(part.word for part in parts))
        elif asked or word in words:
            found[word] = None
    return " ".join(found)


def check_system(text: str) -> None:
    """Raise Invalid unless these are scopes that a service can ask for by itself, at least one."""
    found = scopes(text)
    if not found or len(found) != len(text.split()) or any(scope.context != "system" for scope in found):
        raise Invalid("auth.scope holds scopes such as system/*.rs or system/Patient.read, with spaces between.", expression=["auth"])


def lacking(asked: Iterable[Scope], granted: Iterable[Scope]) -> list[Scope]:
    """Of what was asked for, what was not granted; a grant that a query narrows counts only where that very query was asked for."""
    granted = list(granted)
    missing = [Scope(scope.context, scope.type, scope.actions - _allowed(scope, granted), scope.query) for scope in asked]
    return [scope for scope in missing if scope.actions]


def _allowed(asked: Scope, granted: Iterable[Scope]) -> frozenset[str]:
    covering = (
        scope.actions
        for scope in granted
        if scope.context == asked.context and scope.type in ("*", asked.type) and scope.query in ("", asked.query)
    )
    return frozenset().union(*covering)

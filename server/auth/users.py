"""The people who may log in here, with a password that is kept as argon2id makes it (RFC 9106)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from threading import Lock
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from adapter.clock import Clock
from adapter.errors import Conflict, Invalid, NotFound
from adapter.store.documents import Document
from server.auth.clients import check_reference
from server.auth.roles import role
from server.auth.tokens import Tokens

SHORTEST, LONGEST = 12, 1024
"""Of a password, in characters: https://pages.nist.gov/800-63-4/sp800-63b.html asks for length and for no other rule."""
_NAME = re.compile(r"[a-z0-9][a-z0-9.@_-]{1,63}").fullmatch
_PEOPLE = ("Practitioner", "PractitionerRole", "Patient", "RelatedPerson", "Person")


@dataclass(frozen=True)
class User:
    """A person who may log in; `fhir_user` is whom they are in FHIR."""

    name: str
    role_name: str
    organisation: str | None = None
    fhir_user: str | None = None
    disabled: bool = False


@dataclass(frozen=True)
class Proof:
    """A person, and the password that was theirs when they proved it, as it was kept."""

    user: User
    password: str = field(repr=False)


class Users:
    """The register of people."""

    def __init__(self, tokens: Tokens, clock: Clock, hasher: PasswordHasher | None = None) -> None:
        self._tokens, self._state, self._clock = tokens, tokens.state, clock
        self._hasher = hasher or PasswordHasher()
        # A hash takes 64 MB and all processors: one at a time.
        self._turn = Lock()

    def find(self, name: str) -> User | None:
        """The person, None where they are not registered or are disabled."""
        held = self._state.get("users", name)
        return None if held is None or held["disabled"] else _read(name, held)

    def all(self) -> Iterator[User]:
        """All of them, disabled ones too, by name."""
        for name, held in self._state.all("users"):
            yield _read(name, held)

    def add(self, user: User, password: str) -> None:
        """Register a person. Raises Invalid, and Conflict for a name that is taken."""
        _check(user)
        body = {**_document(user), "password": self._hash(password), "made": self._clock()}
        if not self._state.add("users", user.name, body):
            raise Conflict("There is a user of this name; a disabled one keeps the name for the record.")

    def disable(self, name: str) -> None:
        """Let a person in no more: their tokens and sessions end at once. Raises NotFound."""
        self._change(name, disabled=True)

    def set_password(self, name: str, password: str) -> None:
        """Another password; whoever is logged in has to log in again. Raises NotFound, Invalid."""
        self._held(name)
        self._change(name, password=self._hash(password))

    def proven(self, name: str, password: str) -> Proof | None:
        """The person whose password this is. It takes as long for a name that is not registered."""
        held = self._state.get("users", name)
        with self._turn:
            try:
                self._hasher.verify(held["password"] if held else self._nobodys, password[:LONGEST])
            except (VerificationError, InvalidHashError):
                return None
        user = self.find(name)
        return Proof(user, held["password"]) if user and held else None

    def holds(self, proof: Proof) -> bool:
        """Whether the person may log in still, and by that password: what was begun meanwhile is not among what a change has ended."""
        held = self._state.get("users", proof.user.name)
        return held is not None and not held["disabled"] and held["password"] == proof.password

    @cached_property
    def _nobodys(self) -> str:
        return self._hasher.hash("nobody has this password")

    def _hash(self, password: str) -> str:
        if not SHORTEST <= len(password) <= LONGEST:
            raise Invalid(f"A password has {SHORTEST} to {LONGEST} characters.")
        with self._turn:
            return self._hasher.hash(password)

    def _held(self, name: str) -> Document:
        held = self._state.get("users", name)
        if held is None:
            raise NotFound("There is no user of this name: `casebridge user list` shows those that there are.")
        return held

    def _change(self, name: str, **values: Any) -> None:
        """Change what is kept, and nothing that another changed meanwhile; then end what the person has."""
        while not self._state.swap("users", name, held := self._held(name), {**held, **values}):
            pass
        self._tokens.revoke(user=name)
        self._state.drop_all("sessions", {"user": name})


def _check(user: User) -> None:
    role(user.role_name)
    if not _NAME(user.name):
        raise Invalid("A user's name is lower-case letters, digits and . @ _ -, 2 to 64 of them.")
    if user.organisation:
        check_reference(user.organisation, "Organization")
    if user.fhir_user:
        check_reference(user.fhir_user, *_PEOPLE)


def _document(user: User) -> Document:
    return {name: value for name, value in vars(user).items() if name != "name"}


def _read(name: str, held: Document) -> User:
    known = {key: value for key, value in held.items() if key in User.__dataclass_fields__}
    return User(**{**known, "name": name})

"""The people who may log in here: with a password that is kept as argon2id makes it (RFC 9106), or at the OpenID Provider (`oidc`)."""

import re
from dataclasses import dataclass, field
from functools import cached_property
from threading import Lock

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from adapter.clock import Clock
from adapter.errors import Conflict, Invalid
from adapter.fhir.scopes import narrowed
from server.audit.access import tried
from server.auth.clients import Client, check_reference
from server.auth.register import Register
from server.auth.roles import role
from server.auth.tokens import Tokens

SHORTEST, LONGEST = 12, 1024
"""Of a password, in characters: https://pages.nist.gov/800-63-4/sp800-63b.html asks for length and for no other rule."""
_NAME = re.compile(r"[a-z0-9][a-z0-9.@_-]{1,63}").fullmatch
_PEOPLE = ("Practitioner", "PractitionerRole", "Patient", "RelatedPerson", "Person")


@dataclass(frozen=True)
class User:
    """A person who may log in; `fhir_user` is whom they are in FHIR, `account` as what the OpenID Provider knows them (`oidc.account`)."""

    name: str
    role_name: str
    organisation: str | None = None
    fhir_user: str | None = None
    account: str | None = None
    disabled: bool = False


@dataclass(frozen=True)
class Proof:
    """A person, and the password that was theirs when they proved it, as it was kept."""

    user: User
    password: str = field(repr=False)


def person_scope(client: Client, user: User, asked: str) -> str:
    """Of what an app asks for, what it may have when this person uses it."""
    return narrowed(client.get_allowed_scope(asked) or "", role(user.role_name).ceiling)


class Users(Register[User]):
    """The register of people."""

    kind = "users"
    of = User

    def __init__(self, tokens: Tokens, clock: Clock, hasher: PasswordHasher | None = None) -> None:
        super().__init__(tokens, clock)
        self._hasher = hasher or PasswordHasher()
        # A hash takes 64 MB and all processors: one at a time.
        self._turn = Lock()

    def add(self, user: User, password: str | None = None) -> None:
        """Register a person; without a password they log in at the provider alone. Raises Invalid, and Conflict for what is taken."""
        if password is None and user.account is None:
            raise Invalid("A person has a password, or an account at the OpenID Provider.")
        self._check_free(user.account)
        self._add(user, password=None if password is None else self._hash(password))

    def set_password(self, name: str, password: str) -> None:
        """Another password; whoever is logged in has to log in again. Raises NotFound, Invalid."""
        self._held(name)
        self._change(name, password=self._hash(password))
        self._end(name)

    def join(self, name: str, account: str | None) -> None:
        """Another account at the provider, or none; whoever is logged in has to log in again. Raises NotFound, Conflict."""
        self._held(name)
        self._check_free(account)
        self._change(name, account=account)
        self._end(name)

    def with_account(self, account: str) -> User | None:
        """The person whose account this is; None where it is nobody's, or more than one's."""
        found = [self._read(name, held) for name, held in self._state.all(self.kind, {"account": account, "disabled": False})]
        return found[0] if len(found) == 1 else None

    def proven(self, name: str, password: str) -> Proof | None:
        """The person whose password this is. It takes as long for a name that is not registered, or has none."""
        held = self._state.get(self.kind, name)
        if held:
            tried(user=name)
        kept = held["password"] if held else None
        with self._turn:
            try:
                self._hasher.verify(kept or self._nobodys, password[:LONGEST])
            except (VerificationError, InvalidHashError):
                return None
        user = self.find(name)
        return Proof(user, kept) if user and kept else None

    def holds(self, proof: Proof) -> bool:
        """Whether the person may log in still, and by that password: what was begun meanwhile is not among what a change has ended."""
        held = self._state.get(self.kind, proof.user.name)
        return held is not None and not held["disabled"] and held["password"] == proof.password

    def _check(self, entry: User) -> None:
        role(entry.role_name)
        if not _NAME(entry.name):
            raise Invalid("A user's name is lower-case letters, digits and . @ _ -, 2 to 64 of them.")
        if entry.organisation:
            check_reference(entry.organisation, "Organization")
        if entry.fhir_user:
            check_reference(entry.fhir_user, *_PEOPLE)

    def _check_free(self, account: str | None) -> None:
        if account and any(self._state.all(self.kind, {"account": account, "disabled": False})):
            raise Conflict("That account is another user's already: `casebridge user list` shows whose.")

    def _end(self, name: str) -> None:
        # Sessions first: whoever lets an app in looks whether theirs is there still when the code is kept.
        self._state.drop_all("sessions", {"user": name})
        self._tokens.end_all(name)

    @cached_property
    def _nobodys(self) -> str:
        return self._hasher.hash("nobody has this password")

    def _hash(self, password: str) -> str:
        if not SHORTEST <= len(password) <= LONGEST:
            raise Invalid(f"A password has {SHORTEST} to {LONGEST} characters.")
        with self._turn:
            return self._hasher.hash(password)

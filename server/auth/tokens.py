"""Access and refresh tokens: random, and kept in the store by their hash alone, so that who reads the store can use none.

A token is looked up for each request, so a revoked one is refused by all processes at once. docs/decisions/022 has what that costs.
All tokens that follow from one consent are a family: a refresh token is good once, and one that is used again ends its family, because
either its owner or a thief holds the newer one (RFC 9700 §4.14).
"""

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

from pymongo.database import Database

from adapter.clock import Clock
from adapter.store.by_id import by_id
from adapter.store.documents import CODEC, Document
from adapter.store.gathering import Gathered
from adapter.store.state import State
from server.auth.principal import Principal

ACCESS_SECONDS = 300
"""SMART asks for five minutes at most: https://hl7.org/fhir/smart-app-launch/backend-services.html"""
REFRESH = {"offline_access": timedelta(days=90), "online_access": timedelta(hours=12)}
"""By the scope that asks for one, how long a refresh token is good."""
_SWEEP = timedelta(minutes=1)
# What is kept until it expires.
_PASSING = ("tokens", "codes", "launches", "assertions", "sessions", "attempts", "sign_ins")
ACCESS, REFRESHING, _ENDED = "access", "refresh", "ended"


def new_secret() -> str:
    """A text that nobody guesses: 256 bits, in characters that a URL takes."""
    return secrets.token_urlsafe(32)


def hashed(secret: str) -> str:
    """By what a secret of 256 bits is kept: it needs no slow hash, since there are none to try."""
    return hashlib.sha256(secret.encode()).hexdigest()


@dataclass(frozen=True)
class Token:
    """What is known of a token that is good."""

    id: str
    kind: str
    family: str
    principal: Principal
    issued: datetime
    expires: datetime
    used: bool = False
    body: Document = field(default_factory=dict, repr=False, compare=False)

    # What Authlib asks of a token.
    def check_client(self, client: Any) -> bool:
        return bool(self.principal.client == client.id)

    def get_scope(self) -> str:
        return self.principal.scope

    def is_expired(self) -> bool:
        return False

    is_revoked = is_expired


class Tokens:
    """The tokens of one store."""

    def __init__(self, database: Database[Document], clock: Clock) -> None:
        self.state, self._clock = State(database), clock
        collection = database.with_options(codec_options=CODEC)["tokens"]
        self._asked: Gathered[str, Document] = Gathered(lambda ids: {each["_id"]: each for each in by_id(collection, ids)})
        self._swept = clock() - _SWEEP
        self._turn = Lock()

    def issue(self, principal: Principal, kind: str = ACCESS, *, family: str = "", lives: timedelta | None = None) -> str:
        """A new token; the secret is kept by who gets it alone."""
        self.sweep()
        secret, now = new_secret(), self._clock()
        expires = now + (lives or timedelta(seconds=ACCESS_SECONDS))
        body = {"kind": kind, "family": family or new_secret(), "issued": now, "expires": expires, "used": False, **principal.document()}
        self.state.put("tokens", hashed(secret), body)
        return secret

    def find(self, secret: str, kind: str = ACCESS) -> Token | None:
        """The token that this is, if it is good; a refresh token that was used too, marked so."""
        id = hashed(secret)
        found = self._asked.of([id]).get(id)
        if found is None or found["kind"] != kind or found["expires"] <= self._clock():
            return None
        body = {name: value for name, value in found.items() if name != "_id"}
        return Token(id, kind, body["family"], Principal.read(body), body["issued"], body["expires"], body["used"], body)

    def use(self, token: Token) -> bool:
        """Whether this is the one use of a refresh token; any other ends its family."""
        if not token.used and self.state.swap("tokens", token.id, {"used": False}, {**token.body, "used": True}):
            return True
        self.end(token.family)
        return False

    def revoke(self, **of: str) -> None:
        """End the tokens with these properties, such as `client` or `user`, at once."""
        self.state.drop_all("tokens", of)

    def end(self, family: str) -> None:
        """End a family, with what another request adds to it just now: that looks here once more (`ended`)."""
        self.state.put("tokens", family, {"kind": _ENDED, "expires": self._clock() + timedelta(seconds=ACCESS_SECONDS)})
        self.revoke(family=family)

    def end_all(self, user: str) -> None:
        """End the families of all that a person let apps have, codes that are yet to be exchanged too."""
        given = [*self.state.all("codes", {"principal.user": user}), *self.state.all("tokens", {"user": user})]
        for family in {body["family"] for _, body in given}:
            self.end(family)

    def ended(self, family: str) -> bool:
        """Whether a family was ended just now."""
        return self.state.get("tokens", family) is not None

    def lasting(self, client: str, user: str, patient: str | None) -> str:
        """The scopes with which a person lets an app go on without them, about this patient or whomever, by all refresh tokens that have
        neither expired nor been ended; empty for none. One that was used counts, since the next is not there yet for a moment."""
        held = [body for _, body in self.state.all("tokens", {"client": client, "user": user, "kind": REFRESHING})]
        now = self._clock()
        return " ".join(body["scope"] for body in held if body["expires"] > now and body.get("patient") == patient)

    def drop(self, token: Token) -> None:
        """End one token; a refresh token with all that follow from it."""
        if token.kind == REFRESHING:
            self.end(token.family)
        else:
            self.state.drop("tokens", token.id)

    def sweep(self) -> None:
        """Take away what has expired, once a minute."""
        with self._turn:
            now = self._clock()
            due = now >= self._swept + _SWEEP
            if due:
                self._swept = now
        for kind in _PASSING if due else ():
            self.state.drop_all(kind, {"expires": {"$lt": now}})

"""One access while it is under way: what each door finds out about it, for the account that is written before it is answered.

It is kept by thread, since what stands between a door and the store hands on neither. Where nobody is asked who they are there is none, and
whatever is told here is forgotten.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from adapter.audit.event import Asker
from adapter.errors import CasebridgeError, Throttled
from adapter.store.sight import Sight
from server.auth.principal import Principal

if TYPE_CHECKING:
    # What a request is knows sights and grants; a session is needed without them.
    from server.fhir.messages import Request


# As lines of `asked`: neither a read, nor a search or an operation that is posted, nor a reference that is looked up.
_CHANGE = re.compile(r"(?:PUT|PATCH|DELETE) |POST [A-Za-z]+(?:[? ]|$)").match


@dataclass(frozen=True)
class Refusal:
    """What was asked by an entry of a Bundle that was refused, and why."""

    method: str
    url: str
    """Relative to the endpoint."""
    error: CasebridgeError


@dataclass
class Access:
    """What is known of a request so far."""

    name: str
    """The interaction, as logs have it."""
    address: str | None
    principal: Principal | None = None
    tried: Asker = field(default_factory=Asker)
    """Whom the caller claims to be, of those who are registered here."""
    sight: Sight | None = None
    asked: list[str] = field(default_factory=list)
    """The requests of it, with their parameters."""
    refused: list[Refusal] = field(default_factory=list)
    """Those of its entries that were refused, while the Bundle was answered."""
    told: list[str] = field(default_factory=list)
    """Resources that are told in a form from which they cannot be read, as `Type/id`."""
    facts: dict[str, str] = field(default_factory=dict)
    """What else is to be said of it, by name."""
    purpose: str | None = None
    """What it is asked for, where that is said: a kind of that for which the asker is registered."""
    written: set[str] = field(default_factory=set)
    """What the account has already, because it was written with changes: patients and resources, as `Type/id`."""

    @property
    def asker(self) -> Asker:
        """Who asks, as far as that is known."""
        who = self.principal
        if who is None:
            return Asker(self.tried.client, self.tried.user, address=self.address)
        purpose = self.purpose or who.purpose or who.role.purpose
        return Asker(who.client, who.user, who.fhir_user, who.organisation, who.role_name, self.address, purpose)

    @property
    def only_writes(self) -> bool:
        """Whether it is a Bundle each entry of which asks for a change."""
        return len(self.asked) > 1 and all(map(_CHANGE, self.asked[1:]))

    @property
    def grant(self) -> dict[str, str]:
        """What was granted, as the account has it: the scopes of a token."""
        return {"scope": self.principal.scope} if self.principal and self.principal.scope else {}

    @property
    def rule(self) -> str | None:
        """By which rule the asker sees what they see."""
        if self.sight is None:
            return None
        policy = self.sight.policy
        ways = "everybody" if policy.everybody else " or ".join(policy.ties) or "nobody's record"
        return f"{self.sight.viewer.role}: {ways}; consent {policy.consent}"


_CURRENT: ContextVar[Access | None] = ContextVar("access", default=None)


@contextmanager
def under_way(access: Access) -> Iterator[Access]:
    """While the context is open, what this thread does is part of the access."""
    outer = _CURRENT.set(access)
    try:
        yield access
    finally:
        _CURRENT.reset(outer)


def current() -> Access | None:
    """The access that this thread is part of."""
    return _CURRENT.get()


def known(principal: Principal, page: str | None = None) -> None:
    """It is known who asks; `page` is the page that they ask for."""
    if access := _CURRENT.get():
        access.principal, access.name = principal, page or access.name


def seen(sight: Sight) -> Sight:
    """It is known what the asker sees: that sight."""
    if access := _CURRENT.get():
        access.sight = sight
    return sight


def tried(*, client: str | None = None, user: str | None = None) -> None:
    """Somebody claims to be one who is registered here, and is yet to prove it."""
    if access := _CURRENT.get():
        access.tried = Asker(client or access.tried.client, user or access.tried.user)


def refuses(method: str, url: str, error: CasebridgeError) -> None:
    """An entry of a Bundle is refused. How often somebody asks too soon is not written down."""
    if (access := _CURRENT.get()) and not isinstance(error, Throttled):
        access.refused.append(Refusal(method, url, error))


def says(**facts: str | None) -> None:
    """This is to be said of it, whatever the answer looks like."""
    if access := _CURRENT.get():
        access.facts |= {name: text for name, text in facts.items() if text}


def tells(resources: Iterable[str], purpose: str | None = None) -> None:
    """These resources are told, for this purpose, whatever the answer looks like."""
    if access := _CURRENT.get():
        access.told += resources
        access.purpose = purpose


def looks_for(path: str, **form: str) -> None:
    """A page is asked by a form that is posted: this is what is looked for."""
    if (access := _CURRENT.get()) and (query := urlencode({name: value for name, value in form.items() if value})):
        access.asked.append(f"POST {path}?{query}")


def asks(request: "Request") -> None:
    """A request, or one of the entries of a Bundle, asks this; a search that is posted asks by its form, too."""
    if access := _CURRENT.get():
        form = request.body.decode(errors="replace") if request.path.endswith("_search") and isinstance(request.body, bytes) else ""
        query = "&".join(filter(None, (urlencode(request.params), form)))
        condition = request.header("if-none-exist")
        only = "" if condition is None else f" If-None-Exist: {condition}"
        access.asked.append(f"{request.method} {request.path}{'?' if query else ''}{query}{only}")


def refers(references: Iterable[str]) -> None:
    """What a transaction brings asks this, by its conditional references."""
    if access := _CURRENT.get():
        access.asked += [f"reference {each}" for each in sorted(references)]

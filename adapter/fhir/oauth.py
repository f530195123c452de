"""Access tokens of OAuth 2.0 for a client of its own (RFC 6749 §4.4): fetched when needed, kept in memory alone, shared by threads.

No text and no log holds a token, a secret or what a token endpoint says in its own words; only the codes that the RFC names.
"""

import base64
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock
from typing import Any
from urllib.parse import quote

import requests
from requests.auth import AuthBase

from adapter import log
from adapter.clock import Clock
from adapter.errors import Invalid, RemoteFatal, RemoteTemporary, RemoteUnauthorised
from adapter.fhir.exchange import no_auth, unanswered
from adapter.fhir.outcome import TEMPORARY
from adapter.fhir.resource import Raw, parse
from adapter.fhir.retry import http_date, retry_after
from adapter.fhir.secret import Secret
from adapter.fhir.tls import Transport

# A token is renewed so long before it expires, or in its last quarter where it is short: a request may be on its way for a while.
_MARGIN_SECONDS = 30.0
_MARGIN_PART = 0.25
_MAX_BYTES = 256 * 1024
# RFC 6749 §5.2, and what there is to do.
_CODES = {
    "invalid_client": "it does not know this client, or does not take its proof: check auth.client_id and {proof}",
    "invalid_grant": "it does not take the proof of who we are: check {proof}",
    "invalid_request": "it does not take such a request: check auth.kind and auth.token_url",
    "invalid_scope": "it does not grant what is asked for: check auth.scope, and what the client is registered for there",
    "unauthorized_client": "this client may not do so there: check what it is registered for, and {proof}",
    "unsupported_grant_type": "it does not give tokens to a client of its own (client_credentials)",
}
_TOKEN = re.compile(r"[!-~]{1,65536}").fullmatch
UNPROVEN = frozenset({"invalid_client", "invalid_grant", "unauthorized_client"})
"""The codes by which an endpoint says that it does not take the proof."""


@dataclass(frozen=True)
class Granted:
    """A token, the seconds that it lives and the scope that it has, None where the endpoint does not say."""

    token: str = field(repr=False)
    seconds: float | None
    scope: str | None


class AccessToken(AuthBase):
    """A bearer token from `fetch`: fetched by one thread at a time, again before it expires, and again where the remote answers 401.

    Such an answer is seen by nobody if the same request with a new token has a better one. It says that nothing was done, so that a request
    which must not be repeated may be.
    """

    def __init__(self, fetch: Callable[[], Granted], clock: Clock) -> None:
        self._fetch, self._clock, self._turn = fetch, clock, Lock()
        self._kept: tuple[str, datetime | None] | None = None

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self._header()
        request.register_hook("response", self._replayed)  # type: ignore[no-untyped-call]
        return request

    def _header(self) -> str:
        with self._turn:
            now = self._clock()
            header, renew_at = self._kept or ("", now)
            if renew_at is None or now < renew_at:
                return header
            self._kept = None
            granted = self._fetch()
            self._kept = f"Bearer {granted.token}", _renew_at(now, granted.seconds)
            return self._kept[0]

    def _replayed(self, response: requests.Response, **options: Any) -> requests.Response:
        if response.status_code != 401:
            return response
        with self._turn:
            # Another thread may have met the same answer and fetched another token since.
            if self._kept and self._kept[0] == response.request.headers["Authorization"]:
                self._kept = None
        response.close()
        request = response.request.copy()
        request.headers["Authorization"] = self._header()
        log.event("remote.token_refused", status=401)
        again = response.connection.send(request, **options)
        again.history.append(response)
        return again


def _renew_at(now: datetime, seconds: float | None) -> datetime | None:
    """When to fetch another one; None where it is good until it is refused."""
    return None if seconds is None else now + timedelta(seconds=seconds - min(_MARGIN_SECONDS, seconds * _MARGIN_PART))


@dataclass(frozen=True)
class Reply:
    """What a token endpoint answered. `code` is one of RFC 6749, empty for any other; `ahead` is by how much its clock is ahead of ours."""

    action: str
    status: int
    body: Raw = field(repr=False)
    code: str
    ahead: timedelta
    retry_after: float | None

    def granted(self, proof: str) -> Granted:
        """The token in it. Raises RemoteTemporary, RemoteUnauthorised that says what to check (`proof` among it), or RemoteFatal."""
        token, kind = self.body.get("access_token"), str(self.body.get("token_type") or "").lower()
        if 200 <= self.status < 300 and isinstance(token, str) and _TOKEN(token) and kind == "bearer":
            scope = self.body.get("scope")
            return Granted(token, _seconds(self.body.get("expires_in")), scope if isinstance(scope, str) else None)
        text = f"{self.action} answered {self.status}"
        if self.status in TEMPORARY:
            raise RemoteTemporary(f"{text}.", http_status=self.status, retry_after=self.retry_after)
        if self.code:
            raise RemoteUnauthorised(f"{text} ({self.code}): {_CODES[self.code].format(proof=proof)}.", http_status=self.status)
        if self.status in (401, 403):
            raise RemoteUnauthorised(f"{text}: check auth.client_id and {proof}.", http_status=self.status)
        raise RemoteFatal(f"{text}, with no bearer token: is the address right? auth.token_url sets another.", http_status=self.status)


def ask_token(transport: Transport, url: str, form: Mapping[str, str], clock: Clock, basic: str = "") -> Reply:
    """What a token endpoint says to this form; `basic` is `user:password`. Raises Invalid for a URL in clear, RemoteError for no answer."""
    transport.check(url)
    action = f"The token endpoint {log.safe_url(url)}"
    headers = {"Accept": "application/json"}
    if basic:
        headers["Authorization"] = f"Basic {base64.b64encode(basic.encode()).decode()}"
    data = {name: value for name, value in {"grant_type": "client_credentials", **form}.items() if value}
    try:
        with (
            transport.session(clock) as session,
            session.post(
                url, data, headers=headers, auth=no_auth, timeout=transport.timeout, allow_redirects=False, stream=True
            ) as response,
        ):
            body = _json(response)
    except requests.RequestException as error:
        unanswered(action, error)
    now, code = clock(), body.get("error")
    code = code if isinstance(code, str) and code in _CODES else ""
    log.event("remote.token_asked", level=logging.DEBUG, status=response.status_code, code=code)
    return Reply(
        action=action,
        status=response.status_code,
        body=body,
        code=code,
        ahead=(http_date(response.headers.get("Date")) or now) - now,
        retry_after=retry_after(response.headers, clock),
    )


@dataclass(frozen=True)
class ClientSecret:
    """Proves who we are to a token endpoint by a secret; `in_body` for one that does not take it as HTTP Basic."""

    client_id: str
    secret: Secret
    scope: str
    locate: Callable[[], str]
    transport: Transport
    clock: Clock
    in_body: bool = False

    def __call__(self) -> Granted:
        url, secret = self.locate(), self.secret.read()
        form = {"scope": self.scope}
        if self.in_body:
            reply = ask_token(self.transport, url, {**form, "client_id": self.client_id, "client_secret": secret}, self.clock)
        else:
            # As in a form, before it is written as Basic has it (RFC 6749 §2.3.1); a space as %20, for some read + as it is (Authlib 1.9).
            pair = ":".join(quote(part, safe="") for part in (self.client_id, secret))
            reply = ask_token(self.transport, url, form, self.clock, basic=pair)
        return reply.granted(self.secret.place)


def _json(response: requests.Response) -> Raw:
    """The JSON object that it holds, empty where it holds none of a token's size."""
    content = b""
    for chunk in response.iter_content(_MAX_BYTES):
        content += chunk
        if len(content) > _MAX_BYTES:
            return {}
    try:
        return parse(content)
    except Invalid:
        return {}


def _seconds(value: object) -> float | None:
    """A lifetime, which some endpoints write as a text."""
    return float(str(value)) if re.fullmatch(r"[0-9]{1,9}", str(value)) else None

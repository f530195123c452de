"""One request to a remote and its answer: time-outs, size, retries, and a typed error for whatever is not an answer in FHIR JSON."""

import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NoReturn
from urllib.parse import urljoin

import requests
import urllib3
from requests.auth import AuthBase

from adapter import log
from adapter.clock import Clock, utc_now
from adapter.errors import Invalid, RemoteFatal, RemoteTemporary
from adapter.fhir.outcome import remote_error
from adapter.fhir.rate import Gate
from adapter.fhir.resource import Raw, dumps, parse
from adapter.fhir.retry import RetryPolicy, retry_after
from adapter.fhir.tls import fault

Params = Mapping[str, str | int | Sequence[str]]

FHIR_JSON = "application/fhir+json"
JSON_PATCH = "application/json-patch+json"
MAX_BYTES = 64 * 1024 * 1024
_CHUNK = 256 * 1024

# Never mended by asking again: settings are wrong.
_SETTINGS = (
    requests.exceptions.InvalidHeader,
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
)
_CUT_OFF = (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError)


@dataclass(frozen=True)
class Ask:
    """One request. `about` is its type or `Type/id`, for error texts; `known` and `conditional` are those of outcome.remote_error."""

    method: str
    url: str
    about: str
    params: Params = field(default_factory=dict)
    body: Raw | list[Raw] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    repeatable: bool = True
    known: bool = False
    conditional: bool = False
    auth: bool = True
    """Whether it carries our credentials."""

    @property
    def action(self) -> str:
        return f"{self.method} {self.about} at {log.safe_url(self.url)}"


@dataclass(frozen=True)
class Answer:
    """A success. `raw` is None where the remote sent no body."""

    ask: Ask
    status: int
    headers: Mapping[str, str]
    raw: Raw | None
    size: int = 0
    """The bytes of its body."""

    def body(self, type: str) -> Raw:
        """The resource of that type in the answer. Raises RemoteFatal for another type or none."""
        found = (self.raw or {}).get("resourceType")
        if self.raw is None or found != type:
            shown = found if isinstance(found, str) and found.isalpha() else "no resource"
            raise RemoteFatal(f"{self.ask.action}: the remote answered with {shown}, not {type}.", http_status=self.status)
        return self.raw


@dataclass(frozen=True)
class Stream:
    """A success whose body is still to be read, in pieces and as the server packed it."""

    status: int
    headers: Mapping[str, str]
    pieces: Iterator[bytes]


class Exchange:
    """Sends requests to one remote. It follows no redirect, so credentials go where the caller said and nowhere else."""

    def __init__(
        self,
        *,
        auth: AuthBase | None,
        timeout: tuple[float, float],
        retry: RetryPolicy,
        sleep: Callable[[float], None] = time.sleep,
        session: requests.Session | None = None,
        max_bytes: int = MAX_BYTES,
        clock: Clock = utc_now,
        gate: Gate | None = None,
    ) -> None:
        self._gate = gate
        self._auth = auth or no_auth
        self._timeout, self.retry, self.sleep = timeout, retry, sleep
        self._session, self._max_bytes, self.clock = session or requests.Session(), max_bytes, clock

    def close(self) -> None:
        self._session.close()

    def send(self, ask: Ask) -> Answer:
        """The answer, the request sent again after temporary failures if it may be. Raises the typed error of the last one."""
        if not ask.repeatable:
            return self._once(ask)
        return self.retry.run(lambda: self._once(ask), sleep=self.sleep)

    @contextmanager
    def stream(self, ask: Ask) -> Iterator[Stream]:
        """A success whose body is read in the `with` block; asked for once. Raises the typed error, for a body that breaks off too."""
        with self._response(ask) as response:
            if not 200 <= response.status_code < 300:
                self._judged(ask, response.status_code, response.headers, self._content(ask, response))
            log.event("remote.streams", level=logging.DEBUG, method=ask.method, about=ask.about, status=response.status_code)
            try:
                yield Stream(response.status_code, response.headers, response.raw.stream(_CHUNK, decode_content=False))
            except urllib3.exceptions.HTTPError:
                raise RemoteTemporary(f"{ask.action}: the answer was cut off.") from None

    @contextmanager
    def _response(self, ask: Ask) -> Iterator[requests.Response]:
        if self._gate:
            self._gate.enter(patience=self.retry.budget_seconds)
        try:
            with self._session.request(
                ask.method,
                ask.url,
                params=dict(ask.params),
                data=None if ask.body is None else dumps(ask.body).encode(),
                headers={"Accept": FHIR_JSON, **ask.headers},
                auth=self._auth if ask.auth else no_auth,
                timeout=self._timeout,
                allow_redirects=False,
                stream=True,
            ) as response:
                yield response
        except requests.RequestException as error:
            unanswered(ask.action, error)

    def _once(self, ask: Ask) -> Answer:
        with self._response(ask) as response:
            content = self._content(ask, response)
        status = response.status_code
        log.event("remote.answered", level=logging.DEBUG, method=ask.method, about=ask.about, status=status, bytes=len(content))
        return self._judged(ask, status, response.headers, content)

    def _content(self, ask: Ask, response: requests.Response) -> bytes:
        parts: list[bytes] = []
        size = 0
        for chunk in response.iter_content(_CHUNK):
            size += len(chunk)
            if size > self._max_bytes:
                raise RemoteFatal(f"{ask.action}: the answer is over {self._max_bytes} bytes; use a smaller page size.")
            parts.append(chunk)
        return b"".join(parts)

    def _judged(self, ask: Ask, status: int, headers: Mapping[str, str], content: bytes) -> Answer:
        media = headers.get("Content-Type", "").partition(";")[0].strip().lower()
        is_json = media.endswith("json") or (not media and content.startswith(b"{"))
        if 300 <= status < 400:
            to = log.safe_url(urljoin(ask.url, headers.get("Location", "")))
            raise RemoteFatal(f"{ask.action}: the remote redirects ({status}) to {to}; is the base URL right?", http_status=status)
        if not 200 <= status < 300:
            wait = retry_after(headers, self.clock)
            if wait and self._gate:
                self._gate.close(wait)
            raise remote_error(
                ask.action,
                status,
                _readable(content) if is_json else None,
                known=ask.known,
                conditional=ask.conditional,
                retry_after=retry_after(headers, self.clock),
            )
        if not content.strip():
            return Answer(ask, status, headers, None)
        if not is_json:
            shown = media if re.fullmatch(r"[a-z0-9.+/-]{1,60}", media) else "of an unnamed type"
            raise RemoteFatal(f"{ask.action}: the answer is {shown}, not FHIR JSON; is the base URL right?", http_status=status)
        try:
            return Answer(ask, status, headers, parse(content), len(content))
        except Invalid as error:
            # Where neither a length nor chunks frame the body, a connection that dies leaves a text that merely ends too soon.
            if "truncated" in error.text:
                raise RemoteTemporary(f"{ask.action}: the answer was cut off.", http_status=status) from None
            raise RemoteFatal(f"{ask.action}: the answer is broken. {error.text}", http_status=status) from None


def no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Given no authentication at all, requests would take a password from ~/.netrc or from the URL."""
    return request


def _readable(content: bytes) -> Raw | None:
    try:
        return parse(content)
    except Invalid:
        return None


def unanswered(action: str, error: requests.RequestException) -> NoReturn:
    """Raise the typed error for a request without a whole answer. The text of requests' own error can hold the query: never shown."""
    if insecure := fault(action, error):
        raise insecure from None
    if isinstance(error, _SETTINGS):
        raise RemoteFatal(f"{action}: the request cannot be made ({type(error).__name__}); check the remote's settings.") from None
    if isinstance(error, _CUT_OFF):
        raise RemoteTemporary(f"{action}: the answer was cut off.") from None
    if isinstance(error, requests.Timeout) or "timed out" in str(error):
        raise RemoteTemporary(f"{action}: the remote did not answer in time.") from None
    raise RemoteTemporary(f"{action}: the remote cannot be reached ({type(error).__name__}).") from None

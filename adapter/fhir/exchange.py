"""One request to a remote and its answer: time-outs, size, retries, and a typed error for whatever is not an answer in FHIR JSON."""

import logging
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NoReturn
from urllib.parse import urljoin

import requests
from requests.auth import AuthBase

from adapter import log
from adapter.clock import Clock, utc_now
from adapter.errors import Invalid, RemoteFatal, RemoteTemporary
from adapter.fhir.outcome import remote_error
from adapter.fhir.resource import Raw, dumps, parse
from adapter.fhir.retry import RetryPolicy, retry_after

Params = Mapping[str, str | int | Sequence[str]]

FHIR_JSON = "application/fhir+json"
MAX_BYTES = 64 * 1024 * 1024
_CHUNK = 256 * 1024

# Never mended by asking again: settings or certificates are wrong.
_SETTINGS = (
    requests.exceptions.SSLError,
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
    body: Raw | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    repeatable: bool = True
    known: bool = False
    conditional: bool = False

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

    def body(self, type: str) -> Raw:
        """The resource of that type in the answer. Raises RemoteFatal for another type or none."""
        found = (self.raw or {}).get("resourceType")
        if self.raw is None or found != type:
            shown = found if isinstance(found, str) and found.isalpha() else "no resource"
            raise RemoteFatal(f"{self.ask.action}: the remote answered with {shown}, not {type}.", http_status=self.status)
        return self.raw


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
    ) -> None:
        # Given no authentication, requests would take a password from ~/.netrc or from the URL.
        self._auth = auth or (lambda request: request)
        self._timeout, self._retry, self._sleep = timeout, retry, sleep
        self._session, self._max_bytes, self._clock = session or requests.Session(), max_bytes, clock

    def close(self) -> None:
        self._session.close()

    def send(self, ask: Ask) -> Answer:
        """The answer, the request sent again after temporary failures if it may be. Raises the typed error of the last one."""
        if not ask.repeatable:
            return self._once(ask)
        return self._retry.run(lambda: self._once(ask), sleep=self._sleep)

    def _once(self, ask: Ask) -> Answer:
        try:
            with self._session.request(
                ask.method,
                ask.url,
                params=dict(ask.params),
                data=None if ask.body is None else dumps(ask.body).encode(),
                headers={"Accept": FHIR_JSON, **ask.headers},
                auth=self._auth,
                timeout=self._timeout,
                allow_redirects=False,
                stream=True,
            ) as response:
                content = self._content(ask, response)
        except requests.RequestException as error:
            _unanswered(ask, error)
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
            raise remote_error(
                ask.action,
                status,
                _readable(content) if is_json else None,
                known=ask.known,
                conditional=ask.conditional,
                retry_after=retry_after(headers, self._clock),
            )
        if not content.strip():
            return Answer(ask, status, headers, None)
        if not is_json:
            shown = media if re.fullmatch(r"[a-z0-9.+/-]{1,60}", media) else "of an unnamed type"
            raise RemoteFatal(f"{ask.action}: the answer is {shown}, not FHIR JSON; is the base URL right?", http_status=status)
        try:
            return Answer(ask, status, headers, parse(content))
        except Invalid as error:
            # Where neither a length nor chunks frame the body, a connection that dies leaves a text that merely ends too soon.
            if "truncated" in error.text:
                raise RemoteTemporary(f"{ask.action}: the answer was cut off.", http_status=status) from None
            raise RemoteFatal(f"{ask.action}: the answer is broken. {error.text}", http_status=status) from None


def _readable(content: bytes) -> Raw | None:
    try:
        return parse(content)
    except Invalid:
        return None


def _unanswered(ask: Ask, error: requests.RequestException) -> NoReturn:
    """Raise the typed error for a request without a whole answer. The text of requests' own error can hold the query: never shown."""
    if isinstance(error, _SETTINGS):
        raise RemoteFatal(f"{ask.action}: the request cannot be made ({type(error).__name__}); check the remote's settings.") from None
    if isinstance(error, _CUT_OFF):
        raise RemoteTemporary(f"{ask.action}: the answer was cut off.") from None
    if isinstance(error, requests.Timeout) or "timed out" in str(error):
        raise RemoteTemporary(f"{ask.action}: the remote did not answer in time.") from None
    raise RemoteTemporary(f"{ask.action}: the remote cannot be reached ({type(error).__name__}).") from None

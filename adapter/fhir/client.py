"""A FHIR R4 client for one remote: FHIR's interactions over HTTP; it knows no case.

What a caller can rely on: a time-out on every request; only what is safe to repeat is repeated; every failure is a typed error whose text
holds no patient data; credentials go to the base URL's own host and nowhere else; a version is a bare string such as "3".
http://hl7.org/fhir/R4/http.html
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Self
from urllib.parse import urljoin, urlsplit

import requests
from requests.auth import AuthBase

from adapter import log
from adapter.clock import Clock, utc_now
from adapter.errors import Invalid, RemoteConflict, RemoteFatal, RemoteGone, RemoteTemporary, RemoteUnauthorised
from adapter.fhir import bundle as bundles
from adapter.fhir.bundle import EntryResult, HistoryEntry
from adapter.fhir.capability import Capability
from adapter.fhir.exchange import FHIR_JSON, JSON_PATCH, MAX_BYTES, Answer, Ask, Exchange, Params
from adapter.fhir.outcome import ends_all
from adapter.fhir.rate import Gate
from adapter.fhir.resource import Raw, content_hash, resource_type
from adapter.fhir.retry import RetryPolicy, http_date

# HAPI answers a repeated search from a cache for 60 s unless told not to: a find-or-create would then make a second one.
_FRESH = {"Cache-Control": "no-cache"}
# A server that filters late may send empty pages, but not this many in a row, nor one page over and over.
_BARREN_PAGES = 20
_PORTS = {"http": 80, "https": 443}
# Searches that are counted in one request.
_BATCH = 50


@dataclass(frozen=True)
class Fetched:
    """A resource as read. `updated` is the remote's own text."""

    raw: Raw
    version: str | None
    updated: str | None


@dataclass(frozen=True)
class Written:
    """What a create or update came to. `created` is False where a condition found one; `raw` is what the remote kept, if it says."""

    created: bool
    type: str
    id: str
    version: str
    raw: Raw | None


@dataclass(frozen=True)
class Page:
    """One page of a search. `foreign` holds matches of another type than asked for: to be reported, never applied."""

    entries: list[Raw]
    included: list[Raw]
    outcomes: list[Raw]
    foreign: list[Raw]
    total: int | None
    server_time: datetime
    url: str
    size: int = 0
    """The bytes that came over the wire, unpacked."""


class FhirClient:
    """One remote. For one thread at a time; close it, or use it in a `with` block."""

    def __init__(
        self,
        base_url: str,
        *,
        auth: AuthBase | None = None,
        timeout: tuple[float, float] = (5, 60),
        retry: RetryPolicy = RetryPolicy(),  # noqa: B008 - a frozen value
        sleep: Callable[[float], None] = time.sleep,
        session: requests.Session | None = None,
        page_size: int = 200,
        max_bytes: int = MAX_BYTES,
        clock: Clock = utc_now,
        gate: Gate | None = None,
    ) -> None:
        self.base_url = _checked(base_url)
        self._page_size = page_size
        self._exchange = Exchange(
            auth=auth, timeout=timeout, retry=retry, sleep=sleep, session=session, max_bytes=max_bytes, clock=clock, gate=gate
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._exchange.close()

    @property
    def exchange(self) -> Exchange:
        """What sends its requests: for those that are none of the interactions below."""
        return self._exchange

    def capability(self) -> Capability:
        """What the remote can do. Raises RemoteFatal where it does not speak FHIR R4."""
        return Capability.of(self._exchange.send(self._get("metadata", "metadata")).raw or {})

    def read(self, type: str, id: str) -> Fetched:
        """The current version. Raises RemoteGone where the remote no longer has it."""
        return self._fetched(type, f"{type}/{id}", f"{type}/{id}")

    def vread(self, type: str, id: str, version: str) -> Fetched:
        """One version. Raises RemoteGone where the remote does not have it, or it is a deletion."""
        return self._fetched(type, f"{type}/{id}", f"{type}/{id}/_history/{version}")

    def search(self, type: str, params: Params) -> Iterator[Page]:
        """The pages of a search, asked for as the caller goes on. Raises RemoteTemporary where a page expired: search again."""
        for raw, answer in self._pages(type, type, params):
            yield _page(type, raw, answer)

    def count(self, type: str, params: Params) -> int:
        """How many resources a search finds now."""
        ask = self._get(type, type, {**params, "_summary": "count"})
        total = self._exchange.send(ask).body("Bundle").get("total")
        if not isinstance(total, int):
            raise RemoteFatal(f"{ask.action}: the remote gives no total for _summary=count.")
        return total

    def counts(self, searches: Mapping[str, Params]) -> dict[str, int]:
        """How many resources each search, given by type, finds now; asked in batches, one by one where the remote does not answer those."""
        types = [*searches]
        found: dict[str, int] = {}
        for some in (types[start : start + _BATCH] for start in range(0, len(types), _BATCH)):
            answers = self._answers([bundles.count(type, searches[type]) for type in some])
            totals = [(answer.raw or {}).get("total") if answer else None for answer in answers]
            found |= {
                type: total if isinstance(total, int) else self.count(type, searches[type])
                for type, total in zip(some, totals, strict=True)
            }
        return found

    def reads(self, references: Sequence[str]) -> dict[str, Raw | None]:
        """Current versions by Type/id, asked in batches, one by one where the remote does not answer those.

        None for what is not there, or no longer (404, 410); what the remote refuses for another reason is left out.
        """
        found: dict[str, Raw | None] = {}
        for some in (references[start : start + _BATCH] for start in range(0, len(references), _BATCH)):
            for reference, answer in zip(some, self._answers([bundles.read(reference) for reference in some]), strict=True):
                if answer and answer.status == 200 and answer.raw and bundles.address(answer.raw) == reference:
                    found[reference] = answer.raw
                elif answer and answer.status in (404, 410):
                    found[reference] = None
                else:
                    found |= self._read_alone(reference)
        return found

    def _read_alone(self, reference: str) -> dict[str, Raw | None]:
        type, _, id = reference.partition("/")
        try:
            return {reference: self.read(type, id).raw}
        except RemoteGone:
            return {reference: None}
        except RemoteFatal as error:
            if ends_all(error):
                raise
            return {}

    def _answers(self, entries: list[Raw]) -> Sequence[EntryResult | None]:
        """What became of the entries of a batch that reads; None for each where the remote does not answer it."""
        # Without no-cache HAPI 8.8 would answer with a header for each count that it remembers: more than http.client reads.
        ask = self._write("POST", "", bundles.batch(entries), _FRESH)
        try:
            return bundles.results(self._exchange.send(ask).body("Bundle"), expected=len(entries))
        except RemoteUnauthorised:
            raise
        except RemoteFatal:
            return [None] * len(entries)

    def history(self, type: str | None = None, *, since: str | None = None, id: str | None = None) -> Iterator[HistoryEntry]:
        """The versions of one resource, of all of a type or of everything, since an instant; newest first, asked for as the caller goes on.

        Raises RemoteTemporary where a page expired: ask again.
        """
        about = "/".join(filter(None, (type, id)))
        path = f"{about}/_history" if about else "_history"
        for raw, _ in self._pages(path, about or "_history", {"_since": since} if since else {}):
            yield from bundles.history(raw)

    def create(self, raw: Raw, *, if_none_exist: str | None = None) -> Written:
        """Create the resource, unless the condition (see bundle.condition) finds one. Raises MultipleMatches where it finds several."""
        type, conditional = resource_type(raw), if_none_exist is not None
        ask = self._write("POST", type, raw, {"If-None-Exist": if_none_exist} if if_none_exist is not None else {})
        return _written(type, self._exchange.send(replace(ask, repeatable=conditional, conditional=conditional)))

    def update(self, raw: Raw, *, if_match: str | None) -> Written:
        """Write over that version of it. Raises RemoteConflict where it moved; None only for a remote that has no versions.

        `created` means that the remote had no such resource and made it again: HAPI 8.8 does, whatever If-Match says.
        """
        ask = self._write("PUT", bundles.address(raw), raw, _if_match(if_match))
        # Twice, without a version, it could undo what somebody else wrote in between.
        return _written(resource_type(raw), self._exchange.send(replace(ask, known=True, repeatable=if_match is not None)))

    def patch(self, type: str, id: str, operations: list[Raw], *, if_match: str | None) -> Written:
        """Change that version of it by a JSON Patch. Raises RemoteConflict where it moved; None only for a remote that has no versions."""
        ask = self._write("PATCH", f"{type}/{id}", operations, {**_if_match(if_match), "Content-Type": JSON_PATCH})
        # Twice, without a version, it could add an item to a list twice.
        return _written(type, self._exchange.send(replace(ask, known=True, repeatable=if_match is not None)))

    def delete(self, type: str, id: str, *, if_match: str | None = None) -> None:
        """Delete it; that it is gone already is success. Raises RemoteConflict where it moved or others refer to it.

        HAPI 8.8 ignores If-Match on a deletion, so the version is also read just before: a moment is left in which it can still move.
        """
        headers = _if_match(if_match)
        try:
            if if_match is not None and self.read(type, id).version != if_match:
                raise RemoteConflict(f"DELETE {type}/{id} at {self.base_url}: the remote's version moved.")
            self._exchange.send(Ask("DELETE", f"{self.base_url}/{type}/{id}", f"{type}/{id}", headers=headers, known=True))
        except RemoteGone:
            return

    def transaction(self, bundle: Raw) -> list[EntryResult]:
        """What became of each entry of a transaction or batch, in the order of the request."""
        ask = self._write("POST", "", bundle, {})
        ask = replace(ask, repeatable=bundles.idempotent(bundle), conditional=bundles.conditional(bundle))
        return bundles.results(self._exchange.send(ask).body("Bundle"), expected=len(bundle.get("entry") or ()))

    def _get(self, path: str, about: str, params: Params | None = None) -> Ask:
        return Ask("GET", f"{self.base_url}/{path}", about, params or {}, headers=_FRESH)

    def _write(self, method: str, path: str, raw: Raw | list[Raw], headers: Mapping[str, str]) -> Ask:
        url, about = (f"{self.base_url}/{path}", path) if path else (self.base_url, "Bundle")
        return Ask(method, url, about, body=raw, headers={"Content-Type": FHIR_JSON, "Prefer": "return=representation", **headers})

    def _fetched(self, type: str, about: str, path: str) -> Fetched:
        answer = self._exchange.send(replace(self._get(path, about), known=True))
        raw = answer.body(type)
        return Fetched(raw, _version(raw) or bundles.version(answer.headers.get("ETag")), bundles.meta(raw).get("lastUpdated"))

    def _pages(self, path: str, about: str, params: Params) -> Iterator[tuple[Raw, Answer]]:
        ask = self._get(path, about, {"_count": self._page_size, **params})
        seen: set[str] = set()
        barren, last = 0, None
        while True:
            answer = self._page_answer(ask, first=not seen)
            raw = answer.body("Bundle")
            yield raw, answer
            following = bundles.link(raw, "next")
            if following is None:
                return
            url = self._next(ask, following)
            keys = [(entry.get("fullUrl"), _version(entry.get("resource") or {})) for entry in bundles.entries(raw)]
            barren, last = (barren + 1 if not keys or keys == last else 0), keys
            if url in seen or barren > _BARREN_PAGES:
                raise RemoteFatal(f"{ask.action}: its next links go round in a circle; stopped after {len(seen) + 1} pages.")
            seen.add(url)
            ask = replace(ask, url=url, params={})

    def _page_answer(self, ask: Ask, *, first: bool) -> Answer:
        try:
            return self._exchange.send(ask)
        except RemoteFatal as error:
            # A next link is the server's own state and can be dropped (HAPI: 410); the search itself can be made again.
            if first or error.http_status not in (404, 410):
                raise
            text = f"{ask.action}: a page expired on the remote ({error.http_status}); ask again from the start."
            raise RemoteTemporary(text, http_status=error.http_status) from None

    def _next(self, ask: Ask, following: str) -> str:
        # A relative link counts from the base URL, a mere query from the request: http://hl7.org/fhir/R4/bundle.html#references
        url = urljoin(ask.url if following.startswith("?") else f"{self.base_url}/", following)
        if _origin(url) != _origin(self.base_url):
            to = log.safe_url(url)
            raise RemoteFatal(f"{ask.action}: its next link leads to another host, {to}; is the base URL the remote's public address?")
        return url


def _if_match(version: str | None) -> dict[str, str]:
    return {"If-Match": bundles.weak_etag(version)} if version is not None else {}


def _page(type: str, raw: Raw, answer: Answer) -> Page:
    page = Page([], [], [], [], raw.get("total"), _server_time(raw, answer), answer.ask.url, answer.size)
    for entry in bundles.entries(raw):
        resource, mode = entry.get("resource") or {}, (entry.get("search") or {}).get("mode")
        if resource.get("resourceType") == "OperationOutcome":
            page.outcomes.append(resource)
        elif mode == "include":
            page.included.append(resource)
        else:
            (page.entries if resource.get("resourceType") == type else page.foreign).append(resource)
    return page


def _server_time(raw: Raw, answer: Answer) -> datetime:
    text = bundles.meta(raw).get("lastUpdated")
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        moment = http_date(answer.headers.get("Date"))
    if moment is None:
        raise RemoteFatal(f"{answer.ask.action}: the remote tells no time, neither in the Bundle nor in a Date header.")
    return moment.astimezone(UTC)


def _written(type: str, answer: Answer) -> Written:
    raw = answer.raw if answer.raw and answer.raw.get("resourceType") == type else None
    headers = answer.headers
    _, place_id, place_version = bundles.place(headers.get("Location") or headers.get("Content-Location")) or (None, None, None)
    id = (raw or {}).get("id") or place_id
    version = _version(raw or {}) or bundles.version(headers.get("ETag")) or place_version or (content_hash(raw) if raw else None)
    if not id or not version:
        raise RemoteFatal(f"{answer.ask.action}: the remote does not tell the id and version of what it wrote.", http_status=answer.status)
    return Written(answer.status == 201, type, id, version, raw)


def _version(raw: Raw) -> str | None:
    return bundles.version(bundles.meta(raw).get("versionId"))


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)


def _checked(base_url: str) -> str:
    """The base URL without a slash at its end. Raises Invalid for what cannot be one, and for a password inside it."""
    try:
        parts = urlsplit(base_url)
        usable = parts.scheme in _PORTS and parts.hostname and (parts.port or True)
    except ValueError:
        usable = False
    if not usable:
        raise Invalid("A base URL looks like https://host/fhir.", expression=["base_url"])
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise Invalid("A base URL holds no user, password, query or fragment.", expression=["base_url"])
    return base_url.rstrip("/")

"""Bulk Data as a client: ask a remote to export, see how far it is, read the files it made line by line. It keeps nothing.

What a caller can rely on: a file is read in bounded memory whatever its size; one that is cut off is read on from the line where it broke,
or fails; our credentials go to the remote's own host and to those that the caller names, and only where the manifest asks for them.
http://hl7.org/fhir/uv/bulkdata/STU2/export.html (2.0; what 1.0 answers is read too)
"""

import logging
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from urllib.parse import urljoin, urlsplit

from adapter import log
from adapter.errors import RemoteFatal, RemoteGone, RemoteTemporary
from adapter.fhir import ndjson
from adapter.fhir.exchange import MAX_BYTES, Ask, Exchange, Params, Stream
from adapter.fhir.manifest import NDJSON, File, Manifest, manifest
from adapter.fhir.ndjson import DAMAGED, Line, Place, Text
from adapter.fhir.retry import retry_after

# What an address answers that once led to an export or a file of it. A file that has become shorter (416) is another one.
_GONE = frozenset({404, 410, 416})
# What a link that is a permission by itself answers when it has expired.
_LAPSED = frozenset({401, 403})
# Brackets too, since a terminal may take what is in them for markup.
_UNPRINTABLE = re.compile(r"[^ -~]|[\[\]]")


@dataclass(frozen=True)
class Running:
    """An export that is not done. `progress` is the remote's own words, `wait` the seconds after which it wants to be asked again."""

    progress: str
    wait: float | None
    rest: bool = False
    """Whether it refuses to be asked sooner."""


class Bulk:
    """One remote's exports. `hosts` (`name` or `name:port`) may get our credentials beside its own. For one thread at a time."""

    def __init__(self, base_url: str, exchange: Exchange, hosts: Collection[str] = (), *, limit: int = MAX_BYTES) -> None:
        self._base_url, self._exchange, self._hosts, self._limit = base_url, exchange, frozenset(hosts), limit

    def begin(self, level: str, params: Params) -> str:
        """Ask for an export of `Patient`, of `Group/<id>`, or with "" of the whole system; the address at which to ask how far it is."""
        path = f"{level}/$export" if level else "$export"
        # Asked again after a lost answer, the remote may make the export twice, once for nobody.
        ask = Ask("GET", f"{self._base_url}/{path}", path, {"_outputFormat": NDJSON, **params}, headers={"Prefer": "respond-async"})
        answer = self._exchange.send(ask)
        status = answer.headers.get("Content-Location")
        if answer.status != 202 or not status:
            raise RemoteFatal(f"{ask.action}: the remote does not export: it tells no status address.", http_status=answer.status)
        return urljoin(ask.url, status)

    def status(self, url: str) -> Running | Manifest:
        """How far an export is. Raises RemoteGone where the remote does not know of it any more, or has failed at it."""
        ask = self._ask("GET", url, "$export-status", accept="application/json")
        try:
            with _gone(_GONE):
                answer = self._exchange.send(ask)
        except RemoteTemporary as error:
            if error.retry_after is not None:
                return Running("", error.retry_after, rest=True)
            # The others are about the moment; this one, time and again, is what the export came to.
            if error.http_status == 500:
                raise RemoteGone(error.text, http_status=500) from None
            raise
        if answer.status == 202:
            progress = _UNPRINTABLE.sub("", answer.headers.get("X-Progress", ""))[:100]
            return Running(progress, retry_after(answer.headers, self._exchange.clock))
        return manifest(answer.raw or {})

    def cancel(self, url: str) -> None:
        """Tell the remote that the export, done or not, is no longer needed. That it does not listen is no failure."""
        try:
            self._exchange.send(self._ask("DELETE", url, "$export-status", accept="application/json"))
        except (RemoteFatal, RemoteTemporary) as error:
            log.event("export.kept", level=logging.DEBUG, status=error.http_status)

    def lines(self, file: File, place: Place, *, token: bool) -> Iterator[Line]:
        """The lines of a file behind the place; where the connection breaks, read on from there.

        `token` is that of the manifest. Raises RemoteGone where the file is no longer there or has changed since that place was reached.
        """
        ask = self._ask("GET", urljoin(f"{self._base_url}/", file.url), f"$export-{file.type}", accept=NDJSON, token=token)
        retry, attempt = self._exchange.retry, 0
        while True:
            try:
                for line in self._lines(ask, place):
                    place, attempt = line.place, 0
                    yield line
                return
            except RemoteTemporary as error:
                attempt += 1
                if attempt >= retry.attempts:
                    raise
                log.event("export.broken", level=logging.WARNING, type=file.type, line=place.lines, attempt=attempt)
                self._exchange.sleep(retry.wait(attempt) if error.retry_after is None else error.retry_after)

    def _lines(self, ask: Ask, place: Place) -> Iterator[Line]:
        with _gone(_GONE if ask.auth else _GONE | _LAPSED):
            try:
                # A part begins with the last line that was read, which shows whether it is the same file.
                start = place.bytes - place.length
                if start and not place.packed:
                    ranged = {"Accept-Encoding": "identity", "Range": f"bytes={start}-"}
                    with self._exchange.stream(replace(ask, headers={**ask.headers, **ranged})) as stream:
                        if _is_part(stream, start):
                            yield from self._of_part(ask, Text(stream), place)
                            return
                with self._exchange.stream(replace(ask, headers={**ask.headers, "Accept-Encoding": "gzip"})) as stream:
                    yield from self._of_whole(ask, Text(_as_ndjson(ask, stream)), place)
            except DAMAGED:
                raise RemoteTemporary(f"{ask.action}: the file was cut off.") from None

    def _of_part(self, ask: Ask, text: Text, place: Place) -> Iterator[Line]:
        if ndjson.first_line(text, self._limit) != (place.last, place.length):
            raise _changed(ask)
        yield from ndjson.lines(text, place, limit=self._limit)

    def _of_whole(self, ask: Ask, text: Text, place: Place) -> Iterator[Line]:
        at = Place()
        for line in ndjson.lines(text, at, limit=self._limit, skip=place.lines):
            at = line.place
            if at.lines > place.lines:
                yield line
            elif at.lines == place.lines and at.digest != place.digest:
                raise _changed(ask)
        if at.lines < place.lines:
            raise _changed(ask)

    def _ask(self, method: str, url: str, about: str, *, accept: str, token: bool = True) -> Ask:
        """A request to an address that the remote gave. Raises RemoteFatal for one that would take what is secret where it must not go."""
        base, parts = urlsplit(self._base_url), urlsplit(url)
        ask = Ask(method, url, about, headers={"Accept": accept}, auth=token)
        if parts.scheme not in ("http", "https") or (base.scheme == "https" and parts.scheme != "https"):
            raise RemoteFatal(f"{ask.action}: the remote's export leads to an address without encryption.")
        ours = (parts.scheme, parts.netloc) == (base.scheme, base.netloc) or parts.netloc in self._hosts
        if token and not ours:
            raise RemoteFatal(
                f"{ask.action}: the export leads to another host, which wants our credentials; if it may have them, set export_hosts."
            )
        return ask


def _changed(ask: Ask) -> RemoteGone:
    return RemoteGone(f"{ask.action}: the file is not the one that was begun.")


def _is_part(stream: Stream, start: int) -> bool:
    """Whether the answer is the part asked for, as it is in the file."""
    told = stream.headers.get("Content-Range", "")
    return stream.status == 206 and told.startswith(f"bytes {start}-") and "Content-Encoding" not in stream.headers


def _as_ndjson(ask: Ask, stream: Stream) -> Stream:
    media = stream.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if media in ("text/html", "application/xhtml+xml"):
        raise RemoteFatal(f"{ask.action}: the answer is a web page, not NDJSON.", http_status=stream.status)
    return stream


@contextmanager
def _gone(statuses: Collection[int]) -> Iterator[None]:
    try:
        yield
    except RemoteFatal as error:
        if error.http_status in statuses:
            raise RemoteGone(error.text, http_status=error.http_status) from None
        raise

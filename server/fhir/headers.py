"""FHIR's use of HTTP headers, read and written. http://hl7.org/fhir/R4/http.html"""

from datetime import datetime
from email.utils import format_datetime, parsedate_to_datetime
from http import HTTPStatus

from adapter.errors import Invalid, NotAcceptable, UnsupportedMedia
from adapter.fhir.bundle import version, weak_etag
from server.fhir.messages import ABSENT, Answer, Request

FHIR_JSON = "application/fhir+json"
_JSON = frozenset({FHIR_JSON, "application/json", "text/json", "json"})
_ACCEPTED = _JSON | {"*/*", "application/*"}
_VERSIONS = frozenset({"4.0", "4.0.1"})
# Say in what form to answer, whatever is asked. http://hl7.org/fhir/R4/http.html#parameters
SHAPING = frozenset({"_format", "_pretty"})
# Browsers would keep patients' data on their disks; and without it a cache may guess how long an answer with a Last-Modified stays true:
# https://www.rfc-editor.org/rfc/rfc9111#section-4.2.2
UNCACHED = {"Cache-Control": "no-store"}


def check_accept(request: Request) -> None:
    """Raise NotAcceptable unless JSON of this version of FHIR will do; `_format` goes before Accept."""
    wanted = request.param("_format") or request.header("accept")
    if wanted is None:
        return
    # A form decodes the plus sign of application/fhir+json to a space.
    if not any(_serves(part) for part in wanted.replace("fhir json", "fhir+json").split(",")):
        raise NotAcceptable(f"Only {FHIR_JSON} of FHIR 4.0 is spoken here.")


def _serves(part: str) -> bool:
    kind, options = _taken_apart(part)
    try:
        refused = float(options.get("q", "1")) <= 0
    except ValueError:
        refused = False
    return kind in _ACCEPTED and not refused and options.get("fhirversion", "4.0") in _VERSIONS


def _taken_apart(media: str) -> tuple[str, dict[str, str]]:
    kind, *options = media.split(";")
    pairs = (option.partition("=") for option in options)
    return kind.strip().lower(), {name.strip().lower(): value.strip().strip('"') for name, _, value in pairs}


def content_kind(request: Request) -> str:
    """The media type of the body; without a Content-Type it is read as FHIR's JSON."""
    return _taken_apart(request.header("content-type") or FHIR_JSON)[0]


def check_content(request: Request, *extra: str) -> None:
    """Raise UnsupportedMedia for a body that does not say it is JSON, or is of another version of FHIR."""
    kind, options = _taken_apart(request.header("content-type") or FHIR_JSON)
    if (kind not in _JSON and kind not in extra) or options.get("fhirversion", "4.0") not in _VERSIONS:
        raise UnsupportedMedia(f"A body must be {' or '.join((FHIR_JSON, *extra))} of FHIR 4.0.")


def pretty(request: Request) -> bool:
    """Whether the answer is to be laid out for people."""
    return request.param("_pretty") in ("true", "")


def prefer(request: Request, name: str) -> str | None:
    """The caller's preference, such as `minimal` for `return`."""
    for part in (request.header("prefer") or "").replace(";", ",").split(","):
        key, _, value = part.strip().partition("=")
        if key == name:
            return value.strip('"')
    return None


def expected(request: Request) -> int | None:
    """The version that a write is made against: If-Match, or ABSENT for `If-None-Match: *`. Raises Invalid for any other If-None-Match.

    None where the caller named none, 0 where what it named cannot be a version of ours.
    """
    text, unless = request.header("if-match"), request.header("if-none-match")
    if unless is not None:
        if request.method != "PUT" or text is not None or unless.strip() != "*":
            raise Invalid("If-None-Match of a write is for updates, alone, and * (there must be none yet).")
        return ABSENT
    if text is None or text.strip() == "*":
        return None
    found = version(text) or ""
    return int(found) if found.isascii() and found.isdigit() and len(found) < 10 else 0


def unchanged(request: Request, answer: Answer) -> bool:
    """Whether the caller has this version already: If-None-Match, or without it If-Modified-Since."""
    known = request.header("if-none-match")
    if known is not None:
        return known.strip() == "*" or (answer.version is not None and str(answer.version) in map(version, known.split(",")))
    since = request.header("if-modified-since")
    if since is None or answer.updated is None:
        return False
    try:
        # An entry of a Bundle writes an instant where HTTP has a date of its own.
        known_at = datetime.fromisoformat(since) if since[4:5] == "-" else parsedate_to_datetime(since)
        return answer.updated.replace(microsecond=0) <= known_at
    except (ValueError, TypeError):
        raise Invalid("If-Modified-Since is not an HTTP date, nor ifModifiedSince an instant.") from None


def http_date(moment: datetime) -> str:
    return format_datetime(moment, usegmt=True)


def written(answer: Answer, base: str) -> dict[str, str]:
    """The headers that say what an answer is about."""
    found = {**({} if answer.text is None else {"Content-Type": FHIR_JSON}), **UNCACHED}
    if answer.version is not None:
        found["ETag"] = weak_etag(str(answer.version))
    if answer.updated is not None:
        found["Last-Modified"] = http_date(answer.updated)
    if answer.location is not None:
        # Of an update, HAPI's client takes the id and version from here, and fhir-kindling, in a Bundle, from its `location`.
        found["Location" if answer.status == HTTPStatus.CREATED else "Content-Location"] = f"{base}/{answer.location}"
    return {**found, **answer.headers}

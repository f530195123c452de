"""FHIR's use of HTTP headers, read and written. http://hl7.org/fhir/R4/http.html"""

from datetime import datetime
from email.utils import format_datetime, parsedate_to_datetime

from adapter.errors import Invalid, NotAcceptable, UnsupportedMedia
from adapter.fhir.bundle import version, weak_etag
from server.fhir.messages import Answer, Request

FHIR_JSON = "application/fhir+json"
_JSON = frozenset({FHIR_JSON, "application/json", "text/json", "json"})
_ACCEPTED = _JSON | {"*/*", "application/*"}


def check_accept(request: Request) -> None:
    """Raise NotAcceptable unless JSON will do; `_format` goes before Accept."""
    wanted = request.param("_format") or request.header("accept")
    if wanted is None:
        return
    # A form decodes the plus sign of application/fhir+json to a space.
    kinds = [part.partition(";") for part in wanted.replace("fhir json", "fhir+json").split(",")]
    if not any(kind.strip().lower() in _ACCEPTED and "q=0" not in rest.replace(" ", "").split(";") for kind, _, rest in kinds):
        raise NotAcceptable(f"Only {FHIR_JSON} is spoken here.")


def check_content(request: Request, *extra: str) -> None:
    """Raise UnsupportedMedia for a body that does not say it is JSON. No Content-Type at all is read as JSON."""
    kind = (request.header("content-type") or FHIR_JSON).partition(";")[0].strip().lower()
    if kind not in _JSON and kind not in extra:
        raise UnsupportedMedia(f"A body must be {FHIR_JSON}.")


def prefer(request: Request, name: str) -> str | None:
    """The caller's preference, such as `minimal` for `return`."""
    for part in (request.header("prefer") or "").replace(";", ",").split(","):
        key, _, value = part.strip().partition("=")
        if key == name:
            return value.strip('"')
    return None


def if_match(request: Request) -> int | None:
    """The version the caller wrote against; None where it named none, 0 where what it named cannot be a version of ours."""
    text = request.header("if-match")
    if text is None or text.strip() == "*":
        return None
    found = version(text) or ""
    return int(found) if found.isascii() and found.isdigit() and len(found) < 10 else 0


def unchanged(request: Request, answer: Answer) -> bool:
    """Whether the caller has this version already: If-None-Match, or without it If-Modified-Since."""
    known = request.header("if-none-match")
    if known is not None:
        return known.strip() == "*" or str(answer.version) in [version(tag) for tag in known.split(",")]
    since = request.header("if-modified-since")
    if since is None or answer.updated is None:
        return False
    try:
        return answer.updated.replace(microsecond=0) <= parsedate_to_datetime(since)
    except (ValueError, TypeError):
        raise Invalid("If-Modified-Since is not an HTTP date.") from None


def http_date(moment: datetime) -> str:
    return format_datetime(moment, usegmt=True)


def written(answer: Answer, base: str) -> dict[str, str]:
    """The headers that say what an answer is about."""
    found = {}
    if answer.version is not None:
        found["ETag"] = weak_etag(str(answer.version))
    if answer.updated is not None:
        found["Last-Modified"] = http_date(answer.updated)
    if answer.location is not None:
        found["Location"] = f"{base}/{answer.location}"
    return found

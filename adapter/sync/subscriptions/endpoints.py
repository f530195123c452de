"""Where notifications may be sent: to what the site names, and the operator's own to this machine. Nobody can make this server ask another
address (SSRF)."""

import re
from collections.abc import Sequence
from urllib.parse import unquote, urlsplit

from adapter.errors import Forbidden, Invalid
from adapter.fhir.tls import is_loopback

# RFC 3986, without user, password and fragment; what two parsers could read in two ways has no place in it.
_URL = re.compile(
    r"https?://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(:[0-9]{1,5})?(/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?(\?[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?"
)
_PORTS = {"http": 80, "https": 443}
_ELEMENT = ("Subscription.channel.endpoint",)


def check(endpoint: str, *, payload: bool, named: Sequence[str], operators: bool = True) -> None:
    """Raise Invalid unless this is an address that notifications can be sent to, Forbidden unless they may be.

    Allowed is what begins with one of the URLs in `named`; and for what is the operator's own (`operators`) loopback, where others could
    reach what listens to this machine alone. Beyond loopback it is by https only.
    """
    if not _URL.fullmatch(endpoint) or not _has_port(endpoint):
        raise Invalid("An endpoint is an http(s) URL of ASCII characters, without user, password and fragment.", expression=_ELEMENT)
    parts = urlsplit(endpoint)
    # Tomcat, for one, leaves out what follows a semicolon, and then goes up by `..;`.
    if any(step.partition(";")[0] in (".", "..") for step in re.split(r"[/\\]", unquote(parts.path))):
        raise Invalid("The path of an endpoint has no steps . and ..", expression=_ELEMENT)
    if payload and parts.query:
        raise Invalid("An endpoint that gets resources is the base of a FHIR service, which has no query.", expression=_ELEMENT)
    here = is_loopback(parts.hostname or "")
    if here and operators:
        return
    if parts.scheme != "https" and not here:
        raise Forbidden("Beyond this machine notifications are sent by https only.", expression=_ELEMENT)
    if not any(_begins(endpoint, prefix) for prefix in named):
        whither = "to this machine only, and to the addresses" if operators else "only to the addresses"
        raise Forbidden(f"Notifications are sent {whither} that CASEBRIDGE_SUBSCRIBERS names; this is none of them.", expression=_ELEMENT)


def _has_port(url: str) -> bool:
    try:
        return urlsplit(url).port != 0
    except ValueError:
        return False


def _begins(endpoint: str, prefix: str) -> bool:
    """Whether the prefix names this very origin, and a path that the endpoint is under."""
    asked, allowed = urlsplit(endpoint), urlsplit(prefix)
    root = allowed.path.rstrip("/")
    return _origin(endpoint) == _origin(prefix) and (asked.path == root or asked.path.startswith(f"{root}/"))


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)

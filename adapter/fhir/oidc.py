"""The token endpoint of an OpenID Provider, where somebody logged in to come here."""

from collections.abc import Mapping

from adapter.clock import utc_now
from adapter.fhir.oauth import ask_token
from adapter.fhir.resource import Raw
from adapter.fhir.tls import Transport

# Somebody waits before a page meanwhile.
_TIMEOUT = (3.0, 5.0)


def redeem(url: str, form: Mapping[str, str], basic: str = "") -> Raw:
    """What is given for a code, with its ID token; `basic` is `client:secret`. Raises Invalid for a URL in clear, RemoteError for less."""
    reply = ask_token(Transport(timeout=_TIMEOUT), url, form, utc_now, basic=basic)
    reply.granted("the client's secret")
    return reply.body

"""The public keys that a client of ours publishes: its JSON Web Key Set, fetched."""

from adapter.clock import Clock, utc_now
from adapter.fhir.exchange import Ask, Exchange
from adapter.fhir.resource import Raw
from adapter.fhir.retry import RetryPolicy
from adapter.fhir.tls import Transport

# Somebody waits for a token meanwhile.
_TIMEOUT = (3.0, 5.0)
_MAX_BYTES = 256 * 1024


def fetch(url: str, transport: Transport | None = None, clock: Clock = utc_now) -> Raw:
    """What is at a URL that was registered. Raises Invalid for one in clear beyond this machine, RemoteError for no answer in JSON."""
    transport = transport or Transport(timeout=_TIMEOUT)
    transport.check(url)
    with transport.session(clock) as session:
        retry = RetryPolicy(attempts=1)
        exchange = Exchange(auth=None, timeout=transport.timeout, retry=retry, session=session, max_bytes=_MAX_BYTES, clock=clock)
        return exchange.send(Ask("GET", url, "the key set", headers={"Accept": "application/json"})).raw or {}

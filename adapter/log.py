"""Logs without patient data: an event name and safe key=value pairs (types, ids, counts, codes), never bodies, names or query strings."""

import logging
from urllib.parse import urlsplit, urlunsplit

_LOGGER = logging.getLogger("casebridge")


def set_level(level: str) -> None:
    """Send casebridge's log to standard error at this level, such as INFO."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    _LOGGER.handlers[:] = [handler]
    _LOGGER.setLevel(level)
    _LOGGER.propagate = False


def event(name: str, *, level: int = logging.INFO, **facts: object) -> None:
    """Log `noun.verb` with its facts. The caller passes only what may be seen: types, ids, counts, codes, durations."""
    if _LOGGER.isEnabledFor(level):
        _LOGGER.log(level, "%s%s", name, "".join(f" {key}={value}" for key, value in facts.items()))


def safe_url(url: str) -> str:
    """The URL without credentials, query and fragment: a FHIR query can hold a name or an identifier."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.port:
        host = f"{host}:{parts.port}"
    return urlunsplit((parts.scheme, host, parts.path, "", ""))

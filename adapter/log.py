"""Logs without patient data: an event name and safe key=value pairs (types, ids, counts, codes), never bodies, names or query strings.

One line an event, in logfmt: `2025-04-22T13:00:00.000Z INFO noun.verb key=value`, a value with anything but plain characters in quotes as
JSON has them. So a person can read it, a machine can split it, and no value can pretend to be a line of its own.
"""

import json
import logging
import re
from datetime import UTC, datetime
from urllib.parse import urlsplit, urlunsplit

from adapter.clock import instant

_LOGGER = logging.getLogger("casebridge")
_PLAIN = re.compile(r"[^\s\"'=\\\x00-\x1f\x7f]+").fullmatch


class _Line(logging.Formatter):
    """The time in UTC, whatever zone the machine is in."""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802, ARG002 - logging's name and arguments
        return instant(datetime.fromtimestamp(record.created, UTC))


def set_level(level: str) -> None:
    """Send casebridge's log to standard error at this level, such as INFO."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Line("%(asctime)s %(levelname)s %(message)s"))
    _LOGGER.handlers[:] = [handler]
    _LOGGER.setLevel(level)
    _LOGGER.propagate = False


def event(name: str, *, level: int = logging.INFO, **facts: object) -> None:
    """Log `noun.verb` with its facts. The caller passes only what may be seen: types, ids, counts, codes, durations."""
    if _LOGGER.isEnabledFor(level):
        _LOGGER.log(level, "%s%s", name, "".join(f" {key}={_shown(value)}" for key, value in facts.items()))


def _shown(value: object) -> str:
    text = str(value)
    return text if _PLAIN(text) else json.dumps(text)


def safe_origin(url: str) -> str:
    """The scheme, host and port of a URL."""
    parts = urlsplit(safe_url(url))
    return urlunsplit((parts.scheme, parts.netloc, "", "", ""))


def safe_url(url: str) -> str:
    """The URL without credentials, query and fragment: a FHIR query can hold a name or an identifier."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.port:
        host = f"{host}:{parts.port}"
    return urlunsplit((parts.scheme, host, parts.path, "", ""))

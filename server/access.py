"""Each request has an id, a line in the log and its place in the metrics."""

import logging
import os
import re
from typing import Any

from adapter.log import event
from server.interaction import OTHER, interaction
from server.metrics import Metrics
from server.reply import Reply

HEADER = "X-Request-Id"
"""http://hl7.org/fhir/R4/http.html#custom"""
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# What logs and other servers take without quoting, and too short for a document.
_SANE = re.compile(r"[A-Za-z0-9._:/+=-]{1,64}").fullmatch


def request_id(given: str) -> str:
    """The caller's id for its request if it is of plain characters and at most 64 long, else a new one."""
    return given if _SANE(given) else os.urandom(8).hex()


def tell(metrics: Metrics, environ: dict[str, Any], id: str, reply: Reply, seconds: float) -> None:
    """Log and count a request that is answered; a failure (5xx) as a warning, all else as information.

    It is known by method, interaction, type and status, never by its path, query or ids: who chooses an id may choose a patient's number.
    """
    method = environ["REQUEST_METHOD"] if environ["REQUEST_METHOD"] in _METHODS else OTHER
    name, type = interaction(method, environ["PATH_INFO"])
    metrics.answered(method, name, type, reply.status, seconds)
    level = logging.WARNING if reply.status >= 500 else logging.INFO
    facts = {"method": method, "interaction": name, "type": type or "-", "status": reply.status, "bytes": reply.length}
    event("request.answered", level=level, request=id, **facts, ms=round(seconds * 1000, 1))

"""What watches the server asks: whether it lives, whether it can do its work, and its counts. docs/serving.md says how to use them."""

import flask
import pymongo
from pymongo.errors import PyMongoError

from adapter.errors import StoreUnavailable
from adapter.store.repository import Repository
from adapter.store.restoring import refuse_half_restored
from server.metrics import CONTENT_TYPE, Metrics

PATHS = frozenset({"/health", "/ready", "/metrics"})
READY_SECONDS = 2.0
"""How long the store may take to answer before the server counts as not ready."""


def install(app: flask.Flask, repository: Repository, metrics: Metrics) -> None:
    """Answer /health (the process lives), /ready (the store answers and is whole; else 503) and /metrics."""

    def ready() -> dict[str, str]:
        try:
            with pymongo.timeout(READY_SECONDS):
                repository.database.command("ping")
                refuse_half_restored(repository.database)
        except PyMongoError:
            raise StoreUnavailable(f"The database does not answer within {READY_SECONDS:.0f} s.") from None
        return {"status": "ready"}

    app.add_url_rule("/health", "health", lambda: {"status": "ok"})
    app.add_url_rule("/ready", "ready", ready)
    app.add_url_rule("/metrics", "metrics", lambda: flask.Response(metrics.text(), content_type=CONTENT_TYPE))

"""What is counted, for Prometheus. https://prometheus.io/docs/instrumenting/exposition_formats/

No label holds what a caller makes up: `access` gives methods, interactions and types from closed lists, so the number of series is bounded.
"""

from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

CONTENT_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Metrics:
    """The counts of one application."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        labels = ("method", "interaction", "type", "status")
        requests = Counter("casebridge_requests", "Requests answered, by class of status.", labels, registry=self._registry)
        seconds = Histogram(
            "casebridge_request_seconds",
            "Time from a request's turn to its answer.",
            ("interaction",),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self.in_flight = Gauge("casebridge_requests_in_flight", "Requests that are being answered.", registry=self._registry)
        # Looking up a series by its labels costs more than counting in it.
        self._requests = cache(requests.labels)
        self._seconds = cache(seconds.labels)

    def answered(self, method: str, interaction: str, type: str, status: int, seconds: float) -> None:
        """Count a request and the seconds it took."""
        self._requests(method, interaction, type, f"{status // 100}xx").inc()
        self._seconds(interaction).observe(seconds)

    def text(self) -> bytes:
        """All counts in Prometheus's text format."""
        return generate_latest(self._registry)

"""Requests of this instance, counted for monitoring: by route and status, and how long they took.

No answer follows from these numbers but those of `/metrics/prometheus`.
"""

from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.types import Scope

# The aim is 50 ms for 95 of 100.
_BUCKETS_S = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Requests:
    """Counts of one instance."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._count = Counter(
            "leak_assets_api_requests",
            "Requests by route and status.",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self._time = Histogram(
            "leak_assets_api_request_seconds",
            "Time to answer, by route.",
            ("route",),
            buckets=_BUCKETS_S,
            registry=self.registry,
        )

    def observe(self, scope: Scope, status: int, seconds: float) -> None:
        """Count a request."""
        # The route as declared, never the path: anybody may make those up.
        route = getattr(scope.get("route"), "path", "none")
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._count.labels(method, route, str(status)).inc()
        self._time.labels(route).observe(seconds)


_METHODS = frozenset({"GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS"})

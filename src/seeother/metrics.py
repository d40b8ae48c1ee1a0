"""Numbers for operators: Prometheus and OpenTelemetry, both optional.

    from seeother.metrics import prometheus
    prometheus()                     # once per process, before the first request

Labels are few and known beforehand: the method, the route as the framework spells it (never the
path: paths are endless), the status, and the word that the log uses. No query, token or field value
ever becomes a label. An app that is wrapped by one line and has no routes that could be seen counts
under route "-"; `route=` may name them.

| metric | labels | |
|---|---|---|
| `seeother_requests_total` | method, route, status, word | requests that were answered |
| `seeother_request_seconds` | method, route, word | how long they took: a histogram |
| `seeother_events_total` | what | what to look at: fenced, unrecorded, unprotected ... |

OpenTelemetry has the same three under `seeother.requests`, `seeother.request.duration` and
`seeother.events`, and one span per submission, in the span of the server that surrounds it. Its
name is low in cardinality and its times are those of the request (semantic conventions for HTTP).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from .core.origin import SAFE_METHODS
from .log import Answered, watch

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider
    from prometheus_client import CollectorRegistry

NONE: Final = "-"
OTHER: Final = "OTHER"
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
NANO: Final = 1_000_000_000

Route = Callable[[Answered], str]
Stop = Callable[[], None]


def known_route(fact: Answered) -> str:
    """The framework's own pattern.

    >>> known_route(Answered("GET", "/orders/7", "/orders/<int:n>", 200, None, "page", 0.01))
    '/orders/<int:n>'
    """
    return fact.route or NONE


def prometheus(registry: CollectorRegistry | None = None, *, route: Route = known_route) -> Stop:
    """Count for Prometheus, from now on and in this process.

    `registry` is where the metrics are registered (default: prometheus_client's own), `route` names
    the route of a request in a few words. Returns a function that ends the counting. Needs
    `prometheus-client` (`pip install "seeother[prometheus]"`); with several worker processes its
    multiprocess mode (PROMETHEUS_MULTIPROC_DIR) adds them up.

    >>> from prometheus_client import CollectorRegistry, generate_latest
    >>> registry = CollectorRegistry()
    >>> stop = prometheus(registry)
    >>> b"seeother_request_seconds" in generate_latest(registry)
    True
    >>> stop()
    """
    return watch(_Prometheus(registry, route))


def opentelemetry(
    meter_provider: MeterProvider | None = None,
    tracer_provider: TracerProvider | None = None,
    *,
    route: Route = known_route,
) -> Stop:
    """Count and trace for OpenTelemetry, from now on and in this process.

    The providers default to the global ones; `route` names the route of a request in a few words.
    Returns a function that ends it. Needs `opentelemetry-api` (`pip install
    "seeother[opentelemetry]"`); without an SDK beside it the calls do nothing.

    >>> stop = opentelemetry()
    >>> stop()
    """
    return watch(_OpenTelemetry(meter_provider, tracer_provider, route))


class _Prometheus:
    """The three metrics of Prometheus."""

    def __init__(self, registry: CollectorRegistry | None, route: Route) -> None:
        from prometheus_client import REGISTRY, Counter, Histogram  # noqa: PLC0415 - an extra

        where, self._route = registry or REGISTRY, route
        labels = ("method", "route", "status", "word")
        self._requests = Counter("seeother_requests", "Answered requests.", labels, registry=where)
        self._seconds = Histogram(
            "seeother_request_seconds",
            "Seconds from a request to the head of its answer.",
            ("method", "route", "word"),
            registry=where,
            buckets=BUCKETS,
        )
        self._events = Counter("seeother_events", "What to look at.", ("what",), registry=where)

    def answered(self, fact: Answered) -> None:
        """Count a request."""
        method, route = _method(fact), self._route(fact)
        self._requests.labels(method, route, str(fact.status), fact.word).inc()
        self._seconds.labels(method, route, fact.word).observe(fact.seconds)

    def happened(self, what: str) -> None:
        """Count an event."""
        self._events.labels(what).inc()


class _OpenTelemetry:
    """The same for OpenTelemetry, and a span per submission."""

    def __init__(
        self, meters: MeterProvider | None, tracers: TracerProvider | None, route: Route
    ) -> None:
        from opentelemetry import metrics, trace  # noqa: PLC0415 - an extra

        named = ("seeother", version("seeother"))
        meter = metrics.get_meter(*named, meter_provider=meters)
        self._route, self._tracer = route, trace.get_tracer(*named, tracer_provider=tracers)
        self._requests = meter.create_counter("seeother.requests", "{request}")
        self._events = meter.create_counter("seeother.events", "{event}")
        self._seconds = meter.create_histogram("seeother.request.duration", "s")

    def answered(self, fact: Answered) -> None:
        """Count a request; of a submission its span, too."""
        method, route = _method(fact), self._route(fact)
        status: dict[str, Any] = {"http.response.status_code": fact.status}
        labels = {"http.request.method": method, "http.route": route, "seeother.word": fact.word}
        self._requests.add(1, {**labels, **status})
        self._seconds.record(fact.seconds, labels)
        if method not in SAFE_METHODS:
            end = time.time_ns()
            start = end - int(fact.seconds * NANO)
            name = f"seeother {method} {route}"
            span = self._tracer.start_span(name, attributes={**labels, **status}, start_time=start)
            span.end(end)

    def happened(self, what: str) -> None:
        """Count an event."""
        self._events.add(1, {"seeother.event": what})


def _method(fact: Answered) -> str:
    """Methods are words of the client; those that nobody knows are one (RFC 9110 9.1)."""
    return fact.method if fact.method in METHODS else OTHER

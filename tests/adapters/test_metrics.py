"""Metrics: every answered request is counted once, under names that are known beforehand.

The apps are real, the registries and exporters are Prometheus' and OpenTelemetry's own.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask import redirect as flask_redirect
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse
from starlette.routing import Route
from starlette.testclient import TestClient
from werkzeug.test import Client

import seeother.flask
import seeother.wsgi
from seeother.log import Answered, happened, watch
from seeother.metrics import opentelemetry, prometheus
from seeother.starlette import SeeOtherMiddleware

SECRET = "a secret of a test, 32 bytes or more"
FORM = '<form method="post"><input name="text"><button>Send</button></form>'
SAID = "Sent-by-Ann-7"


def site(environ: Any, start_response: Any) -> list[bytes]:
    """A page with a form; a form leads to the same page."""
    if environ["REQUEST_METHOD"] == "POST":
        start_response("303 See Other", [("Location", "/orders/7?secret=1")])
        return [b""]
    start_response("200 OK", [("Content-Type", "text/html")])
    return [FORM.encode()]


def token_of(text: str) -> str:
    """The token in a page."""
    found = re.search(r'name="so_token" value="([^"]+)"', text)
    assert found is not None
    return found[1]


@pytest.fixture
def registry() -> Iterator[CollectorRegistry]:
    """A registry of Prometheus for one test, with our metrics in it."""
    found = CollectorRegistry()
    stop = prometheus(found)
    yield found
    stop()


def flask_site(path: Path) -> Flask:
    """A small Flask app with a route that has a variable in it."""
    app = Flask(__name__)
    app.config.update(SECRET_KEY=SECRET, SEEOTHER_STORE=f"sqlite:///{path}/ledger.db")
    seeother.flask.SeeOther(app)

    @app.route("/orders/<int:n>", methods=["GET", "POST"])
    def order(n: int) -> Any:
        return FORM

    @app.post("/done/<int:n>")
    def done(n: int) -> Any:
        return flask_redirect(f"/orders/{n}")

    return app


def test_prometheus_counts_a_double_click(registry: CollectorRegistry, tmp_path: Path) -> None:
    """One submission sent twice: one `new`, one `replayed`, in the framework's own words."""
    client = flask_site(tmp_path).test_client()
    token = token_of(client.get("/orders/7").text)
    for _ in range(2):
        client.post("/done/7", data={"so_token": token, "text": SAID})
    labels = {"method": "POST", "route": "/done/<int:n>", "status": "303"}
    for word in ("new", "replayed"):
        named = {**labels, "word": word}
        assert registry.get_sample_value("seeother_requests_total", named) == 1
    timed = {"method": "POST", "route": "/done/<int:n>", "word": "new"}
    assert registry.get_sample_value("seeother_request_seconds_count", timed) == 1


def test_no_path_no_token_no_value(registry: CollectorRegistry, tmp_path: Path) -> None:
    """Nothing that a client may choose becomes a label: endless paths and methods are one each."""
    app = seeother.wsgi.SeeOther(site, store=f"sqlite:///{tmp_path}/ledger.db", secret=SECRET)
    client = Client(app)
    token = token_of(client.get("/orders/8").text)
    client.post("/orders/8", data={"so_token": token, "text": SAID})
    for n in range(20):
        client.open(f"/other/{n}?secret=1", method=f"MADEUP{n}")
    text = generate_latest(registry).decode()
    for said in (token, SAID, "secret", "/orders", "/other", "MADEUP"):
        assert said not in text
    odd = [line for line in text.splitlines() if 'method="OTHER"' in line and "_total" in line]
    assert len(odd) == 1 and odd[0].endswith(" 20.0")


def test_routes_may_be_named(tmp_path: Path) -> None:
    """An unmodified app has no routes that could be seen; a function may say them."""
    registry = CollectorRegistry()
    stop = prometheus(registry, route=lambda fact: fact.path.split("/")[1])
    app = seeother.wsgi.SeeOther(site, store=f"sqlite:///{tmp_path}/ledger.db", secret=SECRET)
    Client(app).get("/orders/8")
    stop()
    Client(app).get("/orders/8")  # nobody counts any more
    named = {"method": "GET", "route": "orders", "status": "200", "word": "page"}
    assert registry.get_sample_value("seeother_requests_total", named) == 1


def starlette_site(path: Path) -> Starlette:
    """A small Starlette app."""

    async def order(request: Request) -> Any:
        if request.method == "POST":
            return RedirectResponse("/orders/1", 303)
        return HTMLResponse(FORM)

    app = Starlette(routes=[Route("/orders/{n:int}", order, methods=["GET", "POST"])])
    app.add_middleware(SeeOtherMiddleware, store=f"sqlite:///{path}/ledger.db", secret=SECRET)
    return app


def test_opentelemetry_counts_and_traces(tmp_path: Path) -> None:
    """A submission is one span of the request's length; pages are counted only."""
    reader, spans = InMemoryMetricReader(), InMemorySpanExporter()
    tracers = TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(spans))
    stop = opentelemetry(MeterProvider([reader]), tracers)
    with TestClient(starlette_site(tmp_path)) as client:
        token = token_of(client.get("/orders/7").text)
        client.post(
            "/orders/7",
            data={"so_token": token, "text": SAID},
            headers={"sec-fetch-site": "same-origin"},
            follow_redirects=False,
        )
    stop()
    (span,) = spans.get_finished_spans()
    assert span.name == "seeother POST /orders/{n:int}"
    assert span.attributes is not None and span.attributes["seeother.word"] == "new"
    assert span.start_time and span.end_time and span.start_time <= span.end_time
    data = reader.get_metrics_data()
    assert data is not None
    found = {
        metric.name: sum(
            getattr(p, "value", 0) or getattr(p, "count", 0) for p in metric.data.data_points
        )
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }
    assert found == {"seeother.requests": 2, "seeother.request.duration": 2}
    assert SAID not in str(data) and token not in str(data)


def test_events_are_counted(registry: CollectorRegistry) -> None:
    """What the log warns of is a number, too."""
    happened(logging.ERROR, "fenced", "fenced: submission %s", "00")
    assert registry.get_sample_value("seeother_events_total", {"what": "fenced"}) == 1


def test_a_broken_watcher_costs_no_answer(tmp_path: Path, caplog: Any) -> None:
    """What a watcher raises is logged; the answer is the app's."""

    class Broken:
        def answered(self, fact: Answered) -> None:
            raise ValueError(fact.word)

        def happened(self, what: str) -> None:
            raise ValueError(what)

    stop = watch(Broken())
    app = seeother.wsgi.SeeOther(site, store=f"sqlite:///{tmp_path}/ledger.db", secret=SECRET)
    assert Client(app).get("/").status_code == 200
    happened(logging.INFO, "nothing", "nothing")
    stop()
    stop()  # twice is once
    assert "a watcher of requests raised" in caplog.text

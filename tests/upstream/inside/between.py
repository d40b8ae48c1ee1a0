"""seeother around the app that a test client calls, and the client taken for a browser.

Test clients send cookies and say nothing about where a form comes from. Of a real request like that
seeother has to assume the worst. So each request comes with the one header that every browser sends
from a page of the same site; the app inside never sees it.

`VISITS` counts the requests that seeother saw: a run in which it saw none has shown nothing.

`UPSTREAM_LINT` puts the checkers of both protocols (`seeother.testing.lint`) on both sides of
seeother ("around"), or in its place ("alone"): what they find then is the test's own affair.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from functools import cache
from io import BytesIO
from itertools import count
from typing import Any, Final
from wsgiref.validate import IteratorWrapper, validator

from seeother import asgi, visit_end, wsgi
from seeother.testing.lint import ASGILint, WSGILint

SECRET: Final = "the secret of test suites that know nothing of it"
STORE: Final = "memory://"
SITE: Final = "HTTP_SEC_FETCH_SITE"
HEADER: Final = (b"sec-fetch-site", b"same-origin")
SAID: Final = "upstream.said"
APP: Final = "upstream.app"
SIDE: Final = "upstream_side"
UNCLOSED: Final = {"app": 0, "seeother": 0}  # iterators that nobody closed
LINT: Final = os.environ.get("UPSTREAM_LINT", "")

WSGIApp = Callable[[dict[str, Any], Any], Iterable[bytes]]


def _counted() -> Callable[[], int]:
    """Count the visits of every adapter; returns what says how many there were."""
    begin, numbers, last = visit_end.Ending.__init__, count(1), [0]

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        last[0] = next(numbers)
        begin(self, *args, **kwargs)

    visit_end.Ending.__init__ = init  # type: ignore[method-assign]
    return lambda: last[0]


VISITS: Final = _counted()


def _inner(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    if environ.pop(SAID):
        del environ[SITE]
    app: WSGIApp = environ.pop(APP)
    return _judged(app, "app")(environ, start_response)


def _judged(app: WSGIApp, side: str) -> WSGIApp:
    """Behind a checker. A missing `close()` is only counted: many clients forget it."""
    if not LINT:
        return app

    def watching(checked: WSGIApp) -> WSGIApp:
        judge: WSGIApp = validator(checked)

        def run(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            answer: Iterable[bytes] = judge(environ, start_response)
            setattr(answer, SIDE, side)
            return answer

        return run

    return WSGILint(app, watching)


def _left(iterator: Any) -> None:
    """In place of what would fail some later test."""
    if not iterator.closed:
        UNCLOSED[getattr(iterator, SIDE)] += 1


if LINT:
    IteratorWrapper.__del__ = _left  # type: ignore[method-assign]


def seen() -> dict[str, Any]:
    """What a recorder writes beside the outcomes."""
    return {"visits": VISITS(), "unclosed": UNCLOSED}


@cache
def _outer(redirect_status: int) -> wsgi.SeeOther:
    """One for all apps: one for each of them would keep every app of a suite alive."""
    return wsgi.SeeOther(_inner, secret=SECRET, store=STORE, redirect_status=redirect_status)


def around_wsgi(app: WSGIApp, *, redirect_status: int = 303) -> WSGIApp:
    """A WSGI app behind `seeother.wsgi.SeeOther`, for a client that is a browser.

    A client that follows a 307 sends the stream of its form a second time, and some look into it
    afterwards; so it is where it was when the app has answered.
    """
    if LINT == "alone":
        return _judged(app, "app")
    outer = _judged(_outer(redirect_status), "seeother")

    def client(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        said = SITE not in environ
        site = {SITE: "same-origin"} if said else {}
        stream = environ.get("wsgi.input")
        before = stream.tell() if isinstance(stream, BytesIO) else 0
        answer = outer({**environ, **site, SAID: said, APP: app}, start_response)
        if isinstance(stream, BytesIO) and not stream.closed:
            stream.seek(before)
        return answer

    return client


def client_linted(app: Any) -> Any:
    """A checker right behind a test client, which has its own idea of `asgi` and of ports."""
    lint: Any = ASGILint(app)

    async def client(scope: Any, receive: Any, send: Any) -> None:
        host, port = scope.get("server") or ("", None)
        server = {"server": (host, int(port))} if isinstance(port, str) else {}
        await lint({"asgi": {"version": "3.0"}, **scope, **server}, receive, send)

    return client if LINT else app


def around_asgi(app: Any, *, redirect_status: int = 303) -> Any:
    """An ASGI app behind `seeother.asgi.SeeOther`, for a client that is a browser."""

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        if scope.pop(SAID, False):
            scope["headers"] = [one for one in scope["headers"] if one != HEADER]
        await judged(scope, receive, send)

    judged: Any = ASGILint(app) if LINT else app
    if LINT == "alone":
        return client_linted(app)
    made = asgi.SeeOther(inner, secret=SECRET, store=STORE, redirect_status=redirect_status)
    outer: Any = client_linted(made)

    async def client(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and all(name != HEADER[0] for name, _ in scope["headers"]):
            scope = {**scope, "headers": [*scope["headers"], HEADER], SAID: True}
        await outer(scope, receive, send)

    return client

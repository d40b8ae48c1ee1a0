"""seeother around the app that a test client calls, and the client taken for a browser.

Test clients send cookies and say nothing about where a form comes from. Of a real request like that
seeother has to assume the worst. So each request comes with the one header that every browser sends
from a page of the same site; the app inside never sees it.

`VISITS` counts the requests that seeother saw: a run in which it saw none has shown nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from io import BytesIO
from itertools import count
from typing import Any, Final

from seeother import asgi, visit_end, wsgi

SECRET: Final = "the secret of test suites that know nothing of it"
STORE: Final = "memory://"
SITE: Final = "HTTP_SEC_FETCH_SITE"
HEADER: Final = (b"sec-fetch-site", b"same-origin")
SAID: Final = "upstream.said"
APP: Final = "upstream.app"

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
    return app(environ, start_response)


@cache
def _outer(redirect_status: int) -> wsgi.SeeOther:
    """One for all apps: one for each of them would keep every app of a suite alive."""
    return wsgi.SeeOther(_inner, secret=SECRET, store=STORE, redirect_status=redirect_status)


def around_wsgi(app: WSGIApp, *, redirect_status: int = 303) -> WSGIApp:
    """A WSGI app behind `seeother.wsgi.SeeOther`, for a client that is a browser.

    A client that follows a 307 sends the stream of its form a second time, and some look into it
    afterwards; so it is where it was when the app has answered.
    """
    outer = _outer(redirect_status)

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


def around_asgi(app: Any, *, redirect_status: int = 303) -> Any:
    """An ASGI app behind `seeother.asgi.SeeOther`, for a client that is a browser."""

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        if scope.pop(SAID, False):
            scope["headers"] = [one for one in scope["headers"] if one != HEADER]
        await app(scope, receive, send)

    outer = asgi.SeeOther(inner, secret=SECRET, store=STORE, redirect_status=redirect_status)

    async def client(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and all(name != HEADER[0] for name, _ in scope["headers"]):
            scope = {**scope, "headers": [*scope["headers"], HEADER], SAID: True}
        await outer(scope, receive, send)

    return client

"""seeother around any WSGI app (PEP 3333).

The same request in the same order as under ASGI: judge, read the form, put the visit into
`environ["seeother"]`, run the app, hold its answer back until what it leaves is written, send it
(`seeother.wsgi_exchange`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from .core.entry import Greeting
from .core.values import Response
from .errors import PolicyError, SeeOtherError
from .setup import Middleware
from .visit import Visit
from .wsgi_exchange import KEY, App, Environ, Exchange, StartResponse

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from .psycopg import OneStatement, Pool

__all__ = ["KEY", "App", "Environ", "SeeOther", "Sent", "StartResponse", "once"]


class SeeOther(Middleware):
    """WSGI middleware; all settings are keyword arguments (`seeother.core.policy`).

    >>> def app(environ, start_response):
    ...     start_response("200 OK", [("Content-Type", "text/plain")])
    ...     return [b"hello"]
    >>> app = SeeOther(app, secret="0123456789abcdef0123456789abcdef", store="memory://")
    """

    def __init__(self, app: App, **policy: Any) -> None:
        super().__init__(policy)
        self.app = app

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """One WSGI request; what is none (PEP 3333: REQUEST_METHOD) passes untouched."""
        if KEY in environ or "REQUEST_METHOD" not in environ:
            return self.app(environ, start_response)
        return Exchange(self, environ, start_response).run()

    def visit(self, greeting: Greeting) -> Visit:
        """The visit of a request; a framework's adapter may bring its own kind."""
        return Visit(greeting, self.policy)


def once(
    environ: Environ,
    engine: Engine | Pool | OneStatement,
    fn: Callable[..., Response],
    *args: Any,
) -> Sent:
    """Run `fn(connection, visit, *args)` exactly once for this submission (joined or fenced).

    Effect, answer, messages and session changes are ONE transaction of `engine`: SQLAlchemy's, a
    pool of psycopg's or, on PostgreSQL, `seeother.psycopg.ONE_STATEMENT`. Returns a WSGI
    response: `return once(environ, engine, save)(environ, start_response)`. A duplicate gets the
    recorded answer; whatever `fn` raises rolls everything back and is raised here.
    """
    from .effect import Effect  # noqa: PLC0415 - SQLAlchemy is an extra

    visit, outer = environ.get(KEY), environ.get(f"{KEY}.outer")
    if not isinstance(visit, Visit) or outer is None:
        raise PolicyError("no visit: put seeother.wsgi.SeeOther around the app")
    effect = Effect(visit, outer, engine, fn, args, lambda answer: answer)
    try:
        answer = outer.driver.run(
            effect.flow(), effect.perform, effect.view, single_writer=effect.queues
        )
    except SeeOtherError as error:
        return Sent(effect.refused(error))
    return Sent(effect.settled(answer))


class Sent:
    """A core response as a WSGI app."""

    def __init__(self, response: Response) -> None:
        self.response = response

    def __call__(self, _environ: Environ, start_response: StartResponse) -> list[bytes]:
        """Send it."""
        status = self.response.status
        headers = [(k.decode("latin-1"), v.decode("latin-1")) for k, v in self.response.headers]
        start_response(f"{status} {HTTPStatus(status).phrase}", headers)
        return [self.response.body]

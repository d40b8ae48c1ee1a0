"""Every app of a `webtest.TestApp` stands behind seeother; WebTest's own lint stands around both.

WebTest submits the forms of a page with every field that it finds there, so with the token. Then a
page that answers the form becomes a redirect to that page (`convert`), and as a browser would, the
client follows it: what the test sees has been stored, and fetched again.

Many apps of its suite say their status in bytes, which PEP 3333 forbids and servers refuse; for
them it is text before it comes to seeother.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import webtest.app

from .between import WSGIApp, around_wsgi
from .following import following

INIT = webtest.app.TestApp.__init__


def spelled(app: WSGIApp) -> WSGIApp:
    """The app with its status as text."""

    def run(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        def start(status: str | bytes, *more: Any) -> Any:
            text = status.decode("latin-1") if isinstance(status, bytes) else status
            return start_response(text, *more)

        return app(environ, start)

    return run


def init(self: Any, *args: Any, **kwargs: Any) -> None:
    """Make the client, and put seeother around what it calls."""
    INIT(self, *args, **kwargs)
    self.app = following(around_wsgi, spelled(self.app))


webtest.app.TestApp.__init__ = init

"""Every WSGI app that a test client of Werkzeug's or Flask's calls stands behind seeother."""

from __future__ import annotations

from typing import Any

import werkzeug.test

from .between import around_wsgi

CALL = werkzeug.test.run_wsgi_app


def run_wsgi_app(app: Any, environ: Any, buffered: bool = False) -> Any:
    """What Werkzeug's clients call, with seeother in between."""
    return CALL(around_wsgi(app), environ, buffered)


werkzeug.test.run_wsgi_app = run_wsgi_app

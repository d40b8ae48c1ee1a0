"""`SeeOther(app)` on every app of Flask's own test suite.

The suite's own secret has eight letters, and half of its apps have none.
"""

from __future__ import annotations

from typing import Any

import flask

from seeother.flask import SeeOther

from .between import SECRET, STORE

INIT = flask.Flask.__init__


def init(self: Any, *args: Any, **kwargs: Any) -> None:
    """Make the app, and put seeother around it."""
    INIT(self, *args, **kwargs)
    SeeOther(self, secret=SECRET, store=STORE)


flask.Flask.__init__ = init  # type: ignore[method-assign]

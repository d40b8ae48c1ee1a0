"""`SeeOtherSessionInterface()` alone, as the session of every app of Flask's own test suite."""

from __future__ import annotations

from typing import Any

import flask

from seeother.core import policy
from seeother.flask import SeeOtherSessionInterface

from .between import STORE

policy.SHORTEST_SECRET = 1  # type: ignore[misc]  # the suite's own has eight letters
INIT = flask.Flask.__init__


def init(self: Any, *args: Any, **kwargs: Any) -> None:
    """Make the app, with a store that leaves no file."""
    INIT(self, *args, **kwargs)
    self.config["SEEOTHER_STORE"] = STORE


flask.Flask.session_interface = SeeOtherSessionInterface()
flask.Flask.__init__ = init  # type: ignore[method-assign]

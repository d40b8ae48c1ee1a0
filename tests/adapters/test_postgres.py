"""The contract of adapters where effects and ledger are in PostgreSQL, by WSGI and by ASGI."""

from typing import ClassVar

from seeother.core.policy import Mode
from tests.adapters.pg_stages import OnPostgres
from tests.adapters.test_asgi import ASGIContract
from tests.adapters.test_flask_contract import FlaskContract
from tests.adapters.test_wsgi import WSGIContract


class TestWSGIJoined(OnPostgres, WSGIContract):
    """Every promise in mode joined."""


class TestWSGIFenced(OnPostgres, WSGIContract):
    """Every promise in mode fenced."""

    mode: ClassVar[Mode] = "fenced"


class TestASGIJoined(OnPostgres, ASGIContract):
    """Every promise in mode joined."""


class TestASGISeparate(OnPostgres, ASGIContract):
    """Every promise in mode separate."""

    mode: ClassVar[Mode] = "separate"


class TestFlaskJoined(OnPostgres, FlaskContract):
    """Every promise in mode joined."""

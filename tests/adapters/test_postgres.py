"""The contract of adapters where effects and ledger are in PostgreSQL, by WSGI, ASGI and Flask.

By default what submissions promise; with SCALE=10 every promise of every adapter, in every mode.
"""

import os
from typing import ClassVar, Final

from seeother.core.policy import Mode
from seeother.testing.adapter.submissions import SubmissionPromises
from tests.adapters.pg_stages import OnPostgres
from tests.adapters.test_asgi import ASGIContract
from tests.adapters.test_flask_contract import FlaskContract
from tests.adapters.test_wsgi import WSGIContract

ALL: Final = float(os.environ.get("SCALE", "1")) >= 10


class TestJoined(OnPostgres, SubmissionPromises):
    """What submissions promise, in mode joined."""

    client = WSGIContract.client


class TestAsyncJoined(OnPostgres, SubmissionPromises):
    """The same under ASGI."""

    client = ASGIContract.client


if ALL:

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

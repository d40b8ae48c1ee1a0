"""Transactions on psycopg's connections that belong to the app.

The driver's own BEGIN is a round trip of its own. So it is put into autocommit for the time of a
submission, and the claim says BEGIN and its question in one message (`pg_joined`); COMMIT and
ROLLBACK are the driver's.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any, Final

import psycopg
from psycopg.pq import TransactionStatus

from ..errors import StoreError
from .pg_connect import is_alive, outage
from .pg_wire import Wire, begin_of

WRITTEN: Final = "SELECT pg_current_xact_id_if_assigned()::text"


class PgDriver:
    """How transactions begin and end on a connection of psycopg 3."""

    reads: tuple[str, ...] = ()  # a SELECT may lock rows

    def is_alive(self, raw: psycopg.Connection[Any]) -> bool:
        """The server has not ended it, as far as its socket tells."""
        return is_alive(raw, time.monotonic())

    def opened(self, raw: psycopg.Connection[Any]) -> bool:
        """Autocommit, so that nothing is sent before the claim."""
        before = raw.autocommit
        raw.autocommit = True
        return before

    def closed(self, raw: psycopg.Connection[Any], before: bool) -> None:
        """As it was."""
        if not raw.closed:
            raw.autocommit = before

    def begin(self, raw: psycopg.Connection[Any]) -> bool:
        """Nothing yet: the claim's message says BEGIN."""
        del raw
        return True

    def begin_late(self, raw: psycopg.Connection[Any], wait_ms: int) -> bool:
        """BEGIN, where it was not said yet."""
        del wait_ms
        for word in begin_of(raw):
            raw.execute(word.encode())
        return True

    def commit(self, raw: psycopg.Connection[Any]) -> None:
        """COMMIT."""
        raw.commit()

    def rollback(self, raw: psycopg.Connection[Any]) -> None:
        """ROLLBACK if anything is open."""
        with suppress(psycopg.Error):
            raw.rollback()

    def outage(self, error: BaseException | None) -> StoreError | None:
        """The server is gone, or somebody else has what was asked for."""
        return outage(error) if isinstance(error, psycopg.OperationalError) else None


def has_written(raw: psycopg.Connection[Any]) -> bool:
    """Has the open transaction written anything? Only then PostgreSQL gives it a number."""
    if raw.info.transaction_status in (TransactionStatus.IDLE, TransactionStatus.UNKNOWN):
        return False
    if raw.info.transaction_status == TransactionStatus.INERROR:
        return False  # nothing of it can be committed any more
    return Wire(raw).ask(WRITTEN)[0][0][0] is not None

"""asyncpg's connections as the store on PostgreSQL knows those of psycopg; in a greenlet.

Two things are different. asyncpg gives no rows for several statements in one message, so each
question is a message of its own here, and only what is not a question goes together: a submission
takes some more round trips than with psycopg. And its errors are of its own kind; the server's
SQLSTATE says which of psycopg's they are (https://www.postgresql.org/docs/current/errcodes-appendix.html).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager, suppress
from typing import Any, Final

import psycopg
from psycopg import IsolationLevel
from psycopg.pq import DiagnosticField, TransactionStatus
from sqlalchemy.util.concurrency import await_only

from .stores.pg_driver import PgDriver

ASKS: Final = ("SELECT", "WITH", "VALUES")


class AsyncpgDriver(PgDriver):
    """How transactions begin and end on a connection of asyncpg."""

    def is_alive(self, raw: Any) -> bool:
        """The loop has heard nothing of its end."""
        return not raw.closed


class OnAsyncpg:
    """asyncpg's connection as the store knows psycopg's."""

    def __init__(self, adapted: Any) -> None:
        self._adapted, self._driver = adapted, adapted.driver_connection

    @property
    def closed(self) -> bool:
        """Has it ended?"""
        return bool(self._driver.is_closed())

    @property
    def autocommit(self) -> bool:
        """Does SQLAlchemy say no BEGIN?"""
        return bool(self._adapted.autocommit)

    @autocommit.setter
    def autocommit(self, on: bool) -> None:
        self._adapted.autocommit = on

    @property
    def isolation_level(self) -> IsolationLevel | None:
        """What the engine was told; None: the server's own."""
        said = getattr(self._adapted, "_isolation_setting", None)
        return None if said in (None, "autocommit") else IsolationLevel[said.upper()]

    @property
    def read_only(self) -> bool | None:
        """READ ONLY; None: the server's own."""
        return self._adapted.readonly or None

    @property
    def deferrable(self) -> bool | None:
        """DEFERRABLE; None: the server's own."""
        return self._adapted.deferrable or None

    @property
    def info(self) -> OnAsyncpg:
        """Where psycopg has what is known of a connection."""
        return self

    @property
    def transaction_status(self) -> TransactionStatus:
        """None, open, or given up by the server; which of these two, only the server knows."""
        if not self._driver.is_in_transaction():
            return TransactionStatus.IDLE
        try:
            self._run(self._driver.execute("SELECT 1"))
        except psycopg.errors.InFailedSqlTransaction:
            return TransactionStatus.INERROR
        return TransactionStatus.INTRANS

    def execute(self, sql: bytes) -> None:
        """Run a statement whose rows nobody needs."""
        self._run(self._driver.execute(sql.decode()))

    def commit(self) -> None:
        """COMMIT if anything is open."""
        self._end("COMMIT")

    def rollback(self) -> None:
        """ROLLBACK if anything is open."""
        self._end("ROLLBACK")

    def send(self, said: list[str]) -> Answers:
        """Run these statements in their order; rows for those that ask."""
        answers: list[list[Any] | None] = []
        quiet: list[str] = []
        for sql in said:
            if not sql.lstrip().upper().startswith(ASKS):
                quiet.append(sql)
                answers.append(None)
                continue
            self._together(quiet)
            answers.append([tuple(row) for row in self._run(self._driver.fetch(sql))])
        self._together(quiet)
        return Answers(answers)

    def _together(self, quiet: list[str]) -> None:
        if quiet:
            self._run(self._driver.execute(";".join(quiet)))
            quiet.clear()

    def _end(self, word: str) -> None:
        if self._driver.is_in_transaction():
            self._run(self._driver.execute(word))

    @staticmethod
    def _run(asked: Awaitable[Any]) -> Any:
        with as_psycopg():
            return await_only(asked)


class Answers:
    """What some statements gave, asked for as a cursor of psycopg is."""

    def __init__(self, answers: list[list[Any] | None]) -> None:
        self._answers, self._at = answers, 0
        self.rowcount = -1

    @property
    def pgresult(self) -> Answers | None:
        """Where psycopg has how many columns there are."""
        return None if self._rows is None else self

    @property
    def nfields(self) -> int:
        """There are some."""
        return 1

    @property
    def _rows(self) -> list[Any] | None:
        return self._answers[self._at] if self._at < len(self._answers) else None

    def fetchall(self) -> list[Any]:
        """The rows of one statement."""
        return self._rows or []

    def nextset(self) -> bool | None:
        """On to the next one; None where there is none."""
        self._at += 1
        return True if self._at < len(self._answers) else None


@contextmanager
def as_psycopg() -> Generator[None]:
    """Errors of asyncpg, and of a connection that broke, become psycopg's."""
    try:
        yield
    except Exception as error:
        if isinstance(error, OSError) or type(error).__module__.startswith("asyncpg."):
            raise spoken(error) from error
        raise


def spoken(error: BaseException) -> psycopg.Error:
    """The same error as psycopg says it; what no server said is a broken connection."""
    state = getattr(error, "sqlstate", None)
    if state is None:
        return psycopg.OperationalError(str(error))
    kind: Callable[..., psycopg.Error] = psycopg.DatabaseError
    with suppress(KeyError):
        kind = psycopg.errors.lookup(state)
    table = getattr(error, "table_name", None)
    info: Any = {DiagnosticField.TABLE_NAME: table.encode() if table else None}
    return kind(str(error), info=info)

"""A SQLAlchemy engine's transaction, as `Store.within()` takes it.

On SQLite the driver's own idea of transactions is switched off and BEGIN IMMEDIATE is said
explicitly: with pysqlite's default a savepoint as first write is visible at once and survives a
rollback, and a SELECT followed by an INSERT fails at once under contention. It is switched off on
the driver's connection and not by SQLAlchemy's `isolation_level`, which costs 40 us per submission
and says PRAGMA read_uncommitted on the way back.

`Transaction` begins at once (joined). `LateTransaction` begins with the first statement that may
write (fenced): a view that thinks for long before that locks nobody out, and has no old snapshot
that a write could conflict with.

The transaction belongs to `once`. A view that calls `connection.commit()` itself would publish its
effect without its row, and after its `rollback()` every later statement would commit by itself, so
both calls raise. Savepoints work (`connection.begin_nested()`), and so does an ORM session bound to
the connection: its `commit()` flushes, and the transaction goes on.
"""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from typing import Any, Final, NoReturn

from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from .errors import StoreBusy, StoreDown, StoreError
from .stores.connect import begin, outage

# No SAVEPOINT: as the first statement it would open a transaction that its RELEASE commits.
READS: Final = ("SELECT", "PRAGMA", "EXPLAI")


class Transaction:
    """One transaction on one connection of an engine.

    `engine` is a SQLAlchemy 2 engine on SQLite. Nothing is opened before `begin`; after `commit`
    or `rollback` the connection has gone back to its pool.
    """

    def __init__(self, engine: Engine) -> None:
        if engine.dialect.name != "sqlite":
            raise StoreDown(f"no ledger for {engine.dialect.name} yet; SQLite only")
        self._engine = engine
        self._connection: Connection | None = None
        self._level: str | None = None  # the driver's, while it is ours

    @property
    def connection(self) -> Connection:
        """The SQLAlchemy connection that the view works with."""
        opened = self._connection
        if opened is None or opened.closed or opened.invalidated:
            raise StoreDown("the transaction is not open (any more)")
        return opened

    @property
    def raw(self) -> Any:
        """The DB-API connection."""
        return self.connection.connection.dbapi_connection

    def begin(self) -> bool:
        """Check a connection out and BEGIN; False (and no connection) if the database is busy.

        A pool without a free connection counts as busy too. Nothing happens where it is open.
        """
        if self._connection is not None:
            return True
        try:
            self._check_out()
        except StoreBusy:
            return False
        try:
            begun = begin(self.raw)
        except BaseException:
            self._close()
            raise
        if not begun:
            self._close()
        return begun

    def _check_out(self) -> None:
        try:
            opened = self._engine.connect()
        except PoolTimeout as error:
            raise StoreBusy("the engine's pool has no free connection") from error
        except DBAPIError as error:
            raise outage_of(error) or error from error
        self._connection = opened
        self._level, self.raw.isolation_level = self.raw.isolation_level, None
        opened.begin()  # no statement: it tells ORM sessions what they join
        # On this one object and not as an event of the engine: listeners that come while another
        # thread commits break that commit, and a listener per connection costs 50 us.
        view: Any = self._connection
        view.commit = view.rollback = view.close = _refuse

    def commit(self) -> None:
        """COMMIT, then give the connection back."""
        self.raw.execute("COMMIT")
        self._close()

    def rollback(self) -> None:
        """ROLLBACK whatever there is, then give the connection back."""
        if self._connection is None:
            return
        with suppress(sqlite3.Error, StoreDown):
            if self.raw.in_transaction:
                self.raw.execute("ROLLBACK")
        self._close()

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        assert connection is not None
        if not (connection.closed or connection.invalidated):
            raw: Any = connection.connection.dbapi_connection
            raw.isolation_level = self._level
        Connection.close(connection)


class LateTransaction(Transaction):
    """A transaction that begins with its first write, waiting `patience` seconds for the lock."""

    def __init__(self, engine: Engine, patience: float) -> None:
        super().__init__(engine)
        self._patience = patience

    def open(self) -> None:
        """Check a connection out. Raises StoreBusy where the pool has none."""
        if self._connection is None:
            self._check_out()
            event.listen(self.connection, "before_cursor_execute", self._before)

    def begin(self) -> bool:
        """BEGIN now, if nothing was written yet. Raises StoreBusy past the patience."""
        self.open()
        if not self.raw.in_transaction and not begin(self.raw, int(self._patience * 1000)):
            raise StoreBusy("another writer held the database for the whole patience")
        return True

    def _close(self) -> None:
        event.remove(self._connection, "before_cursor_execute", self._before)
        super()._close()

    def _before(self, _connection: Connection, _cursor: object, statement: str, *_: Any) -> None:
        if not statement.lstrip()[:6].upper().startswith(READS):
            self.begin()


def outage_of(error: BaseException) -> StoreError | None:
    """The store error behind an exception of a view: disk full, locked, damaged; else None.

    Only operational trouble counts; an IntegrityError is the view's own affair.
    """
    found: BaseException | None = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(found, sqlite3.OperationalError) or type(found) is sqlite3.DatabaseError:
        code = getattr(found, "sqlite_errorcode", 0) & 0xFF
        if code != sqlite3.SQLITE_ERROR:
            return outage(found)
    return None


def _refuse() -> NoReturn:
    raise RuntimeError(
        "once() ends the transaction; do not call commit(), rollback() or close() inside it"
        " (return an answer, raise, or use begin_nested())"
    )

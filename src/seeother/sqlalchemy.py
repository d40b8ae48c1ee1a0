"""A SQLAlchemy engine's transaction, as `Store.within()` takes it.

On SQLite the driver's own idea of transactions is switched off (isolation level AUTOCOMMIT) and
BEGIN IMMEDIATE is said explicitly: with pysqlite's default a savepoint as first write is visible at
once and survives a rollback, and a SELECT followed by an INSERT fails at once under contention.

The transaction belongs to `once`. A view that calls `connection.commit()` itself would publish its
effect without its row, and after its `rollback()` every later statement would commit by itself, so
both calls raise. `connection.begin_nested()` is there for the view: savepoints work.
"""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from typing import Any, Final, NoReturn

from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from .errors import StoreDown, StoreError
from .stores.connect import begin, outage

ENDS: Final = ("commit", "rollback")


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

    @property
    def connection(self) -> Connection:
        """The SQLAlchemy connection that the view works with."""
        if self._connection is None or self._connection.closed:
            raise StoreDown("the transaction is not open (any more)")
        return self._connection

    @property
    def raw(self) -> Any:
        """The DB-API connection."""
        return self.connection.connection.dbapi_connection

    def begin(self) -> bool:
        """Check a connection out and BEGIN; False (and no connection) if the database is busy.

        A pool without a free connection counts as busy too.
        """
        try:
            opened = self._engine.connect()
        except PoolTimeout:
            return False
        except DBAPIError as error:
            raise outage_of(error) or error from error
        self._connection = opened.execution_options(isolation_level="AUTOCOMMIT")
        try:
            begun = begin(self.raw)
        except BaseException:
            self._close()
            raise
        if not begun:
            self._close()
            return False
        for name in ENDS:
            event.listen(self._connection, name, _refuse)
        return True

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
        if self._connection is not None:
            connection, self._connection = self._connection, None
            for name in ENDS:
                if event.contains(connection, name, _refuse):
                    event.remove(connection, name, _refuse)
            connection.close()


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


def _refuse(_connection: Connection) -> NoReturn:
    raise RuntimeError(
        "once() ends the transaction; do not call commit() or rollback() inside it (return an"
        " answer, raise, or use begin_nested())"
    )

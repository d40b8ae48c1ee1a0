"""A SQLAlchemy engine's transaction, as `Store.within()` takes it.

On SQLite the driver's own idea of transactions is switched off (isolation level AUTOCOMMIT) and
BEGIN IMMEDIATE is said explicitly: with pysqlite's default a savepoint as first write is visible at
once and survives a rollback, and a SELECT followed by an INSERT fails at once under contention.

The transaction belongs to `once`. A view that calls `connection.commit()` itself would publish its
effect without its row, so that call raises.
"""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from typing import Any, NoReturn

from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DBAPIError

from .errors import StoreDown, StoreError
from .stores.sqlite import begin
from .stores.work import outage


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
        if self._connection is None:
            raise StoreDown("the transaction is not open")
        return self._connection

    @property
    def raw(self) -> Any:
        """The DB-API connection."""
        return self.connection.connection.dbapi_connection

    def begin(self) -> bool:
        """Check a connection out and BEGIN; False (and no connection) if the database is busy."""
        try:
            opened = self._engine.connect()
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
        event.listen(self._connection, "commit", _refuse_commit)
        return True

    def commit(self) -> None:
        """COMMIT, then give the connection back."""
        self.raw.execute("COMMIT")
        self._close()

    def rollback(self) -> None:
        """ROLLBACK whatever there is, then give the connection back."""
        if self._connection is not None:
            with suppress(sqlite3.Error):
                if self.raw.in_transaction:
                    self.raw.execute("ROLLBACK")
            self._close()

    def _close(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            with suppress(Exception):
                event.remove(connection, "commit", _refuse_commit)
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


def _refuse_commit(_connection: Connection) -> NoReturn:
    raise RuntimeError("once() commits the transaction; do not call commit() inside it")

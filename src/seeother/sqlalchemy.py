"""A SQLAlchemy engine's transaction, as `Store.within()` takes it.

On SQLite the driver's own idea of transactions is switched off and BEGIN IMMEDIATE is said
explicitly: with pysqlite's default a savepoint as first write is visible at once and survives a
rollback, and a SELECT followed by an INSERT fails at once under contention. It is switched off on
the driver's connection and not by SQLAlchemy's `isolation_level`, which costs 40 us per submission
and says PRAGMA read_uncommitted on the way back. On PostgreSQL (psycopg 3) it is off as
well, because the claim says BEGIN and its question in one message (`stores.pg_driver`).

`Transaction` begins at once (joined). `LateTransaction` begins with the first statement that may
write (fenced): a view that thinks for long before that locks nobody out, and has no old snapshot
that a write could conflict with. On PostgreSQL it is any first statement: a SELECT
may lock rows there.

The transaction belongs to `once`. A view that calls `connection.commit()` itself would publish its
effect without its row, and after its `rollback()` every later statement would commit by itself, so
both calls raise. Savepoints work (`connection.begin_nested()`), and so does an ORM session bound to
the connection: its `commit()` flushes, and the transaction goes on.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from typing import Any, ClassVar, Final, NoReturn, Protocol

from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from .errors import PolicyError, StoreBusy, StoreDown, StoreError
from .stores.connect import begin, outage
from .stores.joined import ENDED
from .stores.savepoints import Savepoints

NOTHING: Final = "SELECT 1 WHERE 0"


class Database(Protocol):
    """How transactions of one kind of database begin and end, on its driver's connection."""

    def opened(self, raw: Any) -> Any:
        """Switch the driver's own transactions off; returns what is to be restored."""

    def closed(self, raw: Any, before: Any) -> None:
        """Restore it."""

    reads: tuple[str, ...]  # how statements begin that need no transaction

    def is_alive(self, raw: Any) -> bool:
        """Does it still lead to its database, as far as that is known without asking?"""
        ...

    def begin(self, raw: Any) -> bool:
        """Begin, the claim comes next; False if another writer has the lock."""
        ...

    def begin_late(self, raw: Any, wait_ms: int) -> bool:
        """Begin before a statement of the view, if that was not done yet."""
        ...

    def commit(self, raw: Any) -> None:
        """COMMIT."""

    def rollback(self, raw: Any) -> None:
        """ROLLBACK if anything is open."""

    def outage(self, error: BaseException | None) -> StoreError | None:
        """What an error of the driver means for a person; None where it is the view's own."""


class SQLite:
    """BEGIN IMMEDIATE and COMMIT, said explicitly."""

    # No SAVEPOINT: as the first statement it would open a transaction that its RELEASE commits.
    reads: tuple[str, ...] = ("SELECT", "PRAGMA", "EXPLAI")

    def is_alive(self, raw: Any) -> bool:
        """A file does not go away."""
        del raw
        return True

    def opened(self, raw: Any) -> Any:
        """The driver's isolation level is switched off."""
        level, raw.isolation_level = raw.isolation_level, None
        return level

    def closed(self, raw: Any, before: Any) -> None:
        """And on again."""
        raw.isolation_level = before

    def begin(self, raw: Any) -> bool:
        """BEGIN IMMEDIATE."""
        return begin(raw)

    def begin_late(self, raw: Any, wait_ms: int) -> bool:
        """BEGIN IMMEDIATE, where it was not said yet."""
        return bool(raw.in_transaction) or begin(raw, wait_ms)

    def commit(self, raw: Any) -> None:
        """COMMIT."""
        raw.execute("COMMIT")

    def rollback(self, raw: Any) -> None:
        """ROLLBACK if anything is open."""
        with suppress(sqlite3.Error):
            if raw.in_transaction:
                raw.execute("ROLLBACK")

    def outage(self, error: BaseException | None) -> StoreError | None:
        """Disk full, locked, damaged."""
        if isinstance(error, sqlite3.OperationalError) or type(error) is sqlite3.DatabaseError:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            if code != sqlite3.SQLITE_ERROR:
                return outage(error)
        return None


def _postgresql() -> Database:
    from .stores.pg_driver import PgDriver  # noqa: PLC0415 - psycopg is an extra

    return PgDriver()


def _asyncpg() -> Database:
    from .sqlalchemy_asyncpg import AsyncpgDriver  # noqa: PLC0415 - psycopg is an extra

    return AsyncpgDriver()


def _sqlite() -> Database:
    return SQLite()


DATABASES: Final[dict[tuple[str, str], Callable[[], Database]]] = {
    ("postgresql", "psycopg"): _postgresql,
    ("postgresql", "asyncpg"): _asyncpg,
    ("sqlite", "pysqlite"): _sqlite,
    ("sqlite", "aiosqlite"): _sqlite,
}
PLAIN: Final = "SQLite, and postgresql+psycopg"
ASYNC: Final = "sqlite+aiosqlite, postgresql+psycopg and postgresql+asyncpg"


def database_of(engine: Engine, *, is_async: bool = False) -> Database:
    """What is to be known of an engine's database. Raises PolicyError for one that is not known."""
    found = engine.dialect
    made = DATABASES.get((found.name, found.driver))
    if made is None or found.is_async != is_async:
        known = ASYNC if found.is_async else PLAIN
        wrong = "" if found.is_async == is_async else "; once() takes the AsyncEngine itself"
        raise PolicyError(f"no ledger for {found.name}+{found.driver}; known: {known}{wrong}")
    return made()


class Transaction:
    """One transaction on one connection of an engine.

    `engine` is a SQLAlchemy 2 engine on SQLite, or on PostgreSQL with psycopg 3. Nothing is opened
    before `begin`; after `commit` or `rollback` the connection has gone back to its pool.
    """

    is_async: ClassVar[bool] = False

    def __init__(self, engine: Engine) -> None:
        self._engine, self._database = engine, database_of(engine, is_async=self.is_async)
        self._connection: Connection | None = None
        self._before: Any = None  # what the driver is set to, while it is ours

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
        return self._raw_of(self.connection)

    def _raw_of(self, connection: Connection) -> Any:
        return connection.connection.dbapi_connection

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
            begun = self._database.begin(self.raw)
        except BaseException:
            self._close()
            raise
        if not begun:
            self._close()
        return begun

    def _check_out(self) -> None:
        try:
            opened = self._connection = self._living()
        except PoolTimeout as error:
            raise StoreBusy("the engine's pool has no free connection") from error
        except DBAPIError as error:
            raise outage_of(error) or error from error
        try:
            self._before = self._database.opened(self.raw)
        except BaseException:
            self._connection = None
            opened.invalidate()
            opened.close()
            raise
        opened.begin()  # no statement: it tells ORM sessions what they join
        # On this one object and not as an event of the engine: listeners that come while another
        # thread commits break that commit, and a listener per connection costs 50 us.
        view: Any = self._connection
        view.commit = view.rollback = view.close = _refuse

    def _living(self) -> Connection:
        """A connection that the server has not ended while nobody used it."""
        opened = self._engine.connect()
        try:
            if not self._database.is_alive(self._raw_of(opened)):
                opened.invalidate()
                _ = opened.connection  # connects anew
        except BaseException:
            opened.close()
            raise
        return opened

    def commit(self) -> None:
        """COMMIT, then give the connection back."""
        self._database.commit(self.raw)
        self._close()

    def rollback(self) -> None:
        """ROLLBACK whatever there is, then give the connection back."""
        if self._connection is None:
            return
        try:
            with suppress(StoreDown):
                self._database.rollback(self.raw)
        finally:
            self._close()

    def outage(self, error: BaseException) -> StoreError | None:
        """The store error behind an exception of a view; None where it is the view's own."""
        return outage_of(error)

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        assert connection is not None
        try:
            if not (connection.closed or connection.invalidated):
                self._restore(connection)
        finally:
            Connection.close(connection)

    def _restore(self, connection: Connection) -> None:
        """What goes back to the pool is as it was; nobody is to inherit our autocommit."""
        raw = self._raw_of(connection)
        try:
            if self._database.is_alive(raw):
                self._database.closed(raw, self._before)
                return
        except BaseException:
            Connection.invalidate(connection)
            raise
        Connection.invalidate(connection)


class LateTransaction(Transaction):
    """A transaction that begins with its first write, waiting `patience` seconds for the lock.

    Where a reader begins none (SQLite), savepoints before that are only noted (`savepoints`).
    """

    def __init__(self, engine: Engine, patience: float) -> None:
        super().__init__(engine)
        self._patience = patience
        self._noted = Savepoints()
        self._begun = False
        self._waits = bool(self._database.reads)

    def open(self) -> None:
        """Check a connection out. Raises StoreBusy where the pool has none."""
        if self._connection is None:
            self._check_out()
            event.listen(self.connection, "before_cursor_execute", self._said, retval=True)

    def begin(self) -> bool:
        """BEGIN now, if nothing was written yet, and the savepoints that stand.

        Raises StoreBusy past the patience, and StoreDown where SQLite has taken the transaction
        back by itself (a full disk): what comes now must not be committed without what came before.
        """
        self.open()
        if self._begun and self._waits and not self.raw.in_transaction:
            raise StoreDown(ENDED)
        if not self._database.begin_late(self.raw, int(self._patience * 1000)):
            raise StoreBusy("another writer held the database for the whole patience")
        self._begun = True
        self._noted.stand(self.raw)
        return True

    def _close(self) -> None:
        event.remove(self._connection, "before_cursor_execute", self._said)
        self._noted, self._begun = Savepoints(), False
        super()._close()

    def _said(
        self, _connection: Connection, _cursor: object, statement: str, args: Any, *_more: Any
    ) -> tuple[str, Any]:
        """What is really said: a write after BEGIN, a savepoint before it not at all."""
        if self._waits and not self._begun and self._noted.note(statement):
            return NOTHING, args
        if not statement.lstrip()[:6].upper().startswith(self._database.reads):
            self.begin()
        return statement, args


def outage_of(error: BaseException) -> StoreError | None:
    """The store error behind an exception of a view: disk full, locked, damaged; else None.

    Only operational trouble counts; an IntegrityError is the view's own affair.
    """
    found: BaseException | None = error.orig if isinstance(error, DBAPIError) else error
    if type(found).__module__.endswith(".asyncpg"):
        from .sqlalchemy_asyncpg import spoken  # noqa: PLC0415 - psycopg is an extra

        found = spoken((found and found.__cause__) or error)
    kind = type(found).__module__.partition(".")[0]
    known = _postgresql() if kind == "psycopg" else SQLite()
    return known.outage(found)


def _refuse() -> NoReturn:
    raise RuntimeError(
        "once() ends the transaction; do not call commit(), rollback() or close() inside it"
        " (return an answer, raise, or use begin_nested())"
    )

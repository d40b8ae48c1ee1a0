"""A transaction of SQLAlchemy's asyncio, as `Store.within()` takes it; every method in a greenlet.

What the store does in the app's transaction is written once, for connections that answer at once.
The driver of an AsyncEngine answers to `await`. Between the two stands a greenlet: what runs in one
may hand an awaitable to the event loop and go on with its result, as if it had waited
(https://docs.sqlalchemy.org/en/20/orm/extensions/asyncio.html). So a driver's connection needs no
more than a few methods that do that, and these are here. The app's engine has such methods of its
own, cursors with steps that each cost a hop; the ledger's statements go to the driver at once.

**Cancellation** comes between any two steps: a time limit of the app, a server that shuts down. It
is a failure like every other, and everything goes back. But taking back waits for the server, too,
and whoever cancels may do it again. So ROLLBACK and giving back the connection are a task of their
own that is waited for to its end (`unbroken`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.util.concurrency import await_only, greenlet_spawn

from .sqlalchemy import LateTransaction, Transaction

if TYPE_CHECKING:
    from psycopg import AsyncConnection

T = TypeVar("T")
Aside = Callable[[Callable[[], Any]], Any]

READS: Final = ("SELECT", "PRAGMA")
KEPT: Final = "seeother"  # under this name a pooled connection keeps what is made of it here


# SQLite -------------------------------------------------------------------------------------------


class Rows:
    """What a statement gave: its rows, and how many it changed."""

    def __init__(self, rows: Iterable[Any], rowcount: int) -> None:
        self._rows, self.rowcount = iter(rows), rowcount

    def __iter__(self) -> Iterator[Any]:
        return self._rows

    def fetchone(self) -> Any:
        """The next row; None where there is none."""
        return next(self._rows, None)

    def fetchall(self) -> list[Any]:
        """All that are left."""
        return list(self._rows)

    def close(self) -> None:
        """Nothing is open."""


class OnFile:
    """aiosqlite's connection as the store knows one."""

    def __init__(self, adapted: Any) -> None:
        self._adapted = adapted

    @property
    def in_transaction(self) -> bool:
        """Is a transaction open?"""
        return bool(self._adapted.driver_connection.in_transaction)

    @property
    def isolation_level(self) -> str | None:
        """The driver's own idea of transactions; None is none."""
        level: str | None = self._adapted.isolation_level
        return level

    @isolation_level.setter
    def isolation_level(self, level: str | None) -> None:
        self._adapted.isolation_level = level

    def execute(self, sql: str, args: tuple[Any, ...] = ()) -> Rows:
        """Run a statement."""
        rows: Rows = self._adapted.run_async(partial(_executed, sql, args))
        return rows

    def executemany(self, sql: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Run a statement once for each row."""
        self._adapted.run_async(partial(_executed_many, sql, list(rows)))


async def _executed(sql: str, args: tuple[Any, ...], driver: Any) -> Rows:
    if sql.lstrip()[:6].upper() in READS:
        return Rows(await driver.execute_fetchall(sql, args), -1)
    cursor = await driver.execute(sql, args)
    return Rows(await cursor.fetchall() if cursor.description else (), cursor.rowcount)


async def _executed_many(sql: str, rows: list[tuple[Any, ...]], driver: Any) -> None:
    await driver.executemany(sql, rows)


# PostgreSQL ---------------------------------------------------------------------------------------


class OnServer:
    """psycopg's AsyncConnection as the store knows a Connection.

    What neither sends nor waits (`info`, `closed`, `isolation_level`, ...) is the connection's own.
    """

    def __init__(self, adapted: Any) -> None:
        self._driver: AsyncConnection[Any] = adapted.driver_connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._driver, name)

    @property
    def autocommit(self) -> bool:
        """Does the driver say no BEGIN?"""
        return self._driver.autocommit

    @autocommit.setter
    def autocommit(self, on: bool) -> None:
        await_only(self._driver.set_autocommit(on))

    def execute(self, sql: Any) -> None:
        """Run a statement whose rows nobody needs."""
        await_only(self._driver.execute(sql))

    def commit(self) -> None:
        """COMMIT."""
        await_only(self._driver.commit())

    def rollback(self) -> None:
        """ROLLBACK."""
        await_only(self._driver.rollback())

    def send(self, said: list[str]) -> Cursor:
        """Run these statements as one message (`stores.pg_wire`)."""
        cursor = Cursor(self._driver)
        cursor.execute(";".join(said).encode())
        return cursor


class Cursor:
    """psycopg's AsyncClientCursor, of which nothing is awaited."""

    def __init__(self, driver: AsyncConnection[Any]) -> None:
        from psycopg import AsyncClientCursor  # noqa: PLC0415 - an extra
        from psycopg.rows import tuple_row  # noqa: PLC0415

        self._cursor = AsyncClientCursor(driver, row_factory=tuple_row)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)

    def execute(self, sql: bytes) -> None:
        """Send a message, and have all its answers."""
        await_only(self._cursor.execute(sql, prepare=False))

    def fetchall(self) -> list[Any]:
        """The rows of one of them."""
        return await_only(self._cursor.fetchall())


def _asyncpg(adapted: Any) -> Any:
    from .sqlalchemy_asyncpg import OnAsyncpg  # noqa: PLC0415 - psycopg is an extra

    return OnAsyncpg(adapted)


KINDS: Final[dict[str, Callable[[Any], Any]]] = {
    "aiosqlite": OnFile,
    "psycopg": OnServer,
    "asyncpg": _asyncpg,
}


def raw_of(connection: Connection) -> Any:
    """The driver's connection below one of an AsyncEngine, as the store knows it.

    It is made once for each, because the store remembers which ones lead to its own tables.
    """
    pooled = connection.connection
    known = pooled.info.get(KEPT)
    if known is None:
        known = pooled.info[KEPT] = KINDS[connection.dialect.driver](pooled.dbapi_connection)
    return known


# The transaction ----------------------------------------------------------------------------------


class AsyncTransaction(Transaction):
    """A transaction on a connection of an AsyncEngine.

    `aside` has something done by a thread that may block: what the store asks on connections of
    its own has to go there, because a greenlet stands on the loop's own thread.
    """

    is_async: ClassVar[bool] = True

    def __init__(self, engine: Engine, *more: Any, aside: Aside) -> None:
        super().__init__(engine, *more)
        self.aside = aside

    def rollback(self) -> None:
        """ROLLBACK, then give the connection back; no cancellation comes between."""
        if self._connection is not None:
            await_only(unbroken(greenlet_spawn(super().rollback)))

    def _raw_of(self, connection: Connection) -> Any:
        return raw_of(connection)


class LateAsyncTransaction(AsyncTransaction, LateTransaction):
    """The same, and it begins with its first write (fenced)."""


async def unbroken(job: Awaitable[T]) -> T:
    """Await this to its end, however often the one who awaits is cancelled; that comes after."""
    task, cancelled = asyncio.ensure_future(job), None
    while not task.done():
        try:
            await asyncio.wait((task,))
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is None:
        return task.result()
    if not task.cancelled():
        task.exception()  # whatever it was: the cancellation comes first
    raise cancelled

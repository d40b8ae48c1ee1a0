"""`once` with SQLAlchemy's asyncio: an AsyncEngine, or the AsyncSession that a view depends on.

    async def post(request: Request, db: Annotated[AsyncSession, Depends(session)]):
        return await once(request, db, save)

    def save(session: Session, visit: Visit):
        session.add(Message(text=visit.form["message"]))
        return visit.see_other("/", flash="Your message was posted.")

`save` is what `await db.run_sync(save)` takes: a plain function that gets the session itself, with
all that was loaded through it. SQLAlchemy runs it in a greenlet on the loop's thread, where every
statement may wait for the driver while the function cannot. So from Claim to COMMIT a submission is
one function to asyncio, as it is one job of the writer thread with a synchronous engine, and the
very same code: the ledger's own statements go through the app's driver as well.

What is the store's alone goes to the store's threads; only they may block. On SQLite those who want
to write queue here, first come first served, as they would for the writer thread: a lock that is
held while others run is nothing to poll for.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop, Lock, get_running_loop
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.util.concurrency import await_only, greenlet_spawn, in_greenlet

from ..core.flows import Answer
from ..core.ops import Op
from ..core.values import Response
from ..drive import Driver
from ..effect import Effect, Outer
from ..errors import PolicyError
from ..riding import Riding, end_reads
from ..sqlalchemy import LateTransaction, Transaction
from .answers import core_response

if TYPE_CHECKING:
    from ..visit import Visit

READS: Final = ("SELECT", "PRAGMA")
OURS: Final = {"joined": ("claim", "settle", "abandon"), "fenced": ("settle",)}

_queues: WeakKeyDictionary[AbstractEventLoop, WeakKeyDictionary[Driver, Lock]] = WeakKeyDictionary()


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


class Raw:
    """aiosqlite's connection as the store knows one; for use in a greenlet.

    SQLAlchemy's adapter has cursors, and each of their steps is a hop to aiosqlite's thread. The
    ledger needs none of them, so its statements go there at once.
    """

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


class AsyncTransaction(Transaction):
    """A transaction on a connection of an AsyncEngine; every method is called in a greenlet."""

    @property
    def raw(self) -> Raw:
        """The driver's connection."""
        return Raw(self.connection.connection.dbapi_connection)


class LateAsyncTransaction(LateTransaction, AsyncTransaction):
    """The same, and it begins with its first write (fenced)."""


class AsyncEffect(Effect):
    """One call of `once` with an AsyncEngine or an AsyncSession."""

    def __init__(
        self,
        visit: Visit,
        outer: Outer,
        bind: AsyncEngine | AsyncSession,
        fn: Callable[..., Any],
        args: tuple[Any, ...],
    ) -> None:
        self._session = bind.sync_session if isinstance(bind, AsyncSession) else None
        self._riding = None if self._session is None else Riding(self._session)
        super().__init__(visit, outer, _engine_of(bind), self._called, (), core_response)
        self._outer, self._plain, self._own = outer, fn, args
        self._store = self.perform
        self.perform = self._ask

    def _opened(self, engine: Engine, patience: float) -> Transaction:
        if self.mode == "fenced":
            return LateAsyncTransaction(engine, patience)
        return AsyncTransaction(engine)

    async def run(self) -> Answer:
        """Drive it to its end."""
        if self._session is not None:
            await greenlet_spawn(end_reads, self._session)
        answer: Answer = await self._outer.driver.arun(
            self.flow(), self.perform, within=self.view, writes=self._spawn
        )
        if self._riding is not None and answer.handled is not None and answer.word != "undone":
            await greenlet_spawn(self._riding.tell)
        return answer

    def _called(self, connection: Connection, visit: Visit) -> Any:
        """The view, with the connection or with its session on it."""
        if self._session is None or self._riding is None:
            return self._plain(connection, visit, *self._own)
        with self._riding.on(connection):
            answer = core_response(self._plain(self._session, visit, *self._own))
            self._riding.end(keep=_is_success(answer, visit))
        return answer

    # In the greenlet --------------------------------------------------------------------------

    async def _spawn(self, job: Callable[[], None]) -> None:
        """From Claim to COMMIT: one greenlet, and on SQLite one after the other."""
        if self.mode == "fenced":
            await greenlet_spawn(job)
            return
        async with self._queue:
            await greenlet_spawn(job)

    @cached_property
    def _queue(self) -> Lock:
        queues = _queues.setdefault(get_running_loop(), WeakKeyDictionary())
        return queues.setdefault(self._outer.driver, Lock())

    def _ask(self, op: Op[Any]) -> Any:
        """What belongs to the app's transaction is done here; the rest by the store, aside.

        Readers and the heart, which renews leases, ask on threads of their own.
        """
        if op.verb in OURS[self.mode] or not in_greenlet():
            return self._store(op)
        if op.verb in ("abandon", "doubt"):
            self._transaction.rollback()
        return await_only(self._outer.driver.awrite(partial(self._store, op)))


def _engine_of(bind: AsyncEngine | AsyncSession) -> Engine:
    found = bind.sync_session.get_bind() if isinstance(bind, AsyncSession) else bind.sync_engine
    if not isinstance(found, Engine):
        raise PolicyError("once() takes a session of an engine; this one is bound to a connection")
    if found.dialect.name != "sqlite":
        raise PolicyError(f"once() has no asyncio for {found.dialect.name}: give it a plain Engine")
    return found


def _is_success(answer: Response, visit: Visit) -> bool:
    """Is what the view left uncommitted kept? Not where it has rejected its input."""
    given = visit._draft_given  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    return answer.status < 400 and given is None

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

What is the store's alone goes to the store's threads; only they may block, and there a duplicate
waits for its holder. On SQLite those who want to write queue here, first come first served, as they
would for the writer thread: a lock that is held while others run is nothing to poll for. PostgreSQL
takes as many at once as the engine has connections.

Who is cancelled in between (`asyncio.timeout`, a server that goes down) has done nothing: the
effect goes back, and a claim that others could see is given back, too.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop, CancelledError, Lock, get_running_loop
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.util.concurrency import await_only, greenlet_spawn, in_greenlet

from ..core.flows import Answer
from ..core.ops import Abandon, Claim, Granted, Op
from ..core.values import Response
from ..drive import Driver
from ..effect import Effect, Outer
from ..errors import PolicyError, StoreError
from ..riding import Riding, end_reads
from ..sqlalchemy_asyncio import AsyncTransaction, LateAsyncTransaction, unbroken
from ..stores.base import KINDS
from .answers import core_response

if TYPE_CHECKING:
    from ..visit import Visit

T = TypeVar("T")

OURS: Final = {"joined": ("claim", "settle", "abandon"), "fenced": ("settle",)}

_queues: WeakKeyDictionary[AbstractEventLoop, WeakKeyDictionary[Driver, Lock]] = WeakKeyDictionary()


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
        self._outer, self._plain, self._own = outer, fn, args
        super().__init__(visit, outer, _engine_of(bind), self._called, (), core_response)
        self._store, self._is_open = self.perform, False
        self._claim: Claim | None = None
        self.perform = self._ask

    def _opened(self, engine: Engine, patience: float) -> AsyncTransaction:
        late = self.mode == "fenced"
        kind, more = (LateAsyncTransaction, (patience,)) if late else (AsyncTransaction, ())
        opened = kind(engine, *more, aside=self._aside)
        store = type(self._outer.store)
        if KINDS[engine.dialect.name][1] not in {one.__name__ for one in store.__mro__}:
            raise PolicyError(
                f"once() needs one database for effect and record: the engine is"
                f" {engine.dialect.name}, and `store` is a {store.__name__}"
            )
        return opened

    async def run(self) -> Answer:
        """Drive it to its end."""
        if self._session is not None:
            await greenlet_spawn(end_reads, self._session)
        try:
            answer: Answer = await self._outer.driver.arun(
                self.flow(), self.perform, within=self.view, writes=self._spawn
            )
        except CancelledError:
            await unbroken(self._given_back())
            raise
        if self._riding is not None and answer.handled is not None and answer.word != "undone":
            await greenlet_spawn(self._riding.tell)
        return answer

    async def _given_back(self) -> None:
        """Cancelled (fenced): the effect was taken back, so whoever asks next may run it."""
        if self._claim is not None:
            op = Abandon(self._claim.key, Granted(0, self._claim.claim_id))
            with suppress(StoreError):
                await self._outer.driver.awrite(partial(self._store, op))

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
        if not self.queues:
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
        if not in_greenlet():
            reply = self._store(op)
            self._is_open = True  # in this process, by this very question
            return reply
        if op.verb in OURS[self.mode]:
            if not self._is_open:
                self._aside(self._prepare)
            return self._store(op)
        if op.verb in ("abandon", "doubt"):
            self._transaction.rollback()
        if isinstance(op, Claim):
            self._claim = op
        return self._aside(partial(self._store, op))

    def _aside(self, ask: Callable[[], T]) -> T:
        """Ask on a thread, and hear the answer: a step of the store cannot be called off."""
        return await_only(unbroken(self._outer.driver.awrite(ask)))

    def _prepare(self) -> None:
        """Open the store, where nobody has: its first step would do that on the loop's thread."""
        cast("Any", self._outer.store).prepare()


def _engine_of(bind: AsyncEngine | AsyncSession) -> Engine:
    found = bind.sync_session.get_bind() if isinstance(bind, AsyncSession) else bind.sync_engine
    if not isinstance(found, Engine):
        raise PolicyError("once() takes a session of an engine; this one is bound to a connection")
    return found


def _is_success(answer: Response, visit: Visit) -> bool:
    """Is what the view left uncommitted kept? Not where it has rejected its input."""
    given = visit._draft_given  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    return answer.status < 400 and given is None

"""Joined and fenced on PostgreSQL: the ledger's row in the app's own transaction.

**Joined.** Claim is BEGIN, an advisory lock on the submission, and the look at its row, in one
round trip; Settle writes everything together with the COMMIT that there is anyway. The lock is held
until then, so whoever else asks for it is told that somebody is at it, and waits without a
transaction. Nothing is visible before the COMMIT and a crash leaves nothing at all, as on SQLite.

Two things beside the lock keep an effect from happening twice. The row is inserted and never
overwritten: where it is there after all (a snapshot of REPEATABLE READ that is older than the
lock), the effect is rolled back and the other's outcome is the answer. And a row that was there is
locked.

**Fenced.** Settle locks the row, and finds its own fence there or rolls back.

A statement that fails takes the whole transaction with it. A view that catches such an error and
answers with the form again has rejected it: nothing of it stays, and the rejection is recorded in a
transaction of its own. An answer that says it was done would be a lie, and is an error instead.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar, cast

import psycopg
from psycopg.errors import LockNotAvailable, UniqueViolation
from psycopg.pq import TransactionStatus

from ..core import ops
from ..core.ledger import step
from ..core.values import REJECTED
from ..errors import StoreBusy, StoreDown, StoreError
from .fenced import Fenced
from .joined import ENDED, Joined
from .pg_connect import translated
from .pg_rows import PgWork
from .pg_wire import Wire, begin_of

if TYPE_CHECKING:
    from .base import Transaction
    from .postgres import PostgresStore

T = TypeVar("T")

LEDGER: Final = "so_ledger"
SETTLING: Final = "SET LOCAL lock_timeout='1s'"
FAILED: Final = (
    "a statement of the view failed, and PostgreSQL has given up its transaction with it;"
    " put what may fail into a savepoint (begin_nested(), transaction(), atomic())"
)
Reply = ops.Done | ops.Fenced


class PgJoined(Joined):
    """The store inside a transaction of the app: Claim is BEGIN, Settle is COMMIT."""

    errors: ClassVar = (psycopg.Error, StoreError)

    def __init__(self, store: PostgresStore, transaction: Transaction) -> None:
        super().__init__(cast("Any", store), transaction)
        self._pg = store
        self._absent = False
        self._claim: ops.Claim | None = None

    def translated(self) -> AbstractContextManager[Any]:
        """The driver's errors as ours."""
        return translated()

    def _asked(self, op: ops.Claim) -> ops.ClaimReply:
        work, self._claim = _work(self._pg, self._transaction), op
        try:
            if not work.claiming(op):
                return ops.InFlight()
        except LockNotAvailable:  # its holder is just settling it
            return ops.Busy()
        met = work.met(op)
        self._absent = met is None
        self._row, answer = step(met, op, work.now)
        reply: ops.ClaimReply = work.with_taken(answer)
        return reply

    def _committed(self, op: ops.Settle) -> Reply:
        status = self._transaction.raw.info.transaction_status
        if status == TransactionStatus.INERROR:
            self._begin_again(op)
        elif status == TransactionStatus.IDLE:
            raise StoreDown(ENDED)
        try:
            return self._written(op)
        except UniqueViolation as error:
            if error.diag.table_name != LEDGER:
                raise
        self._transaction.rollback()
        return aside(self._transaction, partial(self._lost, op))

    def _written(self, op: ops.Settle) -> Reply:
        work = _work(self._pg, self._transaction, absent=self._absent)
        after, reply = step(self._row, op, work.now)
        assert isinstance(reply, ops.Done | ops.Fenced)
        if isinstance(reply, ops.Fenced):
            self._transaction.rollback()
            return reply
        work.wire.say(SETTLING)
        if after is not None or not self._absent:
            work.settled(op, after)
        else:  # no row is to be kept, and there is none
            work.close(ops.Close(op.session, op.receipt))
        # Where the claim has said BEGIN, COMMIT goes out with the rows: one round trip less.
        work.wire.flush(*(("COMMIT",) if self._transaction.raw.autocommit else ()))
        self._transaction.commit()
        tidy(self._pg, self._transaction)
        return reply

    def _begin_again(self, op: ops.Settle) -> None:
        """The view's transaction has failed: only a rejection can be recorded, in a new one."""
        self._transaction.rollback()
        if op.outcome.kind != REJECTED or self._claim is None:
            raise RuntimeError(FAILED)
        _begin(self._transaction)
        if not isinstance(self._asked(self._claim), ops.Granted):
            raise StoreBusy("somebody else is at it now")

    def _lost(self, op: ops.Settle) -> Reply:
        """Somebody else's row was there already: his outcome is the answer."""
        with self._pg.reading() as work:
            reply = step(work.row(op.key), op, work.now)[1]
        return reply if isinstance(reply, ops.Fenced) else ops.Fenced()


class PgFenced(Fenced):
    """The store with its Settle inside a transaction of the app; all else is its own."""

    errors: ClassVar = (psycopg.Error, StoreError)

    def __init__(self, store: PostgresStore, transaction: Transaction) -> None:
        super().__init__(cast("Any", store), transaction)
        self._pg = store

    def translated(self) -> AbstractContextManager[Any]:
        """The driver's errors as ours."""
        return translated()

    def _committed(self, op: ops.Settle) -> Reply:
        _begin(self._transaction)
        if self._transaction.raw.info.transaction_status == TransactionStatus.INERROR:
            self._begin_again(op)
        self._pg.check(self._transaction.raw)
        work = _work(self._pg, self._transaction)
        work.wire.say(SETTLING)
        reply: Reply = work.hold(op)
        if isinstance(reply, ops.Fenced):
            self._undo()
            return reply
        work.wire.flush()
        self._transaction.commit()
        tidy(self._pg, self._transaction)
        return reply

    def _begin_again(self, op: ops.Settle) -> None:
        self._undo()
        if op.outcome.kind != REJECTED:
            raise RuntimeError(FAILED)
        _begin(self._transaction)


def _begin(transaction: Transaction) -> None:
    if not transaction.begin():
        raise StoreBusy("the database has no free connection for the outcome")


def tidy(store: PostgresStore, transaction: Transaction) -> None:
    """Delete some old rows, if it is time."""
    if store.due:
        aside(transaction, store.tidy)


def aside(transaction: Transaction, ask: Callable[[], T]) -> T:
    """Ask on a connection of our own; on an event loop's thread nobody may wait for that."""
    way = getattr(transaction, "aside", None)
    return ask() if way is None else way(ask)


def _work(store: PostgresStore, transaction: Transaction, *, absent: bool = False) -> PgWork:
    raw = transaction.raw
    return PgWork(store, Wire(raw, begin_of(raw)), locks=True, absent=absent)

"""Joined: the ledger's row in the app's own transaction.

Claim is its BEGIN IMMEDIATE and a look under the lock, Settle is the only INSERT and its COMMIT.
Until then nothing is visible, and a crash leaves nothing at all: no lease runs out, nothing ever is
in doubt. Everything else (lookups, messages, pages) the store answers on its own connections.
"""

from __future__ import annotations

import sqlite3
from contextlib import AbstractContextManager, suppress
from typing import TYPE_CHECKING, Any, ClassVar, Final

from ..core import ops
from ..core.ledger import Row, step
from ..errors import StoreDown
from .base import Transaction
from .connect import translated
from .rows import SQLWork

if TYPE_CHECKING:
    from .sqlite import SQLiteStore


ENDED: Final = "the view ended the transaction that once() had opened"


class Joined:
    """The store inside a transaction of the app: Claim is BEGIN, Settle is COMMIT."""

    errors: ClassVar[tuple[type[Exception], ...]] = (sqlite3.Error,)

    def __init__(self, store: SQLiteStore, transaction: Transaction) -> None:
        self._store, self._transaction = store, transaction
        self._row: Row | None = None

    def translated(self) -> AbstractContextManager[Any]:
        """The driver's errors as ours."""
        return translated()

    def perform(self, op: ops.Op[Any]) -> Any:
        """Claim, Settle and Abandon here; everything else by the store itself."""
        if op.verb in ("claim", "settle", "abandon"):
            return getattr(self, op.verb)(op)
        return self._store.perform(op)

    def claim(self, op: ops.Claim) -> ops.ClaimReply:
        """BEGIN IMMEDIATE, then look once more under the lock; nothing is written.

        Raises SentTooOften.
        """
        with self.translated():
            self._store.prepare()
            if not self._transaction.begin():
                return ops.Busy()
            try:
                self._store.check(self._transaction.raw)
                reply = self._asked(op)
            except BaseException:
                self._transaction.rollback()
                raise
            if not isinstance(reply, ops.Granted):
                self._transaction.rollback()
            return reply

    def _asked(self, op: ops.Claim) -> ops.ClaimReply:
        work = self._work()
        self._row, answer = step(work.met(op), op, work.now)
        reply: ops.ClaimReply = work.with_taken(answer)
        return reply

    def settle(self, op: ops.Settle) -> ops.Done | ops.Fenced:
        """The row, the receipt and the session beside the effect, then COMMIT.

        With another fence, and whatever is raised, ROLLBACK.
        """
        try:
            with self.translated():
                return self._committed(op)
        except BaseException:
            self.abandon(ops.Abandon(op.key, op.grant))
            raise

    def _committed(self, op: ops.Settle) -> ops.Done | ops.Fenced:
        if not self._transaction.raw.in_transaction:
            raise StoreDown(ENDED)
        work = self._work()
        after, reply = step(self._row, op, work.now)
        if isinstance(reply, ops.Fenced):
            self._transaction.rollback()
            return reply
        assert isinstance(reply, ops.Done)
        work.settled(op, after)
        self._transaction.commit()
        return reply

    def abandon(self, op: ops.Abandon) -> ops.Done | ops.Fenced:
        """ROLLBACK; there never was a row."""
        with suppress(*self.errors):
            self._transaction.rollback()
        return ops.Done()

    def _work(self) -> SQLWork:
        return SQLWork(self._store, self._transaction.raw)

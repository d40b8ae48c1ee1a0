"""Fenced: a claim of its own, and Settle inside the app's transaction.

For views that take long. The claim is a short transaction with a lease, so nothing is locked while
the view thinks; the view's own transaction begins with its first write and ends with the row's step
from claimed to settled. If the lease ran out meanwhile and somebody took over, that step finds
another fence: it is refused, and the effect is rolled back with it. Two commits instead of one,
exactly once all the same.

A view that has failed together with its database (a lock, a server that went away) could not give
its claim back either, and whoever sends the form again would wait for the lease, although nobody is
at it. So what could not be said is kept in this process and said before the next question about
that submission. Another process cannot know, and waits.
"""

from __future__ import annotations

import sqlite3
from contextlib import AbstractContextManager, suppress
from typing import TYPE_CHECKING, Any, ClassVar, Final
from weakref import WeakKeyDictionary

from ..core import ops
from ..core.values import Key
from ..errors import StoreBusy, StoreError
from .base import Store, Transaction
from .connect import translated
from .rows import SQLWork

if TYPE_CHECKING:
    from .sqlite import SQLiteStore

MOST_UNSAID: Final = 1_000
UNSAID: Final[WeakKeyDictionary[Store, dict[Key, ops.Abandon | ops.Doubt]]] = WeakKeyDictionary()


class Fenced:
    """The store with its Settle inside a transaction of the app; all else is its own."""

    errors: ClassVar[tuple[type[Exception], ...]] = (sqlite3.Error,)

    def __init__(self, store: SQLiteStore, transaction: Transaction) -> None:
        self._store, self._transaction = store, transaction
        self._unsaid = UNSAID.setdefault(store, {})

    def translated(self) -> AbstractContextManager[Any]:
        """The driver's errors as ours."""
        return translated()

    def perform(self, op: ops.Op[Any]) -> Any:
        """Settle with the effect; a failed attempt takes the effect back before it says so."""
        if isinstance(op, ops.Settle):
            return self.settle(op)
        if isinstance(op, ops.Abandon | ops.Doubt):
            self._undo()
            return self._said(op)
        if isinstance(op, ops.Lookup | ops.Claim) and op.key in self._unsaid:
            with suppress(StoreError):
                self._said(self._unsaid[op.key])
        return self._store.perform(op)

    def _said(self, op: ops.Abandon | ops.Doubt) -> Any:
        """Say it, or keep it for later."""
        try:
            reply = self._store.perform(op)
        except StoreError:
            while len(self._unsaid) >= MOST_UNSAID:
                self._unsaid.pop(next(iter(self._unsaid)), None)
            self._unsaid[op.key] = op
            raise
        self._unsaid.pop(op.key, None)
        return reply

    def settle(self, op: ops.Settle) -> ops.Done | ops.Fenced:
        """The row's step beside the effect, then COMMIT; with another fence, ROLLBACK.

        Whatever is raised, the effect is taken back first.
        """
        try:
            with self.translated():
                return self._committed(op)
        except BaseException:
            self._undo()
            raise

    def _committed(self, op: ops.Settle) -> ops.Done | ops.Fenced:
        if not self._transaction.begin():
            raise StoreBusy("another writer has the database")
        self._store.check(self._transaction.raw)
        work = SQLWork(self._store, self._transaction.raw)
        reply: ops.Done | ops.Fenced = work.hold(op)
        if isinstance(reply, ops.Fenced):
            self._undo()
        else:
            self._transaction.commit()
        return reply

    def _undo(self) -> None:
        with suppress(*self.errors):
            self._transaction.rollback()

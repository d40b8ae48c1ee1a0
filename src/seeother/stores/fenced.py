"""Fenced: a claim of its own, and Settle inside the app's transaction.

For views that take long. The claim is a short transaction with a lease, so nothing is locked while
the view thinks; the view's own transaction begins with its first write and ends with the row's step
from claimed to settled. If the lease ran out meanwhile and somebody took over, that step finds
another fence: it is refused, and the effect is rolled back with it. Two commits instead of one,
exactly once all the same.
"""

from __future__ import annotations

import sqlite3
from contextlib import AbstractContextManager, suppress
from typing import TYPE_CHECKING, Any, ClassVar

from ..core import ops
from ..errors import StoreBusy
from .base import Transaction
from .connect import translated
from .rows import SQLWork

if TYPE_CHECKING:
    from .sqlite import SQLiteStore


class Fenced:
    """The store with its Settle inside a transaction of the app; all else is its own."""

    errors: ClassVar[tuple[type[Exception], ...]] = (sqlite3.Error,)

    def __init__(self, store: SQLiteStore, transaction: Transaction) -> None:
        self._store, self._transaction = store, transaction

    def translated(self) -> AbstractContextManager[Any]:
        """The driver's errors as ours."""
        return translated()

    def perform(self, op: ops.Op[Any]) -> Any:
        """Settle with the effect; a failed attempt takes the effect back before it says so."""
        if isinstance(op, ops.Settle):
            return self.settle(op)
        if op.verb in ("abandon", "doubt"):
            self._undo()
        return self._store.perform(op)

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

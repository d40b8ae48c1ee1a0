"""The ledger of an app whose database is in memory: for tests, where both end with the process.

No second connection can see such a database, so the ledger stands beside it in this process's own
memory. The order of the two commits does not matter: nothing survives a crash between them.

Mode fenced is refused: its views run at the same time, each in a transaction of its own, and here
all of them have one connection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NoReturn

from ..core import ops
from ..core.policy import Mode
from ..errors import PolicyError
from ..stores.base import Performs, Transaction
from ..stores.memory import MemoryStore

if TYPE_CHECKING:
    from sqlalchemy import Engine

NO_FENCED: Final = (
    'mode "fenced" needs an SQLite file or PostgreSQL: all views of a database in memory have one'
    ' connection, so take a file (sqlite:///test.db), or mode "joined"'
)


class InMemory(MemoryStore):
    """A memory store that may be joined by the one database in memory that it belongs to."""

    def __init__(self, engine: Engine, like: MemoryStore) -> None:
        super().__init__(retention=like.retention, idle=like.idle, lifetime=like.lifetime)
        self.engine = engine

    def within(self, transaction: Transaction) -> Performs:
        """The ledger around a transaction of the database beside it."""
        return _Around(self, transaction)

    def fenced(self, transaction: Transaction) -> NoReturn:
        """All of a process's views have one connection there. Raises PolicyError."""
        raise PolicyError(NO_FENCED)


def refuse_memory(store: object, mode: Mode | None) -> None:
    """Raises PolicyError where mode fenced was asked for on a database in memory."""
    if mode == "fenced" and isinstance(store, InMemory):
        raise PolicyError(NO_FENCED)


class _Around:
    """Claim begins the transaction, Settle commits it, Abandon takes it back."""

    def __init__(self, store: InMemory, transaction: Transaction) -> None:
        self._store, self._transaction = store, transaction

    def perform(self, op: ops.Op[Any]) -> Any:
        """The store's own answer, with the transaction's step before it."""
        if isinstance(op, ops.Settle):
            self._transaction.commit()
        elif isinstance(op, ops.Abandon):
            self._transaction.rollback()
        reply = self._store.perform(op)
        if not isinstance(op, ops.Claim) or not isinstance(reply, ops.Granted):
            return reply
        if self._transaction.begin():
            return reply
        self._store.perform(ops.Abandon(op.key, reply))
        return ops.Busy()

"""Mode fenced in Django: a claim of its own, and an `atomic()` that begins with the first write.

The claim is a short transaction with a lease. Then everything inside of the middleware runs in one
`atomic()`, as in mode joined: the view, its sessions and its messages. But it is entered without a
word to SQLite. As long as nothing is written the connection is in autocommit, every SELECT stands
for itself, and a view that thinks locks nobody out; the first statement that may write is preceded
by BEGIN IMMEDIATE, which waits for the lock for `patience`. Savepoints of inner `atomic()` blocks
(also that of ATOMIC_REQUESTS) are only noted until then (`seeother.stores.savepoints`).

On PostgreSQL the driver says BEGIN before the first statement, whatever it is; a reader is in
nobody's way there.

Settle writes the row beside the effect. If the lease ran out meanwhile and somebody took over, it
finds another fence, and the effect is rolled back (`seeother.stores.fenced`).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar, Final

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.transaction import Atomic

from ..core import ops
from ..core.values import Key
from ..drive import ENDINGS
from ..errors import StoreBusy, StoreDown, StoreError
from ..stores.base import Performs
from ..stores.connect import begin, translated
from ..stores.joined import ENDED
from ..stores.savepoints import Savepoints
from .store import BEGINS
from .transaction import TAKEN, ViewTransaction

if TYPE_CHECKING:
    from .store import DjangoStore

BEGIN: Final = "_start_transaction_under_autocommit"
# What needs no transaction, and savepoints: before it begins they are noted, later it is there.
FREE: Final = frozenset({"SELECT", "PRAGMA", "EXPLAI", "SAVEPO", "RELEAS", "ROLLBA"})
LOCKED: Final = "another writer held the database for the whole patience"


class LateTransaction(ViewTransaction):
    """One `atomic()` that begins with its first write, waiting `patience` seconds for the lock."""

    def __init__(self, store: DjangoStore, patience: float) -> None:
        super().__init__(store)
        self._patience = patience
        self._noted = Savepoints()
        self._begun = False

    def open(self) -> None:
        """Enter `atomic()`. Raises StoreBusy where another submission has this connection."""
        if not super().begin():
            raise StoreBusy(TAKEN)
        connection: Any = self._connection
        connection.execute_wrappers.append(self._say)
        setattr(connection, BEGINS, self.begin)  # for those who speak to the driver directly

    def begin(self) -> bool:
        """BEGIN IMMEDIATE and the savepoints that stand.

        Raises StoreBusy past the patience, and StoreDown where SQLite has taken the transaction
        back by itself (a full disk): what comes now must not be committed without what came before.
        """
        if not self.is_open:
            self.open()
        raw = self.raw
        if raw.in_transaction:
            return True
        if self._begun:
            raise StoreDown(ENDED)
        with translated():
            if not begin(raw, int(self._patience * 1000)):
                raise StoreBusy(LOCKED)
            self._begun = True
            self._noted.stand(raw)
        return True

    def _enter(self, connection: BaseDatabaseWrapper, atomic: Atomic) -> bool:
        """Enter the outermost block, and say no BEGIN."""
        said: dict[str, Any] = vars(connection)
        said[BEGIN] = _nothing  # of this one connection, and for this one call
        try:
            atomic.__enter__()
        finally:
            del said[BEGIN]
        return True

    def _say(
        self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any
    ) -> Any:
        """Every statement comes by here before it is said (Django's database instrumentation)."""
        if not (self._begun or self.raw.in_transaction) and self._noted.note(sql):
            return None
        if sql.lstrip()[:6].upper() not in FREE:
            self.begin()
        return execute(sql, params, many, context)

    def _released(self) -> tuple[Atomic | None, BaseDatabaseWrapper | None]:
        atomic, connection = super()._released()
        if atomic is not None:
            _forget(connection, self._say)
        return atomic, connection


def late_transaction(store: DjangoStore, patience: float) -> ViewTransaction:
    """The transaction of a submission in mode fenced, for this kind of database."""
    if getattr(store, "single_writer", True):
        return LateTransaction(store, patience)
    from .pg_late import PgLateTransaction  # noqa: PLC0415 - psycopg is an extra

    return PgLateTransaction(store)


class Reserved:
    """The store around such a transaction: who claims has the connection from then on.

    Two submissions on one connection happen only where Django gives two requests one thread, as in
    tests with its asynchronous client; the second one waits as if the database were locked.
    """

    _reserved: ClassVar[dict[int, Key]] = {}

    def __init__(self, store: DjangoStore, transaction: ViewTransaction) -> None:
        self._store = store
        self._inside: Performs = store.fenced(transaction)
        self._grant: tuple[int, Key, ops.Granted] | None = None

    def perform(self, op: ops.Op[Any]) -> Any:
        """The store's own answer; Busy where the connection is somebody else's."""
        if isinstance(op, ops.Claim):
            return self._claimed(op)
        reply = self._inside.perform(op)
        if op.verb in ENDINGS:
            self._let_go()
        return reply

    def _claimed(self, op: ops.Claim) -> ops.ClaimReply:
        place = id(self._store.connection)
        if self._reserved.setdefault(place, op.key) != op.key:
            return ops.Busy()
        reply: ops.ClaimReply = ops.Busy()
        try:
            reply = self._inside.perform(op)
        finally:
            if isinstance(reply, ops.Granted):
                self._grant = place, op.key, reply
            else:
                self._reserved.pop(place, None)
        return reply

    @property
    def holds(self) -> bool:
        """Was it granted, and has nobody said yet how it ended?"""
        return self._grant is not None

    def end(self) -> None:
        """Give back what is held still: the request was cancelled, or the process goes down."""
        if self._grant is not None:
            _, key, grant = self._grant
            self._let_go()
            with suppress(StoreError):
                self._inside.perform(ops.Abandon(key, grant))

    def _let_go(self) -> None:
        held, self._grant = self._grant, None
        if held is not None:
            self._reserved.pop(held[0], None)


def _nothing() -> None:
    """BEGIN comes later."""


def _forget(connection: BaseDatabaseWrapper | None, wrapper: Callable[..., Any]) -> None:
    """The connection is as it was."""
    own: Any = connection
    with suppress(ValueError, AttributeError):
        own.execute_wrappers.remove(wrapper)
        delattr(own, BEGINS)

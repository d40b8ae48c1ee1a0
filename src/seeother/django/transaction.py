"""The transaction of one submission: Django's own `atomic()`, begun by the claim.

`atomic()` alone would begin with a plain BEGIN, and on SQLite a transaction that reads first and
writes later fails at once where another one wrote in between. So it begins IMMEDIATE, by Django's
own `transaction_mode` (https://docs.djangoproject.com/en/5.2/ref/databases/#sqlite-transaction-behavior),
and waits at most 20 ms for the lock: whoever does not get it asks again, and waits where waiting
costs nothing.

Inside another transaction (a `TestCase`) it is a savepoint, as every `atomic()`.

`on_commit` hooks of the view run after the commit and after the ledger has let go of everything.
One that raises is logged: the effect stands, so its answer is the truth.
"""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from typing import Any, ClassVar, Final, cast

from django.db import Error, IntegrityError, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.transaction import Atomic

from ..log import EVENTS
from ..stores.connect import BUSY, LOCK_MS
from .store import DjangoStore

IMMEDIATE: Final = "IMMEDIATE"
CODES: Final = 0xFF
TAKEN: Final = "another submission has this connection"


class ViewTransaction:
    """One `atomic()` that a flow begins and ends (`seeother.stores.base.Transaction`)."""

    # Connections with a submission on them. Under asyncio and without a thread of its own for each
    # request (as in tests) a second one would begin inside the first.
    _taken: Final[set[int]] = set()
    driver_errors: ClassVar[type[Exception]] = sqlite3.Error

    def __init__(self, store: DjangoStore) -> None:
        self._store = store
        self._atomic: Atomic | None = None
        self._connection: BaseDatabaseWrapper | None = None
        self._hooks: list[Any] = []
        self._changes = 0
        self._nested = False

    @property
    def raw(self) -> sqlite3.Connection:
        """The driver's connection inside."""
        assert self._connection is not None
        return cast("sqlite3.Connection", self._connection.connection)

    @property
    def is_open(self) -> bool:
        """Was it begun, and not ended yet?"""
        return self._atomic is not None

    @property
    def doomed(self) -> bool:
        """Did somebody ask for a rollback (`transaction.set_rollback(True)`)?"""
        return self._connection is not None and self._connection.needs_rollback

    @property
    def has_changed(self) -> bool:
        """Was a row changed since the claim?"""
        return self._count() > self._changes

    def open(self) -> None:
        """The view comes next; it has begun with the claim already (joined)."""

    def begin(self) -> bool:
        """Open it for writing; False if another writer has the lock."""
        connection = self._store.connection
        if id(connection) in self._taken:
            return False
        atomic = transaction.atomic(using=self._store.alias)
        self._nested = connection.in_atomic_block
        try:
            if self._nested:
                atomic.__enter__()
            elif not self._enter(connection, atomic):
                return False
        except Error as error:
            raise self._driver_error(error) from error
        self._atomic, self._connection = atomic, connection
        self._taken.add(id(connection))
        self._changes = self._count()
        return True

    def _enter(self, connection: BaseDatabaseWrapper, atomic: Atomic) -> bool:
        """Begin the outermost transaction; False if another writer has the lock."""
        return _immediate(connection, atomic)

    def _count(self) -> int:
        """A number that grows with every row that is changed."""
        return self.raw.total_changes

    def commit(self) -> None:
        """COMMIT; the hooks of `on_commit` are kept for `tell`."""
        atomic, connection = self._released()
        if atomic is None or connection is None:
            return
        outermost = len(connection.atomic_blocks) == 1
        if outermost:
            self._hooks, connection.run_on_commit = connection.run_on_commit, []
        try:
            atomic.__exit__(None, None, None)
        except IntegrityError:
            self._hooks = []
            raise
        except Error as error:
            self._hooks = []
            raise self._driver_error(error) from error

    def rollback(self) -> None:
        """ROLLBACK if anything is open; may be called again."""
        atomic, connection = self._released()
        if atomic is None or connection is None:
            return
        connection.needs_rollback = True
        with suppress(Error):
            atomic.__exit__(None, None, None)

    @property
    def tells(self) -> bool:
        """Are there hooks of `on_commit` to run?"""
        return bool(self._hooks)

    def tell(self) -> None:
        """It is committed: run the hooks as Django does, but what they raise changes nothing."""
        hooks, self._hooks = self._hooks, []
        if not hooks:
            return
        connection = self._store.connection
        connection.run_on_commit = hooks
        try:
            connection.run_and_clear_commit_hooks()
        except Exception:  # noqa: BLE001 - the effect stands, and so does its answer
            EVENTS.exception("a hook of on_commit raised; the outcome stands")

    def _driver_error(self, error: Error) -> Exception:
        """What the driver said, as the stores know it."""
        cause = error.__cause__
        return cause if isinstance(cause, self.driver_errors) else error

    def _released(self) -> tuple[Atomic | None, BaseDatabaseWrapper | None]:
        atomic, self._atomic = self._atomic, None
        if atomic is not None:
            self._taken.discard(id(self._connection))
        return atomic, self._connection


def _immediate(connection: Any, atomic: Atomic) -> bool:
    """Enter `atomic` with BEGIN IMMEDIATE; the connection is as it was afterwards."""
    raw, mode = connection.connection, connection.transaction_mode
    (patience,) = raw.execute("PRAGMA busy_timeout").fetchone()
    raw.execute(f"PRAGMA busy_timeout={LOCK_MS}")
    connection.transaction_mode = IMMEDIATE
    try:
        atomic.__enter__()
    except Error as error:
        code = getattr(error.__cause__, "sqlite_errorcode", 0)
        if code & CODES in BUSY:
            return False
        raise
    finally:
        connection.transaction_mode = mode
        raw.execute(f"PRAGMA busy_timeout={int(patience)}")
    return True

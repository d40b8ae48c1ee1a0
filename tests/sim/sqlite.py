"""The same schedules on real SQLite: one file, several store objects, one thread.

A process is a store object with connections of its own; when it dies they are closed, and SQLite
rolls back what was open. The app's table stands in the same file, so joined and fenced commit
effect and row together, through the library's own `within` and `fenced`. A library inside the
process has no network in front of it: what would arrive late on a transaction never arrives.
"""

from __future__ import annotations

import atexit
import shutil
import sqlite3
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from seeother.core.ledger import Row
from seeother.core.ops import Op
from seeother.core.values import Key
from seeother.errors import StoreDown
from seeother.stores import connect
from seeother.stores.delivery import Kept
from seeother.stores.rows import SQLWork
from seeother.stores.sqlite import SQLiteStore

from .backends import Later, Locked, Port
from .effects import Effect, SQLTable, Table

if TYPE_CHECKING:
    from .world import Process, World

INSIDE: Final = frozenset({"claim", "settle", "abandon"})
SHARED_MEMORY: Final = Path("/dev/shm")


@cache
def _template() -> Path:
    """An empty ledger with the app's table in it; copied for every schedule."""
    folder = Path(tempfile.mkdtemp(prefix="seeother-sim-", dir=_fast()))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = folder / "template.db"
    store = SQLiteStore(path)
    store.prepare()
    store.shut()
    with sqlite3.connect(path) as connection:
        connection.execute(SQLTable.CREATE)
    connection.close()
    return path


def _fast() -> Path | None:
    return SHARED_MEMORY if SHARED_MEMORY.is_dir() else None


class Connection:
    """The app's transaction on a connection of its own; `late`: it must begin, or be busy."""

    def __init__(self, path: Path, *, late: bool) -> None:
        self._path, self._late = path, late
        self._open: sqlite3.Connection | None = None

    def begin(self) -> bool:
        if self._open is not None:
            return True
        opened = connect.connect(self._path, "NORMAL")
        if connect.begin(opened):
            self._open = opened
            return True
        opened.close()
        if self._late:
            raise Locked("another writer")
        return False

    @property
    def raw(self) -> Any:
        if self._open is None:
            raise StoreDown("the connection is gone")
        return self._open

    def commit(self) -> None:
        self.raw.execute("COMMIT")
        self.rollback()

    def rollback(self) -> None:
        opened, self._open = self._open, None
        if opened is not None:
            with suppress(sqlite3.Error):
                if opened.in_transaction:
                    opened.execute("ROLLBACK")
            opened.close()


class SQLPort(Port):
    """Joined or fenced: effects go into the transaction that the library will commit."""

    def __init__(self, world: World, store: Any, table: Table, path: Path, mode: str) -> None:
        super().__init__(world, store, table)
        self._transaction = Connection(path, late=mode == "fenced")
        wrapped = {"joined": store.within, "fenced": store.fenced}[mode]
        self._inside = wrapped(self._transaction)

    def perform(self, op: Op[Any]) -> Any:
        return self._inside.perform(op)

    def effect(self, effect: Effect) -> None:
        self._transaction.begin()
        SQLTable.write(self._transaction.raw, [effect])

    def lose(self) -> None:
        self._transaction.rollback()

    def close(self) -> None:
        self._transaction.rollback()

    def later(self, op: Op[Any]) -> Later:
        if op.verb in INSIDE:
            return lambda: None
        return lambda: self.perform(op)


class SQLiteBackend:
    """SQLite stores on one temporary file."""

    one_writer = True

    def __init__(self, world: World, **limits: Any) -> None:
        self.world, self.limits = world, limits
        self.idle: float = limits["idle"]
        self._folder = Path(tempfile.mkdtemp(prefix="seeother-sim-", dir=_fast()))
        self.path = self._folder / "app.db"
        shutil.copyfile(_template(), self.path)
        self._patience = connect.begin.__defaults__
        connect.begin.__defaults__ = (
            0,
        )  # one thread: whoever has the lock does not move meanwhile
        self._judge = connect.connect(self.path, "NORMAL")
        self.table: Table = SQLTable(self._judge)
        self._stores: list[SQLiteStore] = []
        self._shared = SQLiteStore(self.path, clock=lambda: world.now, **limits)

    def open(self, process: Process) -> SQLiteStore:
        store = SQLiteStore(self.path, clock=lambda: self.clock(process), **self.limits)
        self._stores.append(store)
        return store

    def clock(self, process: Process) -> float:
        """The store's clock, which is nobody's watch."""
        del process
        return self.world.now

    def drop(self, process: Process) -> None:
        process.store.shut()

    def port(self, process: Process, mode: str) -> Port:
        if mode == "separate":
            return Port(self.world, process.store, self.table)
        return SQLPort(self.world, process.store, self.table, self.path, mode)

    def work(self) -> SQLWork:
        return SQLWork(self._shared, self._judge)

    def row(self, key: Key) -> Row | None:
        return self.work().row(key)

    def kept(self, receipt: bytes) -> Kept | None:
        return self.work().kept(receipt)

    def receipts(self) -> list[Kept]:
        ids = self._judge.execute("SELECT id FROM so_receipt ORDER BY n").fetchall()
        return [kept for (one,) in ids if (kept := self.kept(one)) is not None]

    def close(self) -> None:
        connect.begin.__defaults__ = self._patience
        for store in self._stores:
            store.shut()
        self._judge.close()
        shutil.rmtree(self._folder, ignore_errors=True)

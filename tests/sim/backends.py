"""The stores under test, and the app's own transactions around them, in memory and on SQLite.

A `Port` is the way from one request to the store: plain for *separate*, inside a transaction of the
app for *joined*, and for *fenced* a claim of its own with a settle that commits together with the
effect, or not at all. It also knows what its end may look like: a connection that dies leaves its
transaction to the server, which notices later and rolls it back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from seeother.core.ledger import Row
from seeother.core.ops import Busy, Done, Op
from seeother.core.values import Key
from seeother.errors import StoreBusy, StoreDown
from seeother.stores.delivery import Kept
from seeother.stores.joined import Joined
from seeother.stores.memory import MemoryStore, _MemoryWork
from seeother.stores.work import Work

from .effects import Effect, MemoryTable, Table

if TYPE_CHECKING:
    from .world import Process, World

Later = Callable[[], object]
NOTES = frozenset({"take", "close", "rearm"})


class Backend(Protocol):
    """A kind of store: opens store objects and ports, and looks inside for the judges."""

    table: Table
    idle: float
    one_writer: bool

    def open(self, process: Process) -> Any: ...
    def drop(self, process: Process) -> None: ...
    def port(self, process: Process, mode: str) -> Port: ...
    def row(self, key: Key) -> Row | None: ...
    def kept(self, receipt: bytes) -> Kept | None: ...
    def receipts(self) -> list[Kept]: ...
    def work(self) -> Work: ...
    def close(self) -> None: ...


class Locked(StoreBusy):
    """The app's connection waits for another writer, as long as it has patience."""


class Port:
    """Separate: the store is one thing, the app's table another."""

    def __init__(self, world: World, store: Any, table: Table) -> None:
        self.world, self.store, self.table = world, store, table

    def perform(self, op: Op[Any]) -> Any:
        """Ask the store."""
        return self.store.perform(op)

    def effect(self, effect: Effect) -> None:
        """The view writes into the app's table."""
        self.table.land(effect)

    def lose(self) -> None:
        """The connection died."""

    def close(self) -> None:
        """The request is over; what is still open is rolled back."""

    def later(self, op: Op[Any]) -> Later:
        """What arrives after everybody gave it up."""
        return lambda: self.perform(op)


class Fenced(Port):
    """The claim by itself; settle and the app's effects in one commit."""

    def __init__(self, world: World, store: Any, table: Table) -> None:
        super().__init__(world, store, table)
        self.pending: list[Effect] = []

    def perform(self, op: Op[Any]) -> Any:
        reply = super().perform(op)
        if op.verb == "settle" and isinstance(reply, Done):
            self.commit()
        elif op.verb in ("settle", "abandon"):
            self.pending = []
        return reply

    def commit(self) -> None:
        """The effects of the view stand now."""
        for effect in self.pending:
            self.table.land(effect)
        self.pending = []

    def effect(self, effect: Effect) -> None:
        self.pending.append(effect)

    def lose(self) -> None:
        self.pending = []

    def later(self, op: Op[Any]) -> Later:
        shadow = type(self)(self.world, self.store, self.table)
        shadow.pending, self.pending = self.pending, []
        return lambda: shadow.perform(op)


# Memory -------------------------------------------------------------------------------------


class SharedStore(MemoryStore):
    """A process's store object on dicts that all processes share, as if they were a database."""

    def __init__(self, shared: MemoryStore, **limits: Any) -> None:
        super().__init__(**limits)
        self.rows, self.receipts = shared.rows, shared.receipts
        self.sessions = shared.sessions

    def prepare(self) -> None:
        """Nothing has to be created."""

    def check(self, connection: object) -> None:
        """Every transaction here is one of this database."""


class Writer:
    """The database's side of one open transaction: it holds the lock for the only writer."""

    def __init__(self, database: MemoryBackend) -> None:
        self.database = database
        self.pending: list[Effect] = []
        self.in_transaction = True

    def end(self, *, commit: bool) -> None:
        if not self.in_transaction:
            return
        self.in_transaction = False
        self.database.writers.remove(self)
        for effect in self.pending if commit else ():
            self.database.table.land(effect)


class Transaction:
    """The app's side of a transaction, as `Store.within` takes it."""

    def __init__(self, database: MemoryBackend, writer: Writer | None = None) -> None:
        self.database, self.writer = database, writer

    def begin(self) -> bool:
        if self.database.writers and not self.database.crowd:
            return False
        self.writer = Writer(self.database)
        self.database.writers.append(self.writer)
        return True

    @property
    def raw(self) -> Any:
        if self.writer is None:
            raise StoreDown("the connection is gone")
        return self.writer

    def commit(self) -> None:
        self.raw.end(commit=True)

    def rollback(self) -> None:
        if self.writer is not None:
            self.writer.end(commit=False)

    def detach(self) -> Transaction:
        """The connection dies; what the server still holds of it."""
        gone, self.writer = self.writer, None
        return Transaction(self.database, gone)


class JoinedMemory(Joined):
    """The library's own joined store, writing to dicts."""

    def _work(self) -> Any:
        return _MemoryWork(self._store)


class JoinedPort(Port):
    """The effect, the row and the message in one transaction of the app."""

    def __init__(self, world: World, store: Any, table: Table, transaction: Any, kind: Any) -> None:
        super().__init__(world, store, table)
        self.transaction, self.kind = transaction, kind
        self.joined = kind(store, transaction)

    def perform(self, op: Op[Any]) -> Any:
        return self.joined.perform(op)

    def effect(self, effect: Effect) -> None:
        self.transaction.raw.pending.append(effect)

    def close(self) -> None:
        self.transaction.rollback()

    def lose(self) -> None:
        gone = self.transaction.detach()
        self.world.at(12 + 15 * self.world.rng.random(), gone.rollback)

    def later(self, op: Op[Any]) -> Later:
        gone = self.transaction.detach()
        shadow = self.kind(self.store, gone)
        shadow._row = self.joined._row
        self.world.at(27.0, gone.rollback)
        return lambda: shadow.perform(op) if gone.writer or op.verb != "settle" else None


class OneWriter(JoinedPort):
    """A joined port whose database has one writer: what is no part of the transaction waits."""

    def perform(self, op: Op[Any]) -> Any:
        writers = self.transaction.database.writers
        if op.verb in NOTES and writers and writers != [self.transaction.writer]:
            return Busy()
        if op.verb in ("renew", "doubt", "resolve") and writers:
            raise StoreBusy("another writer")
        return super().perform(op)


class MemoryBackend:
    """Stores in memory; `crowd` lets several writers in at once (a planted bug)."""

    one_writer = False
    crowd = False

    def __init__(self, world: World, **limits: Any) -> None:
        self.world, self.limits = world, limits
        self.idle: float = limits["idle"]
        self.table: Table = MemoryTable()
        self.shared = MemoryStore(clock=lambda: world.now, **limits)
        self.writers: list[Writer] = []

    def open(self, process: Process) -> SharedStore:
        return SharedStore(self.shared, clock=lambda: self.clock(process), **self.limits)

    def clock(self, process: Process) -> float:
        """The store's clock, which is nobody's watch."""
        del process
        return self.world.now

    def drop(self, process: Process) -> None:
        """The process is dead; its memory goes with it."""

    def port(self, process: Process, mode: str) -> Port:
        if mode == "joined":
            return OneWriter(self.world, process.store, self.table, Transaction(self), JoinedMemory)
        kind = Fenced if mode == "fenced" else Port
        return kind(self.world, process.store, self.table)

    def row(self, key: Key) -> Row | None:
        return self.shared.rows.get(key)

    def kept(self, receipt: bytes) -> Kept | None:
        return self.shared.receipts.get(receipt)

    def receipts(self) -> list[Kept]:
        return list(self.shared.receipts.values())

    def work(self) -> Work:
        return _MemoryWork(self.shared)

    def close(self) -> None:
        """Nothing is open."""

"""The ledger on SQLite (3.35 or newer): one file, several processes, no server.

SQLite has one writer at a time, and its own way of waiting for the lock sleeps and starves (waits
of 1.8 s measured). So this store waits at most 20 ms for another process, then says `Busy`; within
a process the driver's single writer thread is the queue. Readers never wait: the file is in WAL
mode (https://sqlite.org/wal.html), look-ups have connections of their own, and those cannot write.

Durability: the ledger commits with `synchronous=FULL`, because an answer must not outlive its row.
What only concerns messages (take, acknowledge, give back, arm again) runs on a connection with
`synchronous=NORMAL`: losing the last of these in a power cut shows a message twice at worst.

Connections open lazily in each process and are opened anew after a fork. A child never uses what it
inherited and never closes it either: closing drops the locks and may delete the WAL of the parent
(https://sqlite.org/howtocorrupt.html section 2.6). Who opens also ends the leases of processes that
are provably dead (`owners`).
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from ..core import ops
from ..errors import PolicyError, StoreBusy
from .base import Transaction
from .connect import (
    LOCK_MS,
    begin_now,
    commit,
    connect,
    create_folder,
    create_private,
    prepare,
    raise_translated,
    roll_back,
    translated,
    tune,
)
from .fenced import Fenced
from .here import Here
from .joined import Joined
from .owners import sweep
from .rows import SQLWork
from .workstore import LOCK_SECONDS, WorkStore

__all__ = ["SQLiteStore", "create_folder", "create_private", "tune"]


class Process(NamedTuple):
    """What is open in one process; `idle` are the readers that nobody uses right now.

    `hasty` are those that wait for nothing (`glance`).
    """

    pid: int
    ledger: sqlite3.Connection
    notes: sqlite3.Connection
    lock: threading.Lock
    idle: list[sqlite3.Connection]
    hasty: list[sqlite3.Connection]


class Reading:
    """A step on a reader; as a class, for a generator would cost as much as the question itself."""

    __slots__ = ("_process", "_reader", "_store", "_waits")

    def __init__(self, store: SQLiteStore, *, waits: bool) -> None:
        self._store, self._waits = store, waits

    def __enter__(self) -> SQLWork:
        """Take a reader."""
        self._process = self._store.here()
        self._reader = self._store.reader(self._process, waits=self._waits)
        return SQLWork(self._store, self._reader)

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Give it back."""
        self._store.returned(self._process, self._reader, waits=self._waits)
        raise_translated(error)


class Writing:
    """A step in a write transaction of our own: COMMIT at its end, ROLLBACK if it raised."""

    __slots__ = ("_connection", "_lock", "_notes", "_store")

    def __init__(self, store: SQLiteStore, *, notes: bool) -> None:
        self._store, self._notes = store, notes
        self._connection: sqlite3.Connection | None = None

    def __enter__(self) -> SQLWork | None:
        """BEGIN; None where another writer was quicker, in this process or in another one."""
        process = self._store.here()
        connection = process.notes if self._notes else process.ledger
        self._lock = process.lock
        if not self._lock.acquire(timeout=LOCK_SECONDS):
            return None
        try:
            with translated():
                begun = begin_now(connection)  # both wait 20 ms, by `_opened`
        except BaseException:
            self._lock.release()
            raise
        if not begun:
            self._lock.release()
            return None
        self._connection = connection
        return SQLWork(self._store, connection)

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """End it."""
        if self._connection is None:
            return
        try:
            if error is not None:
                roll_back(self._connection)
                raise_translated(error)
            else:
                with translated():
                    commit(self._connection)
        finally:
            self._lock.release()


class SQLiteStore(WorkStore, Here[Process]):
    """A ledger, its receipts and its sessions in one SQLite file.

    `path` is created with mode 0600 (its folder with 0700) at the first use; the other arguments
    are those of every store (`WorkStore`). Of several apps on one file the longest `retention`
    counts for all.
    """

    def __init__(self, path: str | Path, **limits: Any) -> None:
        WorkStore.__init__(self, **limits)
        self._none_open()
        self.path = Path(path)
        self._same = ""  # the app's name for our file, once it was seen to be one

    @classmethod
    def from_url(cls, url: str) -> SQLiteStore:
        """`sqlite:///relative.db` or `sqlite:////absolute.db`, as SQLAlchemy spells them.

        Raises PolicyError where the URL names no file.

        >>> SQLiteStore.from_url("sqlite:////srv/app/ledger.db").path.as_posix()
        '/srv/app/ledger.db'
        """
        parts = urlsplit(url)
        path = unquote(parts.path).removeprefix("/")
        if parts.netloc or parts.query or path in ("", ":memory:"):
            raise PolicyError(
                f"{url!r} names no file; write sqlite:///relative.db, sqlite:////absolute.db or,"
                " for one process without a file, memory://"
            )
        return cls(path)

    translated = staticmethod(translated)

    def within(self, transaction: Transaction) -> Joined:
        """This store inside the app's own transaction."""
        return Joined(self, transaction)

    def fenced(self, transaction: Transaction) -> Fenced:
        """This store with its Settle inside the app's own transaction, and a claim of its own."""
        return Fenced(self, transaction)

    def check(self, connection: sqlite3.Connection) -> None:
        """Is this a connection to our own file? Else messages would be kept where nobody looks.

        Raises PolicyError.
        """
        found = connection.execute("PRAGMA database_list").fetchone()[2]
        if found and found == self._same:
            return
        if not found or not self.path.samefile(found):
            raise PolicyError(
                f"the engine's database is {found or 'in memory'}, the ledger is {self.path};"
                " joined and fenced need one file for both"
            )
        self._same = found

    @contextmanager
    def on(self, raw: sqlite3.Connection) -> Generator[SQLWork]:
        """A step in somebody's transaction on our file."""
        yield SQLWork(self, raw)

    def has_written(self, raw: sqlite3.Connection) -> bool:
        """Has the open transaction written? The driver begins one with the first write."""
        return raw.in_transaction

    def shut(self) -> None:
        """Close this process's connections; a reader in use closes when it is done."""
        process = self._leave()
        if process is not None:
            with process.lock:
                process.ledger.close()
                process.notes.close()
            for readers in (process.idle, process.hasty):
                while readers:
                    readers.pop().close()

    def glance(self, op: ops.Open | ops.Lookup) -> Any:
        """Answer a read at once, for an event loop: a few rows by their keys, in the page cache.

        Raises StoreBusy where it would have to wait: the file is not open in this process yet, or
        somebody is recovering what a killed process left. Then a thread has to ask, which waits.
        """
        if self._process is None or self._process.pid != os.getpid():
            raise StoreBusy("the store is not open yet")
        with Reading(self, waits=False) as work:
            return work.lookup(op) if isinstance(op, ops.Lookup) else work.open(op)

    def reading(self) -> Reading:
        """A step on a connection that cannot write; no writer is waited for."""
        return Reading(self, waits=True)

    def reader(self, process: Process, *, waits: bool) -> sqlite3.Connection:
        """One of the connections that nobody uses right now, or a new one."""
        try:
            return (process.idle if waits else process.hasty).pop()
        except IndexError:
            with translated():
                reader = connect(self.path, "NORMAL")
                reader.execute("PRAGMA query_only=ON")
                if not waits:
                    reader.execute("PRAGMA busy_timeout=0")
                return reader

    def writing(self, *, notes: bool = False) -> Writing:
        """A write transaction of our own; None where the lock was not to be had in 20 ms."""
        return Writing(self, notes=notes)

    def returned(self, process: Process, reader: sqlite3.Connection, *, waits: bool) -> None:
        """A reader that is not needed any more."""
        if process is self._process:
            (process.idle if waits else process.hasty).append(reader)
        else:
            reader.close()

    def _opened(self, pid: int) -> Process:
        with translated():
            return self._made(pid)

    def _made(self, pid: int) -> Process:
        create_private(self.path)
        ledger = connect(self.path, "FULL")
        try:
            prepare(ledger, self.retention)
            sweep(ledger, self.clock())
            notes = connect(self.path, "NORMAL")
        except BaseException:
            ledger.close()
            raise
        for writer in (ledger, notes):  # they never read outside of a write transaction
            writer.execute(f"PRAGMA busy_timeout={LOCK_MS}")
        return Process(pid, ledger, notes, threading.Lock(), [], [])

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

from ..errors import PolicyError
from .base import Transaction
from .connect import (
    LOCK_MS,
    begin_now,
    committed,
    connect,
    create_folder,
    create_private,
    prepare,
    translated,
    tune,
)
from .fenced import Fenced
from .joined import Joined
from .owners import sweep
from .rows import SQLWork
from .workstore import LOCK_SECONDS, WorkStore

__all__ = ["SQLiteStore", "create_folder", "create_private", "tune"]


class _Process(NamedTuple):
    """What is open in one process; `idle` are the readers that nobody uses right now."""

    pid: int
    ledger: sqlite3.Connection
    notes: sqlite3.Connection
    lock: threading.Lock
    idle: list[sqlite3.Connection]


class SQLiteStore(WorkStore):
    """A ledger, its receipts and its sessions in one SQLite file.

    `path` is created with mode 0600 (its folder with 0700) at the first use; the other arguments
    are those of every store (`WorkStore`). Of several apps on one file the longest `retention`
    counts for all.
    """

    def __init__(self, path: str | Path, **limits: Any) -> None:
        super().__init__(**limits)
        self.path = Path(path)
        self._process: _Process | None = None
        self._same = ""  # the app's name for our file, once it was seen to be one
        self._inherited: list[_Process] = []
        # One lock per process: a child must not wait for a thread that it did not inherit.
        self._opening: dict[int, threading.Lock] = {}

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

    def prepare(self) -> None:
        """Open and create everything now; raises StoreDown where that cannot be."""
        self._here()

    def shut(self) -> None:
        """Close this process's connections; a reader in use closes when it is done."""
        process, self._process = self._process, None
        if process is not None and process.pid == os.getpid():
            with process.lock:
                process.ledger.close()
                process.notes.close()
            while process.idle:
                process.idle.pop().close()

    @contextmanager
    def reading(self) -> Generator[SQLWork]:
        """A step on a connection that cannot write; it waits for nobody."""
        with translated():
            process = self._here()
            reader = self._reader(process)
            try:
                yield SQLWork(self, reader)
            finally:
                if process is self._process:
                    process.idle.append(reader)
                else:
                    reader.close()

    def _reader(self, process: _Process) -> sqlite3.Connection:
        try:
            return process.idle.pop()
        except IndexError:
            reader = connect(self.path, "NORMAL")
            reader.execute("PRAGMA query_only=ON")
            return reader

    @contextmanager
    def writing(self, *, notes: bool = False) -> Generator[SQLWork | None]:
        """A write transaction of our own; None where the lock was not to be had in 20 ms."""
        with translated():
            process = self._here()
            connection = process.notes if notes else process.ledger
            if not process.lock.acquire(timeout=LOCK_SECONDS):
                yield None
                return
            try:
                if not begin_now(connection):  # both wait 20 ms, by `_opened`
                    yield None
                    return
                with committed(connection):
                    yield SQLWork(self, connection)
            finally:
                process.lock.release()

    def _here(self) -> _Process:
        """What is open in this very process."""
        process, pid = self._process, os.getpid()
        if process is not None and process.pid == pid:
            return process
        with self._opening.setdefault(pid, threading.Lock()), translated():
            process = self._process
            if process is None or process.pid != pid:
                if process is not None:
                    self._inherited.append(process)
                process = self._process = self._opened(pid)
            return process

    def _opened(self, pid: int) -> _Process:
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
        return _Process(pid, ledger, notes, threading.Lock(), [])

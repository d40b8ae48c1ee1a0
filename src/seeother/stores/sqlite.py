"""The ledger on SQLite (3.35 or newer): one file, several processes, no server.

SQLite has one writer at a time, and its own way of waiting for the lock sleeps and starves (waits of
1.8 s measured). So this store waits at most 20 ms for another process, then says `Busy`; within a
process the driver's single writer thread is the queue. Readers never wait: the file is in WAL mode
(https://sqlite.org/wal.html), look-ups have connections of their own.

Durability: the ledger commits with `synchronous=FULL`, because an answer must not outlive its row.
What only concerns messages (take, acknowledge, give back, arm again) runs on a connection with
`synchronous=NORMAL`: losing the last of these in a power cut shows a message twice at worst.

**Joined.** `within(transaction)` puts the row into the app's own transaction: Claim is its BEGIN
IMMEDIATE and one SELECT, Settle is the only INSERT and its COMMIT. A crash in between leaves
nothing, so there are no leases to run out and nothing ever is in doubt.

Connections open lazily in each process and are opened anew after a fork: SQLite's locks do not
survive one (https://sqlite.org/howtocorrupt.html section 2.6).
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import unquote, urlsplit

from ..core import ops
from ..core.ledger import Row, step
from ..errors import StoreBusy, StoreDown
from . import schema
from .base import Clock, Transaction
from .work import Work, translated

LOCK_MS: Final = 20
READ_MS: Final = 5_000
RETENTION: Final = 86_400.0 + 600.0


class _Process(NamedTuple):
    """What is open in one process."""

    pid: int
    ledger: sqlite3.Connection
    notes: sqlite3.Connection
    lock: threading.Lock
    readers: threading.local


class SQLiteStore:
    """A ledger, its receipts and its sessions in one SQLite file.

    `path` is created with mode 0600 (its folder with 0700) at the first use; `clock` is the
    store's clock in seconds; rows of tokens older than `retention` seconds are deleted.
    """

    def __init__(
        self, path: str | Path, *, clock: Clock = time.time, retention: float = RETENTION
    ) -> None:
        self.path = Path(path)
        self.clock = clock
        self.retention = retention
        self._open_lock = threading.Lock()
        self._process: _Process | None = None

    @classmethod
    def from_url(cls, url: str) -> SQLiteStore:
        """`sqlite:///relative.db` or `sqlite:////absolute.db`, as SQLAlchemy spells them."""
        return cls(unquote(urlsplit(url).path).removeprefix("/"))

    # What the store answers ------------------------------------------------------------------

    def perform(self, op: ops.Op[Any]) -> Any:
        """Answer an op by the method that its verb names."""
        return getattr(self, op.verb)(op)

    def lookup(self, op: ops.Lookup) -> ops.Settled | ops.Unknown:
        """A replayable outcome under this key, or of the other half of a double click; a read."""
        with self._reading() as work:
            return work.replayable(op, op.key) or work.echoed(op) or ops.Unknown()

    def claim(self, op: ops.Claim) -> ops.ClaimReply:
        """Claim in a transaction of its own (fenced, separate)."""
        with self._writing() as work:
            if work is None:
                return ops.Busy()
            reply: ops.ClaimReply = work.with_taken(work.step(op.key, op))
            return reply

    def renew(self, op: ops.Renew) -> ops.Done | ops.Fenced:
        """Prolong a lease."""
        return self._holder(op)

    def settle(self, op: ops.Settle) -> ops.Done | ops.Fenced:
        """Outcome, receipt and session changes in one transaction."""
        return self._holder(op)

    def abandon(self, op: ops.Abandon) -> ops.Done | ops.Fenced:
        """Give a claim back."""
        return self._holder(op)

    def doubt(self, op: ops.Doubt) -> ops.Done | ops.Fenced:
        """Say that nobody knows."""
        return self._holder(op)

    def resolve(self, op: ops.Resolve) -> ops.Done | ops.Fenced:
        """End a doubt."""
        return self._holder(op)

    def open(self, op: ops.Open) -> ops.Opened:
        """Session, draft and waiting receipts; a read."""
        with self._reading() as work:
            return work.opened(op)

    def take(self, op: ops.Take) -> tuple[ops.Taken, ...] | ops.Busy:
        """Lease messages to one page."""
        with self._writing(notes=True) as work:
            return ops.Busy() if work is None else work.taken(op)

    def close(self, op: ops.Close) -> ops.Done | ops.Busy:
        """The end of a visit; without a session or a receipt it is only a note."""
        with self._writing(notes=not (op.session or op.receipt)) as work:
            if work is None:
                return ops.Busy()
            work.closed(op)
            return ops.Done()

    def rearm(self, op: ops.Rearm) -> ops.Done | ops.Busy:
        """Show the message of a replay once more."""
        with self._writing(notes=True) as work:
            if work is None:
                return ops.Busy()
            work.rearmed(op)
            return ops.Done()

    def report(self, op: ops.Report) -> None:
        """Nothing to remember here."""

    def within(self, transaction: Transaction) -> Joined:
        """This store inside the app's own transaction."""
        return Joined(self, transaction)

    def shut(self) -> None:
        """Close this process's connections."""
        with self._open_lock:
            process, self._process = self._process, None
            if process is not None and process.pid == os.getpid():
                process.ledger.close()
                process.notes.close()

    def prepare(self) -> None:
        """Open and create everything now; raises StoreDown where that cannot be."""
        self._here()

    # How it is done --------------------------------------------------------------------------

    def _holder(self, op: Any) -> ops.Done | ops.Fenced:
        with self._writing() as work:
            if work is None:
                raise StoreBusy(f"the database is locked by another writer ({op.verb})")
            reply: ops.Done | ops.Fenced = work.step(op.key, op)
            return reply

    @contextmanager
    def _reading(self) -> Iterator[Work]:
        with translated():
            readers = self._here().readers
            if not hasattr(readers, "connection"):
                readers.connection = self._connect("NORMAL")
            yield Work(readers.connection, self.clock())

    @contextmanager
    def _writing(self, *, notes: bool = False) -> Iterator[Work | None]:
        """A write transaction of our own; None where the lock was not to be had in 20 ms."""
        with translated():
            process = self._here()
            connection = process.notes if notes else process.ledger
            if not process.lock.acquire(timeout=LOCK_MS / 1_000):
                yield None
                return
            try:
                if not begin(connection):
                    yield None
                    return
                with committed(connection):
                    yield Work(connection, self.clock(), self.retention)
            finally:
                process.lock.release()

    def _here(self) -> _Process:
        process = self._process
        if process is not None and process.pid == os.getpid():
            return process
        with self._open_lock, translated():
            if self._process is None or self._process.pid != os.getpid():
                create_private(self.path)
                ledger = self._connect("FULL")
                prepare_schema(ledger)
                notes = self._connect("NORMAL")
                lock, readers = threading.Lock(), threading.local()
                self._process = _Process(os.getpid(), ledger, notes, lock, readers)
            return self._process

    def _connect(self, synchronous: str) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        tune(connection, synchronous)
        return connection


class Joined:
    """The store inside a transaction of the app: Claim is BEGIN, Settle is COMMIT."""

    def __init__(self, store: SQLiteStore, transaction: Transaction) -> None:
        self._store, self._transaction = store, transaction
        self._row: Row | None = None

    def perform(self, op: ops.Op[Any]) -> Any:
        """Claim, Settle and Abandon here; everything else by the store itself."""
        if op.verb in ("claim", "settle", "abandon"):
            return getattr(self, op.verb)(op)
        return self._store.perform(op)

    def claim(self, op: ops.Claim) -> ops.ClaimReply:
        """BEGIN IMMEDIATE, then look once more under the lock; nothing is written."""
        with translated():
            self._store.prepare()
            if not self._transaction.begin():
                return ops.Busy()
            try:
                work = self._work()
                self._row, answer = step(work.row(op.key), op, work.now)
                reply: ops.ClaimReply = work.with_taken(answer)
            except BaseException:
                self._transaction.rollback()
                raise
            if not isinstance(reply, ops.Granted):
                self._transaction.rollback()
            return reply

    def settle(self, op: ops.Settle) -> ops.Done | ops.Fenced:
        """The row, the receipt and the session beside the effect, then COMMIT."""
        with translated():
            if not self._transaction.raw.in_transaction:
                raise StoreDown("the view ended the transaction that once() had opened")
            work = self._work()
            after, reply = step(self._row, op, work.now)
            if isinstance(reply, ops.Fenced):
                self._transaction.rollback()
                return reply
            assert after is not None and isinstance(reply, ops.Done)
            work.kept(op, after)
            self._transaction.commit()
            return reply

    def abandon(self, op: ops.Abandon) -> ops.Done | ops.Fenced:
        """ROLLBACK; there never was a row."""
        with suppress(sqlite3.Error):
            self._transaction.rollback()
        return ops.Done()

    def _work(self) -> Work:
        return Work(self._transaction.raw, self._store.clock(), self._store.retention)


def begin(connection: sqlite3.Connection) -> bool:
    """BEGIN IMMEDIATE, waiting at most 20 ms; False if another writer has the lock."""
    connection.execute(f"PRAGMA busy_timeout={LOCK_MS}")
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return False
        raise
    finally:
        connection.execute(f"PRAGMA busy_timeout={READ_MS}")
    return True


@contextmanager
def committed(connection: sqlite3.Connection) -> Iterator[None]:
    """COMMIT at the end, ROLLBACK where something was raised."""
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def tune(connection: sqlite3.Connection, synchronous: str) -> None:
    """The settings that every connection to a seeother file needs."""
    connection.execute(f"PRAGMA busy_timeout={READ_MS}")
    connection.execute(f"PRAGMA synchronous={synchronous}")
    connection.execute("PRAGMA temp_store=MEMORY")


def create_private(path: Path) -> None:
    """Create the file with mode 0600 before SQLite does it with the usual umask."""
    create_folder(path.parent)
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        return
    except OSError as error:
        raise StoreDown(f"cannot create {path}: {error.strerror}") from error


def create_folder(folder: Path) -> None:
    """Create a folder that only its owner may enter."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreDown(f"cannot create {folder}: {error.strerror}") from error


def prepare_schema(connection: sqlite3.Connection) -> None:
    """WAL mode, tables, and the version that they were made for."""
    to_wal(connection)
    connection.execute("BEGIN IMMEDIATE")
    with committed(connection):
        for statement in schema.TABLES.split(";"):
            connection.execute(statement)
        put = "INSERT OR IGNORE INTO so_meta VALUES('schema', ?)"
        connection.execute(put, (str(schema.VERSION),))
        (found,) = connection.execute("SELECT value FROM so_meta WHERE name='schema'").fetchone()
    if found != str(schema.VERSION):
        raise StoreDown(f"the ledger has schema {found}, this seeother needs {schema.VERSION}")


def to_wal(connection: sqlite3.Connection) -> None:
    """Switch to WAL; two processes at once can fail in spite of the timeout, so ask again."""
    deadline = time.monotonic() + READ_MS / 1_000
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return

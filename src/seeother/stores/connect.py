"""Opening SQLite: file modes, the settings of a connection, the tables, BEGIN and COMMIT.

Files are created with mode 0600 before SQLite sees them, because under the usual umask it makes
the database, its WAL and its shared memory readable for everybody; WAL and shared memory take over
the mode of the database (security rule 16).

Twenty first processes at once create one schema: everything is IF NOT EXISTS inside one BEGIN
IMMEDIATE, and the switch to WAL, which fails under contention in spite of every timeout, is asked
for again. A file of a newer version is left exactly as it is.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from ..errors import StoreBusy, StoreDown
from . import schema

LOCK_MS: Final = 20
READ_MS: Final = 5_000
BUSY: Final = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


class translated:  # noqa: N801 - used as a function, and a third of a generator's price
    """sqlite3's errors as ours: locked is StoreBusy, everything else StoreDown.

    An IntegrityError passes: the store's own tables cannot cause one, so it is a deferred
    constraint of the app that the COMMIT found violated.
    """

    __slots__ = ()

    def __enter__(self) -> None:
        """Nothing is needed before."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Raise the translation of what was raised."""
        raise_translated(error)


def raise_translated(error: BaseException | None) -> None:
    """The translation of an error is raised; nothing for what is none of SQLite's."""
    if isinstance(error, sqlite3.Error) and not isinstance(error, sqlite3.IntegrityError):
        raise outage(error) from error


def outage(error: sqlite3.Error) -> StoreBusy | StoreDown:
    """What an error of SQLite means for a person: busy, or down."""
    kind = StoreBusy if _code(error) in BUSY else StoreDown
    return kind(f"{type(error).__name__}: {error}")


def begin(connection: sqlite3.Connection, wait_ms: int = LOCK_MS) -> bool:
    """BEGIN IMMEDIATE, waiting at most 20 ms; False if another writer has the lock.

    The connection's own timeout stands again afterwards: reads need it (a reader that finds the WAL
    of a killed process waits for its recovery).
    """
    (before,) = connection.execute("PRAGMA busy_timeout").fetchone()
    connection.execute(f"PRAGMA busy_timeout={wait_ms}")
    try:
        return begin_now(connection)
    finally:
        connection.execute(f"PRAGMA busy_timeout={int(before)}")


def begin_now(connection: sqlite3.Connection) -> bool:
    """BEGIN IMMEDIATE, waiting as long as the connection itself does; False if that was in vain."""
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if _code(error) in BUSY:
            return False
        raise
    return True


@contextmanager
def committed(connection: sqlite3.Connection) -> Generator[None]:
    """COMMIT at the end, ROLLBACK where something was raised."""
    try:
        yield
    except BaseException:
        roll_back(connection)
        raise
    commit(connection)


def commit(connection: sqlite3.Connection) -> None:
    """COMMIT; ROLLBACK where that cannot be."""
    try:
        connection.execute("COMMIT")
    except BaseException:
        roll_back(connection)
        raise


def roll_back(connection: sqlite3.Connection) -> None:
    """ROLLBACK, as far as there is anything open."""
    with suppress(sqlite3.Error):
        connection.execute("ROLLBACK")


def connect(path: Path, synchronous: str) -> sqlite3.Connection:
    """A connection without transactions of its own, for one thread at a time."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        tune(connection, synchronous)
    except BaseException:
        connection.close()
        raise
    return connection


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


def prepare(connection: sqlite3.Connection, retention: float) -> None:
    """WAL mode, the tables, their version, and the longest retention that was asked for.

    Where all this is there already it only reads. Raises StoreDown for a file of another version.
    """
    _to_wal(connection)
    if _is_ready(connection, retention):
        return
    connection.execute("BEGIN IMMEDIATE")
    with committed(connection):
        connection.execute(schema.META)
        _check(connection)
        for statement in schema.TABLES.split(";"):
            connection.execute(statement)
        for statement in (schema.NO_DRAFTS, *schema.TRIGGERS):
            connection.execute(statement)
        connection.execute(schema.WRITE_META, ("schema", str(schema.VERSION)))
        longest = max(retention, longest_retention(connection))
        connection.execute(schema.WRITE_META, ("retention", str(longest)))


def longest_retention(connection: sqlite3.Connection) -> float:
    """How long some app on this file needs its rows, in seconds."""
    found = connection.execute(schema.READ_META, ("retention",)).fetchone()
    return 0.0 if found is None else float(found[0])


def _is_ready(connection: sqlite3.Connection, retention: float) -> bool:
    there = connection.execute("SELECT 1 FROM sqlite_master WHERE name='so_meta'").fetchone()
    return bool(there) and _check(connection) and longest_retention(connection) >= retention


def _check(connection: sqlite3.Connection) -> bool:
    """Are the tables ours? False where there are none yet."""
    found = connection.execute(schema.READ_META, ("schema",)).fetchone()
    if found is None:
        return False
    if found[0] != str(schema.VERSION):
        raise StoreDown(f"the ledger has schema {found[0]}, this seeother needs {schema.VERSION}")
    return True


def _to_wal(connection: sqlite3.Connection) -> None:
    """Switch to WAL; two processes at once can fail in spite of the timeout, so ask again."""
    deadline = time.monotonic() + READ_MS / 1_000
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if _code(error) not in BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _code(error: sqlite3.Error) -> int:
    """SQLite's primary result code (https://sqlite.org/rescode.html)."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF

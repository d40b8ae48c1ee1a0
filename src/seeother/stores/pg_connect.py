"""Reaching PostgreSQL: connections and their keeping, errors, the tables.

A process keeps its connections in a list, as the store on SQLite does: the last one that was given
back is the next one that is taken, a server that is gone is said at once and not after a time-out,
and there are no threads that a fork could lose.

A connection that waits in the list may have died. What the server ended (a restart, an
administrator) makes its socket readable, and that is looked at without a word to the server; one
whose other end vanished silently is asked after half a minute, and TCP is told to notice by itself
(keepalives, and a limit for what was sent and not acknowledged).

Of many first workers one creates the tables: all take one advisory lock for it.
"""

from __future__ import annotations

import select
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import ExecStatus

from ..errors import PolicyError, StoreBusy, StoreDown
from . import pg_schema as schema
from .pg_wire import IDLE, Wire, spelled

MOST: Final = 10
QUEUE_SECONDS: Final = 2.0
UNUSED_SECONDS: Final = 30.0
ANSWER_SECONDS: Final = 5.0
SCHEMA_LOCK: Final = 0x5EE07E12_5C4E3A00
DEFAULTS: Final[dict[str, Any]] = {
    "connect_timeout": 5,
    "application_name": "seeother",
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
# Somebody else has it just now; the same again will do (SQLSTATE 40001, 40P01, 55P03, 53300).
BUSY: Final = (
    errors.SerializationFailure,
    errors.DeadlockDetected,
    errors.LockNotAvailable,
    errors.TooManyConnections,
)


@contextmanager
def translated() -> Generator[None]:
    """Errors of psycopg as ours: what passes by itself is StoreBusy, everything else StoreDown.

    An IntegrityError passes: it is a constraint of the app that was deferred until the COMMIT, or
    tells mode joined that somebody else's row is there.
    """
    try:
        yield
    except psycopg.IntegrityError:
        raise
    except psycopg.Error as error:
        raise outage(error) from error


def outage(error: psycopg.Error) -> StoreBusy | StoreDown:
    """What an error of PostgreSQL means for a person: busy, or down."""
    kind = StoreBusy if isinstance(error, BUSY) else StoreDown
    said = " ".join(str(error).split())
    return kind(f"{type(error).__name__}: {said}")


class Pool:
    """The connections of one process to one server, at most `most` at a time."""

    def __init__(self, url: str, most: int) -> None:
        self.url = url
        self._idle: list[tuple[psycopg.Connection[Any], float]] = []
        self._permits: SimpleQueue[None] = SimpleQueue()  # a semaphore, without Python's locks
        for _ in range(most):
            self._permits.put(None)
        self._open = True

    @contextmanager
    def connection(self) -> Generator[psycopg.Connection[Any]]:
        """One that lives, in autocommit. Raises StoreBusy where all are taken, else psycopg's."""
        try:
            self._permits.get(timeout=QUEUE_SECONDS)
        except Empty:
            raise StoreBusy("all connections to PostgreSQL are in use") from None
        try:
            raw = self._taken() or connect(self.url)
            try:
                yield raw
            finally:
                self._given(raw)
        finally:
            self._permits.put(None)

    def close(self) -> None:
        """Close what nobody uses; what is in use closes when it is done."""
        self._open = False
        while self._idle:
            self._idle.pop()[0].close()

    def _taken(self) -> psycopg.Connection[Any] | None:
        with suppress(IndexError):
            while True:
                raw, since = self._idle.pop()
                if is_alive(raw, since):
                    return raw
                raw.close()
        return None

    def _given(self, raw: psycopg.Connection[Any]) -> None:
        if self._open and not raw.closed and raw.pgconn.transaction_status == IDLE:
            self._idle.append((raw, time.monotonic()))
        else:
            raw.close()


def is_alive(raw: psycopg.Connection[Any], since: float) -> bool:
    """Does a connection that was put aside at this time still lead to a server?"""
    if raw.closed:
        return False
    poll = select.poll()
    poll.register(raw.pgconn.socket, select.POLLIN)
    if not poll.poll(0) and time.monotonic() - since < UNUSED_SECONDS:
        return True
    try:
        return _answers(raw, poll)
    except psycopg.Error:
        return False


def _answers(raw: psycopg.Connection[Any], poll: select.poll) -> bool:
    """Ask nothing at all, without the driver's BEGIN, and do not wait for ever."""
    raw.pgconn.send_query(b"")
    raw.pgconn.flush()
    found = ExecStatus.FATAL_ERROR
    while poll.poll(ANSWER_SECONDS * 1_000):
        raw.pgconn.consume_input()
        while not raw.pgconn.is_busy():
            result = raw.pgconn.get_result()
            if result is None:
                return found == ExecStatus.EMPTY_QUERY
            found = ExecStatus(result.status)
    return False


def connect(url: str) -> psycopg.Connection[Any]:
    """A connection of our own, in autocommit. Behind a pooler nothing is prepared on it.

    What was prepared stays in a server's process, and a pooler may give the next transaction
    another one; but it answers with a process number of its own when a client connects.
    """
    given = conninfo_to_dict(url)
    defaults = {name: value for name, value in DEFAULTS.items() if name not in given}
    raw = psycopg.connect(url, autocommit=True, **defaults)
    if Wire(raw).ask(schema.PROCESS)[0][0][0] != raw.info.backend_pid:
        raw.prepare_threshold = None
    return raw


def read_url(url: str) -> tuple[str, int]:
    """A URL as libpq takes it, and how many connections a process may have (`?connections=`).

    The name of a driver is left out. Raises PolicyError.

    >>> read_url("postgresql+psycopg://me@db/app?connections=4&sslmode=require")
    ('postgresql://me@db/app?sslmode=require', 4)
    """
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise PolicyError(f"this is no URL of PostgreSQL: {error}") from error
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    said = options.pop("connections", str(MOST))
    query = urlencode(options, quote_via=quote)  # libpq knows no "+" for a space
    found = f"postgresql://{parts.netloc}{parts.path or '/'}" + (f"?{query}" if query else "")
    try:
        conninfo_to_dict(found)
    except psycopg.ProgrammingError as error:
        raise PolicyError(f"this is no URL of PostgreSQL: {str(error).strip()}") from error
    if not said.isdigit() or int(said) < 1:
        raise PolicyError(f"connections={said}: at least 1")
    return found, int(said)


# The tables ---------------------------------------------------------------------------------


def prepare(raw: psycopg.Connection[Any], retention: float) -> str:
    """The tables in their newest version, and the longest retention; the ledger's identity.

    Where all this is there already it only reads. Raises StoreDown for tables of a newer version.
    """
    if version(raw) != len(schema.STEPS):
        migrate(raw)
    if longest_retention(raw) < retention:
        wire = Wire(raw)
        wire.say(schema.LONGEST, str(retention))
        wire.flush()
    return meta(raw, "identity") or ""


def migrate(raw: psycopg.Connection[Any]) -> None:
    """Go from whatever is there to the newest version, as one transaction and one at a time."""
    with raw.transaction():
        raw.execute(spelled(schema.LOCK, (SCHEMA_LOCK,)).encode())
        raw.execute(schema.META)
        for step in schema.STEPS[version(raw) :]:
            raw.execute(step.encode())
        wire = Wire(raw)
        wire.say(schema.WRITE_META, "schema", str(len(schema.STEPS)))
        wire.flush()


def version(raw: psycopg.Connection[Any]) -> int:
    """Which version of the tables is there; 0: none. Raises StoreDown for one from the future."""
    wire = Wire(raw)
    if not wire.ask(schema.IS_THERE)[0][0][0]:
        return 0
    found = int(meta(raw, "schema") or 0)
    if found > len(schema.STEPS):
        raise StoreDown(f"the ledger has schema {found}, this seeother needs {len(schema.STEPS)}")
    return found


def meta(raw: psycopg.Connection[Any], name: str) -> str | None:
    """What the tables say of themselves under a name."""
    rows = Wire(raw).ask(spelled(schema.READ_META, (name,)))[0]
    return rows[0][0] if rows else None


def longest_retention(raw: psycopg.Connection[Any]) -> float:
    """How long some app on this ledger needs its rows, in seconds."""
    return float(meta(raw, "retention") or 0.0)

"""The ledger on PostgreSQL (12 or newer): several hosts, one truth.

The same decisions as everywhere (`Work`); what is PostgreSQL's own:

* **Locks.** A claim tries an advisory lock on its key and does not wait for it; who holds a claim
  is never behind those who ask for one. Locks and timeouts end with their transaction.
* **Round trips.** A claim, and a settle, is two: one that asks, one that writes and commits.
* **Time** is the server's own (`clock_timestamp()`), because hosts disagree: it is heard once a
  second, together with a question, and counted on from there with this host's steady clock.
* **Expiry** is a statement of its own, after the settle that pays for it and outside of every
  transaction of the app, and passes by rows that somebody holds.
* **Connections** open lazily in each process, and anew after a fork; what was inherited is never
  used and never closed.

Durability is the server's (`synchronous_commit`); only what concerns messages asks for less.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import Any, Final, NamedTuple, TypeVar
from weakref import WeakSet

import psycopg
from psycopg.conninfo import conninfo_to_dict

from ..core import ops
from ..errors import PolicyError, StoreBusy, StoreError
from . import owners
from . import pg_schema as schema
from .base import Clock, Transaction
from .here import Here
from .pg_connect import Pool, longest_retention, meta, prepare, read_url, translated
from .pg_driver import has_written
from .pg_joined import LEDGER, PgFenced, PgJoined
from .pg_once import Once, Statement
from .pg_rows import PgWork, lock_of
from .pg_wire import Wire, begin_of, spelled
from .workstore import EXPIRE_EACH, WorkStore

R = TypeVar("R")

ADDRESS: Final = ("host", "hostaddr", "port", "dbname", "options", "service")
WATCHERS: Final = 8
HEARD_FOR: Final = 1.0
# A holder waits for a row, never for the lock of those who ask; they hold it for two round trips.
HOLD: Final = "SET LOCAL lock_timeout='500ms'"
NOTE: Final = "SET LOCAL synchronous_commit=off"


class ServerClock:
    """The time of the database server, in seconds; heard now and then, and counted on."""

    def __init__(self) -> None:
        self._ahead, self._heard = time.time() - time.monotonic(), -HEARD_FOR

    def __call__(self) -> float:
        """The time."""
        return time.monotonic() + self._ahead

    @property
    def stale(self) -> bool:
        """Was it not heard for a second?"""
        return time.monotonic() - self._heard > HEARD_FOR

    def hear(self, now: float) -> None:
        """The server said what time it is."""
        self._heard = time.monotonic()
        self._ahead = now - self._heard


class Process(NamedTuple):
    """What is open in one process; `watchers` are the connections of those who wait."""

    pid: int
    pool: Pool
    watchers: Pool
    identity: str


class PostgresStore(WorkStore, Here[Process]):
    """A ledger, its receipts and its sessions in a PostgreSQL database.

    `url` is libpq's (`postgresql://user@host/database`), `connections` how many one process may
    have. The tables are made at the first use, in the schema that comes first in the search path.
    The other arguments are those of every store (`WorkStore`); without `clock` the time is the
    server's.
    """

    single_writer: Final = False

    def __init__(
        self, url: str, *, connections: int = 10, clock: Clock | None = None, **limits: Any
    ) -> None:
        self.server = ServerClock() if clock is None else None
        WorkStore.__init__(self, clock=clock or self.server or time.time, **limits)
        self._none_open()
        self.url = url
        self._connections = connections
        self.due = False  # old rows are to be deleted
        self._known: WeakSet[psycopg.Connection[Any]] = WeakSet()

    @classmethod
    def from_url(cls, url: str) -> PostgresStore:
        """`postgresql://user@host/database?connections=10`; SQLAlchemy's `+psycopg` is understood.

        Raises PolicyError.

        >>> PostgresStore.from_url("postgresql+psycopg://me@db/app").url
        'postgresql://me@db/app'
        """
        found, connections = read_url(url)
        return cls(found, connections=connections)

    translated = staticmethod(translated)

    # In the app's own transaction ------------------------------------------------------------

    def within(self, transaction: Transaction | Statement) -> PgJoined | Once:
        """This store inside the app's own transaction, or all of it in one statement."""
        if isinstance(transaction, Statement):
            return Once(self, transaction)
        return PgJoined(self, transaction)

    def fenced(self, transaction: Transaction) -> PgFenced:
        """This store with its Settle inside the app's own transaction, and a claim of its own."""
        return PgFenced(self, transaction)

    @property
    def pool(self) -> Pool:
        """The connections of this process."""
        return self.here().pool

    def check(self, raw: psycopg.Connection[Any]) -> None:
        """Does this connection see our own tables? Raises PolicyError."""
        if raw in self._known:
            return
        process = self.here()
        wire = Wire(raw)
        there = wire.ask(schema.IS_THERE)[0][0][0]
        if not there or meta(raw, "identity") != process.identity:
            raise PolicyError(
                "the connection leads to another ledger than the store;"
                " joined and fenced need one database (and schema) for both"
            )
        self._known.add(raw)

    @contextmanager
    def on(self, raw: psycopg.Connection[Any]) -> Generator[PgWork]:
        """A step in somebody's transaction, or in one that it begins there; it does not commit.

        Raises StoreBusy, also where somebody else's row came first.
        """
        work = PgWork(self, Wire(raw, begin_of(raw)), locks=True)
        try:
            yield work
            work.wire.flush()
        except psycopg.errors.UniqueViolation as error:
            if error.diag.table_name != LEDGER:
                raise
            raise StoreBusy("somebody else's row was there already") from error

    has_written = staticmethod(has_written)

    def leads_to(self, url: str) -> bool:
        """Is this the address of our own database?"""
        ours, theirs = (conninfo_to_dict(read_url(one)[0]) for one in (self.url, url))
        return all(ours.get(name) == theirs.get(name) for name in ADDRESS)

    # Steps -----------------------------------------------------------------------------------

    @contextmanager
    def reading(self) -> Generator[PgWork]:
        """A step that only reads; it waits for nobody."""
        with translated(), self.here().pool.connection() as raw:
            yield PgWork(self, Wire(raw, prepares=True), locks=False)

    @contextmanager
    def writing(self, *, notes: bool = False) -> Generator[PgWork]:
        """A transaction of our own, begun by its first statement. Raises StoreBusy."""
        with translated(), self.here().pool.connection() as raw:
            opening = ("BEGIN", HOLD, NOTE) if notes else ("BEGIN", HOLD)
            work = PgWork(self, Wire(raw, opening), locks=True)
            try:
                yield work
                work.wire.flush("COMMIT")
            except BaseException:
                with suppress(psycopg.Error):
                    raw.rollback()
                raise
        self.tidy()

    def claim(self, op: ops.Claim) -> ops.ClaimReply:
        """Claim in a step of its own; Busy while another step has this submission."""
        try:
            with self.writing() as work:
                return work.claim(op) if work.claiming(op) else ops.Busy()
        except (StoreBusy, psycopg.errors.UniqueViolation):
            return ops.Busy()

    def take(self, op: ops.Take) -> tuple[ops.Taken, ...] | ops.Busy:
        """Lease messages to one page."""
        return _or_busy(super().take, op)

    def close(self, op: ops.Close) -> ops.Done | ops.Busy:
        """End a visit."""
        return _or_busy(super().close, op)

    def rearm(self, op: ops.Rearm) -> ops.Done | ops.Busy:
        """Show the message of a replay once more."""
        return _or_busy(super().rearm, op)

    # Waiting and expiry ----------------------------------------------------------------------

    def watch(self, op: ops.Watch) -> bool:
        """Wait until nobody has this submission locked (joined); False: nobody had.

        On a connection of its own, and the only place where this store waits for long: a driver
        asks on a thread that would wait anyway.
        """
        number = lock_of(op.key)
        with translated(), self.here().watchers.connection() as raw:
            wire = Wire(raw, ("BEGIN",))
            try:
                ((free,),) = wire.ask(spelled(schema.TRY_SHARED, (number,)))[0]
                if not free:
                    limit = max(1, int(op.limit * 1_000))
                    wire.ask(
                        f"SET LOCAL lock_timeout={limit}", spelled(schema.WAIT_SHARED, (number,))
                    )
                return not free
            except psycopg.errors.LockNotAvailable:
                return True
            finally:
                raw.rollback()

    def expires(self) -> bool:
        """Never within a settle: it is remembered for `tidy`."""
        self.due = self.due or next(self._settles) % EXPIRE_EACH == 0
        return False

    def tidy(self) -> None:
        """Delete some old rows, if it is time; a courtesy that may fail."""
        if not self.due:
            return
        self.due = False
        with suppress(StoreError):
            self.expire_now()

    def expire_now(self) -> int:
        """Delete some of what no valid token can name any more; how much it was."""
        with translated(), self.here().pool.connection() as raw:
            return PgWork(self, Wire(raw), locks=False).expire()

    def longest(self, raw: psycopg.Connection[Any]) -> float:
        """For how long some app on this ledger needs its rows, in seconds."""
        return max(self.retention, longest_retention(raw))

    # Open and shut ---------------------------------------------------------------------------

    def shut(self) -> None:
        """Close this process's connections; one in use closes when it is done."""
        process = self._leave()
        if process is not None:
            process.pool.close()
            process.watchers.close()

    def _opened(self, pid: int) -> Process:
        with translated():
            return self._made(pid)

    def _made(self, pid: int) -> Process:
        pool = Pool(self.url, self._connections)
        try:
            with pool.connection() as raw:
                identity = prepare(raw, self.retention)
                if self.server is not None:
                    self.server.hear(Wire(raw).ask(schema.NOW)[0][0][0])
                sweep(raw, self.clock())
        except BaseException:
            pool.close()
            raise
        return Process(pid, pool, Pool(self.url, WATCHERS), identity)


def sweep(raw: psycopg.Connection[Any], now: float) -> None:
    """End the leases of owners on this host that are provably dead (`owners`)."""
    wire = Wire(raw)
    for (owner,) in wire.ask(spelled(schema.OWNERS, (now,)))[0]:
        if owners.is_dead(owner):
            wire.say(schema.LAPSE, now, owner, now)
    wire.flush()


def _or_busy(ask: Callable[[Any], R], op: object) -> R | ops.Busy:
    try:
        return ask(op)
    except StoreBusy:
        return ops.Busy()

"""The ledger in the project's own PostgreSQL, on Django's own connections (psycopg 3).

What `store` says of SQLite holds here as well: no second connection, no tables that `migrate` did
not make, and no query that `assertNumQueries` would count. A claim says BEGIN and asks in one
message; for that the driver is told, behind Django's back and only inside of `atomic()`, that it
need not say BEGIN itself.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Any, Final, cast

import psycopg
from django.db import Error, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.transaction import Atomic
from psycopg.conninfo import make_conninfo

from ..core import ops
from ..errors import PolicyError, StoreDown
from ..stores import pg_schema as schema
from ..stores.pg_connect import Pool, is_alive, longest_retention, translated, version
from ..stores.pg_driver import has_written
from ..stores.pg_rows import PgWork
from ..stores.pg_wire import IDLE, Wire
from ..stores.postgres import HOLD, NOTE, WATCHERS, PostgresStore, Process, sweep
from .transaction import ViewTransaction

SAVEPOINT: Final = "seeother"
# What the open transaction has changed, also where it is not the outermost (a TestCase).
CHANGED: Final = (
    "SELECT coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::bigint"
    " FROM pg_stat_xact_user_tables"
)


class PgDjangoStore(PostgresStore):
    """A ledger, its receipts and its sessions beside the project's own tables.

    `alias` names the database in DATABASES; the other arguments are those of every store.
    """

    def __init__(self, alias: str, **limits: Any) -> None:
        super().__init__("", **limits)
        self.alias = alias
        self._prepared: set[str] = set()

    @property
    def connection(self) -> BaseDatabaseWrapper:
        """Django's connection for this thread, open. Raises StoreDown where it cannot be."""
        connection: Any = connections[self.alias]
        raw = connection.connection
        dead = raw is not None and not connection.in_atomic_block and not is_alive(raw, _now())
        try:
            if dead:
                connection.close()
            connection.ensure_connection()
        except Error as error:
            raise StoreDown(f"{type(error).__name__}: {error}") from error
        if not isinstance(connection.connection, psycopg.Connection):
            raise PolicyError("the ledger needs psycopg 3: pip install 'psycopg[binary]'")
        return cast("BaseDatabaseWrapper", connection)

    @property
    def raw(self) -> psycopg.Connection[Any]:
        """The driver's connection inside."""
        return cast("psycopg.Connection[Any]", self.connection.connection)

    def transaction(self) -> ViewTransaction:
        """A transaction for one submission."""
        return PgViewTransaction(cast("Any", self))

    def check(self, raw: psycopg.Connection[Any]) -> None:
        """A transaction of Django's on our alias is always one on our own database."""
        assert raw is connections[self.alias].connection

    def prepare(self) -> None:
        """Look whether the tables are there, and say for how long rows are needed."""
        name = str(connections[self.alias].settings_dict["NAME"])
        if name in self._prepared:
            return
        with translated():
            if version(self.raw) != len(schema.STEPS):
                raise StoreDown("the tables of seeother are missing or old; run: manage.py migrate")
            if longest_retention(self.raw) < self.retention:
                with self.writing() as work:
                    work.wire.say(schema.LONGEST, str(self.retention))
            sweep(self.raw, self.clock())
        self._prepared.add(name)

    def shut(self) -> None:
        """Nothing is ours to close."""

    def renew(self, op: ops.Renew) -> ops.Done | ops.Fenced:
        """Prolong a lease; the heart beats on a thread of its own and leaves no connection open."""
        try:
            return super().renew(op)
        finally:
            connections[self.alias].close()

    @contextmanager
    def reading(self) -> Generator[PgWork]:
        """A step that only reads."""
        self.prepare()
        with translated():
            yield PgWork(self, Wire(self.raw), locks=False)

    @contextmanager
    def writing(self, *, notes: bool = False) -> Generator[PgWork]:
        """A step that writes: a transaction of its own, or a part of the one that is open."""
        raw = self.raw
        inside = not raw.autocommit or raw.info.transaction_status != IDLE
        begin = (
            (f"SAVEPOINT {SAVEPOINT}",) if inside else ("BEGIN", HOLD, *((NOTE,) if notes else ()))
        )
        back = f"ROLLBACK TO {SAVEPOINT};RELEASE {SAVEPOINT}" if inside else "ROLLBACK"
        with translated():
            work = PgWork(self, Wire(raw, begin), locks=True)
            try:
                yield work
                work.wire.flush(f"RELEASE {SAVEPOINT}" if inside else "COMMIT")
            except BaseException:
                if work.wire.begun:
                    with suppress(psycopg.Error):
                        raw.execute(back.encode())
                raise
        self.tidy()

    def _opened(self, pid: int) -> Process:
        """Only those who wait for another process have connections beside Django's."""
        known = {option.keyword.decode() for option in psycopg.pq.Conninfo.get_defaults()}
        said = cast("Any", connections[self.alias]).get_connection_params()
        url = make_conninfo(**{name: value for name, value in said.items() if name in known})
        return Process(pid, Pool(url, 1), Pool(url, WATCHERS), "")

    def expire_now(self) -> int:
        """Delete some of what no valid token can name any more; how much it was."""
        with translated():
            return PgWork(self, Wire(self.raw), locks=False).expire()


class PgViewTransaction(ViewTransaction):
    """One `atomic()` that a flow begins and ends, on PostgreSQL."""

    driver_errors = psycopg.Error

    def _enter(self, connection: BaseDatabaseWrapper, atomic: Atomic) -> bool:
        """Enter `atomic()`; the claim's message says BEGIN."""
        atomic.__enter__()
        raw: Any = connection.connection
        raw.autocommit = True  # Django has switched it off, and will switch it on at the end
        return True

    def _count(self) -> int:
        """What the transaction has changed; in its outermost block only whether it has."""
        raw = cast("Any", self.raw)
        return _changed(raw) if self._nested else int(has_written(raw))


def _changed(raw: psycopg.Connection[Any]) -> int:
    return int(Wire(raw).ask(CHANGED)[0][0][0])


def _now() -> float:
    return time.monotonic()

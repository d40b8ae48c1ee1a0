"""The ledger in the project's own database, on Django's own connections.

There is no second connection: whatever is asked is asked on the connection that Django has for this
thread. So a claim can be the BEGIN of the view's transaction, a test database in memory works as
well as a file, `TestCase` rolls the ledger back with everything else, and nobody has to open or
close anything. The statements go to the driver directly: they are no queries of the project and
`assertNumQueries` does not count them.

The tables are made by `manage.py migrate`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

from django.db import Error, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from ..core import ops
from ..errors import PolicyError, StoreDown
from ..stores import schema
from ..stores.base import Transaction
from ..stores.connect import begin, committed, longest_retention, translated
from ..stores.fenced import Fenced
from ..stores.joined import Joined
from ..stores.owners import sweep
from ..stores.rows import SQLWork
from ..stores.workstore import WorkStore

if TYPE_CHECKING:
    from .transaction import ViewTransaction

VENDOR: Final = "sqlite"
VENDORS: Final = (VENDOR, "postgresql")
SAVEPOINT: Final = "seeother"
BEGINS: Final = "seeother_begins"  # on a connection: begins the transaction of its submission
SETTINGS: Final = ("journal_mode", "synchronous")
FULL: Final = 2
TABLE: Final = "SELECT 1 FROM sqlite_master WHERE name='so_meta'"


class DjangoStore(WorkStore):
    """A ledger, its receipts and its sessions beside the project's own tables.

    `alias` names the database in DATABASES; the other arguments are those of every store.
    """

    def __init__(self, alias: str, **limits: Any) -> None:
        super().__init__(**limits)
        self.alias = alias
        self._prepared: set[str] = set()

    @property
    def connection(self) -> BaseDatabaseWrapper:
        """Django's connection for this thread, open. Raises StoreDown where it cannot be."""
        connection: BaseDatabaseWrapper = connections[self.alias]
        if connection.vendor != VENDOR:
            raise PolicyError(
                f"the ledger needs SQLite or PostgreSQL; {self.alias!r} is {connection.vendor}"
            )
        try:
            connection.ensure_connection()
        except Error as error:
            raise StoreDown(f"{type(error).__name__}: {error}") from error
        return connection

    @property
    def raw(self) -> sqlite3.Connection:
        """The driver's connection inside."""
        return cast("sqlite3.Connection", self.connection.connection)

    single_writer: ClassVar = True

    @property
    def path(self) -> Path:
        """The database's file; one in memory has a path where no file is."""
        return Path(str(self.connection.settings_dict["NAME"]))

    def transaction(self) -> ViewTransaction:
        """A transaction for one submission."""
        from .transaction import ViewTransaction as Begun  # noqa: PLC0415 - it knows this module

        return Begun(self)

    def within(self, transaction: Transaction) -> Joined:
        """This store inside the view's transaction."""
        return Joined(cast("Any", self), transaction)

    def fenced(self, transaction: Transaction) -> Fenced:
        """This store with its Settle inside the view's transaction, and a claim of its own."""
        return Fenced(cast("Any", self), transaction)

    def check(self, raw: sqlite3.Connection) -> None:
        """A transaction of Django's on our alias is always one on our own database."""
        assert raw is self.connection.connection

    def prepare(self) -> None:
        """Look whether the tables are there, and say for how long rows are needed."""
        name = str(self.connection.settings_dict["NAME"])
        if name in self._prepared:
            return
        with translated():
            if self._version() != str(schema.VERSION):
                raise StoreDown("the tables of seeother are missing or old; run: manage.py migrate")
            if longest_retention(self.raw) < self.retention:
                with self.writing() as work:
                    if work is None:  # the next one will say it
                        return
                    self.raw.execute(schema.WRITE_META, ("retention", str(self.retention)))
            sweep(self.raw, self.clock())
        self._prepared.add(name)

    def _version(self) -> str:
        there = self.raw.execute(TABLE).fetchone()
        found = self.raw.execute(schema.READ_META, ("schema",)).fetchone() if there else None
        return "" if found is None else str(found[0])

    def shut(self) -> None:
        """Nothing is ours to close."""

    def renew(self, op: ops.Renew) -> ops.Done | ops.Fenced:
        """Prolong a lease; the heart beats on a thread of its own and leaves no connection open."""
        try:
            return super().renew(op)
        finally:
            connections[self.alias].close()

    @contextmanager
    def reading(self) -> Generator[SQLWork]:
        """A step that only reads."""
        self.prepare()
        with translated():
            yield SQLWork(self, self.raw)

    @contextmanager
    def writing(self, *, notes: bool = False) -> Generator[SQLWork | None]:
        """A step that writes: a transaction of its own, or a part of the one that is open."""
        getattr(self.connection, BEGINS, _nothing)()
        with translated():
            raw = self.raw
            if raw.in_transaction:
                with _nested(raw):
                    yield SQLWork(self, raw)
                return
            with _unsynced(raw) if notes else nullcontext():
                if begin(raw):
                    with committed(raw):
                        yield SQLWork(self, raw)
                else:
                    yield None


def store_for(alias: str, **limits: Any) -> DjangoStore:
    """The store for a database of the project, by what kind of database it is."""
    if connections[alias].vendor != "postgresql":
        return DjangoStore(alias, **limits)
    from .pg_store import PgDjangoStore  # noqa: PLC0415 - psycopg is an extra

    return cast("DjangoStore", PgDjangoStore(alias, **limits))


def _nothing() -> None:
    """No view of mode fenced is running on this connection."""


@contextmanager
def _unsynced(raw: sqlite3.Connection) -> Generator[None]:
    """Commit without waiting for the disk, where a power cut can then lose the last commits only.

    So it is in WAL mode with `synchronous=NORMAL` (https://sqlite.org/pragma.html); a rollback
    journal needs FULL.
    """
    ((mode,), (before,)) = (raw.execute(f"PRAGMA {name}").fetchone() for name in SETTINGS)
    if mode != "wal" or before < FULL:
        yield
        return
    raw.execute("PRAGMA synchronous=NORMAL")
    try:
        yield
    finally:
        raw.execute(f"PRAGMA synchronous={int(before)}")


@contextmanager
def _nested(raw: sqlite3.Connection) -> Generator[None]:
    """A savepoint: what is raised takes back this step only."""
    raw.execute(f"SAVEPOINT {SAVEPOINT}")
    try:
        yield
    except BaseException:
        with suppress(sqlite3.Error):
            raw.execute(f"ROLLBACK TO {SAVEPOINT}")
            raw.execute(f"RELEASE {SAVEPOINT}")
        raise
    raw.execute(f"RELEASE {SAVEPOINT}")

"""Joined where the database is busy, down or another one: no effect, and the same claim works."""

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine
from sqlalchemy.exc import IntegrityError, OperationalError

from seeother.core.ops import (
    Busy,
    InFlight,
    Lookup,
    Report,
    Unknown,
)
from seeother.errors import PolicyError, StoreBusy, StoreDown
from seeother.sqlalchemy import Transaction, outage_of
from seeother.testing.harness import (
    PATIENCE,
    claim,
    key,
    named,
)
from tests.stores.app import App, add, fail
from tests.stores.files import no_file_may_grow


def test_a_lock_is_busy(app: App) -> None:
    """Another writer: Busy, no connection is kept, and the view did not run."""
    with sqlite3.connect(app.path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        assert app.once(fail) == Busy()
        assert app.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
        other.execute("ROLLBACK")
    other.close()
    app.nothing_happened()


def test_an_empty_pool_is_busy(tmp_path: Path) -> None:
    """All connections are in use elsewhere: ask again, as with a lock."""
    engine = create_engine(
        f"sqlite:///{tmp_path / 'app.db'}", pool_size=1, max_overflow=0, pool_timeout=0
    )
    with engine.connect():
        assert not Transaction(engine).begin()
    engine.dispose()


def test_a_claim_of_another_mode_is_respected(app: App) -> None:
    """A row that is claimed visibly (fenced, on the same file) is in flight here too."""
    app.store.claim(claim())
    assert app.once(fail, claim(by="another")) == InFlight()


def test_a_failing_commit_is_down_and_keeps_nothing(app: App) -> None:
    """The disk is full at COMMIT: StoreDown; neither effect nor row; then the same claim works."""
    size = app.path.with_name("app.db-wal").stat().st_size

    def view(connection: Connection) -> None:
        add("x" * 100_000)(connection)
        limit.__enter__()

    limit = no_file_may_grow(size)
    try:
        with pytest.raises(StoreDown):
            app.once(view)
    finally:
        limit.__exit__(None, None, None)
    app.nothing_happened()


def test_a_ledger_that_is_gone_is_down(app: App) -> None:
    """The look under the lock fails: StoreDown, the transaction is closed."""
    with sqlite3.connect(app.path) as other:
        other.execute("DROP TABLE so_ledger")
    other.close()
    with pytest.raises(StoreDown, match="so_ledger"):
        app.once(fail)


def test_an_app_without_its_file_is_down(app: App, tmp_path: Path) -> None:
    """The engine cannot connect: StoreDown, as for the store's own file."""
    engine = create_engine(f"sqlite:///{tmp_path / 'missing' / 'app.db'}")
    with pytest.raises(StoreDown, match="unable to open"):
        Transaction(engine).begin()


def test_a_begin_that_fails_gives_the_connection_back(app: App) -> None:
    """Only a lock is Busy; whatever else BEGIN says is raised, and the pool has its connection."""
    app.path.write_bytes(b"garbage" * 1_000)
    app.path.with_name("app.db-wal").unlink()
    app.path.with_name("app.db-shm").unlink()
    fresh = create_engine(f"sqlite:///{app.path}")
    with pytest.raises(sqlite3.DatabaseError):
        Transaction(fresh).begin()
    assert fresh.pool.checkedout() == 0  # type: ignore[attr-defined]
    fresh.dispose()


def test_an_engine_of_another_file_is_refused(app: App, tmp_path: Path) -> None:
    """Effect and row in two files would not commit together: PolicyError, before the view runs."""
    for url in (f"sqlite:///{tmp_path / 'other.db'}", "sqlite://"):
        engine = create_engine(url)
        with pytest.raises(PolicyError, match="one file for both"):
            app.store.within(Transaction(engine)).claim(claim())
        engine.dispose()


def test_the_rest_is_the_stores_own(app: App) -> None:
    """What is neither claim nor end of a submission is answered without the transaction."""
    joined = app.store.within(Transaction(app.engine))
    assert joined.perform(Lookup(key(), named("input"), PATIENCE)) == Unknown()
    assert joined.perform(Report("fenced", key())) is None


def test_a_transaction_is_begun_once(app: App) -> None:
    """Beginning again changes nothing; rolling back may be said as often as one likes."""
    transaction = Transaction(app.engine)
    transaction.rollback()
    assert transaction.begin()
    first = transaction.connection
    assert transaction.begin()
    assert transaction.connection is first
    transaction.rollback()
    transaction.rollback()
    with pytest.raises(StoreDown):
        _ = transaction.connection


def test_other_databases_are_refused() -> None:
    """No ledger stands in a database that this version does not know."""
    engine = create_engine("mysql+pymysql://localhost/none", module=sqlite3)
    with pytest.raises(PolicyError, match="mysql"):
        Transaction(engine)


@pytest.mark.parametrize(
    "statement", ["SELECT * FROM missing", "INSERT INTO note(text) VALUES(NULL)"]
)
def test_a_views_own_mistakes_are_no_outage(app: App, statement: str) -> None:
    """A missing table or a constraint is a bug of the view: no "please try again"."""
    with pytest.raises((OperationalError, IntegrityError)) as caught:
        app.once(lambda connection: connection.exec_driver_sql(statement))
    assert outage_of(caught.value) is None


def test_trouble_of_the_disk_is_an_outage() -> None:
    """Full, locked, damaged: the text is kept and may be sent again."""
    full, locked = sqlite3.OperationalError("full"), sqlite3.OperationalError("locked")
    full.sqlite_errorcode, locked.sqlite_errorcode = sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY
    damaged = sqlite3.DatabaseError("malformed")
    damaged.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    assert isinstance(outage_of(full), StoreDown)
    assert isinstance(outage_of(locked), StoreBusy)
    assert isinstance(outage_of(damaged), StoreDown)
    assert outage_of(ValueError()) is None

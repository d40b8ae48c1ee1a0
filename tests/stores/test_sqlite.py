"""The SQLite store: the whole contract, its URLs and files, several apps on one of them."""

import os
import sqlite3
import stat
from pathlib import Path
from typing import Any

import pytest

from seeother.core.ledger import Row, State
from seeother.core.ops import Settled, Unknown
from seeother.errors import PolicyError, StoreBusy
from seeother.stores import open_store
from seeother.stores.base import Clock
from seeother.stores.rows import SQLWork
from seeother.stores.sqlite import SQLiteStore
from seeother.testing import FakeClock, StoreContract
from seeother.testing.harness import START, claim, key, named, outcome
from tests.stores.files import look, other, settled


class TestSQLite(StoreContract):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.path = tmp_path / "ledger.db"

    def make(self, clock: Clock) -> SQLiteStore:
        return SQLiteStore(self.path, clock=clock)

    def reopen(self, store: Any) -> SQLiteStore:
        store.shut()
        return SQLiteStore(self.path, clock=self.clock)


# URLs and files -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///relative.db", "relative.db"),
        ("sqlite:////srv/app.db", "/srv/app.db"),
        ("sqlite+pysqlite:///a%20b.db", "a b.db"),
    ],
)
def test_urls_are_spelled_as_everywhere(url: str, path: str) -> None:
    """Three slashes are relative, four absolute; a driver's name and escapes are understood."""
    made = open_store(url)
    assert isinstance(made, SQLiteStore)
    assert made.path == Path(path)


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite://relative.db",
        "sqlite:///a.db?x=1",
        "mysql://x",
    ],
)
def test_a_url_without_a_file_is_refused(url: str) -> None:
    """A ledger in each connection's own memory would grant everything twice."""
    with pytest.raises(PolicyError):
        open_store(url)


def test_nothing_is_created_before_the_first_use(path: Path) -> None:
    """Making and shutting a store touches no disk."""
    SQLiteStore(path).shut()
    assert not path.parent.exists()


def test_files_are_private(store: SQLiteStore, path: Path) -> None:
    """Database, WAL and shared memory are 0600, their folder 0700, under any umask."""
    before = os.umask(0)
    try:
        settled(store)
        modes = {found.name: stat.S_IMODE(found.stat().st_mode) for found in path.parent.iterdir()}
    finally:
        os.umask(before)
    assert modes == dict.fromkeys(("ledger.db", "ledger.db-wal", "ledger.db-shm"), 0o600)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_readers_cannot_write(store: SQLiteStore) -> None:
    """A look-up runs on a connection that refuses every write."""
    with store.reading() as work, pytest.raises(sqlite3.OperationalError, match="readonly"):
        work.run("DELETE FROM so_ledger")


@pytest.mark.parametrize("fp", ["input", "other"])
def test_a_row_says_nothing_twice(store: SQLiteStore, path: Path, fp: str) -> None:
    """A fingerprint that is the variant is not stored again, nor a lease that is over."""
    asked = claim(key(variant=named("input")), fp)
    settled(store, asked)
    with other(path) as connection:
        kept = connection.execute("SELECT fingerprint, lease_until FROM so_ledger").fetchone()
    assert kept == (b"" if fp == "input" else named(fp), 0.0)
    with store.reading() as work:
        row = work.row(asked.key)
    assert row is not None
    assert row.fingerprint == asked.fingerprint == named(fp)


def test_shutting_closes_everything(store: SQLiteStore, path: Path) -> None:
    """Afterwards only the database is left, checkpointed; a reader in use closes by itself."""
    settled(store)
    with store.reading() as work:
        look(store)
        store.shut()
        assert work.row(key()) is not None
    assert [found.name for found in path.parent.iterdir()] == ["ledger.db"]
    assert isinstance(look(store), Settled)


# Several apps on one file -------------------------------------------------------------------------


def test_the_longest_retention_counts(path: Path) -> None:
    """An app with short-lived tokens does not delete the rows that another app still needs."""
    clock = FakeClock()
    day = SQLiteStore(path, clock=clock)
    settled(day, claim(key("old")))
    hour = SQLiteStore(path, clock=clock, retention=3_600.0)
    week = SQLiteStore(path, clock=clock, retention=7 * 86_400.0)
    for moved in (86_000.0, 86_400.0):
        clock.tick(moved)
        settled(hour, claim(key(f"new {moved}", issued=clock.now)))
        week.prepare()
        assert isinstance(look(day, claim(key("old"))), Settled)
    for made in (day, hour, week):
        made.shut()


def test_expiry_is_paid_by_settles(path: Path) -> None:
    """The first settle of a process, and each 50th, deletes at most 100 rows of each kind."""
    clock = FakeClock()
    filling = SQLiteStore(path, clock=clock)
    for number in range(130):
        settled(filling, claim(key(f"old {number}")))
    filling.shut()
    clock.tick(200_000)
    left = []
    store = SQLiteStore(path, clock=clock)
    with other(path) as connection:
        for number in range(51):
            settled(store, claim(key(f"new {number}", issued=START + 200_000)))
            (count,) = connection.execute("SELECT count(*) FROM so_ledger").fetchone()
            left.append(count - number - 1)
    store.shut()
    assert left == [30] * 50 + [0]


def test_an_operator_may_expire_at_any_time(path: Path) -> None:
    """Without waiting for a settle; where somebody writes, it is busy."""
    clock = FakeClock()
    store = SQLiteStore(path, clock=clock)
    settled(store)
    clock.tick(200_000)
    with other(path) as connection:
        connection.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusy):
            store.expire_now()
    store.expire_now()
    assert look(store) == Unknown()
    store.shut()


def test_a_table_of_the_apps_is_found(store: SQLiteStore, path: Path) -> None:
    """A file may be shared with the app; whether a table of it is there is asked by its name."""
    store.claim(claim())
    with sqlite3.connect(path) as app:
        app.execute("CREATE TABLE theirs(x)")
    app.close()
    with store.reading() as work:
        assert isinstance(work, SQLWork)
        assert work.has_table("theirs")
        assert not work.has_table("thei_s")


def test_a_step_in_somebodys_transaction(store: SQLiteStore, path: Path) -> None:
    """Whether it has written is seen, and what the step writes stays or goes with it."""
    store.prepare()
    row = Row(State.SETTLED, 1, named("worker"), named("input"), outcome=outcome())
    for keeps in (False, True):
        raw = sqlite3.connect(path)
        assert not store.has_written(raw)
        with store.on(raw) as work:
            work.keep(key(), row)
        assert store.has_written(raw)
        (raw.commit if keeps else raw.rollback)()
        raw.close()
        with store.reading() as read:
            assert (read.row(key()) is not None) == keeps


def test_every_statement_uses_an_index(store: SQLiteStore) -> None:
    """No question walks through a whole table, however many rows there are."""
    store.prepare()
    assert store._process is not None
    ledger = ("READ_ROW", "DELETE_ROW", "EXPIRE_LEDGER", "HAS_ROWS", "VARIANTS", "OWNERS", "LAPSE")
    receipts = ("READ_RECEIPT", "DELIVER", "ORPHANS", "OLDEST_DRAFTS", "DROP_DRAFT")
    sessions = ("READ_SESSION", "READ_HEAD", "IDLE_SESSIONS", "CLEAR_SESSION", "END_SESSION")
    for name in (*ledger, *receipts, *sessions):
        plan = _plan(store._process.ledger, name)
        walks = [step for step in plan if step.startswith("SCAN so_") and "INDEX" not in step]
        assert not walks, (name, plan)


def _plan(connection: sqlite3.Connection, name: str) -> list[str]:
    from seeother.stores import schema

    sql = getattr(schema, name)
    rows = connection.execute(f"EXPLAIN QUERY PLAN {sql}", (None,) * sql.count("?"))
    return [row[3] for row in rows]

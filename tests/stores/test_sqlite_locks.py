"""The SQLite store among other writers: who waits, for how long, and what they are told."""

import sqlite3
import threading
from pathlib import Path

import pytest

from seeother.core.ops import Busy, Granted, Settle, Settled
from seeother.errors import StoreBusy
from seeother.stores import connect
from seeother.stores.sqlite import SQLiteStore
from seeother.testing.harness import claim, key, named, outcome, together
from tests.stores.files import look, other, settled


def test_a_lock_of_another_process_is_busy(store: SQLiteStore, path: Path) -> None:
    """While another program writes, every writer gets its answer and readers are not held up."""
    running, done = claim(key("running")), claim()
    grant = store.claim(running)
    assert isinstance(grant, Granted)
    settled(store, done)
    with other(path) as connection:
        connection.execute("BEGIN IMMEDIATE")
        assert store.claim(claim(key("new"))) == Busy()
        with pytest.raises(StoreBusy):
            store.settle(Settle(running.key, grant, running.fingerprint, outcome()))
        assert isinstance(look(store, done), Settled)
        connection.execute("ROLLBACK")
    store.settle(Settle(running.key, grant, running.fingerprint, outcome()))
    assert isinstance(look(store, running), Settled)


def test_a_lock_of_another_thread_is_busy(store: SQLiteStore) -> None:
    """Within a process too nobody waits for a writer that stays."""
    with store.writing() as work:
        assert work is not None
        assert together(lambda n: store.claim(claim(by=f"w {n}")), range(4)) == [Busy()] * 4


def test_asking_for_a_lock_keeps_the_timeout_of_the_connection(tmp_path: Path) -> None:
    """The app's own connection waits for its locks as long as it did before."""
    with other(tmp_path / "app.db") as one, other(tmp_path / "app.db") as two:
        one.execute("PRAGMA busy_timeout=7777")
        assert connect.begin(one)
        assert not connect.begin(two)
        assert one.execute("PRAGMA busy_timeout").fetchone() == (7777,)


def test_a_transaction_in_a_transaction_is_an_error(tmp_path: Path) -> None:
    """Only a lock is Busy; anything else that BEGIN says is raised."""
    with other(tmp_path / "app.db") as one:
        assert connect.begin(one)
        with pytest.raises(sqlite3.OperationalError, match="within a transaction"):
            connect.begin(one)


def test_a_process_may_start_while_another_one_writes(store: SQLiteStore, path: Path) -> None:
    """Where all tables are there, opening only reads."""
    settled(store)
    with other(path) as connection:
        connection.execute("BEGIN IMMEDIATE")
        late = SQLiteStore(path, clock=store.clock)
        assert isinstance(look(late), Settled)
        late.shut()


def test_the_switch_to_wal_is_asked_for_again(store: SQLiteStore, path: Path) -> None:
    """A first process that meets a reader of the old journal mode waits until it has gone."""
    connect.create_private(path)
    entered = threading.Event()
    with other(path) as connection:
        connection.execute("CREATE TABLE t(x)")
        connection.execute("BEGIN")
        connection.execute("SELECT * FROM t").fetchall()
        connection.execute("PRAGMA busy_timeout=0")

        def prepare() -> None:
            entered.set()
            store.prepare()

        thread = threading.Thread(target=prepare)
        thread.start()
        entered.wait()
        connection.execute("COMMIT")
    thread.join()
    assert store.claim(claim()) == Granted(1, named("worker"))


@pytest.mark.parametrize("patience", [5_000, -1])
def test_who_reads_in_the_old_mode_is_waited_for(
    path: Path, patience: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite may refuse the switch at once; until a deadline it is asked again."""
    monkeypatch.setattr(connect, "READ_MS", patience)
    connect.create_private(path)
    tries: list[str] = []

    def tried(statement: str) -> None:
        tries.append(statement)
        if len(tries) == 3:
            reader.execute("COMMIT")

    with other(path) as reader, other(path) as opening:
        reader.execute("CREATE TABLE t(x)")
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM t").fetchall()
        opening.execute("PRAGMA busy_timeout=0")
        opening.set_trace_callback(tried)
        if patience < 0:
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                connect._to_wal(opening)
        else:
            connect._to_wal(opening)
    assert len(tries) == (1 if patience < 0 else 3)


def test_a_file_that_stays_locked_is_busy_from_the_start(
    store: SQLiteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even opening for the first time does not wait for ever."""
    monkeypatch.setattr(connect, "READ_MS", 50)
    connect.create_private(path)
    with other(path) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        connection.execute("CREATE TABLE t(x)")
        with pytest.raises(StoreBusy):
            store.prepare()

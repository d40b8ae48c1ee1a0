"""Joined: effect and row in one transaction, through SQLAlchemy, on a real file."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, event, text
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session

from seeother.core.ops import (
    Abandon,
    Busy,
    Claim,
    Done,
    Fenced,
    Granted,
    InFlight,
    Lookup,
    Open,
    Report,
    Settle,
    Settled,
    Take,
    Unknown,
)
from seeother.core.values import Outcome
from seeother.errors import PolicyError, StoreBusy, StoreDown
from seeother.sqlalchemy import Transaction, outage_of
from seeother.stores.sqlite import SQLiteStore
from seeother.testing import FakeClock
from seeother.testing.harness import (
    PATIENCE,
    WHOLE,
    claim,
    key,
    named,
    outcome,
    page,
    receipt,
    together,
    write,
)
from tests.stores.test_sqlite import no_file_may_grow

View = Callable[[Connection], Any]
TABLES = (
    "CREATE TABLE note(id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE)",
    "CREATE TABLE child(note INTEGER REFERENCES note(id) DEFERRABLE INITIALLY DEFERRED)",
)


class App:
    """An app's engine and the store, on one file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.store = SQLiteStore(path, clock=FakeClock())
        self.store.prepare()
        self.engine = create_engine(f"sqlite:///{path}")
        event.listen(self.engine, "connect", _tune)

    def create(self) -> None:
        """Create the app's tables."""
        with self.engine.begin() as connection:
            for table in TABLES:
                connection.exec_driver_sql(table)

    def once(self, view: View, where: Claim | None = None, **more: Any) -> Any:
        """What the flow does: claim, view, settle; a view that raises is abandoned."""
        mine, transaction = where or claim(), Transaction(self.engine)
        joined = self.store.within(transaction)
        reply = joined.perform(mine)
        if not isinstance(reply, Granted):
            return reply
        try:
            view(transaction.connection)
        except BaseException:
            joined.perform(Abandon(mine.key, reply))
            raise
        return joined.perform(Settle(mine.key, reply, mine.fingerprint, outcome(), **more))

    def look(self, where: Claim | None = None) -> Any:
        """Look for the outcome of a claim."""
        mine = where or claim()
        return self.store.lookup(Lookup(mine.key, mine.fingerprint, PATIENCE))

    def notes(self) -> list[str]:
        """What the view has left."""
        with self.engine.connect() as connection:
            return [row[0] for row in connection.execute(text("SELECT text FROM note ORDER BY id"))]

    def nothing_happened(self) -> None:
        """No effect, no row; and the same claim works."""
        assert self.notes() == []
        assert self.look() == Unknown()
        assert self.once(add("afterwards")) == Done()
        assert self.notes() == ["afterwards"]


def _tune(connection: sqlite3.Connection, _record: object) -> None:
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA busy_timeout=10000")


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    """An app; at the end every connection is back in its pool, whatever the test did."""
    made = App(tmp_path / "app.db")
    made.create()
    yield made
    assert made.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    made.engine.dispose()
    made.store.shut()


def add(words: str) -> View:
    """A view that inserts a note."""
    return lambda connection: connection.execute(
        text("INSERT INTO note(text) VALUES(:text)"), {"text": words}
    )


def both(*views: View) -> View:
    """One view after another."""

    def run(connection: Connection) -> None:
        for view in views:
            view(connection)

    return run


def fail(_connection: Connection) -> None:
    """A view that raises."""
    raise ZeroDivisionError


# Together -----------------------------------------------------------------------------------------


def test_effect_and_row_commit_together(app: App) -> None:
    """Before COMMIT nobody sees either, after it everybody sees effect, row, receipt, session."""

    def view(connection: Connection) -> None:
        add("hello")(connection)
        assert app.notes() == []
        assert app.look() == Unknown()

    left = receipt("receipt", "saved", key=key())
    saved = write(named("sid"), sets={"name": b"1"}, fresh=True)
    assert app.once(view, receipt=left, session=saved) == Done()
    assert app.notes() == ["hello"]
    assert app.look() == Settled(outcome(), 0.0)
    opened = app.store.open(Open(left.visitor, named("sid"), page(), messages=True))
    assert opened.waiting == (page(),)
    assert opened.session == (("name", b"1"),)


def test_the_second_one_is_replayed(app: App) -> None:
    """Its view is not called; the look under the lock tells it, and the lock is free again."""
    app.once(add("hello"))
    assert app.once(fail, claim(by="another")) == Settled(outcome(), 0.0)
    assert app.once(add("other"), claim(key("other"))) == Done()


def test_a_replay_under_the_lock_knows_of_the_message(app: App) -> None:
    """Also here it says whether a page took the message already."""
    transaction, left = Transaction(app.engine), receipt("receipt", "saved")
    joined = app.store.within(transaction)
    grant = joined.claim(claim())
    assert isinstance(grant, Granted)
    done = Outcome("accepted", 303, "/", page())
    joined.settle(Settle(key(), grant, named("input"), done, left))
    app.store.take(Take(left.visitor, (page(),), b"lease", 60.0))
    reply = app.once(fail, claim(by="another"))
    assert isinstance(reply, Settled)
    assert reply.taken


def test_what_is_not_kept_has_its_effect_alone(app: App) -> None:
    """keep=False: the effect commits, no row stays."""
    assert app.once(add("hello"), keep=False) == Done()
    assert app.notes() == ["hello"]
    assert app.look() == Unknown()


def test_sixty_four_threads_one_effect(app: App) -> None:
    """64 threads, each with other input on the one row of a token: one note."""

    def send(number: int) -> Any:
        mine = claim(key(variant=WHOLE), fp=f"input {number}", by=f"thread {number}")
        while isinstance(reply := app.once(add(f"note {number}"), mine), Busy):
            pass
        return reply

    replies = together(send, range(64))
    assert len(app.notes()) == 1
    assert sum(isinstance(reply, Done) for reply in replies) == 1


PROCESS = """
import sys
from pathlib import Path
from seeother.core.ops import Busy, Done
from tests.stores.test_joined import App, add, claim, key
app = App(Path(sys.argv[1]))
done = 0
for number in range(30):
    reply = Busy()
    while isinstance(reply, Busy):
        where = claim(key(f"token {number}"), by=f"{sys.argv[2]} {number}")
        reply = app.once(add(f"{number}"), where)
    done += isinstance(reply, Done)
print(done)
"""


def test_two_processes_one_effect_each(app: App) -> None:
    """Two processes send the same thirty submissions at the same time: thirty notes."""
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS, str(app.path), name],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        for name in ("one", "two")
    ]
    counts = [int(run.communicate()[0]) for run in runs]
    assert sum(counts) == 30
    assert sorted(app.notes(), key=int) == [str(number) for number in range(30)]


# Rolled back --------------------------------------------------------------------------------------


def test_a_view_that_raises_leaves_nothing(app: App) -> None:
    """The exception comes out as itself; insert and row are gone, the token is free."""
    with pytest.raises(ZeroDivisionError):
        app.once(both(add("hello"), fail))
    app.nothing_happened()


@pytest.mark.parametrize("name", ["commit", "rollback", "close"])
def test_a_view_cannot_end_the_transaction(app: App, name: str) -> None:
    """commit(), rollback() and close() raise and say what to do; nothing is left."""
    with pytest.raises(RuntimeError, match="once"):
        app.once(both(add("hello"), lambda connection: getattr(connection, name)()))
    app.nothing_happened()


def test_a_view_that_swallows_the_refusal_is_still_once(app: App) -> None:
    """Who catches that error has not ended anything: effect and row commit together."""

    def view(connection: Connection) -> None:
        add("one")(connection)
        with pytest.raises(RuntimeError):
            connection.commit()
        assert app.notes() == []

    assert app.once(view) == Done()
    assert app.notes() == ["one"]
    assert app.look() == Settled(outcome(), 0.0)


@pytest.mark.parametrize("end", ["COMMIT", "ROLLBACK"])
def test_a_view_that_ends_it_in_sql_is_told(app: App, end: str) -> None:
    """Behind SQLAlchemy's back: no outcome is recorded for what is not in the transaction."""
    with pytest.raises(StoreDown, match="ended the transaction"):
        app.once(lambda connection: connection.exec_driver_sql(end))
    app.nothing_happened()


def test_a_view_that_drops_its_connection_is_told(app: App) -> None:
    """An invalidated connection has lost the transaction."""
    with pytest.raises(StoreDown, match="not open"):
        app.once(both(add("hello"), lambda connection: connection.invalidate()))
    app.nothing_happened()


def test_an_integrity_error_passes_as_itself(app: App) -> None:
    """A constraint is the view's affair: it may catch it, and if not it is no outage."""
    app.once(add("hello"))
    with pytest.raises(IntegrityError) as caught:
        app.once(add("hello"), claim(key("other")))
    assert outage_of(caught.value) is None
    assert app.notes() == ["hello"]
    assert app.look(claim(key("other"))) == Unknown()


def test_a_constraint_found_by_commit_passes_as_itself(app: App) -> None:
    """A deferred foreign key fails in COMMIT: nothing is kept, and sending again will not help."""
    orphan = text("INSERT INTO child VALUES(99)")
    with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
        app.once(both(add("hello"), lambda connection: connection.execute(orphan)))
    app.nothing_happened()


def test_savepoints_are_the_views_own(app: App) -> None:
    """A savepoint rolled back takes its own statements with it and nothing else."""

    def view(connection: Connection) -> None:
        add("one")(connection)
        with pytest.raises(IntegrityError), connection.begin_nested():
            both(add("two"), add("one"))(connection)
        with connection.begin_nested():
            add("three")(connection)

    assert app.once(view) == Done()
    assert app.notes() == ["one", "three"]


def test_an_orm_session_may_join(app: App) -> None:
    """Its commit() flushes and does not end the transaction; leaving it keeps what it did."""

    def view(connection: Connection) -> None:
        with Session(connection) as session:
            session.execute(text("INSERT INTO note(text) VALUES('hello')"))
            session.commit()
        assert app.notes() == []

    assert app.once(view) == Done()
    assert app.notes() == ["hello"]


def test_a_grant_of_somebody_else_settles_nothing(app: App) -> None:
    """A settle with another fence is refused and rolled back."""
    transaction = Transaction(app.engine)
    joined = app.store.within(transaction)
    joined.claim(claim())
    add("hello")(transaction.connection)
    told = joined.settle(Settle(key(), Granted(7, named("stranger")), named("input"), outcome()))
    assert told == Fenced()
    app.nothing_happened()


# Busy and down ------------------------------------------------------------------------------------


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
    engine = create_engine("postgresql+psycopg://localhost/none")
    with pytest.raises(StoreDown, match="postgresql"):
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

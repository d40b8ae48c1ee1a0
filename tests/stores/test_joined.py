"""Joined: effect and row in one transaction, through SQLAlchemy, on a real file."""

import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from seeother.core.ops import (
    Busy,
    Done,
    Fenced,
    Granted,
    Open,
    Settle,
    Settled,
    Take,
    Unknown,
)
from seeother.core.values import Outcome
from seeother.errors import StoreDown
from seeother.sqlalchemy import Transaction, outage_of
from seeother.testing.harness import (
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
from tests.stores.app import App, add, both, fail

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
from seeother.testing.harness import claim, key
from tests.stores.app import App, add
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

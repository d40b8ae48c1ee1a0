"""Joined on PostgreSQL: effect and row in one transaction, through SQLAlchemy, on a real server."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from seeother.core.ops import (
    Busy,
    Done,
    Fenced,
    Granted,
    InFlight,
    Open,
    Settle,
    Settled,
    Take,
    Unknown,
)
from seeother.core.values import REJECTED, Outcome
from seeother.errors import PolicyError, StoreBusy, StoreDown, StoreError
from seeother.sqlalchemy import Transaction
from seeother.stores.pg_rows import lock_of
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
from tests.stores.app import add, both, fail
from tests.stores.pg_app import App

if TYPE_CHECKING:
    from tests.servers.postgres import Postgres


@pytest.fixture
def app(postgres: "Postgres") -> Iterator[App]:
    """An app; at the end every connection is back in its pool, whatever the test did."""
    made = App(postgres.fresh())
    made.create()
    yield made
    assert made.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    made.engine.dispose()
    made.store.shut()


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


def test_a_duplicate_meanwhile_is_in_flight(app: App) -> None:
    """While the view runs a second claim does not wait for it, and holds nothing afterwards."""
    seen = []
    app.once(lambda _: seen.append(app.once(fail, claim(by="another"))))
    assert seen == [InFlight()]
    assert app.once(fail, claim(by="late")) == Settled(outcome(), 0.0)


def test_the_second_one_is_replayed(app: App) -> None:
    """Its view is not called; the look under the lock tells it, and the lock is free again."""
    app.once(add("hello"))
    assert app.once(fail, claim(by="another")) == Settled(outcome(), 0.0)
    assert app.once(add("other"), claim(key("other"))) == Done()


def test_a_replay_under_the_lock_knows_of_the_message(app: App) -> None:
    """Also here it says whether a page took the message already."""
    left, done = receipt("receipt", "saved"), Outcome("accepted", 303, "/", page())
    app.once(add("hello"), outcome=done, receipt=left)
    app.store.take(Take(left.visitor, (page(),), b"lease", 60.0))
    reply = app.once(fail, claim(by="another"))
    assert isinstance(reply, Settled)
    assert reply.taken


def test_what_is_not_kept_has_its_effect_alone(app: App) -> None:
    """keep=False: the effect commits, no row stays."""
    assert app.once(add("hello"), keep=False) == Done()
    assert app.notes() == ["hello"]
    assert app.look() == Unknown()


def test_what_raises_leaves_nothing(app: App) -> None:
    """Effect and row are rolled back; the next one runs."""
    with pytest.raises(ZeroDivisionError):
        app.once(both(add("hello"), fail))
    app.nothing_happened()
    assert app.once(add("afterwards")) == Done()


def test_a_rejection_may_run_again(app: App) -> None:
    """Corrected, or after its patience: the row that was there is changed, fence 2."""
    rejected = outcome(kind=REJECTED)
    assert app.once(lambda _: None, claim(key(variant=WHOLE)), outcome=rejected) == Done()
    again = claim(key(variant=WHOLE), fp="corrected", by="again")
    assert app.once(add("hello"), again) == Done()
    with app.store.reading() as work:
        row = work.row(again.key)
    assert row is not None
    assert row.fence == 2
    assert app.notes() == ["hello"]


def test_sixty_four_threads_one_effect(app: App) -> None:
    """64 threads, each with other input on the one row of a token: one note."""

    def send(number: int) -> Any:
        mine = claim(key(variant=WHOLE), fp=f"input {number}", by=f"thread {number}")
        while isinstance(reply := app.once(add(f"note {number}"), mine), Busy | InFlight):
            pass
        return reply

    replies = together(send, range(64))
    assert len(app.notes()) == 1
    assert sum(isinstance(reply, Done) for reply in replies) == 1


# What PostgreSQL does otherwise -------------------------------------------------------------------


def test_an_orm_session_rides_along(app: App) -> None:
    """Its commit flushes, and the transaction goes on."""

    def view(connection: Connection) -> None:
        with Session(connection, join_transaction_mode="create_savepoint") as session:
            session.execute(text("INSERT INTO note(text) VALUES('orm')"))
            session.commit()
        assert app.notes() == []

    assert app.once(view) == Done()
    assert app.notes() == ["orm"]


def test_a_failed_statement_and_the_form_again_is_a_rejection(app: App) -> None:
    """The view catches what its INSERT raised and rejects: nothing of it stays but the outcome."""
    app.once(add("hello"), claim(key("other")))

    def view(connection: Connection) -> None:
        add("first")(connection)
        with pytest.raises(IntegrityError):
            add("hello")(connection)

    rejected = outcome("/form", kind=REJECTED)
    assert app.once(view, outcome=rejected) == Done()
    assert app.notes() == ["hello"]
    assert app.look() == Settled(rejected, 0.0)


def test_a_failed_statement_is_never_accepted(app: App) -> None:
    """The view catches what its INSERT raised and says it was done: an error, and no row."""
    app.once(add("hello"), claim(key("other")))

    def view(connection: Connection) -> None:
        with pytest.raises(IntegrityError):
            add("hello")(connection)

    with pytest.raises(RuntimeError, match="savepoint"):
        app.once(view)
    assert app.look() == Unknown()


def test_a_savepoint_saves_the_rest(app: App) -> None:
    """What failed inside begin_nested() takes back only that."""
    app.once(add("hello"), claim(key("other")))

    def view(connection: Connection) -> None:
        with pytest.raises(IntegrityError), connection.begin_nested():
            add("hello")(connection)
        add("world")(connection)

    assert app.once(view) == Done()
    assert app.notes() == ["hello", "world"]


def test_a_deferred_constraint_rolls_back(app: App) -> None:
    """The COMMIT finds it violated: the app's own error, no effect and no row."""

    def view(connection: Connection) -> None:
        add("hello")(connection)
        connection.execute(text("INSERT INTO child(note) VALUES(77)"))

    with pytest.raises(Exception, match="foreign key") as caught:
        app.once(view)
    assert not isinstance(caught.value, StoreDown)
    app.nothing_happened()


@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
def test_every_isolation_level_has_one_effect(postgres: "Postgres", level: Any) -> None:
    """Sixteen threads under a stricter level: one effect; whoever lost may ask again."""
    app = App(postgres.fresh(), isolation_level=level)
    app.create()
    app.once(lambda c: c.execute(text("SELECT 1")), claim(key("first")))

    def send(number: int) -> Any:
        mine = claim(by=f"thread {number}")
        while True:
            try:
                reply = app.once(add(f"note {number}"), mine)
            except StoreError:
                continue
            if not isinstance(reply, Busy | InFlight):
                return reply

    replies = together(send, range(16))
    assert len(app.notes()) == 1
    assert sum(isinstance(reply, Done) for reply in replies) == 1
    app.engine.dispose()
    app.store.shut()


def test_a_snapshot_older_than_the_lock_loses(app: App) -> None:
    """The row is there though nobody was seen at it: the effect goes, the other's is told."""
    transaction, mine = Transaction(app.engine), claim()
    joined = app.store.within(transaction)
    grant = joined.perform(mine)
    assert isinstance(grant, Granted)
    add("hello")(transaction.connection)
    other = claim(by="another")
    with app.store.writing() as work:  # as if its lock had been nobody's business
        won = work.hold(other)
        work.hold(Settle(other.key, won, other.fingerprint, outcome("/winner")))
    assert joined.perform(Settle(mine.key, grant, mine.fingerprint, outcome())) == Fenced(
        outcome("/winner")
    )
    assert app.notes() == []


def test_another_database_is_refused(app: App, postgres: "Postgres") -> None:
    """Effect and row in two schemas would not be one: nothing runs."""
    other = App(postgres.fresh())
    other.create()
    app.store, other.store = other.store, app.store
    with pytest.raises(PolicyError, match="another ledger"):
        app.once(add("hello"))
    app.store, other.store = other.store, app.store
    other.store.shut()
    other.engine.dispose()


def test_a_unique_constraint_at_commit_is_the_apps_own(app: App) -> None:
    """Deferred until the COMMIT, where the ledger's own key could be meant as well: it is not."""
    with app.engine.begin() as connection:
        connection.execute(text("CREATE TABLE late(n int UNIQUE DEFERRABLE INITIALLY DEFERRED)"))

    def view(connection: Connection) -> None:
        connection.execute(text("INSERT INTO late VALUES (1), (1)"))

    with pytest.raises(Exception, match="late_n_key") as caught:
        app.once(view)
    assert not isinstance(caught.value, StoreError)
    app.nothing_happened()


def test_a_row_that_somebody_holds_is_busy(app: App) -> None:
    """An operator looks at a rejected row just now: the claim does not wait, and works later."""
    mine, rejected = claim(key(variant=WHOLE)), outcome(kind=REJECTED)
    app.once(lambda _: None, mine, outcome=rejected)
    again = claim(key(variant=WHOLE), fp="corrected", by="again")
    with app.engine.begin() as connection:
        connection.execute(text("SELECT 1 FROM so_ledger FOR UPDATE"))
        assert app.once(fail, again) == Busy()
    assert app.once(add("hello"), again) == Done()


class Interrupted(Transaction):
    """`between` happens before it begins again; False: there is no connection any more."""

    between: Callable[[], object] | None = None

    def begin(self) -> bool:
        """Begin, after what comes between."""
        come, self.between = self.between, None
        return not (come is not None and come() is False) and super().begin()


def rejected_after(app: App, between: Callable[[], object]) -> Any:
    """A statement of the view fails, it says the form again, and then somebody comes between."""
    app.once(add("hello"), claim(key("taken")))
    transaction, mine = Interrupted(app.engine), claim(key(variant=WHOLE))
    joined = app.store.within(transaction)
    grant = joined.perform(mine)
    assert isinstance(grant, Granted)
    with pytest.raises(IntegrityError):
        add("hello")(transaction.connection)
    transaction.between = between
    again = outcome("/form", kind=REJECTED)
    return joined.perform(Settle(mine.key, grant, mine.fingerprint, again))


def test_a_rejection_without_a_connection_is_busy(app: App) -> None:
    """The failed transaction was given back, and the pool has no other one: ask again."""
    with pytest.raises(StoreBusy, match="no free connection"):
        rejected_after(app, lambda: False)
    assert app.look(claim(key(variant=WHOLE))) == Unknown()


def test_a_rejection_while_somebody_else_is_at_it_is_busy(app: App) -> None:
    """The lock went with the failed transaction, and another has it now."""
    with app.engine.connect() as other:

        def lock() -> None:
            other.execute(text(f"SELECT pg_advisory_xact_lock({lock_of(key(variant=WHOLE))})"))

        with pytest.raises(StoreBusy, match="somebody else"):
            rejected_after(app, lock)


def test_a_rejection_after_somebody_elses_is_fenced(app: App) -> None:
    """His corrected form was rejected meanwhile, long ago: the late one changes nothing."""
    theirs = outcome("/theirs", kind=REJECTED)

    def another() -> None:
        where = claim(key(variant=WHOLE), fp="corrected", by="another")
        app.once(lambda _: None, where, outcome=theirs)

    assert rejected_after(app, another) == Fenced()
    late = claim(key(variant=WHOLE), fp="corrected", by="late")
    assert app.look(late) == Settled(theirs, 0.0)
    assert app.notes() == ["hello"]


PROCESS = """
import sys
from seeother.core.ops import Busy, Done, InFlight
from seeother.testing.harness import claim, key
from tests.stores.app import add
from tests.stores.pg_app import App
app = App(sys.argv[1])
done = 0
for number in range(30):
    reply = Busy()
    while isinstance(reply, Busy | InFlight):
        where = claim(key(f"token {number}"), by=f"{sys.argv[2]} {number}")
        reply = app.once(add(f"{number}"), where)
    done += isinstance(reply, Done)
print(done)
"""


def test_four_processes_one_effect_each(app: App) -> None:
    """Four processes send the same thirty submissions at the same time: thirty notes."""
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS, app.url, name], stdout=subprocess.PIPE, text=True
        )
        for name in ("first", "second", "third", "fourth")
    ]
    done = [int(run.communicate()[0]) for run in runs]
    assert sum(done) == 30
    assert sorted(app.notes(), key=int) == [str(n) for n in range(30)]

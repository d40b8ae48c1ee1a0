"""Fenced on PostgreSQL, through SQLAlchemy: it begins late, and what a failed statement takes."""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from seeother.core.ops import Claim, Done, Fenced, Granted, InFlight, Settle, Settled
from seeother.core.values import REJECTED, Outcome
from seeother.sqlalchemy import LateTransaction, Transaction
from seeother.stores import owners
from seeother.stores.pg_wire import begin_of
from seeother.stores.postgres import PostgresStore
from seeother.testing.harness import LEASE, claim, key, outcome
from tests.stores.app import add
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


class Attempt:
    """One worker: its claim, its transaction, what it says at the end."""

    def __init__(self, app: App, by: str = "worker") -> None:
        self.claim: Claim = claim(by=by, takeover=True)
        self.transaction = LateTransaction(app.engine, 0.0)
        self.store = app.store.fenced(self.transaction)
        self.grant: Any = self.store.perform(self.claim)

    def add(self, words: str) -> None:
        """The view's effect."""
        self.transaction.open()
        add(words)(self.transaction.connection)

    def settle(self, done: Outcome | None = None) -> Any:
        """Effect and row, together."""
        named = (self.claim.key, self.grant, self.claim.fingerprint)
        return self.store.perform(Settle(*named, done or outcome()))


def test_effect_and_row_commit_together(app: App) -> None:
    """The claim is seen at once, the effect only together with the outcome."""
    attempt = Attempt(app)
    attempt.add("hello")
    attempt.add("world")
    assert (app.notes(), app.look()) == ([], InFlight())
    assert attempt.settle() == Done()
    assert (app.notes(), app.look()) == (["hello", "world"], Settled(outcome(), 0.0))


def test_a_view_that_thinks_holds_nothing(app: App) -> None:
    """Before its first statement no transaction is open, and other submissions go on."""
    slow = Attempt(app)
    slow.transaction.open()
    assert app.once(add("quick"), claim(key("other"))) == Done()
    slow.add("slow")
    assert slow.settle() == Done()
    assert app.notes() == ["quick", "slow"]


def test_who_was_taken_over_leaves_nothing(app: App) -> None:
    """Its lease ran out and another one settled: the late effect is rolled back."""
    zombie = Attempt(app)
    app.store.clock.tick(LEASE)  # type: ignore[attr-defined]
    winner = Attempt(app, "another")
    winner.add("winner")
    assert winner.settle(outcome("/winner")) == Done()
    zombie.add("zombie")
    assert zombie.settle(outcome("/late")) == Fenced(outcome("/winner"))
    assert app.notes() == ["winner"]


@pytest.mark.parametrize("rejects", [True, False])
def test_a_failed_statement(app: App, rejects: bool) -> None:
    """Caught by the view: a rejection is recorded, anything else is an error; nothing stays."""
    app.once(add("hello"), claim(key("other")))
    attempt = Attempt(app)
    attempt.add("first")
    with pytest.raises(IntegrityError):
        attempt.add("hello")
    if rejects:
        rejected = outcome("/form", kind=REJECTED)
        assert attempt.settle(rejected) == Done()
        assert app.look() == Settled(rejected, 0.0)
    else:
        with pytest.raises(RuntimeError, match="savepoint"):
            attempt.settle()
        assert app.look() == InFlight()
    assert app.notes() == ["hello"]


def test_a_view_that_commits_is_found_out(app: App) -> None:
    """By SQL, past every check: no outcome is recorded, and it is said."""
    from seeother.errors import StoreDown

    with pytest.raises(StoreDown, match="ended the transaction"):
        app.once(lambda connection: connection.execute(text("COMMIT")))


def test_the_lease_of_a_dead_process_is_ended(postgres: "Postgres") -> None:
    """Whoever opens the store next: nobody waits for what cannot come back."""
    store = PostgresStore(postgres.fresh())
    mine = claim(key(issued=store.clock()), takeover=True)
    assert isinstance(store.claim(mine), Granted)
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)
    dead = owners.me().rsplit(" ", 2)[0] + f" {child} 1"
    with psycopg.connect(store.url) as connection:
        connection.execute("UPDATE so_ledger SET owner=%s", [dead])
    later = PostgresStore(store.url)
    other = claim(mine.key, by="another", takeover=True)
    assert later.claim(other) == Granted(2, other.claim_id)
    for one in (store, later):
        one.shut()


def test_begin_is_said_as_the_driver_would(postgres: "Postgres") -> None:
    """With what the app has set on its connection; nothing where the driver says it itself."""
    with psycopg.connect(postgres.url, autocommit=True) as raw:
        assert begin_of(raw) == ("BEGIN",)
        raw.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        raw.read_only, raw.deferrable = False, True
        said = "BEGIN ISOLATION LEVEL REPEATABLE READ READ WRITE DEFERRABLE"
        assert begin_of(raw) == (said,)
        raw.execute(said.encode())
        assert begin_of(raw) == ()


def test_an_open_transaction_begins_once(app: App) -> None:
    """`begin` may be called again, and `rollback` as often as one likes."""
    transaction = Transaction(app.engine)
    assert transaction.begin() and transaction.begin()
    transaction.rollback()
    transaction.rollback()

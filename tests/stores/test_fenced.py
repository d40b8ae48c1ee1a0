"""Fenced: a claim of its own, and Settle in the app's transaction, which begins with a write."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import IntegrityError

from seeother.core.ops import (
    Abandon,
    Claim,
    Done,
    Doubt,
    Fenced,
    Granted,
    InDoubt,
    InFlight,
    Lookup,
    Settle,
    Settled,
    Unknown,
)
from seeother.errors import PolicyError, StoreBusy, StoreDown
from seeother.sqlalchemy import LateTransaction, Transaction
from seeother.testing.harness import LEASE, claim, key, named, outcome
from tests.stores.app import App, add
from tests.stores.files import other


class Attempt:
    """One worker: its claim, its transaction, what it says at the end."""

    def __init__(self, app: App, by: str = "worker", *, patience: float = 0.0) -> None:
        self.claim: Claim = claim(by=by, takeover=True)
        self.transaction = LateTransaction(app.engine, patience)
        self.store = app.store.fenced(self.transaction)
        self.grant: Any = self.store.perform(self.claim)

    def add(self, words: str) -> None:
        """The view's effect."""
        self.transaction.open()
        add(words)(self.transaction.connection)

    def settle(self, where: str = "/done") -> Any:
        """Effect and row, together."""
        named_ = (self.claim.key, self.grant, self.claim.fingerprint)
        return self.store.perform(Settle(*named_, outcome(where)))


def test_effect_and_row_commit_together(app: App) -> None:
    """The claim is seen at once, the effect only together with the outcome."""
    attempt = Attempt(app)
    attempt.add("hello")
    assert app.notes() == []
    assert app.look() == InFlight()
    assert attempt.settle() == Done()
    assert app.notes() == ["hello"]
    assert app.look() == Settled(outcome(), 0.0)


def test_an_effect_without_a_write_is_settled_too(app: App) -> None:
    """A view that only read has begun nothing; its outcome is recorded all the same."""
    attempt = Attempt(app)
    attempt.transaction.open()
    attempt.transaction.connection.execute(text("SELECT 1"))
    assert not attempt.transaction.raw.in_transaction
    assert attempt.settle() == Done()
    assert app.look() == Settled(outcome(), 0.0)


def test_a_view_that_thinks_locks_nobody_out(app: App) -> None:
    """Between its claim and its first write others write as they like."""
    slow = Attempt(app)
    slow.transaction.open()
    slow.transaction.connection.execute(text("SELECT * FROM note")).all()
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
    assert winner.settle("/winner") == Done()
    zombie.add("zombie")
    assert zombie.settle("/late") == Fenced(outcome("/winner"))
    assert app.notes() == ["winner"]


def test_an_abandoned_effect_is_taken_back(app: App) -> None:
    """ROLLBACK first, then the row: whoever claims next finds nothing of it."""
    attempt = Attempt(app)
    attempt.add("hello")
    assert attempt.store.perform(Abandon(key(), attempt.grant)) == Done()
    assert app.notes() == []
    assert app.look() == Unknown()


def test_a_doubtful_effect_is_taken_back(app: App) -> None:
    """Also where the flow cannot promise more than a doubt."""
    attempt = Attempt(app)
    attempt.add("hello")
    assert attempt.store.perform(Doubt(key(), attempt.grant)) == Done()
    assert app.notes() == []
    assert app.look() == InDoubt()


def test_a_lock_past_patience_is_busy(app: App) -> None:
    """Another program writes for longer than patience: StoreBusy at the first write, no effect."""
    attempt = Attempt(app)
    with other(app.path) as connection:
        connection.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusy, match="patience"):
            attempt.add("hello")
        with pytest.raises(StoreBusy):
            attempt.settle()
    assert app.notes() == []
    assert app.look() == InFlight()


def test_an_early_transaction_that_is_locked_out_is_busy(app: App) -> None:
    """A transaction of the other kind says False instead of raising; that is Busy too."""
    store = app.store.fenced(Transaction(app.engine))
    grant = store.perform(claim())
    assert isinstance(grant, Granted)
    with other(app.path) as connection:
        connection.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusy):
            store.perform(Settle(key(), grant, named("input"), outcome()))


def test_an_empty_pool_is_busy(app: App) -> None:
    """No free connection: StoreBusy when the view begins."""
    engine = create_engine(f"sqlite:///{app.path}", pool_size=1, max_overflow=0, pool_timeout=0)
    with engine.connect(), pytest.raises(StoreBusy, match="pool"):
        LateTransaction(engine, 0.0).open()
    engine.dispose()


def test_another_file_is_refused(app: App, tmp_path: Path) -> None:
    """Effect and row in two files would not commit together: the effect is taken back."""
    engine = create_engine(f"sqlite:///{tmp_path / 'other.db'}")
    transaction = LateTransaction(engine, 0.0)
    store = app.store.fenced(transaction)
    grant = store.perform(claim())
    transaction.open()
    transaction.connection.exec_driver_sql("CREATE TABLE effect(x)")
    with pytest.raises(PolicyError, match="one file for both"):
        store.perform(Settle(key(), grant, named("input"), outcome()))
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT * FROM sqlite_master").all() == []
    engine.dispose()


def test_a_savepoint_begins_the_transaction(app: App) -> None:
    """As the first statement of a view: its release commits nothing."""
    attempt = Attempt(app)
    attempt.transaction.open()
    with attempt.transaction.connection.begin_nested():
        attempt.add("hello")
    assert app.notes() == []
    assert attempt.store.perform(Abandon(key(), attempt.grant)) == Done()
    assert app.notes() == []


def test_a_view_may_catch_what_its_statement_raised(app: App) -> None:
    """A constraint takes back its statement and not the transaction that began with it."""
    app.once(add("hello"), claim(key("other")))
    attempt = Attempt(app)
    with pytest.raises(IntegrityError):
        attempt.add("hello")
    attempt.add("world")
    assert attempt.settle() == Done()
    assert app.notes() == ["hello", "world"]


def test_a_savepoint_around_a_read_begins_nothing(app: App) -> None:
    """As a session of the ORM says it before its first SELECT: others write meanwhile."""
    attempt = Attempt(app)
    attempt.transaction.open()
    with attempt.transaction.connection.begin_nested():
        attempt.transaction.connection.execute(text("SELECT * FROM note")).all()
        assert app.once(add("quick"), claim(key("other"))) == Done()
        with attempt.transaction.connection.begin_nested() as inner:
            attempt.add("never")
            inner.rollback()
        attempt.add("slow")
    assert attempt.settle() == Done()
    assert app.notes() == ["quick", "slow"]


def test_what_sqlite_took_back_is_not_begun_again(app: App) -> None:
    """After an error that ends a transaction (a full disk) nothing is committed of its rest."""
    attempt = Attempt(app)
    attempt.add("hello")
    attempt.transaction.raw.execute("ROLLBACK")  # https://sqlite.org/lang_transaction.html 2.3
    with pytest.raises(StoreDown, match="ended the transaction"):
        attempt.add("world")
    with pytest.raises(StoreDown, match="ended the transaction"):
        attempt.settle()
    assert app.notes() == []


def test_a_claim_that_could_not_be_given_back_is_given_back_later(app: App) -> None:
    """Locked out as well: who sends the form again in this process need not wait for the lease."""
    attempt = Attempt(app)
    again = app.store.fenced(LateTransaction(app.engine, 0.0))
    look = Lookup(key(), attempt.claim.fingerprint, 0.0)
    with other(app.path) as connection:
        connection.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusy):
            attempt.store.perform(Abandon(key(), attempt.grant))
        assert again.perform(look) == InFlight()
    assert again.perform(look) == Unknown()
    assert isinstance(again.perform(claim(by="another", takeover=True)), Granted)
    assert attempt.store.perform(look) == InFlight()

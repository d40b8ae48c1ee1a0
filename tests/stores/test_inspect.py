"""Looking at a ledger from outside, where only other processes could come in between."""

from pathlib import Path

import pytest

from seeother.core.ledger import Row, State
from seeother.core.ops import Close, Unknown
from seeother.errors import StoreBusy
from seeother.stores import inspect
from seeother.stores.sqlite import SQLiteStore
from seeother.testing.harness import LEASE, claim, key, named, outcome, receipt
from tests.stores.files import look, other, settled


def test_a_claim_with_an_outcome_is_in_no_doubt(store: SQLiteStore) -> None:
    """Hooked: the effect is there and so is its answer, whatever became of the worker."""
    row = Row(State.CLAIMED, 1, named("worker"), named("input"), outcome=outcome())
    with store.writing() as work:
        assert work is not None
        work.keep(key(), row)
    assert inspect.doubts(store) == ()
    assert not inspect.resolve(store, key(), happened=False)


def test_a_claim_is_in_question_when_its_lease_is_over(store: SQLiteStore) -> None:
    """Not before; from that very moment on."""
    store.claim(claim())
    store.clock.tick(LEASE - 1)  # type: ignore[attr-defined]
    assert inspect.doubts(store) == ()
    assert not inspect.resolve(store, key(), happened=True)
    store.clock.tick(1)  # type: ignore[attr-defined]
    assert [one.key for one in inspect.doubts(store)] == [key()]
    assert inspect.resolve(store, key(), happened=False)
    assert look(store) == Unknown()


def test_a_doubt_that_has_ended_meanwhile_stays_as_it_is(store: SQLiteStore) -> None:
    """Somebody settled it, or it is gone: the operator's word comes too late."""
    settled(store)
    assert not inspect.resolve(store, key(), happened=False)
    assert look(store).outcome == outcome()
    assert not inspect.resolve(store, key("never"), happened=True)
    assert look(store, claim(key("never"))) == Unknown()


def test_an_operator_does_not_wait_for_ever(
    store: SQLiteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After his patience it is busy, and nothing was done."""
    monkeypatch.setattr(inspect, "PATIENCE", 0.05)
    settled(store)
    with other(path) as connection:
        connection.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusy):
            inspect.purge(store)


def test_an_operator_has_no_limits_of_his_own(store: SQLiteStore, path: Path) -> None:
    """Neither drafts nor sessions nor rows go because somebody looks, or purges, with defaults."""
    store.max_kept = 1 << 40
    settled(store)
    store.close(Close(receipt=receipt(draft=b"typed")))
    opened = inspect.look_at(f"sqlite:///{path}")
    opened.clock = store.clock
    assert (opened.retention, opened.idle) == (0.0, float("inf"))
    assert opened.max_kept > store.max_kept
    assert inspect.purge(opened) == 0
    assert inspect.survey(opened).drafts == 5
    opened.shut()

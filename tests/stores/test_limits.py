"""What one token and all drafts together may cost (security rule 18), on each store."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from seeother.core.ops import Claim, Close, Done, Granted, Lookup, Open, Settle, Settled
from seeother.errors import SentTooOften
from seeother.stores.memory import MemoryStore
from seeother.stores.sqlite import SQLiteStore
from seeother.stores.workstore import WorkStore
from seeother.testing import FakeClock
from seeother.testing.harness import ANN, PATIENCE, claim, key, named, outcome, page, receipt
from tests.stores.app import App, add
from tests.stores.files import look, other, settled

Make = Callable[..., Any]


@pytest.fixture(params=["memory", "sqlite"])
def make(request: pytest.FixtureRequest, path: Path) -> Iterator[Make]:
    """Makes a store of each kind with these limits."""
    made: list[WorkStore] = []

    def new(**limits: Any) -> WorkStore:
        clock = FakeClock()
        sqlite = request.param == "sqlite"
        store = SQLiteStore(path, clock=clock, **limits) if sqlite else MemoryStore(clock=clock)
        for name, value in limits.items():
            setattr(store, name, value)
        made.append(store)
        return store

    yield new
    for store in made:
        store.shut()  # type: ignore[attr-defined]


def variant(number: int, **more: Any) -> Claim:
    """The same token with other input."""
    return claim(key(variant=named(f"input {number}")), fp=f"input {number}", **more)


# Rows of one token --------------------------------------------------------------------------------


def test_a_token_has_only_so_many_rows(make: Make) -> None:
    """The 64 first variants run, the 65th is refused with 429; another token is not concerned."""
    store = make()
    for number in range(64):
        settled(store, variant(number))
    with pytest.raises(SentTooOften) as refused:
        store.claim(variant(64))
    assert refused.value.status == 429
    found = store.lookup(Lookup(variant(64).key, named("input 64"), PATIENCE))
    assert type(found).__name__ == "Unknown"
    assert isinstance(store.claim(claim(key("another"))), Granted)


def test_a_full_token_still_answers(make: Make) -> None:
    """Duplicates are replayed and a lapsed claim is taken over: neither adds a row."""
    store = make(max_rows_per_token=2)
    settled(store, variant(1))
    store.claim(variant(2))
    assert isinstance(store.claim(variant(1, by="another")), Settled)
    store.clock.tick(60)
    again = variant(2, by="another", takeover=True)
    assert store.claim(again) == Granted(2, named("another"))


def test_what_is_given_back_makes_room(make: Make) -> None:
    """Only rows count, not attempts."""
    store = make(max_rows_per_token=1)
    grant = store.claim(variant(1))
    with pytest.raises(SentTooOften):
        store.claim(variant(2))
    settle = Settle(variant(1).key, grant, named("input 1"), outcome(), keep=False)
    assert store.settle(settle) == Done()
    assert isinstance(store.claim(variant(2)), Granted)


def test_what_keeps_no_row_is_not_counted(make: Make) -> None:
    """A form without a token adds nothing to the ledger."""
    store = make(max_rows_per_token=0)
    assert isinstance(store.claim(claim(keep=False)), Granted)


def test_joined_refuses_before_the_view(app: App) -> None:
    """One more variant than allowed: no effect, no row, and the connection is free again."""
    app.store.max_rows_per_token = 1
    assert app.once(add("first"), variant(1)) == Done()
    with pytest.raises(SentTooOften):
        app.once(add("second"), variant(2))
    assert app.notes() == ["first"]
    assert app.once(add("other"), claim(key("other"))) == Done()


# All drafts ---------------------------------------------------------------------------------------


def leave(store: Any, name: str, size: int) -> None:
    """Leave a message and a draft of so many bytes."""
    store.close(Close(receipt=receipt(name, name, draft=b"x" * size)))


def drafts(store: Any, *names: str) -> list[int]:
    """How many bytes of each draft are still there."""
    return [len(store.open(Open(ANN, mark=page(name))).draft) for name in names]


def test_the_oldest_drafts_make_room(make: Make) -> None:
    """Past the limit the oldest drafts go, as few as will do; their messages stay."""
    store = make(max_kept=100)
    for name in ("a", "b", "c"):
        leave(store, name, 30)
    assert drafts(store, "a", "b", "c") == [30, 30, 30]
    leave(store, "d", 40)
    assert drafts(store, "a", "b", "c", "d") == [0, 30, 30, 40]
    leave(store, "e", 60)
    assert drafts(store, "b", "c", "d", "e") == [0, 0, 40, 60]
    assert store.open(Open(ANN, mark=page("a"), messages=True)).waiting == (page("a"),)


def test_a_draft_that_is_too_large_is_not_kept(make: Make) -> None:
    """Nor is anything else then: it was the newest, and all before it went first."""
    store = make(max_kept=100)
    leave(store, "a", 30)
    leave(store, "b", 101)
    assert drafts(store, "a", "b") == [0, 0]
    leave(store, "c", 100)
    assert drafts(store, "c") == [100]


def test_more_than_there_is_cannot_go(make: Make) -> None:
    """Where the count is wrong, every draft goes, and that is the end of it."""
    store = make()
    leave(store, "a", 30)
    with store.writing() as work:
        work.drop_drafts(1_000)
    assert drafts(store, "a") == [0]


def test_rows_never_make_room(make: Make) -> None:
    """With no room for any draft every outcome is still there."""
    store = make(max_kept=0)
    mine = claim()
    grant = store.claim(mine)
    left = receipt("receipt", "text", draft=b"typed")
    store.settle(Settle(mine.key, grant, mine.fingerprint, outcome(receipt=left.id), left))
    assert drafts(store, "receipt") == [0]
    assert isinstance(look(store), Settled)


def test_what_expires_is_not_counted_any_more(make: Make) -> None:
    """After the drafts of yesterday are gone there is room for as many again."""
    store = make(max_kept=100)
    leave(store, "old", 100)
    store.clock.tick(200_000)
    assert store.expire_now() == 1
    assert store.expire_now() == 0
    leave(store, "new", 100)
    leave(store, "newer", 0)
    assert drafts(store, "new") == [100]


def test_the_count_is_right_whoever_deletes(path: Path) -> None:
    """The triggers see every change of the table, also from outside."""
    store = SQLiteStore(path, clock=FakeClock())
    for name, size in (("a", 10), ("b", 20), ("c", 0)):
        leave(store, name, size)
    with other(path) as connection:
        connection.execute("DELETE FROM so_receipt WHERE id=?", (page("a"),))
        connection.execute("UPDATE so_receipt SET draft=x'0102' WHERE id=?", (page("b"),))
    with store.reading() as work:
        assert work.drafts() == 2
    store.shut()

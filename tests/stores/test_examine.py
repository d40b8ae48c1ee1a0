"""What a doctor finds in a SQLite ledger and around it, and how an operator comes to one."""

import stat
from pathlib import Path

import pytest

from seeother.core.ops import Close, Doubt, Granted, Open, Unknown
from seeother.errors import PolicyError, StoreDown
from seeother.stores.examine import examine, some, verify
from seeother.stores.inspect import forget, look_at, purge, survey
from seeother.stores.sqlite import SQLiteStore
from seeother.testing import FakeClock
from seeother.testing.harness import ANN, BOB, claim, key, named, receipt, write
from tests.stores.files import look, other, settled

SID = named("sid")
DAYS = 2 * 86_400.0


def bad(store: SQLiteStore) -> list[str]:
    """What `verify` finds fault with."""
    return [one.text for one in verify(store) if not one.good]


def damaged(path: Path, statement: str) -> None:
    """Somebody else writes into the tables."""
    with other(path) as connection:
        connection.execute(statement)


# Coming to a ledger -------------------------------------------------------------------------------


def test_an_operator_comes_to_what_is_there(store: SQLiteStore, path: Path) -> None:
    """By its URL, while the app goes on; what is counted is what the app has written."""
    settled(store)
    store.close(Close(receipt=receipt("a", "text", draft=b"typed"), session=write(SID, fresh=True)))
    store.claim(claim(key("other")))
    opened = look_at(f"sqlite:///{path}")
    found = survey(opened)
    assert (found.settled, found.claimed, found.in_doubt) == (1, 1, 0)
    assert (found.receipts, found.waiting, found.sessions, found.drafts) == (1, 1, 1, 5)
    opened.shut()


def test_what_cannot_be_looked_at(tmp_path: Path) -> None:
    """No file, a file without our tables, a name that cannot be one, a store in another process."""
    empty = tmp_path / "empty.db"
    damaged(empty, "CREATE TABLE theirs(x)")
    for path in (tmp_path / "nothing.db", empty):
        with pytest.raises(StoreDown, match="there is no ledger"):
            look_at(f"sqlite:///{path}")
    with pytest.raises(StoreDown, match="cannot look at"):
        look_at(f"sqlite:///{'x' * 300}.db")
    with pytest.raises(PolicyError, match="one process"):
        look_at("memory://")
    assert [one.name for one in tmp_path.iterdir()] == ["empty.db"]


# Is it sound? -------------------------------------------------------------------------------------


def test_a_sound_ledger(store: SQLiteStore) -> None:
    """Settled, claimed and in doubt, a receipt with a draft: nothing to be said."""
    settled(store)
    doubted = store.claim(claim(key("doubt")))
    assert isinstance(doubted, Granted)
    store.doubt(Doubt(key("doubt"), doubted))
    store.claim(claim(key("claimed")))
    store.close(Close(receipt=receipt("a", "text", draft=b"typed")))
    assert bad(store) == []


@pytest.mark.parametrize(
    "damage",
    ["outcome=NULL", "outcome='garbage'", """outcome='["a", 9999, "/", null, []]'""", "fence=0"],
)
def test_a_row_that_no_request_could_use(store: SQLiteStore, path: Path, damage: str) -> None:
    """It is named, and nothing else is found fault with."""
    settled(store)
    damaged(path, f"UPDATE so_ledger SET {damage}")
    assert bad(store) == [f"rows without a sound outcome: 1 ({key().id.hex()})"]


def test_a_message_that_no_page_could_show(store: SQLiteStore, path: Path) -> None:
    """Its receipt is named."""
    store.close(Close(receipt=receipt("a", "text")))
    damaged(path, "UPDATE so_receipt SET messages='garbage'")
    (found,) = bad(store)
    assert found.startswith("receipts that cannot be read: 1 (")


def test_drafts_that_nobody_counted(store: SQLiteStore, path: Path) -> None:
    """Their limit would be applied to a number that is not true."""
    store.close(Close(receipt=receipt("a", "text", draft=b"typed")))
    damaged(path, "UPDATE so_meta SET value=value+1 WHERE name='drafts'")
    assert bad(store) == ["drafts: 5 bytes, counted as 6"]


def test_a_table_that_is_gone(store: SQLiteStore, path: Path) -> None:
    """What cannot be asked is a finding, and the rest is checked all the same."""
    settled(store)
    damaged(path, "DROP TABLE so_receipt")
    assert [text.partition(":")[0] for text in bad(store)] == ["receipts", "drafts"]


def test_of_many_some_are_named() -> None:
    """Five of them, and how many there are."""
    assert some([]) == "none"
    assert some(list("abcde")) == "5 (a, b, c, d, e)"
    assert some(list("abcdef")) == "6 (a, b, c, d, e, ...)"


# Is it kept well? ---------------------------------------------------------------------------------


def test_a_ledger_in_order(store: SQLiteStore, path: Path) -> None:
    """Private files in a private folder, WAL, no doubt; a key beside it is a note."""
    settled(store)
    assert all(one.good for one in examine(store))
    assert "no key file beside it" in [one.text for one in examine(store)]
    path.with_suffix(".key").touch(0o600)
    found = examine(store)
    assert all(one.good for one in found)
    assert any(one.text.startswith("note: ") for one in found)


def test_what_stands_badly_around_it(store: SQLiteStore, path: Path) -> None:
    """A file that others can read, a folder that others can write into, a doubt: what to type."""
    held = store.claim(claim())
    assert isinstance(held, Granted)
    store.doubt(Doubt(key(), held))
    path.chmod(0o644)
    path.parent.chmod(0o777)
    said = [one.text for one in examine(store, "look here") if not one.good]
    assert [stat.S_IMODE(one.stat().st_mode) for one in (path, path.parent)] == [0o644, 0o777]
    assert said == [
        f"{path} has mode 644; others can read it: chmod 600 {path}",
        f"{path.parent} has mode 777; others can write into it: chmod go-w {path.parent}",
        "1 submissions in doubt; see: look here",
    ]


# Deleting -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("session", [SID, None])
def test_one_person_is_forgotten(store: SQLiteStore, session: bytes | None) -> None:
    """Her messages go, and the session if it is named; what others have stays, and every row."""
    settled(store)
    for name, visitor in (("a", ANN), ("b", ANN), ("c", BOB)):
        store.close(Close(receipt=receipt(name, "text", visitor=visitor)))
    store.close(Close(session=write(SID, fresh=True, sets={"user": b"1"})))
    assert forget(store, ANN, session) == 2
    assert forget(store, ANN, session) == 0
    found = survey(store)
    assert (found.receipts, found.settled) == (1, 1)
    assert (store.open(Open(sid=SID)).session is None) == (session is not None)


def test_everything_that_is_old_goes(store: SQLiteStore) -> None:
    """All of it, and nothing before it is old."""
    for number in range(3):
        settled(store, claim(key(f"{number}")))
    assert isinstance(store.clock, FakeClock)
    assert purge(store) == 0
    store.clock.tick(DAYS)
    assert purge(store) == 3
    assert look(store, claim(key("0"))) == Unknown()

"""`seeother ledger`: what happened is counted, doubts are listed and ended, the old is deleted."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from seeother.core.ops import Close
from seeother.stores.sqlite import SQLiteStore
from seeother.testing import FakeClock
from seeother.testing.harness import claim, key, named, receipt, write
from tests.cli.conftest import Ran, seeother
from tests.cli.shop import Shop
from tests.stores.files import other, settled


def ask(shop: Shop, *words: str) -> Ran:
    """`seeother ledger WORDS` on the shop's ledger."""
    return seeother("ledger", *words, store=shop.url)


def names(shop: Shop) -> list[str]:
    """The names of the submissions in doubt."""
    return [line.split()[0] for line in ask(shop, "doubts").out.splitlines()]


# Counting -----------------------------------------------------------------------------------------


def test_stats_count_what_is_there(shop: Shop) -> None:
    """Two orders, and one of a worker that was killed."""
    shop.order("tea")
    shop.order("coffee")
    shop.die()
    ran = ask(shop, "stats")
    assert ran.code == 0
    assert "settled 2  claimed 1  in doubt 0" in ran.out
    assert "receipts 2 (2 with a message that waits, 0 bytes of drafts)" in ran.out
    assert "sessions 0" in ran.out


def test_no_doubt_is_said_as_such(shop: Shop) -> None:
    """Nothing in question: exit code 0, and nothing on stdout."""
    shop.order("tea")
    assert ask(shop, "doubts") == Ran(0, "", "0 in doubt\n")


# Doubts -------------------------------------------------------------------------------------------


def test_a_killed_worker_leaves_a_doubt(shop: Shop) -> None:
    """It is listed at once, with the time of its form; a duplicate is told the truth."""
    name = shop.die()
    ran = ask(shop, "doubts")
    assert ran.code == 1
    (line,) = ran.out.splitlines()
    assert "claimed  fence 1  form of " in line
    assert datetime.now(UTC).isoformat()[:11] in line
    assert ran.err == "1 in doubt\n"
    assert "cannot tell" in shop.send(name, "die").text
    assert "in doubt  fence 1" in ask(shop, "doubts").out
    assert shop.orders == ["die"]


def test_what_happened_is_not_done_again(shop: Shop) -> None:
    """Resolve --happened: duplicates are told that it was done, the view does not run."""
    name = shop.die()
    (doubt,) = names(shop)
    assert ask(shop, "resolve", doubt, "--happened") == Ran(0, f"resolved {doubt}\n", "")
    answer = shop.send(name, "die")
    assert answer.status == 200
    assert "already done" in answer.text
    assert shop.orders == ["die"]
    assert names(shop) == []


def test_what_did_not_happen_may_be_sent_again(shop: Shop) -> None:
    """Resolve --did-not-happen: the same form, sent again, runs."""
    name = shop.die()
    (doubt,) = names(shop)
    assert ask(shop, "resolve", doubt[:32], "--did-not-happen").code == 0
    assert shop.send(name, "die").status == 303
    assert shop.orders == ["die", "die"]


def test_an_ambiguous_name_ends_nothing(shop: Shop) -> None:
    """Two doubts that begin alike: both are listed, neither is touched; a whole name is enough."""
    shop.die()
    shop.die()
    one, two = names(shop)
    assert one[:2] == two[:2]
    ran = ask(shop, "resolve", one[:2], "--happened")
    assert ran.code == 1
    assert ran.out.splitlines() == ask(shop, "doubts").out.splitlines()
    assert "ambiguous, nothing was done" in ran.err
    assert ask(shop, "resolve", two.upper(), "--happened").code == 0
    assert names(shop) == [one]


def test_two_inputs_of_one_form_have_two_names(shop: Shop) -> None:
    """The same token with different input: the id alone is ambiguous, the names differ."""
    name = shop.die(what="die once")
    shop.die(name, "die twice")
    one, two = names(shop)
    assert one[:32] == two[:32]
    assert ask(shop, "resolve", one[:32], "--happened").code == 1
    assert ask(shop, "resolve", one, "--happened").code == 0
    assert names(shop) == [two]


@pytest.mark.parametrize("name", ["", "ffff", "not hexadecimal"])
def test_an_unknown_name_ends_nothing(shop: Shop, name: str) -> None:
    """Nothing is called like this; an empty name does not mean everything."""
    shop.die()
    assert ask(shop, "resolve", name, "--happened") == Ran(
        1, f"nothing in doubt is called {name}\n", ""
    )
    assert len(names(shop)) == 1


def test_one_has_to_say_what_is_true(shop: Shop) -> None:
    """Neither answer is the default."""
    shop.order("tea")
    ran = ask(shop, "resolve", "ffff")
    assert ran.code == 2
    assert "--happened" in ran.err


# Deleting -----------------------------------------------------------------------------------------


def test_purge_deletes_only_what_is_too_old(shop: Shop) -> None:
    """Rows and receipts of refused tokens go, however many; the rest and every session stays."""
    shop.order("tea")
    store = SQLiteStore(shop.database, clock=FakeClock())
    for number in range(130):
        settled(store, claim(key(f"old {number}")))
        store.close(Close(receipt=receipt(f"old {number}", "text")))
    store.close(Close(write(named("sid"), sets={"name": b"1"}, fresh=True)))
    store.shut()
    assert ask(shop, "purge").out == "260 rows and receipts deleted\n"
    assert ask(shop, "purge").out == "0 rows and receipts deleted\n"
    out = ask(shop, "stats").out
    assert "settled 1 " in out
    assert "receipts 1 " in out
    assert "sessions 1 " in out


def test_looking_changes_no_limits(shop: Shop) -> None:
    """An app that keeps its rows for a week, or for an hour, does so after every command."""
    week, hour = shop.folder / "week.db", shop.folder / "hour.db"
    for path, seconds in ((week, 604_800.0), (hour, 3_600.0)):
        store = SQLiteStore(path, clock=FakeClock(), retention=seconds)
        settled(store)
        store.shut()
        before = meta(path)
        for words in ("stats", "doubts", "verify"):
            assert seeother("ledger", words, store=f"sqlite:///{path}").code == 0
        assert meta(path) == before


def meta(path: Path) -> list[tuple[str, str]]:
    """What the apps on this file have asked for."""
    with other(path) as connection:
        return connection.execute("SELECT * FROM so_meta ORDER BY name").fetchall()


# What cannot be asked -----------------------------------------------------------------------------


def test_a_busy_database_is_waited_for(shop: Shop) -> None:
    """A command that writes waits for another writer, as long as a person would."""
    shop.die()
    (doubt,) = names(shop)
    with other(shop.database) as connection:
        connection.execute("BEGIN IMMEDIATE")
        ran = ask(shop, "resolve", doubt, "--happened")
    assert ran == Ran(2, "", "seeother: the database stayed locked by another writer\n")
    assert names(shop) == [doubt]


@pytest.mark.parametrize("words", [("ledger", "stats"), ("ledger", "verify"), ("doctor",)])
@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("memory://", "lives in one process and cannot be looked at"),
        ("sqlite:///{}/missing.db", "there is no ledger at"),
        ("sqlite:///{}", "there is no ledger at"),
        ("sqlite:///{}/app.db", "there is no ledger at"),
        ("sqlite:///{}/garbage.db", "file is not a database"),
        ("sqlite:///{}/newer.db", "the ledger has schema 7, this seeother needs 1"),
        ("sqlite:///{}/" + "x" * 300, "cannot look at"),
        ("sqlite://", "names no file"),
        ("mysql://db/app", "no store for"),
        ("redis://", "is no store"),
    ],
)
def test_what_is_no_ledger_is_one_sentence(
    tmp_path: Path, url: str, said: str, words: tuple[str, ...]
) -> None:
    """Exit code 2, and nothing is created or changed where there is none."""
    (tmp_path / "garbage.db").write_bytes(b"garbage" * 1_000)
    with other(tmp_path / "app.db") as connection:
        connection.execute("CREATE TABLE app(x)")
    newer = SQLiteStore(tmp_path / "newer.db")
    newer.prepare()
    newer.shut()
    with other(newer.path) as connection:
        connection.execute("UPDATE so_meta SET value='7' WHERE name='schema'")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    ran = seeother(*words, store=url.format(tmp_path))
    assert ran.code == 2
    assert ran.out == ""
    assert ran.err.startswith("seeother: ")
    assert said in ran.err
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before

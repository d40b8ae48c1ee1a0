"""`seeother ledger verify` finds planted damage, `seeother doctor` what stands badly around it."""

import sqlite3
from pathlib import Path

import pytest

from seeother.core.ops import Close
from seeother.testing.harness import receipt
from tests.cli.conftest import Ran, seeother
from tests.cli.shop import Shop
from tests.stores.files import other


def verify(shop: Shop) -> Ran:
    """`seeother ledger verify`."""
    return seeother("ledger", "verify", store=shop.url)


def doctor(shop: Shop) -> Ran:
    """`seeother doctor`."""
    return seeother("doctor", store=shop.url)


def leave(shop: Shop, name: str, draft: bytes) -> None:
    """Leave a message and a draft."""
    shop.app.store.close(Close(receipt=receipt(name, "text", draft=draft)))


# verify -------------------------------------------------------------------------------------------


def test_a_sound_ledger_is_found_sound(shop: Shop) -> None:
    """Settled, claimed and in doubt; receipts with and without drafts: nothing to be said."""
    shop.order("tea")
    shop.send(shop.die(), "die")
    shop.die()
    leave(shop, "receipt", b"typed")
    ran = verify(shop)
    assert ran.code == 0
    assert ran.out.splitlines() == [
        "ok    file: ok",
        "ok    rows without a sound outcome: none",
        "ok    receipts that cannot be read: none",
        "ok    drafts: 5 bytes, counted as 5",
    ]


@pytest.mark.parametrize(
    "damage",
    [
        "outcome=NULL",
        "outcome=x'ff00'",
        "outcome='garbage'",
        "outcome='[1, 2]'",
        "outcome='7'",
        """outcome='["a", 303, "/", 7, []]'""",
        """outcome='["a", 303, "/", null, [[1, 2]]]'""",
        """outcome='["a", 9999, "/", null, []]'""",
        """outcome='["a", "303", "/", null, []]'""",
        f"outcome='{'[' * 100_000}'",
        "state='nonsense'",
        "fence=0",
    ],
    ids=lambda damage: damage[:40],
)
def test_a_damaged_row_is_found(shop: Shop, damage: str) -> None:
    """A row that no request could use is named; the sound one beside it is not."""
    shop.order("tea")
    with other(shop.database) as connection:
        connection.execute(f"UPDATE so_ledger SET {damage}")
        ((name,),) = connection.execute("SELECT lower(hex(id)) FROM so_ledger").fetchall()
    shop.order("coffee")
    ran = verify(shop)
    assert ran.code == 1
    assert ran.bad == [f"rows without a sound outcome: 1 ({name})"]


def test_of_many_damaged_rows_some_are_named(shop: Shop) -> None:
    """Five, and how many there are."""
    for number in range(6):
        shop.order(f"tea {number}")
    with other(shop.database) as connection:
        connection.execute("UPDATE so_ledger SET outcome=NULL")
    (found,) = verify(shop).bad
    assert found.startswith("rows without a sound outcome: 6 (")
    assert found.count(",") == 5
    assert found.endswith(", ...)")


@pytest.mark.parametrize("damage", ["stage=9", "messages='garbage'", "messages='[7]'"])
def test_a_damaged_receipt_is_found(shop: Shop, damage: str) -> None:
    """A message that no page could show."""
    leave(shop, "receipt", b"")
    with other(shop.database) as connection:
        connection.execute(f"UPDATE so_receipt SET {damage} WHERE length(messages) > 2")
    (found,) = verify(shop).bad
    assert found.startswith("receipts that cannot be read: 1 (")


def test_a_wrong_count_of_drafts_is_found(shop: Shop) -> None:
    """The limit would be applied to a number that is not true."""
    leave(shop, "receipt", b"typed")
    with other(shop.database) as connection:
        connection.execute("UPDATE so_meta SET value=value+1 WHERE name='drafts'")
    assert verify(shop).bad == ["drafts: 5 bytes, counted as 6"]


@pytest.mark.parametrize("table", ["so_ledger", "so_receipt"])
def test_a_corrupt_page_is_found(shop: Shop, table: str) -> None:
    """Bytes changed on the disk: the file is called damaged, and so is what cannot be read."""
    shop.order("tea")
    shop.app.store.shut()
    with other(shop.database) as connection:
        asked = "SELECT rootpage FROM sqlite_master WHERE name=?"
        (page,) = connection.execute(asked, (table,)).fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with shop.database.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
    ran = verify(shop)
    assert ran.code == 1
    assert ran.bad[0].startswith("file: ")
    assert any("malformed" in found for found in ran.bad)


def test_a_table_that_is_gone_is_found(shop: Shop) -> None:
    """What cannot be asked is a finding, and the rest is checked all the same."""
    shop.order("tea")
    with other(shop.database) as connection:
        connection.execute("DROP TABLE so_receipt")
    ran = verify(shop)
    assert ran.code == 1
    assert [found.partition(":")[0] for found in ran.bad] == ["receipts", "drafts"]
    for words in (("ledger", "stats"), ("ledger", "purge")):
        told = seeother(*words, store=shop.url)
        assert told.code == 2
        assert "so_receipt" in told.err


# doctor -------------------------------------------------------------------------------------------


def test_a_ledger_in_order_is_left_in_peace(shop: Shop) -> None:
    """Private files, WAL, space, no doubt: exit code 0."""
    shop.order("tea")
    ran = doctor(shop)
    assert ran.bad == []
    assert ran.code == 0
    assert f"SQLite {sqlite3.sqlite_version}, rows are kept for 24.2 h" in ran.out
    assert "no key file beside it" in ran.out
    assert f"{shop.database}-wal has mode 600" in ran.out


@pytest.mark.parametrize("name", ["shop.db", "shop.db-wal", "shop.key"])
def test_a_file_that_others_can_read_is_found(shop: Shop, name: str) -> None:
    """Database, WAL or key: which one, and what to type."""
    shop.order("tea")
    path = shop.folder / name
    path.touch()
    path.chmod(0o644)
    ran = doctor(shop)
    assert ran.code == 1
    assert f"{path} has mode 644; others can read it: chmod 600 {path}" in ran.bad


def test_a_folder_that_others_can_write_into_is_found(shop: Shop) -> None:
    """They could put another ledger into its place."""
    shop.order("tea")
    shop.folder.chmod(0o777)
    ran = doctor(shop)
    assert ran.code == 1
    assert ran.bad == [
        f"{shop.folder} has mode 777; others can write into it: chmod go-w {shop.folder}"
    ]


def test_a_key_beside_the_ledger_is_noted(shop: Shop) -> None:
    """Both in one backup would undo the sealing; it is a note and no fault."""
    shop.order("tea")
    key: Path = shop.folder / "shop.key"
    key.touch(0o600)
    ran = doctor(shop)
    assert ran.code == 0
    assert f"note: {key} lies beside the database" in ran.out


def test_a_doubt_is_a_matter_for_the_doctor(shop: Shop) -> None:
    """With the command that lists it."""
    shop.die()
    ran = doctor(shop)
    assert ran.code == 1
    assert ran.bad == ["1 submissions in doubt; see: seeother ledger doubts"]

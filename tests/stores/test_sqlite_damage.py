"""Everything that a file on a disk can do to the SQLite store."""

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from seeother.core.ops import Granted, Settle, Settled, Unknown
from seeother.errors import StoreDown
from seeother.stores import connect
from seeother.stores.sqlite import SQLiteStore
from seeother.testing.harness import claim, key, named, outcome
from tests.stores.files import look, no_file_may_grow, other

NOBODY = 65534


# Versions and damage ------------------------------------------------------------------------------


def test_a_newer_file_is_left_alone(store: SQLiteStore, path: Path) -> None:
    """A file of another version: StoreDown that names both versions, and no byte is changed."""
    store.prepare()
    store.shut()
    with other(path) as connection:
        connection.execute("UPDATE so_meta SET value='2' WHERE name='schema'")
        connection.execute("DROP TABLE so_session")
    before = path.read_bytes()
    with pytest.raises(StoreDown, match=r"schema 2.*needs 1"):
        store.claim(claim())
    assert path.read_bytes() == before


def test_a_newer_file_that_comes_in_between_is_left_alone(
    store: SQLiteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The version is read once more under the lock, before anything is created."""
    connect.create_private(path)
    monkeypatch.setattr(connect, "_is_ready", lambda *_: False)  # as if it came a moment later
    with other(path) as connection:
        connection.execute("CREATE TABLE so_meta(name TEXT PRIMARY KEY, value TEXT NOT NULL)")
        connection.execute("INSERT INTO so_meta VALUES('schema', '7')")
        with pytest.raises(StoreDown, match="schema 7"):
            store.prepare()
        names = connection.execute("SELECT name FROM sqlite_master WHERE type='table'").fetchall()
    assert names == [("so_meta",)]


@pytest.mark.parametrize(
    "damage", [b"this is no database" * 100, b"SQLite format 3\0" + b"\xff" * 4096]
)
def test_a_damaged_file_is_down(path: Path, damage: bytes) -> None:
    """Garbage is not overwritten and not taken for an empty ledger."""
    path.parent.mkdir()
    path.write_bytes(damage)
    with pytest.raises(StoreDown):
        SQLiteStore(path).claim(claim())
    assert path.read_bytes() == damage


def test_damage_while_running_is_down(store: SQLiteStore, path: Path) -> None:
    """A table that somebody dropped is StoreDown for readers and writers, not a traceback."""
    store.prepare()
    with other(path) as connection:
        connection.execute("DROP TABLE so_ledger")
    for ask in (lambda: store.claim(claim()), lambda: look(store)):
        with pytest.raises(StoreDown, match="so_ledger"):
            ask()


def test_a_file_that_opens_only_once_is_down(
    store: SQLiteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of what a process needs is nothing: it is closed, and the next one tries again."""
    with monkeypatch.context() as patch:
        patch.setattr(connect, "READ_MS", "no number, so that tuning the second one fails (")
        with pytest.raises(StoreDown):
            store.prepare()
    assert store.claim(claim()) == Granted(1, named("worker"))
    assert path.exists()


def test_a_folder_that_is_a_file_is_down(tmp_path: Path) -> None:
    """The path leads through a file."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreDown, match="cannot create"):
        SQLiteStore(tmp_path / "file" / "ledger.db").prepare()
    with pytest.raises(StoreDown, match="cannot create"):
        SQLiteStore(tmp_path / ("x" * 300)).prepare()
    (tmp_path / "folder.db").mkdir()
    with pytest.raises(StoreDown):
        SQLiteStore(tmp_path / "folder.db").prepare()


READ_ONLY = """
import os, sys
from seeother.errors import StoreDown
from seeother.stores.sqlite import SQLiteStore
from seeother.testing.harness import claim
if os.getuid() == 0:
    os.setgroups([])
    os.setgid({nobody})
    os.setuid({nobody})
for name in sys.argv[1:]:
    try:
        SQLiteStore(name).claim(claim())
    except StoreDown as error:
        print(error)
"""


def test_a_read_only_folder_is_down() -> None:
    """Neither a new file nor one that is there can be used where nothing may be written."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        there = SQLiteStore(folder / "there.db")
        there.prepare()
        there.shut()
        there.path.chmod(0o444)
        folder.chmod(0o555)
        try:
            code = READ_ONLY.format(nobody=NOBODY)
            paths = (str(folder / "new.db"), str(there.path))
            run = subprocess.run(
                [sys.executable, "-c", code, *paths], capture_output=True, text=True, check=True
            )
        finally:
            folder.chmod(0o755)
    new, old = run.stdout.splitlines()
    assert "cannot create" in new
    assert "readonly" in old or "unable to open" in old


# A full disk --------------------------------------------------------------------------------------


def test_a_full_disk_is_down_and_recovers(store: SQLiteStore, path: Path) -> None:
    """No space for the WAL: StoreDown, no half of a row; with space the same claim works."""
    store.prepare()
    with no_file_may_grow(path.with_name("ledger.db-wal").stat().st_size):
        with pytest.raises(StoreDown):
            store.claim(claim())
        assert look(store) == Unknown()
    assert store.claim(claim()) == Granted(1, named("worker"))


def test_a_full_database_is_down_and_recovers(store: SQLiteStore) -> None:
    """SQLITE_FULL in the middle of a settle: nothing of it is kept, then all of it."""
    grant = store.claim(claim())
    assert isinstance(grant, Granted)
    big = outcome("/" + "x" * 100_000)
    settle = Settle(key(), grant, named("input"), big)
    assert store._process is not None
    ledger = store._process.ledger
    (pages,) = ledger.execute("PRAGMA page_count").fetchone()
    ledger.execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(StoreDown, match="full"):
        store.settle(settle)
    assert not isinstance(look(store), Settled)
    ledger.execute("PRAGMA max_page_count=1000000")
    store.settle(settle)
    assert look(store).outcome == big

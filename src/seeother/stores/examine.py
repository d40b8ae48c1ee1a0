"""What a doctor looks at: is a ledger sound, and is it kept as it should be.

`verify` reads every row the way the store itself does (`SQLWork`), so what it calls sound is what a
request could use. `examine` looks at the file around it. Neither changes anything.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..core.ledger import State
from ..core.values import Key
from ..errors import StoreError
from .connect import longest_retention
from .inspect import by_kind, doubts
from .rows import SQLWork
from .sqlite import SQLiteStore

SHOWN: Final = 5
ENOUGH: Final = 1 << 28
KEYS: Final = "SELECT id, variant FROM so_ledger"
RECEIPTS: Final = "SELECT id FROM so_receipt"
DRAFTS: Final = (
    "SELECT total(length(draft)), (SELECT total(value) FROM so_meta WHERE name='drafts')"
    " FROM so_receipt"
)
# What unpacking bytes that are not ours may raise.
UNREADABLE: Final = (ValueError, TypeError, AttributeError, RecursionError)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a doctor says; `good` or not, and what to do."""

    good: bool
    text: str


# Is it sound? -------------------------------------------------------------------------------


@by_kind
def verify(store: SQLiteStore) -> tuple[Finding, ...]:
    """Is everything in the ledger as the ledger's own rules say? What cannot be read is not."""
    return tuple(_checked(store, name, check) for name, check in CHECKS)


def _checked(store: SQLiteStore, name: str, check: Callable[[SQLWork], Finding]) -> Finding:
    try:
        with store.reading() as work:
            return check(work)
    except StoreError as error:
        return Finding(False, f"{name}: {error.detail}")


def _file(work: SQLWork) -> Finding:
    said = str(work.run("PRAGMA integrity_check(1)").fetchone()[0])
    return Finding(said == "ok", f"file: {' '.join(said.split())}")


def rows(work: SQLWork) -> Finding:
    """Every row of the ledger."""
    keys = (Key(*found) for found in work.run(KEYS))
    broken = [key.id.hex() for key in keys if not _is_sound(work, key)]
    return Finding(not broken, f"rows without a sound outcome: {some(broken)}")


def receipts(work: SQLWork) -> Finding:
    """Every receipt."""
    broken = [id_.hex() for (id_,) in work.run(RECEIPTS) if not _is_readable(work, id_)]
    return Finding(not broken, f"receipts that cannot be read: {some(broken)}")


def _drafts(work: SQLWork) -> Finding:
    there, counted = map(int, work.run(DRAFTS).fetchone())
    return Finding(counted == there, f"drafts: {there} bytes, counted as {counted}")


CHECKS: Final = (("file", _file), ("rows", rows), ("receipts", receipts), ("drafts", _drafts))


def _is_sound(work: SQLWork, key: Key) -> bool:
    """A settled row has an outcome with a status of HTTP, and every row a fence."""
    try:
        row = work.row(key)
        if row is None or row.fence < 1:
            return False
        if row.outcome is None:
            return row.state is not State.SETTLED
        return 100 <= row.outcome.status <= 599
    except UNREADABLE:
        return False


def _is_readable(work: SQLWork, receipt: bytes) -> bool:
    try:
        return work.kept(receipt) is not None
    except UNREADABLE:
        return False


def some(names: list[str]) -> str:
    """How many, and the first of them."""
    more = ", ..." if len(names) > SHOWN else ""
    return f"{len(names)} ({', '.join(names[:SHOWN])}{more})" if names else "none"


# Is it kept well? ---------------------------------------------------------------------------


@by_kind
def examine(store: SQLiteStore, listing: str = "seeother ledger doubts") -> tuple[Finding, ...]:
    """What stands around the ledger: its files, their modes, the disk, the doubts.

    `listing` is the command that names the doubts.
    """
    with store.reading() as work:
        (journal,) = work.run("PRAGMA journal_mode").fetchone()
        hours = longest_retention(work.connection) / 3600
    free = os.statvfs(store.path.parent)
    room = free.f_bavail * free.f_frsize
    count = len(doubts(store))
    see = f"; see: {listing}" if count else ""
    advice = "" if journal == "wal" else "; who reads and who writes wait for each other: use wal"
    return (
        Finding(True, f"SQLite {sqlite3.sqlite_version}, rows are kept for {hours:.1f} h"),
        Finding(not advice, f"journal mode {journal}{advice}"),
        *_modes(store.path),
        _key(store.path.with_suffix(".key")),
        Finding(room >= ENOUGH, f"{room >> 20} MiB free"),
        Finding(not count, f"{count} submissions in doubt{see}"),
    )


def _modes(path: Path) -> Iterable[Finding]:
    """Nobody else may read what is kept, or put another file into its place (security rule 16)."""
    names = (path.name, f"{path.name}-wal", f"{path.name}-shm", f"{path.stem}.key")
    for file in map(path.with_name, names):
        if file.exists():
            yield _mode(file, 0o077, "others can read it: chmod 600")
    yield _mode(path.absolute().parent, 0o022, "others can write into it: chmod go-w")


def _mode(path: Path, forbidden: int, advice: str) -> Finding:
    mode = stat.S_IMODE(path.stat().st_mode)
    wide = mode & forbidden
    return Finding(not wide, f"{path} has mode {mode:o}" + (f"; {advice} {path}" if wide else ""))


def _key(path: Path) -> Finding:
    if not path.exists():
        return Finding(True, "no key file beside it")
    return Finding(True, f"note: {path} lies beside the database; do not keep both in one backup")

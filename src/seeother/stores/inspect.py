"""Looking at a ledger from outside: what operators ask, and the little that they may do.

Nothing here is on the way of a request. A survey reads; `resolve` ends a doubt through the same op
as the flow does; `purge` deletes only what every app on this store refuses for its age.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Final

from ..core import ops
from ..core.ledger import State
from ..core.values import ACCEPTED, Key, Outcome, unpack_outcome
from .connect import connect, longest_retention, translated
from .sqlite import SQLiteStore

STATES: Final = "SELECT state, count(*) FROM so_ledger GROUP BY state"
RECEIPTS: Final = "SELECT count(*), coalesce(sum(stage<3), 0) FROM so_receipt"
SESSIONS: Final = "SELECT count(*) FROM so_session_head WHERE moved_to IS NULL"
DOUBTS: Final = (
    "SELECT id, variant, state, fence, lease_until FROM so_ledger"
    " WHERE state='in doubt' OR state='claimed' AND lease_until<?"
)
OUTCOMES: Final = "SELECT id, variant, state, outcome FROM so_ledger"
ORPHANED: Final = (
    "SELECT r.id FROM so_receipt r"
    " LEFT JOIN so_ledger l ON l.id=r.ledger_id AND l.variant=r.variant"
    " WHERE r.ledger_id IS NOT NULL AND l.id IS NULL AND length(r.draft)=0"
)


@dataclass(frozen=True, slots=True)
class Survey:
    """How much there is of what; sizes in bytes."""

    settled: int
    claimed: int
    in_doubt: int
    receipts: int
    waiting: int
    sessions: int
    size: int

    @property
    def rows(self) -> int:
        """Rows of the ledger, in whatever state."""
        return self.settled + self.claimed + self.in_doubt


@dataclass(frozen=True, slots=True)
class InQuestion:
    """A submission of which nobody knows how it ended; `age` seconds since its issue."""

    key: Key
    state: State
    fence: int
    issued: int


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a doctor says; `good` or not, and what to do."""

    good: bool
    text: str


def survey(store: SQLiteStore) -> Survey:
    """Count what is in a ledger; reads everything once."""
    with _reading(store) as connection:
        states = dict(connection.execute(STATES).fetchall())
        receipts, waiting = connection.execute(RECEIPTS).fetchone()
        (sessions,) = connection.execute(SESSIONS).fetchone()
    files = [store.path, *(store.path.with_name(store.path.name + end) for end in ("-wal", "-shm"))]
    size = sum(path.stat().st_size for path in files if path.exists())
    counts = [
        int(states.get(state.value, 0)) for state in (State.SETTLED, State.CLAIMED, State.IN_DOUBT)
    ]
    return Survey(counts[0], counts[1], counts[2], receipts, waiting, sessions, size)


def doubts(store: SQLiteStore) -> tuple[InQuestion, ...]:
    """All submissions in doubt, and claims whose lease has run out."""
    with _reading(store) as connection:
        rows = connection.execute(DOUBTS, (store.clock(),)).fetchall()
    return tuple(
        InQuestion(Key(id_, variant), State(state), fence, int.from_bytes(id_[:4], "big"))
        for id_, variant, state, fence, _lease in rows
    )


def resolve(store: SQLiteStore, name: str, *, happened: bool) -> int:
    """End the doubts whose id starts with `name` (hexadecimal); how many there were.

    `happened`: duplicates are told that it was done; else it may be sent again.
    """
    found = [one.key for one in doubts(store) if one.key.id.hex().startswith(name.lower())]
    outcome = Outcome(ACCEPTED, 200) if happened else None
    for key in found:
        store.claim(ops.Claim(key, key.variant, b"operator", 0.0, 0.0))  # a lapsed claim: in doubt
        store.resolve(ops.Resolve(key, happened, outcome))
    return len(found)


def purge(store: SQLiteStore) -> int:
    """Delete every row that no valid token can name any more; how many there were."""
    first = before = survey(store).rows
    while True:
        store.expire_now()
        after = survey(store).rows
        if after == before:
            return first - after
        before = after


def verify(store: SQLiteStore) -> tuple[Finding, ...]:
    """Is everything in the ledger as the ledger's own rules say?"""
    with _reading(store) as connection:
        (intact,) = connection.execute("PRAGMA integrity_check").fetchone()
        broken = [
            id_.hex() for id_, state, packed in _outcomes(connection) if not _sound(state, packed)
        ]
        orphaned = connection.execute(ORPHANED).fetchall()
    return (
        Finding(intact == "ok", f"database: {intact}"),
        Finding(not broken, f"rows without a sound outcome: {', '.join(broken[:5]) or 'none'}"),
        Finding(not orphaned, f"receipts of rows that are gone: {len(orphaned)}"),
    )


def examine(store: SQLiteStore) -> tuple[Finding, ...]:
    """What a doctor looks at: can it be opened, who may read it, is anything in doubt."""
    store.prepare()
    mode = stat.S_IMODE(store.path.stat().st_mode)
    key = store.path.with_suffix(".key")
    free = os.statvfs(store.path.parent)
    room = free.f_bavail * free.f_frsize
    with _reading(store) as connection:
        (journal,) = connection.execute("PRAGMA journal_mode").fetchone()
        kept = longest_retention(connection)
    open_cases = len(doubts(store))
    return (
        Finding(True, f"SQLite {sqlite3.sqlite_version}, rows are kept for {kept / 3600:.1f} h"),
        Finding(journal == "wal", f"journal mode {journal}"),
        Finding(not mode & 0o077, f"{store.path} has mode {mode:o}" + _advice(mode, store.path)),
        Finding(True, _beside(key)) if key.exists() else Finding(True, "no key file beside it"),
        Finding(room > 1 << 28, f"{room >> 20} MiB free"),
        Finding(not open_cases, f"{open_cases} submissions in doubt" + _see(open_cases)),
    )


def _advice(mode: int, path: object) -> str:
    return f"; others can read it: chmod 600 {path}" if mode & 0o077 else ""


def _beside(key: object) -> str:
    return f"note: {key} lies beside the database; do not keep both in one backup"


def _see(count: int) -> str:
    return "; see: seeother ledger doubts" if count else ""


def _reading(store: SQLiteStore) -> closing[sqlite3.Connection]:
    store.prepare()
    with translated():
        connection = connect(store.path, "NORMAL")
        connection.execute("PRAGMA query_only=ON")
        return closing(connection)


def _outcomes(connection: sqlite3.Connection) -> Iterator[tuple[bytes, str, bytes | None]]:
    for id_, _variant, state, packed in connection.execute(OUTCOMES):
        yield id_, state, packed


def _sound(state: str, packed: bytes | None) -> bool:
    """A settled row has an outcome that can be read; no other has one."""
    if state != State.SETTLED:
        return state in set(State)
    try:
        return packed is not None and unpack_outcome(packed).status > 0
    except (ValueError, TypeError):
        return False

"""Looking at a ledger from outside: what operators ask, and the little that they may do.

Nothing here is on the way of a request. An operator knows less than the apps: not how long they
keep their sessions, not how many drafts they allow. So a store opened by `look_at` has no limits of
its own; of what is kept it deletes only what every app on this file refuses for its age, and it
neither makes a ledger where there is none nor touches one of another version.

`resolve` takes the same two steps as everybody (`Doubt`, `Resolve`), in one transaction. Unlike a
request, an operator waits for a busy database.
"""

from __future__ import annotations

import math
import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import wraps
from importlib import import_module
from typing import Any, Concatenate, Final, ParamSpec, TypeVar, cast

from ..core import ops
from ..core.ledger import Row, State
from ..core.values import ACCEPTED, Key, Outcome
from ..errors import PolicyError, StoreBusy, StoreDown
from . import schema
from .base import open_store
from .connect import translated
from .rows import SQLWork
from .sqlite import SQLiteStore

T = TypeVar("T")
P = ParamSpec("P")

# Who looks at stores of another kind: a module with functions of the same names, and `entered`.
ELSEWHERE: Final = {
    "PgDjangoStore": "pg_inspect",
    "PostgresStore": "pg_inspect",
    "RedisStore": "redis_inspect",
}
PATIENCE: Final = 5.0
NAP: Final = 0.01
SHOWN: Final = 8
STATES: Final = "SELECT state, count(*) FROM so_ledger GROUP BY state"
RECEIPTS: Final = "SELECT count(*), coalesce(sum(stage<3), 0) FROM so_receipt"
SESSIONS: Final = "SELECT count(*) FROM so_session_head WHERE moved_to IS NULL"
UNSETTLED: Final = "SELECT id, variant FROM so_ledger WHERE state<>'settled' ORDER BY id, variant"


@dataclass(frozen=True, slots=True)
class Survey:
    """How much there is of what; sizes in bytes."""

    settled: int
    claimed: int
    in_doubt: int
    receipts: int
    waiting: int
    sessions: int
    drafts: int
    size: int


@dataclass(frozen=True, slots=True)
class InQuestion:
    """A submission of which nobody knows how it ended.

    `issued` is when its form was rendered, in seconds since the epoch.
    """

    key: Key
    state: State
    fence: int

    @property
    def name(self) -> str:
        """What operators call it: the id as in the logs, and which input under that token."""
        return f"{self.key.id.hex()}-{self.key.variant.hex()[:SHOWN]}"

    @property
    def issued(self) -> int:
        """When the form was rendered, in seconds since the epoch."""
        return int.from_bytes(self.key.id[:4], "big")

    def is_meant_by(self, name: str) -> bool:
        """Does its whole name start like this?"""
        whole = f"{self.key.id.hex()}-{self.key.variant.hex()}"
        return name != "" and whole.startswith(name.strip().lower())


def by_kind(
    job: Callable[Concatenate[SQLiteStore, P], T],
) -> Callable[Concatenate[SQLiteStore, P], T]:
    """The same question to a store of any kind."""

    @wraps(job)
    def ask(store: SQLiteStore, /, *args: P.args, **more: P.kwargs) -> T:
        other = _elsewhere(store)
        there: Callable[..., T] = job if other is None else getattr(other, job.__name__)
        return there(store, *args, **more)

    return ask


def _elsewhere(store: object) -> Any:
    name = ELSEWHERE.get(type(store).__name__)
    return None if name is None else import_module(f".{name}", __package__)


def look_at(url: str) -> SQLiteStore:
    """The store that a URL names, opened for an operator.

    Raises PolicyError where it lives in one process, StoreDown where there is no ledger in it, or
    one of another version.
    """
    store = open_store(url)
    other = _elsewhere(store)
    if other is not None:
        return cast("SQLiteStore", other.entered(store))
    if not isinstance(store, SQLiteStore):
        raise PolicyError(f"{url} lives in one process and cannot be looked at from outside")
    if not _is_ledger(store):
        raise StoreDown(f"there is no ledger at {store.path}; name it with --store")
    store.retention, store.idle, store.lifetime = 0.0, math.inf, math.inf
    store.max_kept = sys.maxsize
    store.prepare()
    return store


def _is_ledger(store: SQLiteStore) -> bool:
    """Are our tables in this file? Asked before anything is created."""
    try:
        if not store.path.is_file():
            return False
    except OSError as error:
        raise StoreDown(f"cannot look at {store.path}: {error.strerror}") from error
    uri = f"{store.path.absolute().as_uri()}?mode=rw"
    with translated(), closing(sqlite3.connect(uri, uri=True)) as connection:
        found = connection.execute("SELECT 1 FROM sqlite_master WHERE name='so_meta'").fetchone()
    return found is not None


@by_kind
def survey(store: SQLiteStore) -> Survey:
    """Count what is in a ledger; reads everything once."""
    with store.reading() as work:
        states = dict(work.run(STATES).fetchall())
        receipts, waiting = work.run(RECEIPTS).fetchone()
        (sessions,) = work.run(SESSIONS).fetchone()
        drafts = work.drafts()
    files = [store.path, *(store.path.with_name(store.path.name + end) for end in ("-wal", "-shm"))]
    size = sum(path.stat().st_size for path in files if path.exists())
    settled, claimed, in_doubt = (
        int(states.get(state.value, 0)) for state in (State.SETTLED, State.CLAIMED, State.IN_DOUBT)
    )
    return Survey(settled, claimed, in_doubt, receipts, waiting, sessions, drafts, size)


@by_kind
def doubts(store: SQLiteStore) -> tuple[InQuestion, ...]:
    """All submissions in doubt, and the claims that ran out without an outcome; oldest first."""
    with store.reading() as work:
        keys = [Key(*found) for found in work.run(UNSETTLED)]
        rows = [(key, work.row(key)) for key in keys]
    return tuple(
        InQuestion(key, row.state, row.fence)
        for key, row in rows
        if row is not None and _in_question(row, work.now)
    )


@by_kind
def resolve(store: SQLiteStore, key: Key, *, happened: bool) -> bool:
    """End a doubt; False if there is none (any more).

    `happened`: duplicates are told that it was done; else it may be sent again. Raises StoreBusy.
    """

    def job(work: SQLWork) -> bool:
        row = work.row(key)
        if row is None or not _in_question(row, work.now):
            return False
        work.hold(ops.Doubt(key, ops.Granted(row.fence, row.claim_id)))
        outcome = Outcome(ACCEPTED, 200) if happened else None
        return isinstance(work.hold(ops.Resolve(key, happened, outcome)), ops.Done)

    return _insist(store, job)


@by_kind
def purge(store: SQLiteStore) -> int:
    """Delete what no valid token can name any more; how many rows and receipts it was."""
    total = 0
    while count := _insist(store, SQLWork.expire):
        total += count
    return total


@by_kind
def forget(store: SQLiteStore, visitor: bytes, session: bytes | None) -> int:
    """Delete what is kept of one visitor, and end a session; how many receipts it was.

    Both are ids as stores know them (`core.fingerprint`). Rows of the ledger stay: they are keyed
    hashes that name nobody, and without them an old form would run again. Raises StoreBusy.
    """

    def job(work: SQLWork) -> int:
        if session is not None:
            work.end(session)
        return int(work.run(schema.FORGET, visitor).rowcount)

    return _insist(store, job)


def _in_question(row: Row, now: float) -> bool:
    """In doubt, or lapsed; a claim of mode hooked that has its outcome is as good as settled."""
    lapsed = row.state is State.CLAIMED and row.outcome is None and row.lease_until <= now
    return lapsed or row.state is State.IN_DOUBT


def _insist(store: SQLiteStore, job: Callable[[SQLWork], T]) -> T:
    """Write, as soon as nobody else does. Raises StoreBusy after five seconds."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        with store.writing() as work:
            if work is not None:
                return job(work)
        time.sleep(NAP)
    raise StoreBusy("the database stayed locked by another writer")

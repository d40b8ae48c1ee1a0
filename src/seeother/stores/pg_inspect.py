"""Looking at a ledger on PostgreSQL from outside: what `inspect` and `examine` are for a file.

The questions are the same, and so is the way of answering: every row is read as the store reads it.
`examine` also says what stands between this host and the server: a pooler that gives each
transaction another connection is fine, because the store keeps no state of a session.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from typing import Any, Final

import psycopg

from ..core.ledger import State
from ..errors import StoreDown, StoreError
from . import inspect
from . import pg_schema as schema
from .examine import Finding, receipts, rows
from .inspect import SESSIONS, STATES, Survey
from .pg_connect import connect, translated, version
from .pg_rows import PgWork
from .pg_wire import Wire
from .postgres import PostgresStore

# They ask for steps only, and a step on PostgreSQL answers like one on SQLite.
doubts: Final[Any] = inspect.doubts.__wrapped__  # type: ignore[attr-defined]
resolve: Final[Any] = inspect.resolve.__wrapped__  # type: ignore[attr-defined]

TABLES: Final = ("so_ledger", "so_receipt", "so_draft", "so_session", "so_session_head", "so_meta")
WAITING: Final = "SELECT count(*), count(*) FILTER (WHERE stage<3) FROM so_receipt"
SIZE: Final = "SELECT coalesce(sum(pg_total_relation_size(to_regclass(t))), 0)::bigint FROM unnest"
DRAFTS: Final = (
    "SELECT coalesce(sum(length(draft)), 0)::bigint,"
    " (SELECT coalesce(sum(size), 0)::bigint FROM so_draft) FROM so_receipt"
)
SETTING: Final = "SELECT current_setting('{}')"
OLDEST: Final = (
    "SELECT coalesce(extract(epoch FROM max(clock_timestamp() - xact_start)), 0)::float8"
    " FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'"
)
LONG: Final = 300.0


def entered(store: PostgresStore) -> PostgresStore:
    """The store, opened for an operator: without limits, and without making anything.

    Raises StoreDown where there is no ledger, or one of another version.
    """
    with translated(), connect(store.url) as raw:
        found = version(raw)
    if not found:
        raise StoreDown("there is no ledger in this database (and schema); name it with --store")
    if found != len(schema.STEPS):
        raise StoreDown(f"the ledger has schema {found}; start an app to bring it along")
    store.retention, store.idle, store.lifetime = 0.0, math.inf, math.inf
    store.max_kept = sys.maxsize
    store.prepare()
    return store


def survey(store: PostgresStore) -> Survey:
    """Count what is in a ledger; reads everything once."""
    with store.reading() as work:
        states = dict(work.run(STATES))
        left, waiting = work.run(WAITING).fetchone()
        (sessions,) = work.run(SESSIONS).fetchone()
        drafts = work.drafts()
        names = ", ".join(f"'{name}'" for name in TABLES)
        (size,) = work.run(f"{SIZE}(ARRAY[{names}]) AS t").fetchone()
    settled, claimed, in_doubt = (
        int(states.get(state.value, 0)) for state in (State.SETTLED, State.CLAIMED, State.IN_DOUBT)
    )
    return Survey(settled, claimed, in_doubt, left, waiting, sessions, drafts, size)


def forget(store: PostgresStore, visitor: bytes, session: bytes | None) -> int:
    """Delete what is kept of one visitor, and end a session; how many receipts it was."""
    with store.writing() as work:
        if session is not None:
            work.end(session)
        return work.wire.change(schema.FORGET, visitor)


def purge(store: PostgresStore) -> int:
    """Delete what no valid token can name any more; how many rows and receipts it was."""
    total = 0
    while count := store.expire_now():
        total += count
    return total


def verify(store: PostgresStore) -> tuple[Finding, ...]:
    """Is everything in the ledger as the ledger's own rules say? What cannot be read is not."""
    return tuple(_checked(store, name, check) for name, check in CHECKS.items())


def examine(store: PostgresStore, listing: str = "seeother ledger doubts") -> tuple[Finding, ...]:
    """What stands around the ledger: the server, its durability, poolers, old transactions, doubts.

    `listing` is the command that names the doubts.
    """
    with store.reading() as work:
        raw = work.wire.raw
        hours = store.longest(raw) / 3600
        findings = (*_server(work), _pooler(raw), *_sync(work), _oldest(work))
    count = len(doubts(store))
    see = f"; see: {listing}" if count else ""
    kept = Finding(
        True, f"rows are kept for {hours:.1f} h, tables have version {len(schema.STEPS)}"
    )
    return (*findings, kept, Finding(not count, f"{count} submissions in doubt{see}"))


def _server(work: PgWork) -> Iterator[Finding]:
    (said,) = work.run(SETTING.format("server_version")).fetchone()
    (replica,) = work.run("SELECT pg_is_in_recovery()").fetchone()
    yield Finding(True, f"PostgreSQL {said}")
    if replica:
        yield Finding(False, "this is a replica: a ledger needs the primary")


def _pooler(raw: psycopg.Connection[Any]) -> Finding:
    """A pooler answers with a process number of its own when a client connects."""
    own = Wire(raw).ask(schema.PROCESS)[0][0][0]
    if own == raw.info.backend_pid:
        return Finding(True, "connected to the server itself")
    return Finding(True, "connected through a pooler: modes session and transaction are both fine")


def _sync(work: PgWork) -> Iterator[Finding]:
    (sync,) = work.run(SETTING.format("synchronous_commit")).fetchone()
    (flush,) = work.run(SETTING.format("fsync")).fetchone()
    if flush == "off":
        yield Finding(False, "fsync is off: after a power cut the whole database may be damaged")
    advice = "; an answer may outlive its row in a power cut: use on" if sync == "off" else ""
    yield Finding(not advice, f"synchronous_commit {sync}{advice}")


def _oldest(work: PgWork) -> Finding:
    (seconds,) = work.run(OLDEST).fetchone()
    text = f"the oldest idle transaction is {seconds:.0f} s old"
    if seconds < LONG:
        return Finding(True, text)
    return Finding(
        False, f"{text}: expired rows stay until it ends (idle_in_transaction_session_timeout)"
    )


# Is it sound? -------------------------------------------------------------------------------


def _drafts(work: PgWork) -> Finding:
    there, counted = work.run(DRAFTS).fetchone()
    return Finding(counted == there, f"drafts: {there} bytes, counted as {counted}")


CHECKS: Final[dict[str, Callable[[Any], Finding]]] = {
    "rows": rows,
    "receipts": receipts,
    "drafts": _drafts,
}


def _checked(store: PostgresStore, name: str, check: Callable[[PgWork], Finding]) -> Finding:
    try:
        with store.reading() as work:
            return check(work)
    except StoreError as error:
        return Finding(False, f"{name}: {error.detail}")

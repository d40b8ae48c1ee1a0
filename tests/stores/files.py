"""Short ways to ask a SQLite store, and to get at its file from outside."""

import resource
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from seeother.core.ops import Claim, Granted, Lookup, Settle
from seeother.stores.sqlite import SQLiteStore
from seeother.testing.harness import PATIENCE, claim, outcome


def look(store: SQLiteStore, where: Claim | None = None) -> Any:
    """Look for the outcome of a claim."""
    where = where or claim()
    return store.lookup(Lookup(where.key, where.fingerprint, PATIENCE))


def settled(store: SQLiteStore, where: Claim | None = None) -> None:
    """Claim and settle."""
    where = where or claim()
    grant = store.claim(where)
    assert isinstance(grant, Granted)
    store.settle(Settle(where.key, grant, where.fingerprint, outcome()))


@contextmanager
def other(path: Path) -> Iterator[sqlite3.Connection]:
    """Another program on the same file."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


@contextmanager
def no_file_may_grow(size: int) -> Iterator[None]:
    """Writes beyond this size fail, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    assert signal.getsignal(signal.SIGXFSZ) is signal.SIG_IGN  # Python gets an error instead
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

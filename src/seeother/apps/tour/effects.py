"""What the views of the lessons did: one row per effect, in a table per arm.

A lesson's view calls `record("...")` once for each effect and knows nothing else: which lesson, arm
and browser it is comes from a context variable that `Effects.recording` sets around the request.
Where nobody set it (a lesson that runs alone) nothing is written.

The file is no part of any transaction of a lesson. So it counts what the views did, and not what
some ledger says that they did: the figures of the tour come from here and from nowhere else.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from ...stores.sqlite import create_private, tune
from .lessons import ARMS

FILE: Final = "tour.db"
LONGEST: Final = 200  # characters of what is written down: it is for people
TABLES: Final = {arm: f"effect_{arm}" for arm in ARMS}
CREATE: Final = (
    "CREATE TABLE IF NOT EXISTS {table} (id INTEGER PRIMARY KEY, lesson TEXT NOT NULL,"
    " browser TEXT NOT NULL, what TEXT NOT NULL, at TEXT NOT NULL)"
)
INDEX: Final = "CREATE INDEX IF NOT EXISTS {table}_whose ON {table} (browser, lesson)"
INSERT: Final = "INSERT INTO {table} (lesson, browser, what, at) VALUES (?, ?, ?, ?)"
COUNT: Final = "SELECT count(*) FROM {table} WHERE browser = ? AND lesson = ?"
ROWS: Final = (
    "SELECT id, lesson, browser, what, at FROM {table} WHERE browser = ? AND lesson = ?"
    " ORDER BY id DESC LIMIT ?"
)


class Effect(NamedTuple):
    """One effect; `at` is UTC, in ISO 8601."""

    id: int
    lesson: str
    browser: str
    what: str
    at: str


class Whose(NamedTuple):
    """Whose view is running, and where it is written down."""

    effects: Effects
    lesson: str
    arm: str
    browser: str


_WHOSE: ContextVar[Whose | None] = ContextVar("seeother_tour_whose", default=None)


def record(what: str) -> None:
    """Write down one effect of the view that is running; `what` is for people."""
    whose = _WHOSE.get()
    if whose is not None:
        whose.effects.add(whose, what)


class Effects:
    """The effects of all arms, in one SQLite file; it is made (0600) when it is not there.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     effects = Effects(Path(folder) / FILE)
    ...     with effects.recording("hello", "lesson", "browser-1"):
    ...         record("greeted Ann")
    ...     effects.count("hello", "lesson", "browser-1"), effects.count("hello", "page", "")
    (1, 0)
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        create_private(path)
        with self._connected() as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            for table in TABLES.values():
                connection.execute(CREATE.format(table=table))
                connection.execute(INDEX.format(table=table))

    @contextmanager
    def recording(self, lesson: str, arm: str, browser: str) -> Generator[None]:
        """While a request of this browser runs in this arm, `record` writes here."""
        token = _WHOSE.set(Whose(self, lesson, arm, browser))
        try:
            yield
        finally:
            _WHOSE.reset(token)

    def add(self, whose: Whose, what: str) -> None:
        """Add one row, durably, in a transaction of its own."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        with self._connected() as connection:
            insert = INSERT.format(table=TABLES[whose.arm])
            connection.execute(insert, (whose.lesson, whose.browser, what[:LONGEST], now))

    def count(self, lesson: str, arm: str, browser: str) -> int:
        """How many effects this browser had in an arm of a lesson."""
        with self._connected() as connection:
            count = COUNT.format(table=TABLES[arm])
            return int(connection.execute(count, (browser, lesson)).fetchone()[0])

    def rows(self, lesson: str, arm: str, browser: str, limit: int = 20) -> list[Effect]:
        """The newest of these effects, newest first."""
        with self._connected() as connection:
            rows = ROWS.format(table=TABLES[arm])
            return [Effect(*row) for row in connection.execute(rows, (browser, lesson, limit))]

    @contextmanager
    def _connected(self) -> Generator[sqlite3.Connection]:
        """A connection for one statement: several processes and threads write this file."""
        with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            tune(connection, "NORMAL")
            yield connection

"""An app whose effects and ledger are in one SQLite file, and a few views for it."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, event, text

from seeother.core.ops import (
    Abandon,
    Claim,
    Done,
    Granted,
    Lookup,
    Settle,
    Unknown,
)
from seeother.sqlalchemy import Transaction
from seeother.stores.sqlite import SQLiteStore
from seeother.testing import FakeClock
from seeother.testing.harness import (
    PATIENCE,
    claim,
    outcome,
)

View = Callable[[Connection], Any]
TABLES = (
    "CREATE TABLE note(id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE)",
    "CREATE TABLE child(note INTEGER REFERENCES note(id) DEFERRABLE INITIALLY DEFERRED)",
)


class App:
    """An app's engine and the store, on one file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.store = SQLiteStore(path, clock=FakeClock())
        self.store.prepare()
        self.engine = create_engine(f"sqlite:///{path}")
        event.listen(self.engine, "connect", _tune)

    def create(self) -> None:
        """Create the app's tables."""
        with self.engine.begin() as connection:
            for table in TABLES:
                connection.exec_driver_sql(table)

    def once(self, view: View, where: Claim | None = None, **more: Any) -> Any:
        """What the flow does: claim, view, settle; a view that raises is abandoned."""
        mine, transaction = where or claim(), Transaction(self.engine)
        joined = self.store.within(transaction)
        reply = joined.perform(mine)
        if not isinstance(reply, Granted):
            return reply
        try:
            view(transaction.connection)
        except BaseException:
            joined.perform(Abandon(mine.key, reply))
            raise
        return joined.perform(Settle(mine.key, reply, mine.fingerprint, outcome(), **more))

    def look(self, where: Claim | None = None) -> Any:
        """Look for the outcome of a claim."""
        mine = where or claim()
        return self.store.lookup(Lookup(mine.key, mine.fingerprint, PATIENCE))

    def notes(self) -> list[str]:
        """What the view has left."""
        with self.engine.connect() as connection:
            return [row[0] for row in connection.execute(text("SELECT text FROM note ORDER BY id"))]

    def nothing_happened(self) -> None:
        """No effect, no row; and the same claim works."""
        assert self.notes() == []
        assert self.look() == Unknown()
        assert self.once(add("afterwards")) == Done()
        assert self.notes() == ["afterwards"]


def _tune(connection: sqlite3.Connection, _record: object) -> None:
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA busy_timeout=10000")


def add(words: str) -> View:
    """A view that inserts a note."""
    return lambda connection: connection.execute(
        text("INSERT INTO note(text) VALUES(:text)"), {"text": words}
    )


def both(*views: View) -> View:
    """One view after another."""

    def run(connection: Connection) -> None:
        for view in views:
            view(connection)

    return run


def fail(_connection: Connection) -> None:
    """A view that raises."""
    raise ZeroDivisionError

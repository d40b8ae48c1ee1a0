"""Where the cycles write: files in a folder, or a PostgreSQL that can be killed as well."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import psycopg
from sqlalchemy import create_engine, text

from tests.crash.site import spelt
from tests.servers.postgres import Postgres as Server

if TYPE_CHECKING:
    from sqlalchemy import Connection

ROWS: Final = "SELECT label, run FROM effect WHERE label LIKE '%.{}'"
PATIENCE: Final = 20.0
NAP: Final = 0.05


@dataclass(slots=True)
class Place:
    """Files of SQLite in a folder."""

    folder: Path
    url: str | None = None

    def effects(self, seed: int) -> list[tuple[str, str]]:
        """What is in the database, of one cycle."""
        with closing(sqlite3.connect(self.folder / "app.db")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            return connection.execute(ROWS.format(seed)).fetchall()

    def strike(self) -> None:
        """Kill the server; files have none."""
        raise AssertionError("there is no server")


class Postgres(Server):
    """PostgreSQL, ended as by an axe: the postmaster and every process it has."""

    def kill(self) -> None:
        """SIGKILL for all of them at once; the backends must not finish what they do."""
        assert self.process is not None
        tasks = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        backends = [int(pid) for task in tasks for pid in task.read_text().split()]
        self.process.kill()
        for pid in backends:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def again(self) -> None:
        """Start it; it waits until the last of the killed has let go of the shared memory."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                self.start()
            except RuntimeError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(NAP)
            else:
                return


@dataclass(slots=True)
class OnServer(Place):
    """A database on a server."""

    server: Postgres | None = None

    def effects(self, seed: int) -> list[tuple[str, str]]:
        """What is in the database, of one cycle."""
        assert self.url is not None
        engine = create_engine(spelt(self.url))
        with engine.connect() as connection:
            rows = _all(connection, ROWS.format(seed))
        engine.dispose()
        return rows

    def strike(self) -> None:
        """Kill the server, and start it again."""
        assert self.server is not None
        self.server.kill()
        self.server.again()


def _all(connection: Connection, query: str) -> list[tuple[str, str]]:
    return [(label, run) for label, run in connection.execute(text(query))]


def watch(place: Callable[[str], None]) -> None:
    """Every message to PostgreSQL passes a place before it is sent, and one when it is answered."""
    execute: Any = psycopg.Cursor.execute
    commit: Any = psycopg.Connection.commit

    def executed(cursor: Any, query: Any, *args: Any, **more: Any) -> Any:
        words = str(query).split(None, 1)
        place(f"before {words[0] if words else ''}")
        found = execute(cursor, query, *args, **more)
        place(f"after {words[0] if words else ''}")
        return found

    def committed(connection: Any) -> None:
        place("before COMMIT")
        commit(connection)
        place("after COMMIT")

    psycopg.Cursor.execute = executed  # type: ignore[method-assign, assignment]
    psycopg.Connection.commit = committed  # type: ignore[method-assign, assignment]

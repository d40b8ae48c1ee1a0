"""What came in: the last requests of each browser, and what the played browsers did.

The panel of a lesson's page shows what a browser's developer tools would show, so every request is
noted here, the ones for favicon and style sheet too. A lesson writes its effects into storage of
its own (`effects`); how many of them belong to one request is the difference between what storage
counts now and what was claimed by earlier requests. Two requests at once may swap theirs; the sum
is always right.

The journal is for looking at and may be deleted at any time, so it is not forced onto the disk.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import Any, Final

from ...stores.connect import create_private

REQUESTS: Final = 20_000  # kept of all browsers together
RUNS: Final = 2_000
SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS request (
    id INTEGER PRIMARY KEY, browser TEXT NOT NULL, method TEXT NOT NULL, path TEXT NOT NULL,
    status INTEGER NOT NULL, location TEXT, effects INTEGER NOT NULL, quiet INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS request_browser ON request (browser, id);
CREATE TABLE IF NOT EXISTS claimed (
    browser TEXT NOT NULL, lesson TEXT NOT NULL, arm TEXT NOT NULL, effects INTEGER NOT NULL,
    PRIMARY KEY (browser, lesson, arm)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS run (
    id INTEGER PRIMARY KEY, browser TEXT NOT NULL, lesson TEXT NOT NULL, form TEXT NOT NULL,
    attack TEXT NOT NULL, arm TEXT NOT NULL, played TEXT NOT NULL, steps TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS run_browser ON run (browser, lesson, id);
CREATE INDEX IF NOT EXISTS run_lesson ON run (lesson, attack, id);
"""
NOTE: Final = (
    "INSERT INTO request (browser, method, path, status, location, effects, quiet)"
    " VALUES (?, ?, ?, ?, ?, ?, ?)"
)
LAST: Final = (
    "SELECT method, path, status, location, effects, quiet FROM request"
    " WHERE browser = ? ORDER BY id DESC LIMIT ?"
)
TRIM: Final = "DELETE FROM request WHERE id <= ? - ?"
CLAIMED: Final = "SELECT effects FROM claimed WHERE browser = ? AND lesson = ? AND arm = ?"
CLAIM: Final = "INSERT OR REPLACE INTO claimed (browser, lesson, arm, effects) VALUES (?, ?, ?, ?)"
KEEP: Final = (
    "INSERT INTO run (browser, lesson, form, attack, arm, played, steps)"
    " VALUES (?, ?, ?, ?, ?, ?, ?)"
)
TRIM_RUNS: Final = "DELETE FROM run WHERE id <= ? - ?"
RUN: Final = "SELECT lesson, form, attack, arm, played, steps FROM run"
OF_ONE: Final = f"{RUN} WHERE browser = ? AND lesson = ? ORDER BY id"
OF_ALL: Final = (
    f"{RUN} WHERE lesson = ? AND attack = ? AND form = ? AND arm = ? ORDER BY id DESC LIMIT 1"
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One request and its answer; `quiet` is what a page fetches by itself."""

    method: str
    path: str
    status: int
    location: str | None = None
    effects: int = 0
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One request of a played browser: what the person did, and what came of it.

    `status` None: the answer was lost. `effects`: how many this browser had caused by then.
    `overlaps`: the next request went out before this answer came.
    """

    deed: str
    method: str
    path: str
    status: int | None
    location: str | None
    effects: int
    overlaps: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """One attack on one arm; `played` is the browser that the server played."""

    lesson: str
    form: str
    attack: str
    arm: str
    played: str
    steps: tuple[Step, ...]


class Journal:
    """The journal on an SQLite file; any number of threads and processes may use it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        create_private(path)
        with self._connected() as database:
            database.execute("PRAGMA journal_mode = WAL")
            database.executescript(SCHEMA)

    def note(self, browser: str, entry: Entry) -> None:
        """Write a request down, and forget the oldest ones."""
        with self._writing() as database:
            number = database.execute(NOTE, (browser, *astuple(entry))).lastrowid
            database.execute(TRIM, (number, REQUESTS))

    def last(self, browser: str, limit: int) -> list[Entry]:
        """The last requests of a browser, the newest first."""
        return [Entry(*row) for row in self._all(LAST, browser, limit)]

    def claim(self, browser: str, lesson: str, arm: str, counted: int) -> int:
        """How many of the effects that storage counts were not claimed by earlier requests."""
        with self._writing() as database:
            row = database.execute(CLAIMED, (browser, lesson, arm)).fetchone()
            known = int(row[0]) if row else 0
            if counted > known:
                database.execute(CLAIM, (browser, lesson, arm, counted))
        return max(0, counted - known)

    def keep(self, browser: str, run: Run) -> None:
        """Write down what a played browser did for this one."""
        steps = json.dumps([asdict(step) for step in run.steps])
        row = (browser, run.lesson, run.form, run.attack, run.arm, run.played, steps)
        with self._writing() as database:
            number = database.execute(KEEP, row).lastrowid
            database.execute(TRIM_RUNS, (number, RUNS))

    def runs(self, browser: str, lesson: str) -> dict[tuple[str, str, str], Run]:
        """The newest run of each form, attack and arm that this browser asked for."""
        found = [_run(row) for row in self._all(OF_ONE, browser, lesson)]
        return {(run.form, run.attack, run.arm): run for run in found}

    def example(self, lesson: str, attack: str, form: str, arm: str) -> Run | None:
        """The newest run of this kind, whoever asked for it."""
        rows = self._all(OF_ALL, lesson, attack, form, arm)
        return _run(rows[0]) if rows else None

    def _all(self, query: str, *values: str | int) -> Sequence[tuple[Any, ...]]:
        with self._connected() as database:
            return database.execute(query, values).fetchall()

    @contextmanager
    def _writing(self) -> Generator[sqlite3.Connection]:
        """One transaction; whatever is raised in it undoes it."""
        with self._connected() as database, database:
            database.execute("BEGIN IMMEDIATE")
            yield database

    @contextmanager
    def _connected(self) -> Generator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.path, timeout=10, isolation_level=None)) as database:
            database.execute("PRAGMA synchronous = OFF")
            yield database


def _run(row: tuple[Any, ...]) -> Run:
    *named, steps = row
    lesson, form, attack, arm, played = named
    return Run(
        lesson, form, attack, arm, played, tuple([Step(**step) for step in json.loads(steps)])
    )

"""Servers as processes: started, stopped, killed and started again at the same port.

A crash test is worth something only if a process really dies. `Server` runs one command in a
process group of its own, so that `kill` reaches the workers too; `rows` looks at the effects where
they are: in the database file, past all code under test.
"""

import http.client
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Self

from tests.browser.polling import until


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def rows(database: Path, table: str = "message", where: str = "1", *values: object) -> int:
    """How many rows the SQLite file really holds; 0 while it or the table does not exist yet.

    Read-only, from outside, so that only what was committed counts.
    """
    if not database.exists():
        return 0
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True, timeout=10)) as db:
        known = db.execute("SELECT 1 FROM sqlite_master WHERE name = ?", [table]).fetchone()
        if known is None:
            return 0
        # The names come from the test itself; only values come from what it typed.
        query = f"SELECT count(*) FROM {table} WHERE {where}"
        return int(db.execute(query, values).fetchone()[0])


class Server:
    """A server process; a context manager that starts and stops it.

    `command` is what to run, without the port, which becomes its last word and stays the same over
    `stop`, `kill` and `start`. It runs in `folder`, and its output is kept there in server.log: it
    is part of the failure when the server does not answer.
    """

    def __init__(self, folder: Path, command: Sequence[str | Path]) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        self.log = folder / "server.log"
        self._folder = folder
        self._command = [*map(str, command), str(self.port)]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process that was started; with several workers their parent."""
        assert self._process is not None, "the server is not running"
        return self._process.pid

    def start(self) -> Self:
        """Start it and wait until it answers a request."""
        assert self._process is None, "the server is running already"
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            until(self._answers, f"an answer of {' '.join(self._command)}", seconds=30)
        except BaseException:
            self.kill()
            raise
        return self

    def stop(self) -> int:
        """End it as an administrator would, by SIGTERM, and return its exit status."""
        assert self._process is not None, "the server is not running"
        self._process.terminate()
        try:
            return self._process.wait(15)
        finally:
            self.kill()  # only what did not go by itself

    def kill(self) -> None:
        """End it by SIGKILL, workers included: nobody gets a chance to tidy up."""
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process = None

    def workers(self) -> list[int]:
        """The pids of its children, to kill one of them."""
        tasks = Path(f"/proc/{self.pid}/task").glob("*/children")
        return [int(pid) for task in tasks for pid in task.read_text().split()]

    def _answers(self) -> bool:
        assert self._process is not None
        if (status := self._process.poll()) is not None:
            said = self.log.read_text(errors="replace")[-2000:]
            raise AssertionError(f"the server ended by itself with {status}:\n{said}")
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)) as connection:
            try:
                connection.request("GET", "/")
                return connection.getresponse().status > 0
            except (OSError, http.client.HTTPException):
                return False

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *error: object) -> None:
        if self._process is not None:
            self.stop()


class Board(Server):
    """`seeother board` on a SQLite file in `folder`; key and messages survive a restart."""

    def __init__(self, folder: Path, *more: str, workers: int = 1) -> None:
        self.database = folder / "board.db"
        board = (sys.executable, "-m", "seeother", "board", "--workers", str(workers))
        files = ("--db", self.database, "--secret-file", folder / "secret")
        super().__init__(folder, [*board, *files, *more, "--port"])

    def messages(self, text: str | None = None) -> int:
        """How many messages are stored, or how many with this very text."""
        if text is None:
            return rows(self.database)
        return rows(self.database, "message", "text = ?", text)

"""The board in this process, behind a real server on a real port.

What a test must reach into (the store's clock, the view, the driver) is out of reach in another
process. So here uvicorn runs on a thread: requests still go through a socket and a real server, but
time can be moved and a view can be held.
"""

import socket
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any, Self

import psycopg
import uvicorn

from seeother.apps.board.app import create_board
from seeother.apps.board.history import History
from seeother.asgi import SeeOther
from tests.board.nodes import messages
from tests.browser.polling import until
from tests.browser.server import rows

HOSTS = ("127.0.0.1", "localhost")
SECRET = "tests alone know this: 32 characters or more"


class Clock:
    """The store's clock; it stands still until it is told to move, however slow the machine is."""

    def __init__(self) -> None:
        self._now = time.time()

    def __call__(self) -> float:
        """The time in seconds since 1970."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let this much time pass at once."""
        self._now += seconds

    def reset(self) -> None:
        """Set it to the real time."""
        self._now = time.time()


class Hosted:
    """A board on a thread; a context manager. `policy` as in `seeother.asgi.SeeOther`.

    It stands on a file in `folder`, or on the PostgreSQL database that `url` names.
    With `tour` it is as in the demo: it links there, and what a visitor did is noted around it.
    """

    def __init__(self, folder: Path, url: str | None = None, **policy: Any) -> None:
        self.database, self.where = folder / "board.db", url
        own = {"secret": SECRET} if url else {}
        self.app: SeeOther = create_board(url or self.database, **{"hosts": HOSTS, **own, **policy})
        self.clock = Clock()
        store: Any = self.app.store
        store.clock, store.server = self.clock, None  # not the database server's time either
        store.prepare()  # as `seeother board` does before it listens
        self.history = History(self.app)
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/"
        outermost = self.history if "tour" in policy else self.app
        config = uvicorn.Config(outermost, log_config=None, access_log=False, ws="none")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],))

    def messages(self, text: str | None = None) -> int:
        """How many messages the database holds, or how many with this very text."""
        if self.where is not None:
            return messages(self.where, text)
        if text is None:
            return rows(self.database)
        return rows(self.database, "message", "text = ?", text)

    def emptied(self) -> Self:
        """The same board as if it had just been made: a start costs more than many a test."""
        if self.where is None:
            _empty_file(self.database)
        else:
            _empty(self.where)
        self.clock.reset()
        return self

    def __enter__(self) -> Self:
        self._thread.start()
        until(lambda: self._server.started or not self._thread.is_alive(), "the board listens")
        return self

    def __exit__(self, *error: object) -> None:
        self._server.should_exit = True
        self._thread.join(30)
        self._socket.close()
        assert not self._thread.is_alive(), "the board does not end"


def _empty_file(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        tables = db.execute("SELECT name FROM sqlite_master WHERE type='table'").fetchall()
        for (table,) in tables:
            if table != "so_meta":
                db.execute(f"DELETE FROM {table}")


def _empty(url: str) -> None:
    with psycopg.connect(url) as db:
        tables = db.execute("SELECT tablename FROM pg_tables WHERE schemaname=current_schema()")
        names = ", ".join(name for (name,) in tables if name != "so_meta")
        db.execute(f"TRUNCATE {names} RESTART IDENTITY")

"""The site of the cycles: one form, one effect, one landing page, in three modes and in none.

Its database is a SQLite file in a folder, or whatever a URL names.

Each run of the view gets a name of its own, which is written into the database and into the
Location of its answer. So every answer says which run it stands for, and the database says which
runs there were.
"""

import sqlite3
import time
from collections.abc import Iterable
from contextlib import closing
from itertools import count
from os import getpid
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs

from sqlalchemy import Connection, Engine, create_engine, event, text

from seeother import wsgi
from seeother.core.values import Response
from seeother.visit import Visit

SECRET: Final = "a secret for crash cycles, 32 bytes or more"
TABLE: Final = "CREATE TABLE IF NOT EXISTS effect(label TEXT NOT NULL, run TEXT NOT NULL)"
ADD: Final = "INSERT INTO effect(label, run) VALUES(:label, :run)"
FORM: Final = '<!doctype html><form method="post"><input name="label"><button>Go</button></form>'
PATIENCE: Final = 0.1
ONCE: Final = ("joined", "fenced")


class Site:
    """A WSGI app on real files; `mode` "bare" is the app without seeother.

    `slow`: how long the view thinks between its two halves, in seconds. `synchronous`: how the app
    itself writes its SQLite file. `url`: the database of both, instead of files in the folder.
    """

    def __init__(
        self,
        folder: Path,
        mode: str,
        slow: float = 0.0,
        *,
        synchronous: str = "FULL",
        patience: float = PATIENCE,
        url: str | None = None,
    ) -> None:
        self.effects = folder / "app.db"
        self._mode, self._slow, self._numbers = mode, slow, count()
        self._synchronous = synchronous
        ledger = self.effects if mode in ONCE else folder / "ledger.db"
        policy = {"store": url or f"sqlite:///{ledger}", "secret": SECRET, "mode": mode}
        more = {"patience": patience}
        self.app: Any = self if mode == "bare" else wsgi.SeeOther(self, **policy, **more)
        self._engine: Engine | None = None
        if url is not None or mode in ONCE:
            self._engine = create_engine(spelt(url) if url else f"sqlite:///{self.effects}")
        if self._engine is not None and url is None:
            event.listen(self._engine, "connect", self._set)

    def prepare(self) -> None:
        """Make the files, or the tables."""
        if self._engine is not None and self._engine.dialect.name != "sqlite":
            with self._engine.begin() as begun:
                begun.execute(text(TABLE))
        else:
            with closing(sqlite3.connect(self.effects)) as connection:
                connection.execute("PRAGMA journal_mode=WAL")
                connection.execute(TABLE)
        if self._mode != "bare":
            self.app.store.prepare()
            self.app.store.shut()

    def shut(self) -> None:
        """Close what is open."""
        if self._engine is not None:
            self._engine.dispose()
        if self._mode != "bare":
            self.app.driver.shut()
            self.app.store.shut()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] == "GET":
            return self._page(environ, start_response)
        if self._mode in ONCE:
            assert self._engine is not None
            sent = wsgi.once(environ, self._engine, self._save)
            return sent(environ, start_response)
        size = int(environ["CONTENT_LENGTH"])
        (label,) = parse_qs(environ["wsgi.input"].read(size).decode())["label"]
        start_response("303 See Other", [("Location", f"/done/{self._insert(label)}")])
        return [b""]

    def _page(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        visit = environ.get(wsgi.KEY)
        said = [flash.text for flash in visit.flashes()] if visit is not None else []
        start_response("200 OK", [("Content-Type", "text/html; charset=utf-8")])
        return [f"{FORM}<p>{said}</p>".encode()]

    def _save(self, connection: Connection, visit: Visit) -> Response:
        """The view of joined and fenced: it writes into the transaction that it is given."""
        label, run = visit.form["label"], self._run()
        time.sleep(self._slow / 2)
        connection.execute(text(ADD), {"label": label, "run": run})
        time.sleep(self._slow / 2)
        return visit.see_other(f"/done/{run}", flash=("Saved.", "success"))

    def _insert(self, label: str) -> str:
        """The view of an app that knows nothing of seeother: a commit of its own."""
        run = self._run()
        time.sleep(self._slow / 2)
        if self._engine is not None:
            with self._engine.begin() as begun:
                begun.execute(text(ADD), {"label": label, "run": run})
        else:
            with closing(sqlite3.connect(self.effects, isolation_level=None, timeout=60)) as own:
                self._set(own)
                own.execute(ADD, {"label": label, "run": run})
        time.sleep(self._slow / 2)
        return run

    def _set(self, connection: sqlite3.Connection, _record: object = None) -> None:
        connection.execute(f"PRAGMA synchronous={self._synchronous}")

    def _run(self) -> str:
        return f"{getpid()}-{time.monotonic_ns()}-{next(self._numbers)}"


def spelt(url: str) -> str:
    """A store's URL as SQLAlchemy spells it.

    >>> spelt("postgresql://a@b/c")
    'postgresql+psycopg://a@b/c'
    """
    return url.replace("postgresql://", "postgresql+psycopg://", 1)

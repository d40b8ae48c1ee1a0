"""The site of the cycles: one form, one effect, one landing page, in three modes and in none.

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

from sqlalchemy import Connection, create_engine, text

from seeother import wsgi
from seeother.core.values import Response
from seeother.visit import Visit

SECRET: Final = "a secret for crash cycles, 32 bytes or more"
TABLE: Final = "CREATE TABLE effect(label TEXT NOT NULL, run TEXT NOT NULL)"
ADD: Final = "INSERT INTO effect(label, run) VALUES(:label, :run)"
FORM: Final = '<!doctype html><form method="post"><input name="label"><button>Go</button></form>'
PATIENCE: Final = 0.1
ONCE: Final = ("joined", "fenced")


class Site:
    """A WSGI app on real files; `mode` "bare" is the app without seeother.

    `slow`: how long the view thinks between its two halves, in seconds.
    """

    def __init__(self, folder: Path, mode: str, slow: float = 0.0) -> None:
        self.effects = folder / "app.db"
        self._mode, self._slow, self._numbers = mode, slow, count()
        ledger = self.effects if mode in ONCE else folder / "ledger.db"
        policy = {"store": f"sqlite:///{ledger}", "secret": SECRET, "mode": mode}
        patience = {"patience": PATIENCE}
        self.app: Any = self if mode == "bare" else wsgi.SeeOther(self, **policy, **patience)
        self._engine = create_engine(f"sqlite:///{self.effects}") if mode in ONCE else None

    def prepare(self) -> None:
        """Make the files."""
        with closing(sqlite3.connect(self.effects)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute(TABLE)
        if self._mode != "bare":
            self.app.store.prepare()
            self.app.store.shut()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] == "GET":
            return self._page(environ, start_response)
        if self._engine is not None:
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
        with closing(sqlite3.connect(self.effects, isolation_level=None, timeout=60)) as own:
            own.execute(ADD, {"label": label, "run": run})
        time.sleep(self._slow / 2)
        return run

    def _run(self) -> str:
        return f"{getpid()}-{time.monotonic_ns()}-{next(self._numbers)}"

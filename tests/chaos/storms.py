"""A storm: people, the proxy, a server and a store; the database of effects is the judge."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import Final, NamedTuple
from urllib.parse import parse_qs

from sqlalchemy import create_engine, text

from tests.browser.server import Server
from tests.crash import memory
from tests.crash.judge import Summary, Told
from tests.crash.site import spelt

from .person import Person
from .proxy import Chaos
from .sites import HOST
from .wire import END, Lost, answer

PEOPLE: Final = 24
FORMS: Final = 8  # of one visitor, before the next one comes
ROOT: Final = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Place:
    """Where the ledger and the app's data are."""

    store: str
    data: str


Opened = Callable[[str], Place]


def _file(folder: Path) -> str:
    return f"sqlite:///{Path(tempfile.mkdtemp(dir=folder)) / 'app.db'}"


@contextmanager
def sqlite() -> Iterator[Opened]:
    """A file for each storm: one where `once` needs it, two for separate."""
    with memory.folder() as folder:

        def place(mode: str) -> Place:
            data = _file(folder)
            return Place(data.replace("app.db", "ledger.db") if mode == "separate" else data, data)

        yield place


@contextmanager
def postgresql() -> Iterator[Opened]:
    """A schema for each storm, on a server of its own."""
    from tests.servers.postgres import Postgres

    with Postgres() as server:
        yield lambda _mode: Place(*[server.fresh()] * 2)


@contextmanager
def redis() -> Iterator[Opened]:
    """A prefix for each storm; the app's data are in a file."""
    from tests.servers.redis import RedisServer, address

    with RedisServer() as server, memory.folder() as folder:
        yield lambda _mode: Place(address(server), _file(folder))


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of store: how to get one, and the modes that each adapter has on it."""

    opened: Callable[[], AbstractContextManager[Opened]]
    modes: dict[str, tuple[str, ...]]


ONCE: Final = ("joined", "fenced", "separate")
ALONE: Final = ("separate",)
SQL: Final[dict[str, tuple[str, ...]]] = {
    "wsgi": ONCE,
    "asgi": ONCE,
    "starlette": ONCE,
    "flask": ("joined", "fenced", "hooked", "separate"),
    "django": ONCE,
    "board": ("joined",),
}
STORES: Final = {
    "sqlite": Kind(sqlite, SQL),
    "postgresql": Kind(postgresql, SQL),
    "redis": Kind(redis, {"wsgi": ALONE, "asgi": ALONE, "starlette": ALONE, "flask": ALONE}),
}


class Site(NamedTuple):
    """What is served: its command, its field, what its Location means, and its rows."""

    command: Callable[[dict[str, str], Path], list[str]]
    field: str
    meant: Callable[[str, str], str]
    rows: str


def _small(order: dict[str, str], _folder: Path) -> list[str]:
    return ["-m", "tests.chaos.sites", json.dumps(order)]


def _board(order: dict[str, str], folder: Path) -> list[str]:
    words = ["-m", "seeother", "board", "--quiet", "--workers", "2", "--db", order["data"]]
    return [*words, "--secret-file", str(folder / "secret"), "--port"]


def _posted(label: str, location: str) -> str:
    """The board goes back to itself; a message has no other name than its text."""
    plain = location.startswith("/?so=") and not location.startswith("/?so=w.")
    return f"/done/{label}?{location}" if plain else location


SMALL: Final = Site(_small, "label", lambda _, there: there, "SELECT label, run FROM effect")
BOARD: Final = Site(_board, "message", _posted, "SELECT text, text FROM message")


class Reserved(Server):
    """A server whose port is held for it from the start: nobody else's server may answer there."""

    def __init__(self, folder: Path, command: Sequence[str | Path]) -> None:
        super().__init__(folder, command)
        self.held = socket.socket()
        self.held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.held.bind((HOST, 0))  # bound and not listening: who asks for this port may have it
        self.port = self.held.getsockname()[1]
        self._command[-1] = str(self.port)


@dataclass(slots=True)
class Storm:
    """What was sent, and what was said."""

    adapter: str
    store: str
    mode: str
    summary: Summary
    told: list[Told] = field(default_factory=list)
    fates: Counter[str] = field(default_factory=Counter)
    troubles: list[str] = field(default_factory=list)
    forms: int = 0
    posts: int = 0
    arrived: int = 0
    killed: int = 0
    seconds: float = 0.0

    @property
    def site(self) -> Site:
        """What is served."""
        return BOARD if self.adapter == "board" else SMALL

    @property
    def faults(self) -> list[str]:
        """Everything that must not be."""
        return [*self.troubles, *self.summary.faults]

    def __str__(self) -> str:
        own = self.summary
        return (
            f"{self.adapter} {self.store} {self.mode}: {self.forms} forms, {self.posts} POSTs,"
            f" {self.arrived} answered, {self.killed} workers killed, {own.doubts} in doubt:"
            f" {own.duplicates} duplicates,"
            f" {own.lost} lost, {own.changed} changed, {len(self.faults)} faults"
            f" ({self.seconds:.0f} s)"
        )

    def heard(self, raw: bytes, got: bytes) -> None:
        """The server answered; whether anybody gets to read it, it has to be true."""
        if not raw.startswith(b"POST"):
            return
        self.arrived += 1
        label = parse_qs(raw.partition(END)[2].decode()).get(self.site.field, ["?"])[0]
        try:
            said = answer(got)
        except Lost:
            return  # it ended before it had answered: the person will ask again
        meant = self.site.meant(label, said.location)
        self.told.append(Told(time.monotonic(), label, said.status, meant, said.text))


async def weather(storm: Storm, port: int, seed: int, posts: int) -> None:
    """People send forms until so many POSTs are sent."""
    host = f"{HOST}:{port}"

    async def one(place: int, chaos: Chaos) -> None:
        number = 0
        while storm.posts < posts:
            name = f"{place}.{number}"
            dice = Random(f"{seed} {name}")
            person = Person(name, chaos.port, host, dice, storm.site.field, storm.site.meant)
            for form in range(FORMS):
                before = person.posts
                await person.submit(f"{name}.{form}-{person.dice.randrange(10**9)}")
                storm.posts += person.posts - before
                storm.forms += 1
                if storm.posts >= posts:
                    break
            storm.troubles += person.troubles
            number += 1

    async with Chaos(port, seed, storm.heard) as chaos:
        await asyncio.gather(*(one(place, chaos) for place in range(PEOPLE)))
    storm.fates = chaos.fates


@contextmanager
def killing(server: Server, each: float, dice: Random) -> Iterator[list[int]]:
    """Kill -9 one of its workers every so many seconds; 0: none. The server makes new ones."""
    over, killed = threading.Event(), list[int]()

    def kill() -> None:
        while not over.wait(each):
            for pid in dice.sample(server.workers(), 1):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    killed.append(pid)

    thread = threading.Thread(target=kill, daemon=True)
    if each:
        thread.start()
    try:
        yield killed
    finally:
        over.set()
        if each:
            thread.join()


def run(
    adapter: str,
    store: str,
    mode: str,
    place: Place,
    *,
    seed: int,
    posts: int,
    kill_each: float = 0.0,
) -> Storm:
    """One storm on one adapter, store and mode; `kill_each`: a worker dies so often (seconds)."""
    storm = Storm(adapter, store, mode, Summary(mode))
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="seeother-chaos-") as made:
        folder = Path(made)
        command = storm.site.command({"adapter": adapter, "mode": mode, **asdict(place)}, folder)
        server = Reserved(folder, ["env", f"PYTHONPATH={ROOT}", sys.executable, *command])
        try:
            with server.held, server, killing(server, kill_each, Random(seed)) as killed:
                asyncio.run(weather(storm, server.port, seed, posts))
                storm.killed = len(killed)
        except AssertionError as error:
            said = server.log.read_text("utf-8", "replace")[-4000:]
            raise AssertionError(f"{storm}: {error}\n{said}") from error
    storm.seconds = time.monotonic() - begun
    storm.summary.judge(seed, storm.told, effects(place.data, storm.site.rows))
    return storm


def effects(url: str, rows: str) -> list[tuple[str, str]]:
    """What happened, read from outside."""
    engine = create_engine(spelt(url))
    try:
        with engine.connect() as connection:
            return [(label, run) for label, run in connection.execute(text(rows))]
    finally:
        engine.dispose()

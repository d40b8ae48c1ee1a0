"""What an adapter is tested with: a behaviour, its settings, its effects, and a client.

Nothing here is a stand-in. Effects are rows in a SQLite file, and in mode joined the store is that
very file; a client sends whole requests through the adapter and gets what a server would send.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from sqlalchemy import Connection, Engine, create_engine, event, text

from ...core.values import Headers, Response
from ...stores.connect import create_private, tune
from ...visit import Visit

HOST: Final = "localhost:8000"
SECRET: Final = "the secret of the adapter contract"
HTML: Final = (b"content-type", b"text/html; charset=utf-8")


@dataclass(frozen=True, slots=True)
class Call:
    """One request as a behaviour sees it; `effect(text)` is what must happen once."""

    visit: Visit
    method: str
    path: str
    body: bytes
    effect: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Streamed:
    """An answer whose body comes piece by piece; a generator is closed when nobody listens."""

    status: int
    headers: Headers
    pieces: Iterator[bytes]


Behaviour = Callable[[Call], Response | Streamed]


class Effects:
    """What happened, as rows in a file that is made when something does."""

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, threading.Lock()
        self._engine: Engine | None = None

    @property
    def engine(self) -> Engine:
        """The app's own database."""
        with self._lock:
            if self._engine is None:
                self._engine = _open(self._path)
            return self._engine

    def within(self, connection: Connection) -> Callable[[str], None]:
        """The effect, inside somebody's transaction."""
        return lambda what: self._add(connection, what)

    def do(self, what: str) -> None:
        """The effect, at once and for good."""
        with self.engine.begin() as connection:
            self._add(connection, what)

    def _add(self, connection: Connection, what: str) -> None:
        connection.execute(text("INSERT INTO effect (what) VALUES (:what)"), {"what": what})

    def all(self) -> list[str]:
        """Everything that happened, in order."""
        if self._engine is None:
            return []
        with self.engine.connect() as connection:
            return list(connection.scalars(text("SELECT what FROM effect ORDER BY rowid")))

    def shut(self) -> None:
        """Close the file."""
        if self._engine is not None:
            self._engine.dispose()


def _open(path: Path) -> Engine:
    create_private(path)
    engine = create_engine(f"sqlite:///{path}")
    event.listen(engine, "connect", _tune)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE IF NOT EXISTS effect (what TEXT NOT NULL)"))
    return engine


def _tune(raw: Any, _record: object) -> None:
    tune(raw, "NORMAL")


@dataclass(frozen=True, slots=True)
class Stage:
    """What `client` has to serve; `layers` is how many times the adapter stands around the app."""

    behaviour: Behaviour
    settings: dict[str, Any]
    effects: Effects
    layers: int = 1


@dataclass(frozen=True, slots=True)
class Ask:
    """One request as sent; a Host header comes by itself where none is named."""

    method: str = "GET"
    target: str = "/"
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    scheme: str = "http"

    def lines(self) -> list[tuple[str, str]]:
        """The header lines with the Host."""
        named = any(name.lower() == "host" for name, _ in self.headers)
        return [*(() if named else (("Host", HOST),)), *self.headers]


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer as received: status, header lines in order, body."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""

    def all(self, name: str) -> list[str]:
        """Every line of a header."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def header(self, name: str) -> str | None:
        """The line of a header, None where there is none; two are a failure."""
        found = self.all(name)
        assert len(found) < 2, f"{name} stands there {len(found)} times: {found}"
        return found[0] if found else None

    @property
    def location(self) -> str:
        """Where a redirect leads; without one a failure."""
        found = self.header("location")
        assert found is not None, f"{self.status} without a Location: {self.text[:200]}"
        return found

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", "replace")


class Stream(Protocol):
    """An answer on its way: its head is there, its body comes as it is read."""

    @property
    def status(self) -> int:
        """The status."""
        ...

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """The header lines in order."""
        ...

    def __iter__(self) -> Iterator[bytes]: ...

    def close(self) -> None:
        """The end, or the client goes away; may be called again."""
        ...


class Client(Protocol):
    """HTTP through an adapter, in this process; threads may use one together."""

    def open(self, ask: Ask) -> Stream:
        """Send a request; returns when the head of its answer is there.

        An app that raises before its head was sent is answered as servers do: 500.
        """
        ...

    def close(self) -> None:
        """Shut the app down."""
        ...


def fetch(client: Client, ask: Ask) -> Answer:
    """Send a request and read its whole answer."""
    stream = client.open(ask)
    try:
        return Answer(stream.status, stream.headers, b"".join(stream))
    finally:
        stream.close()


def page(*parts: str, status: int = 200, headers: Iterable[tuple[bytes, bytes]] = ()) -> Response:
    """An HTML page as a behaviour returns it, with its length."""
    body = ("<!doctype html><title>Page</title>" + "".join(parts)).encode()
    length = (b"content-length", str(len(body)).encode())
    return Response(status, (HTML, length, *headers), body)

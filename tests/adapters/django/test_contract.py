"""The Django adapter: the contracts of every store and of every adapter, in its modes."""

import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection, connections
from django.test import override_settings

from seeother.core.policy import Mode
from seeother.django.store import DjangoStore, store_for
from seeother.stores import schema
from seeother.stores.base import Clock
from seeother.testing import StoreContract
from seeother.testing.adapter import AdapterContract, ASGIClient, Stage, WSGIClient, quiet
from seeother.testing.adapter.alone import AlonePromises
from seeother.testing.adapter.asgi import ASGIStream
from seeother.testing.adapter.harness import Harness
from seeother.testing.adapter.quiet import QuietPromises
from seeother.testing.adapter.stage import Ask
from seeother.testing.adapter.submissions import SubmissionPromises
from seeother.testing.adapter.visits import VisitPromises
from seeother.testing.lint import WSGILint
from tests.adapters.django import staging
from tests.adapters.django.project import (
    MIDDLEWARE,
    POSTGRES,
    fresh_database,
    name_database,
    use_database,
)

ALL = float(os.environ.get("SCALE", "1")) >= 10


def make_tables(path: Path) -> None:
    """A database with seeother's tables and nothing else."""
    if POSTGRES:
        if not path.parent.exists():
            name_database("nowhere")
        return
    use_database(path)
    if not path.parent.exists():  # a test that wants the database to be down
        return
    with connection.cursor() as cursor:
        for statement in (schema.META, *schema.TABLES.split(";")):
            cursor.execute(statement)
        cursor.execute(schema.WRITE_META.replace("?", "%s"), ["schema", str(schema.VERSION)])
    connections.close_all()


class TestStore(StoreContract):
    """Every promise of a store, on Django's connections."""

    @pytest.fixture(autouse=True)
    def _database(self, tmp_path: Path) -> None:
        make_tables(tmp_path / "store.db")
        if POSTGRES:
            fresh_database()

    def make(self, clock: Clock) -> DjangoStore:
        """The store on the database of this test."""
        return store_for("default", clock=clock)

    def teardown_method(self) -> None:
        """Django closes its connections by itself; here it has to be asked."""
        connections.close_all()


class OnConnection(DjangoStore):
    """The store on a connection of the test's own, whatever database the project has."""

    def __init__(self, raw: sqlite3.Connection) -> None:
        super().__init__("default")
        self._own = raw

    @property
    def raw(self) -> sqlite3.Connection:
        """The driver's connection."""
        return self._own


@pytest.mark.parametrize("notes", [True, False], ids=["message", "row"])
@pytest.mark.parametrize(
    ("journal", "before", "for_notes"),
    [("wal", 2, 1), ("wal", 3, 1), ("wal", 0, 0), ("delete", 2, 2)],
)
def test_only_messages_are_not_waited_for(
    tmp_path: Path, journal: str, before: int, for_notes: int, notes: bool
) -> None:
    """What only concerns messages is not synced in WAL mode; the connection is as it was then."""
    raw = sqlite3.connect(tmp_path / "x.db", isolation_level=None)
    raw.execute(f"PRAGMA journal_mode={journal}")
    raw.execute(f"PRAGMA synchronous={before}")
    with OnConnection(raw).writing(notes=notes) as work:
        assert work is not None
        assert raw.execute("PRAGMA synchronous").fetchone() == (for_notes if notes else before,)
    assert raw.execute("PRAGMA synchronous").fetchone() == (before,)
    raw.close()


class Server:
    """What servers do with an answer of Django's: no body after HEAD, no space before a value."""

    def __init__(self, app: Any) -> None:
        self._app = app

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            return start_response(status, [(k, v.strip()) for k, v in headers], exc_info)

        body = self._app(environ, start)
        return ClosingIterator(body) if environ["REQUEST_METHOD"] == "HEAD" else body


class ClosingIterator:
    """Nothing, and the end of what it stands for."""

    def __init__(self, body: Any) -> None:
        self.close = body.close

    def __iter__(self) -> Iterator[bytes]:
        return iter(())


class Project:
    """The settings of the stages of one test; they go when its last client has gone.

    Settings are one pile for the whole process, and clients are closed in any order.
    """

    pile: ClassVar[list[Any]] = []
    clients: ClassVar[list[object]] = []

    @classmethod
    def enter(cls, client: object, stage: Stage, urls: object = staging.__name__) -> None:
        """Put the settings of a stage on top."""
        cls.clients.append(client)
        cls.pile.append(staged(stage, urls))
        cls.pile[-1].__enter__()

    @classmethod
    def leave(cls, client: object) -> None:
        """This client has gone."""
        cls.clients.remove(client)
        while cls.pile and not cls.clients:
            cls.pile.pop().__exit__(None, None, None)


@contextmanager
def staged(stage: Stage, urls: object) -> Iterator[None]:
    """The project with the settings of a stage, its database, and the one view."""
    given: dict[str, Any] = {**stage.settings}
    make_tables(Path(given.pop("store").removeprefix("sqlite:///")))
    chosen = override_settings(
        SEEOTHER=given,
        ROOT_URLCONF=urls,
        MIDDLEWARE=[MIDDLEWARE[0]] * stage.layers + MIDDLEWARE[1:2],
        ALLOWED_HOSTS=["*"],
    )
    with chosen:
        staging.STAGE.append(stage)
        assert stage.effects.engine.url
        yield
    staging.STAGE.pop()
    connections.close_all()


class Served(WSGIClient):
    """Django's WSGI handler behind a lint."""

    def __init__(self, stage: Stage) -> None:
        Project.enter(self, stage)
        super().__init__(WSGILint(Server(WSGIHandler())))

    def close(self) -> None:
        """The project is as it was."""
        Project.leave(self)


class AsyncServed(ASGIClient):
    """Django's ASGI handler."""

    def __init__(self, stage: Stage, urls: object = staging.__name__) -> None:
        Project.enter(self, stage, urls)
        self._streams: list[ASGIStream] = []
        super().__init__(stripped(ASGIHandler()))

    def start(self, ask: Ask) -> ASGIStream:
        """Remember what was started."""
        self._streams.append(super().start(ask))
        return self._streams[-1]

    def close(self) -> None:
        """The project is as it was.

        Every call has to end on its loop: asgiref puts the context of one that is collected
        elsewhere into the context of whoever collects it.
        """
        for stream in self._streams:
            stream.close()
            stream.finished()
        super().close()
        Project.leave(self)


def stripped(app: Any) -> Any:
    """Servers send no body after HEAD."""

    async def run(scope: Any, receive: Any, send: Any) -> None:
        async def say(message: Any) -> None:
            bodiless = scope.get("method") == "HEAD" and "body" in message
            await send({**message, "body": b""} if bodiless else message)

        await app(scope, receive, say)

    return run


class OnEither(Harness):
    """The effects are in the project's own database, also where it is PostgreSQL."""

    @pytest.fixture(autouse=True)
    def _on_postgres(self, _on_stage: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        if POSTGRES:
            from tests.adapters.pg_stages import PgEffects, written

            url = fresh_database()
            self.effects = PgEffects(url)
            monkeypatch.setattr(quiet, "bytes_of", lambda _: written(url))
        yield
        if POSTGRES:
            self.effects.shut()


class Staged(OnEither, AdapterContract, AlonePromises):
    """Every promise of every adapter, and of one that stands alone."""


class TestJoined(Staged):
    """Every promise in mode joined."""

    def client(self, stage: Stage) -> Served:
        """The project with these settings."""
        return Served(stage)


class TestSeparate(TestJoined):
    """Every promise in mode separate."""

    mode: ClassVar[Mode] = "separate"


class TestFenced(OnEither, SubmissionPromises, VisitPromises):
    """What submissions and visits promise, in mode fenced."""

    mode: ClassVar[Mode] = "fenced"
    client = TestJoined.client


class TestAsyncJoined(Staged):
    """Every promise in mode joined under ASGI."""

    def client(self, stage: Stage) -> AsyncServed:
        """The project with these settings."""
        return AsyncServed(stage)


class TestAsyncFenced(OnEither, SubmissionPromises):
    """What submissions promise, in mode fenced under ASGI."""

    mode: ClassVar[Mode] = "fenced"
    client = TestAsyncJoined.client


if ALL:

    class TestAllFenced(TestJoined):
        """Every promise in mode fenced."""

        mode: ClassVar[Mode] = "fenced"

    class TestAllAsyncFenced(TestAsyncJoined):
        """Every promise in mode fenced under ASGI."""

        mode: ClassVar[Mode] = "fenced"


class TestAsyncSeparate(TestAsyncJoined):
    """Every promise in mode separate under ASGI."""

    mode: ClassVar[Mode] = "separate"


class TestAsyncViews(SubmissionPromises, QuietPromises):
    """The promises about submissions, and about what runs beside them, for `async def` views."""

    def client(self, stage: Stage) -> AsyncServed:
        """The project with these settings, and a view of the event loop."""
        return AsyncServed(stage, staging.ASYNC_VIEWS)

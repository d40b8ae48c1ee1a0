"""Steps of the PostgreSQL store: in a transaction of the app's, and where others are at it."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from sqlalchemy import Connection, make_url
from sqlalchemy.ext.asyncio import create_async_engine

from seeother.core.ledger import step
from seeother.core.ops import (
    Busy,
    Close,
    Done,
    Granted,
    Open,
    Rearm,
    Settle,
    Settled,
    Take,
    Taken,
)
from seeother.errors import StoreBusy
from seeother.sqlalchemy_asyncio import AsyncTransaction
from seeother.stores import postgres as pg
from seeother.stores.pg_wire import Wire, spelled
from seeother.stores.postgres import PostgresStore
from seeother.testing import FakeClock
from seeother.testing.harness import ANN, claim, key, outcome, page, receipt

if TYPE_CHECKING:
    from tests.servers.postgres import Postgres


@pytest.fixture
def store(postgres: "Postgres") -> Iterator[PostgresStore]:
    """On a schema of its own, with a table of an app's."""
    made = PostgresStore(postgres.fresh(), clock=FakeClock())
    made.prepare()
    with psycopg.connect(made.url) as connection:
        connection.execute("CREATE TABLE note(text text UNIQUE)")
    yield made
    made.shut()


def settle(store: PostgresStore, name: str = "token", **more: Any) -> Settle:
    """Claim, and what there is to settle."""
    mine = claim(key(name))
    grant = store.claim(mine)
    assert isinstance(grant, Granted)
    return Settle(mine.key, grant, mine.fingerprint, outcome(), **more)


# In a transaction of the app's --------------------------------------------------------------------


def test_a_step_is_part_of_whatever_is_open(store: PostgresStore) -> None:
    """It neither begins nor commits: rolled back with the effect, or seen together with it."""
    mine = claim()
    for commits in (False, True):
        with psycopg.connect(store.url) as app:
            app.execute("INSERT INTO note VALUES('hello')")
            with store.on(app) as work:
                grant = work.hold(mine)
            with store.on(app) as work:
                work.hold(Settle(mine.key, grant, mine.fingerprint, outcome()))
            with store.reading() as elsewhere:
                assert elsewhere.row(mine.key) is None
            if not commits:
                app.rollback()
                assert app.execute("SELECT * FROM note").fetchall() == []
    assert store.claim(claim(by="another")) == Settled(outcome(), 0.0)


def test_a_row_that_came_first_is_busy(store: PostgresStore) -> None:
    """Two transactions that read before either wrote: the second one is to be taken back."""
    mine = claim()
    row = step(None, mine, store.clock())[0]

    def late(app: Any) -> None:
        with store.on(app) as work:
            assert work.row(mine.key) is None
            store.settle(settle(store))
            work.keep(mine.key, row)

    with psycopg.connect(store.url) as app:
        app.execute("INSERT INTO note VALUES('second')")
        with pytest.raises(StoreBusy, match="already"):
            late(app)
        app.rollback()
    assert store.claim(claim(by="another")) == Settled(outcome(), 0.0)


def test_a_constraint_of_the_app_is_the_apps(store: PostgresStore) -> None:
    """What the step sends together with its own rows, but fails for another table's sake."""
    with psycopg.connect(store.url) as app:
        app.execute("INSERT INTO note VALUES('hello')")
        with pytest.raises(psycopg.errors.UniqueViolation, match="note"), store.on(app) as work:
            work.wire.say("INSERT INTO note VALUES('hello')")


def test_whether_a_transaction_has_written(store: PostgresStore) -> None:
    """Not before it began, not for reading, not after an error, not when the server is gone."""
    app = psycopg.connect(store.url)
    assert not store.has_written(app)
    app.execute("SELECT * FROM note")
    assert not store.has_written(app)
    app.execute("INSERT INTO note VALUES('hello')")
    assert store.has_written(app)
    with pytest.raises(psycopg.errors.UniqueViolation):
        app.execute("INSERT INTO note VALUES('hello')")
    assert not store.has_written(app)
    app.rollback()
    with pytest.raises(psycopg.OperationalError):
        app.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    assert not store.has_written(app)


# Where others are at it ---------------------------------------------------------------------------


@contextmanager
def held(store: PostgresStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """All receipts are locked by somebody, for longer than anybody waits."""
    monkeypatch.setattr(pg, "HOLD", "SET LOCAL lock_timeout='10ms'")
    with psycopg.connect(store.url) as other:
        other.execute("SELECT * FROM so_receipt FOR UPDATE")
        yield


def test_a_message_that_somebody_holds_is_busy(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Taken, acknowledged and shown again only when its row is free; then all three work."""
    left = receipt("receipt", "saved")
    store.settle(settle(store, receipt=left))
    take = Take(ANN, (page(),), b"lease", 60.0)
    close = Close(shown=(page(),), lease_id=b"lease")
    rearm = Rearm(page(), 0.0)
    with held(store, monkeypatch):
        replies = [store.take(take), store.close(close), store.rearm(rearm)]
    assert replies == [Busy()] * 3
    monkeypatch.undo()
    assert store.take(take) == (Taken(page(), left.messages, False),)
    assert [store.close(close), store.rearm(rearm)] == [Done()] * 2
    assert store.open(Open(ANN, None, page(), messages=True)).waiting == (page(),)


def test_drafts_have_a_limit(store: PostgresStore) -> None:
    """The oldest ones go first, as many as it takes; messages and rows stay."""
    store.max_kept = 25
    for name in ("one", "two", "six"):
        left = receipt(name, "saved", draft=b"ten bytes!")
        store.settle(settle(store, name, receipt=left))
    with store.reading() as work:
        kept = work.run("SELECT id, length(draft), length(messages)>0 FROM so_receipt ORDER BY n")
        assert [row[1:] for row in kept] == [(0, True), (10, True), (10, True)]
        assert (work.drafts(), len(work.run("SELECT 1 FROM so_ledger"))) == (20, 3)


# What goes over the wire --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, False, 0, -1, 2**62, 0.1, -1.5e-7, 1e300, float("inf")),
        *(b"", bytes(range(256)), "it's 100 %", datetime(2030, 1, 2, 3, 4, 5, 678901, UTC)),
    ],
)
def test_a_literal_comes_back_as_it_was(store: PostgresStore, value: Any) -> None:
    """Every kind of value that a statement is spelled with."""
    with store.reading() as work:
        (found,) = work.run("SELECT ?", value).fetchone()
    assert (found, type(found)) == (value, type(value))


def test_a_table_is_known_by_its_name(store: PostgresStore) -> None:
    """In the schema that comes first in the search path, with capital letters or not."""
    with store.reading() as work:
        work.run('CREATE TABLE "Old Sessions"(a int)')
        names = ("note", "Old Sessions", "old sessions", "nothing")
        assert [work.has_table(name) for name in names] == [True, True, False, False]


def test_a_question_that_comes_often_is_not_prepared(store: PostgresStore) -> None:
    """The driver would, on an app's connection as well, where it is not ours to say."""
    with psycopg.connect(store.url) as app:
        for _ in range(9):
            assert Wire(app).ask("SELECT 1", spelled("SELECT %s", (2,))) == [[(1,)], [(2,)]]
            assert Wire(app).ask("SELECT 3") == [[(3,)]]
        left = app.execute("SELECT count(*) FROM pg_prepared_statements").fetchone()
    assert left == (0,)


def test_a_step_on_an_asyncio_driver(store: PostgresStore) -> None:
    """The very same step, in a greenlet: one message, and its answers one after the other."""

    def step_there(connection: Connection) -> list[Any]:
        transaction = AsyncTransaction(connection.engine, aside=lambda ask: ask())
        assert transaction.begin()
        with store.on(transaction.raw) as work:
            work.wire.say("INSERT INTO note VALUES('hello')")
            found = work.wire.ask("SELECT 1", "SELECT text FROM note")
        transaction.commit()
        return found

    async def there() -> list[Any]:
        engine = create_async_engine(make_url(store.url).set(drivername="postgresql+psycopg"))
        async with engine.connect() as connection:
            found = await connection.run_sync(step_there)
        await engine.dispose()
        return found

    assert asyncio.run(there()) == [[(1,)], [("hello",)]]
    with psycopg.connect(store.url) as app:
        assert app.execute("SELECT text FROM note").fetchall() == [("hello",)]

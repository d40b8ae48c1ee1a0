"""Joined and fenced on psycopg's own pool, through WSGI, on a real server."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg_pool import ConnectionPool

from seeother.core.ops import Abandon, Done, Fenced, Granted, InFlight, Settle, Settled, Unknown
from seeother.errors import StoreBusy, StoreDown
from seeother.psycopg import LateTransaction, Transaction
from seeother.stores.pg_wire import IDLE
from seeother.stores.postgres import PostgresStore
from seeother.testing import FakeClock
from seeother.testing.adapter import Browser, WSGIClient
from seeother.testing.adapter.browser import token
from seeother.testing.adapter.harness import FORM, together
from seeother.testing.adapter.stage import SECRET, page
from seeother.testing.harness import LEASE, claim, outcome
from seeother.wsgi import SeeOther, once

if TYPE_CHECKING:
    from tests.servers.postgres import Postgres

Pool = ConnectionPool[psycopg.Connection[Any]]


class Site:
    """A pool, a store on the same schema, and what happened there."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.pool: Pool = ConnectionPool(url, min_size=0, max_size=8, timeout=5, open=True)
        self.store = PostgresStore(url, clock=FakeClock())
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE note(id serial PRIMARY KEY, text text UNIQUE)")

    def notes(self) -> list[str]:
        """As another process sees it."""
        with psycopg.connect(self.url) as connection:
            return [row[0] for row in connection.execute("SELECT text FROM note ORDER BY id")]

    def end(self) -> None:
        """Close everything."""
        self.pool.close()
        self.store.shut()


@pytest.fixture
def site(postgres: "Postgres") -> Iterator[Site]:
    """On a schema of its own."""
    made = Site(postgres.fresh())
    yield made
    made.end()


def add(connection: psycopg.Connection[Any], text: str) -> None:
    """The effect."""
    connection.execute("INSERT INTO note(text) VALUES(%s)", [text])


def test_effect_and_row_commit_together(site: Site) -> None:
    """Joined: before COMMIT nobody sees either; the connection goes back as it came."""
    transaction = Transaction(site.pool)
    joined, mine = site.store.within(transaction), claim()
    grant = joined.perform(mine)
    assert isinstance(grant, Granted)
    connection = transaction.connection
    with connection.transaction():
        add(connection, "hello")
    assert site.notes() == []
    assert joined.perform(Settle(mine.key, grant, mine.fingerprint, outcome())) == Done()
    assert site.notes() == ["hello"]
    assert site.store.claim(claim(by="another")) == Settled(outcome(), 0.0)
    assert not connection.autocommit
    connection.commit()  # the connection's own again


def test_the_transaction_is_not_the_views(site: Site) -> None:
    """`commit()` and `rollback()` raise inside; abandoned nothing is left."""
    transaction = Transaction(site.pool)
    joined, mine = site.store.within(transaction), claim()
    grant = joined.perform(mine)
    add(transaction.connection, "hello")
    for name in ("commit", "rollback", "close"):
        with pytest.raises(RuntimeError, match="once"):
            getattr(transaction.connection, name)()
    joined.perform(Abandon(mine.key, grant))
    assert site.notes() == []
    assert site.store.lookup(_look()) == Unknown()
    with pytest.raises(StoreDown):
        _ = transaction.connection


def test_who_was_taken_over_leaves_nothing(site: Site) -> None:
    """Fenced: its lease ran out and another one settled; the late effect is rolled back."""
    late = LateTransaction(site.pool)
    zombie, mine = site.store.fenced(late), claim(takeover=True)
    grant = zombie.perform(mine)
    late.open()
    add(late.connection, "zombie")
    assert site.store.claim(claim(by="another", takeover=True)) == InFlight()
    site.store.clock.tick(LEASE)  # type: ignore[attr-defined]
    other = claim(by="another", takeover=True)
    winner = site.store.claim(other)
    assert isinstance(winner, Granted)
    site.store.settle(Settle(other.key, winner, other.fingerprint, outcome("/winner")))
    told = zombie.perform(Settle(mine.key, grant, mine.fingerprint, outcome("/late")))
    assert told == Fenced(outcome("/winner"))
    assert site.notes() == []


def test_an_empty_pool_is_busy(site: Site) -> None:
    """No free connection: False where it begins at once, StoreBusy where it begins late."""
    small: Pool = ConnectionPool(site.url, min_size=1, max_size=1, timeout=0.01, open=True)
    small.wait()
    with small.connection():
        assert not Transaction(small, 0.01).begin()
        with pytest.raises(StoreBusy):
            LateTransaction(small, 0.01).open()
    small.close()


def test_a_connection_that_the_server_ended_is_replaced(site: Site) -> None:
    """An administrator ended every connection while nobody used it: nobody notices."""
    for _ in range(2):
        transaction, mine = Transaction(site.pool), claim(by="a")
        joined = site.store.within(transaction)
        reply = joined.perform(mine)
        joined.perform(Abandon(mine.key, reply))
        with psycopg.connect(site.url) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )
        assert isinstance(reply, Granted)


@pytest.mark.parametrize("mode", ["joined", "fenced"])
def test_once_takes_a_pool(site: Site, mode: str) -> None:
    """Four threads through WSGI, and a duplicate later: one note, one answer; SQLAlchemy unused."""

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        if environ["REQUEST_METHOD"] == "GET":
            environ["wsgi.input"].read()
            return respond(start_response, page(FORM))
        return once(environ, site.pool, save)(environ, start_response)

    def save(connection: psycopg.Connection[Any], visit: Any) -> Any:
        add(connection, visit.form["message"])
        return visit.see_other("/done", flash="Saved.")

    outer = SeeOther(app, secret=SECRET, namespace="psycopg", store=site.url, mode=mode)
    browser = Browser(WSGIClient(outer))
    form = browser.get("/")
    sent = {"so_token": token(form), "message": "hello"}
    answers = together(*[lambda: browser.post(sent)] * 4)
    answers.append(browser.post(sent))
    assert {a.status for a in answers} == {303}
    assert len({a.location for a in answers}) == 1
    assert site.notes() == ["hello"]
    outer.store.shut()


def test_a_transaction_begins_once(site: Site) -> None:
    """`begin` may be called again, and `rollback` as often as one likes."""
    transaction = Transaction(site.pool)
    transaction.rollback()
    assert transaction.begin() and transaction.begin()
    taken = transaction.raw
    transaction.rollback()
    transaction.rollback()
    assert taken.info.transaction_status == IDLE
    assert site.pool.get_stats()["pool_available"] == 1


def test_a_pool_that_was_closed_is_down(site: Site) -> None:
    """Not busy: asking again would not help."""
    site.pool.close()
    with pytest.raises(StoreDown, match="closed"):
        Transaction(site.pool).begin()


def test_a_connection_that_breaks_inside_the_view(site: Site) -> None:
    """503 with the text kept, no effect; the same token has its effect at the next try."""
    breaks = [True, False]

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        if environ["REQUEST_METHOD"] == "GET":
            return respond(start_response, page(FORM))
        return once(environ, site.pool, save)(environ, start_response)

    def save(connection: psycopg.Connection[Any], visit: Any) -> Any:
        add(connection, visit.form["message"])
        if breaks.pop(0):
            connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return visit.see_other("/done")

    said: dict[str, Any] = {"namespace": "breaks", "store": site.url, "mode": "joined"}
    outer = SeeOther(app, secret=SECRET, **said)
    browser = Browser(WSGIClient(outer))
    sent = {"so_token": token(browser.get("/")), "message": "hello"}
    first = browser.post(sent)
    assert first.status == 503
    assert "hello" in first.text
    assert site.notes() == []
    assert browser.post(sent).status == 303
    assert site.notes() == ["hello"]
    outer.store.shut()


def respond(start_response: Any, answer: Any) -> list[bytes]:
    """A core response."""
    headers = [(k.decode("latin-1"), v.decode("latin-1")) for k, v in answer.headers]
    start_response(f"{answer.status} OK", headers)
    return [answer.body]


def _look() -> Any:
    from seeother.core.ops import Lookup

    mine = claim()
    return Lookup(mine.key, mine.fingerprint, 10.0)

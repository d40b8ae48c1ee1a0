"""Waiting on PostgreSQL: a duplicate elsewhere is answered right after the first commit."""

import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import create_engine, make_url, text

from seeother.core.ops import Watch
from seeother.stores.postgres import PostgresStore
from seeother.testing.adapter import Browser, WSGIClient
from seeother.testing.adapter.browser import token
from seeother.testing.adapter.harness import FORM
from seeother.testing.adapter.stage import SECRET, page
from seeother.testing.harness import key
from seeother.wsgi import SeeOther, once
from tests.stores.test_postgres_psycopg import respond

if TYPE_CHECKING:
    from tests.servers.postgres import Postgres

WAIT = 30.0
BLOCKED = (
    "SELECT count(*) FROM pg_locks WHERE locktype='advisory' AND NOT granted"
    " AND database=(SELECT oid FROM pg_database WHERE datname=current_database())"
)


class Node:
    """One process: an app with a driver, a store and an engine of its own; its view may be held."""

    def __init__(self, url: str) -> None:
        self.engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"), pool_size=9)
        self.inside, self.may_go = threading.Event(), threading.Event()
        said: dict[str, Any] = {"namespace": "node", "mode": "joined", "patience": WAIT}
        self.outer = SeeOther(self.app, secret=SECRET, store=url, **said)
        self.client = WSGIClient(self.outer)

    def app(self, environ: Any, start_response: Any) -> Any:
        """A form, and a view that says when it has begun."""
        if environ["REQUEST_METHOD"] == "GET":
            return respond(start_response, page(FORM))
        return once(environ, self.engine, self.save)(environ, start_response)

    def save(self, connection: Any, visit: Any) -> Any:
        """The effect, and then a long thought."""
        connection.execute(
            text("INSERT INTO effect VALUES (:what)"), {"what": visit.form["message"]}
        )
        self.inside.set()
        assert self.may_go.wait(WAIT)
        return visit.see_other("/done", flash="Saved.")

    def end(self) -> None:
        """Close everything."""
        self.outer.store.shut()
        self.engine.dispose()


@pytest.fixture
def nodes(postgres: "Postgres") -> Iterator[list[Node]]:
    """Two of them on one database."""
    url = postgres.fresh()
    made = [Node(url), Node(url)]
    with made[0].engine.begin() as connection:
        connection.execute(text("CREATE TABLE effect (what text)"))
    yield made
    for node in made:
        node.may_go.set()
        node.end()


def started(*jobs: Callable[[], Any]) -> list[Any]:
    """Run these on threads; their answers are put into the list as they come."""
    answers: list[Any] = []
    threads = [threading.Thread(target=lambda job=job: answers.append(job())) for job in jobs]
    for thread in threads:
        thread.start()
    return [answers, threads]


def until(asked: Callable[[], bool]) -> None:
    """Ask the server again and again until it is so."""
    over = threading.Event()
    for _ in range(3_000):
        if asked():
            return
        over.wait(0.01)
    raise AssertionError("it never came to that")


def test_four_duplicates_in_another_process_have_one_waiter(
    nodes: list[Node], postgres: "Postgres"
) -> None:
    """While the view runs one connection is blocked there, and no more; then all are answered."""
    browser = Browser(nodes[0].client)
    sent = {"so_token": token(browser.get("/")), "message": "hello"}
    other = Browser(nodes[1].client)
    other.cookies = browser.cookies
    first, threads = started(lambda: browser.post(sent))
    assert nodes[0].inside.wait(WAIT)
    answers, waiting = started(*[lambda: other.post(sent)] * 4)
    room = nodes[1].outer.driver.room
    until(lambda: [len(seats) for seats in room._waiting.values()] == [3])
    until(lambda: postgres.run(BLOCKED) == [(1,)])
    assert (first, answers, nodes[1].inside.is_set()) == ([], [], False)
    nodes[0].may_go.set()
    for thread in (*threads, *waiting):
        thread.join(WAIT)
    assert {(a.status, a.location) for a in (*first, *answers)} == {(303, first[0].location)}
    with nodes[0].engine.connect() as connection:
        assert connection.execute(text("SELECT what FROM effect")).all() == [("hello",)]


def test_nobody_to_wait_for_is_said_at_once(postgres: "Postgres") -> None:
    """False where no transaction has the submission; the one who asks naps instead."""
    store = PostgresStore(postgres.fresh())
    assert store.watch(Watch(key(), 1.0)) is False
    store.shut()


def test_a_patience_that_ends_is_no_error(nodes: list[Node]) -> None:
    """The holder takes longer than the limit: True, and the flow decides."""
    store, engine = nodes[1].outer.store, nodes[0].engine
    assert isinstance(store, PostgresStore)
    from seeother.stores.pg_rows import lock_of

    with engine.begin() as connection:
        connection.execute(text(f"SELECT pg_advisory_xact_lock({lock_of(key())})"))
        assert store.watch(Watch(key(), 0.02)) is True
    assert store.watch(Watch(key(), 0.02)) is False

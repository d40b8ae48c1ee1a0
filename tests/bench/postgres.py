"""The ledger on PostgreSQL: a submission against its effect alone, on a server that syncs.

The effect alone is one INSERT that commits by itself, on a connection that is open and with a
statement that is prepared: nothing an app could do is cheaper. Where an app takes a transaction
from SQLAlchemy or from psycopg's pool, it is that one with the same INSERT.
"""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from statistics import median
from typing import Any

import psycopg
from psycopg_pool import ConnectionPool
from sqlalchemy import create_engine, event, make_url, text

from seeother.core.ops import Granted, Lookup, Settle
from seeother.psycopg import Statement
from seeother.psycopg import Transaction as OfPool
from seeother.sqlalchemy import Transaction as OfEngine
from seeother.stores.postgres import PostgresStore
from seeother.testing.adapter import Browser
from seeother.testing.adapter.browser import token
from seeother.testing.harness import PATIENCE, claim, key, named, outcome, receipt
from tests.bench.measure import Contestant, Scale, Summary, added, interleaved, spent, times
from tests.bench.report import Line
from tests.servers import NoServer
from tests.servers.postgres import Postgres
from tests.stores.test_postgres_waiting import BLOCKED, Node, until

FUTURE = 2e9
BUDGET = 1.15
# A disk that others use too is slow for a while and fast for a while: many rounds of one call each.
TURNS = 60
NOTE = "INSERT INTO note(text) VALUES('hello')"
TABLE = "CREATE TABLE note(id bigserial PRIMARY KEY, text text NOT NULL)"
WAL = "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn"


def lines(scale: Scale) -> Iterator[Line]:
    """P9."""
    try:
        server = Postgres()
    except NoServer:
        return
    with server:
        made = Made(server.fresh())
        try:
            yield from _latency(scale, made)
            yield from _bytes(scale, made, server)
        finally:
            made.end()
        made = Made(f"{server.fresh()}%20-csynchronous_commit%3Doff")
        try:
            yield from _beside_the_disk(scale, made)
        finally:
            made.end()
        yield _waiting(scale, server)


ONE = {
    "one statement: claim, effect, record": "statement",
    "one statement: a message as well": "message",
    "one statement after its look-up: all of a submission": "whole",
}
JOINED = {
    "all of a submission, joined, psycopg's pool": ("pool", "bare pool"),
    "all of a submission, joined, SQLAlchemy": ("engine", "bare engine"),
}


def _latency(scale: Scale, made: "Made") -> Iterator[Line]:
    one = made.in_one()
    joined = {
        "bare pool": Contestant(made.bare_pool),
        "pool": Contestant(made.joined_pool, made.claims),
        "bare engine": Contestant(made.bare_engine),
        "engine": Contestant(made.joined_engine, made.claims),
    }
    found = interleaved(one, rounds=scale.rounds * TURNS, block=1)
    found |= interleaved(joined, rounds=scale.rounds * TURNS // 3, block=1)
    alone = spent(found["bare"], "wall")
    yield Line.of("P9", "PostgreSQL: the effect alone, one INSERT, p50", alone, "us")
    for name, which in ONE.items():
        ratio = times(found["bare"], found[which], "wall")
        yield Line.of("P9", f"  {name}, against that", ratio, "x", BUDGET)
    for name, (which, against) in JOINED.items():
        ratio = times(found[against], found[which], "wall")
        yield Line.of("P9", f"  {name}, against its effect", ratio, "x")
    yield Line.of("P9", "  CPU of the worker: the effect alone", spent(found["bare"]), "us")
    for name, which in ONE.items():
        yield Line.of("P9", f"  CPU of the worker: {name}", spent(found[which]), "us")
    for name, (which, against) in JOINED.items():
        yield Line.of(
            "P9", f"  CPU of the worker: its effect, {against}", spent(found[against]), "us"
        )
        yield Line.of("P9", f"  CPU of the worker: {name}", spent(found[which]), "us")


def _beside_the_disk(scale: Scale, made: "Made") -> Iterator[Line]:
    """What is left where nobody waits for the disk: this much it adds to any effect."""
    found = interleaved(made.in_one(), rounds=scale.rounds * 3, block=20)
    alone = spent(found["bare"], "wall")
    yield Line.of("P9", "  no wait for the disk (synchronous_commit=off): the effect", alone, "us")
    for name, which in ONE.items():
        more = added(found["bare"], found[which], "wall")
        yield Line.of("P9", f"  no wait for the disk: {name}, adds", more, "us")


def _bytes(scale: Scale, made: "Made", server: Postgres) -> Iterator[Line]:
    """Without the pages that a checkpoint makes PostgreSQL write whole."""
    asked: dict[str, Callable[[Any], object]] = {
        "the effect alone": made.bare,
        "one statement": made.statement,
        "one statement and a message": made.message,
    }
    for name, run in asked.items():
        found = []
        for _ in range(max(2, scale.rounds)):
            items = made.claims(10)
            before = server.run(WAL)[0][0]
            for item in items:
                run(item)
            found.append(float(server.run(WAL)[0][0] - before) / len(items))
        yield Line("P9", f"  log written (WAL): {name}", median(found), "bytes")


def _waiting(scale: Scale, server: Postgres) -> Line:
    """From the moment when the first one's COMMIT was answered, by the clock of this process."""
    url = server.fresh()
    nodes = Node(url), Node(url)
    with nodes[0].engine.begin() as connection:
        connection.execute(text("CREATE TABLE effect (what text)"))
    try:
        found = [_waited(nodes, server) for _ in range(max(2, scale.cycles))]
    finally:
        for node in nodes:
            node.may_go.set()
            node.end()
    what = "a duplicate that waits elsewhere is answered after the first COMMIT, p50"
    return Line.of("P9", f"  {what}", Summary.of(found), "ms")


def _waited(nodes: tuple[Node, Node], server: Postgres) -> float:
    first, other = nodes
    for node in nodes:
        node.inside.clear()
        node.may_go.clear()
    committed: list[float] = []
    answered: list[float] = []
    browser, again = Browser(first.client), Browser(other.client)
    sent = {"so_token": token(browser.get("/")), "message": "hello"}
    again.cookies = browser.cookies

    def duplicate() -> None:
        assert again.post(sent).status == 303
        answered.append(time.perf_counter())

    def given_back(*_: Any) -> None:
        committed.append(time.perf_counter())

    event.listen(first.engine, "checkin", given_back)
    threads = [threading.Thread(target=lambda: browser.post(sent))]
    threads[0].start()
    assert first.inside.wait(PATIENCE)
    threads.append(threading.Thread(target=duplicate))
    threads[1].start()
    until(lambda: server.run(BLOCKED) == [(1,)])
    first.may_go.set()
    for thread in threads:
        thread.join()
    event.remove(first.engine, "checkin", given_back)
    assert not other.inside.is_set()
    return (answered[0] - committed[0]) * 1e3


class Made:
    """Apps on one schema, and submissions that nobody has sent yet."""

    def __init__(self, url: str) -> None:
        self._numbers = count()
        self.store = PostgresStore(url)
        self.raw = psycopg.connect(url, autocommit=True)
        self.raw.execute(TABLE)
        self.pool: ConnectionPool[Any] = ConnectionPool(url, min_size=1, max_size=1, open=True)
        self.engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))

    def end(self) -> None:
        """Close everything."""
        self.store.shut()
        self.raw.close()
        self.pool.close()
        self.engine.dispose()

    def in_one(self) -> dict[str, Contestant]:
        """The effect alone, and in one statement with more and more around it."""
        return {
            "bare": Contestant(self.bare),
            "statement": Contestant(self.statement, self.claims),
            "message": Contestant(self.message, self.claims),
            "whole": Contestant(self.whole, self.claims),
        }

    def claims(self, amount: int) -> list[Any]:
        """New submissions."""
        return [claim(key(f"{next(self._numbers)}", issued=FUTURE)) for _ in range(amount)]

    def bare(self, _item: object) -> None:
        """The effect alone, as cheap as it gets."""
        self.raw.execute("INSERT INTO note(text) VALUES(%s)", ["hello"])

    def bare_pool(self, _item: object) -> None:
        """The effect in a transaction of the pool's."""
        with self.pool.connection() as connection:
            connection.execute(NOTE)

    def bare_engine(self, _item: object) -> None:
        """The effect in a transaction of the engine's."""
        with self.engine.begin() as connection:
            connection.execute(text(NOTE))

    def statement(self, mine: Any) -> None:
        """Claim, effect and record."""
        self._said(mine, self._settle(mine))

    def message(self, mine: Any) -> None:
        """Claim, effect, record and message."""
        self._said(mine, self._told(mine))

    def whole(self, mine: Any) -> None:
        """All that the store is asked for one submission."""
        self._said(mine, self._told(mine), _look(mine))

    def joined_pool(self, mine: Any) -> None:
        """A whole submission, with a message."""
        self.store.perform(_look(mine))
        transaction = OfPool(self.pool)
        joined = self.store.within(transaction)
        grant = joined.perform(mine)
        transaction.connection.execute(NOTE)
        joined.perform(replace(self._told(mine), grant=grant))

    def joined_engine(self, mine: Any) -> None:
        """A whole submission, with a message."""
        self.store.perform(_look(mine))
        transaction = OfEngine(self.engine)
        joined = self.store.within(transaction)
        grant = joined.perform(mine)
        transaction.connection.execute(text(NOTE))
        joined.perform(replace(self._told(mine), grant=grant))

    def _said(self, mine: Any, settle: Settle, look: Lookup | None = None) -> None:
        statement = Statement()
        once = self.store.within(statement)
        if look is not None:
            once.perform(look)
        assert isinstance(once.perform(mine), Granted)
        statement.effect("INSERT INTO note(text) SELECT %s FROM claimed", ["hello"])
        once.perform(settle)

    def _settle(self, mine: Any) -> Settle:
        return Settle(mine.key, Granted(1, mine.claim_id), mine.fingerprint, outcome())

    def _told(self, mine: Any) -> Settle:
        name = f"{next(self._numbers)}"
        left = receipt(name, "saved", key=mine.key, visitor=named(name))
        return replace(self._settle(mine), outcome=outcome(receipt=left.id), receipt=left)


def _look(mine: Any) -> Lookup:
    return Lookup(mine.key, mine.fingerprint, PATIENCE)

"""The PostgreSQL store, on a real server: the whole contract, its URLs, its tables."""

from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from seeother.core.ops import Granted, Settle
from seeother.errors import PolicyError
from seeother.stores import open_store, pg_connect, pg_schema
from seeother.stores.base import Clock
from seeother.stores.postgres import PostgresStore
from seeother.testing import FakeClock, StoreContract
from seeother.testing.harness import claim, key, outcome

if TYPE_CHECKING:
    from tests.servers.postgres import Postgres


class TestPostgres(StoreContract):
    @pytest.fixture(autouse=True)
    def _server(self, postgres: "Postgres") -> None:
        self.url = postgres.fresh()

    def make(self, clock: Clock) -> PostgresStore:
        return PostgresStore(self.url, clock=clock)

    def reopen(self, store: Any) -> PostgresStore:
        store.shut()
        return PostgresStore(self.url, clock=self.clock)


# URLs and connections -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "found", "connections"),
    [
        ("postgresql://me@db/app", "postgresql://me@db/app", 10),
        ("postgres://me@db:5433/app?connections=3", "postgresql://me@db:5433/app", 3),
        ("postgresql+psycopg://db/app?sslmode=require", "postgresql://db/app?sslmode=require", 10),
        ("postgresql:///app?host=%2Frun%2Fpg", "postgresql:///app?host=%2Frun%2Fpg", 10),
    ],
)
def test_urls_are_libpqs(url: str, found: str, connections: int) -> None:
    """With a driver's name as SQLAlchemy has it, and how many connections a process may have."""
    made = open_store(url)
    assert isinstance(made, PostgresStore)
    assert (made.url, made._connections) == (found, connections)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://db/app?colour=red",
        "postgresql://db/app?connections=0",
        "postgresql://[::1/app",
    ],
)
def test_a_url_that_cannot_be_is_refused(url: str) -> None:
    """At once, and not with the first form."""
    with pytest.raises(PolicyError):
        PostgresStore.from_url(url)


def test_it_knows_its_own_database() -> None:
    """By host, port, name and search path; user and password are another matter."""
    store = PostgresStore("postgresql://me@db/app")
    assert store.leads_to("postgresql+psycopg://you:secret@db/app?sslmode=require")
    for other in ("//me@db/other", "//me@elsewhere/app", "//me@db:5433/app"):
        assert not store.leads_to(f"postgresql:{other}")


def test_a_connection_that_was_not_used_for_long_is_asked(
    postgres: "Postgres", monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its other end may have vanished without a word: the one that answers is used again."""
    monkeypatch.setattr(pg_connect, "UNUSED_SECONDS", -1.0)
    store = PostgresStore(postgres.fresh())
    seen = []
    for _ in range(2):
        with store.pool.connection() as raw:
            seen.append(raw)
    assert seen[0] is seen[1]
    seen[0].close()
    with store.pool.connection() as anew:
        assert anew is not seen[0]
    store.shut()


def test_nothing_stays_on_a_connection(postgres: "Postgres") -> None:
    """No prepared statement, no setting, no lock: a pooler may give the next step another one."""
    store = PostgresStore(postgres.fresh(), connections=1)
    now = store.clock()
    for number in range(12):
        mine = claim(key(f"token {number}", issued=now))
        grant = store.claim(mine)
        assert isinstance(grant, Granted)
        store.settle(Settle(mine.key, grant, mine.fingerprint, outcome()))
    asked = (
        "SELECT count(*) FROM pg_prepared_statements",
        "SELECT count(*) FROM pg_locks WHERE locktype='advisory' AND pid=pg_backend_pid()",
        "SELECT coalesce(current_setting('lock_timeout'), '')",
    )
    with store.reading() as work:
        assert [work.run(one)[0][0] for one in asked] == [0, 0, "0"]
    store.shut()


def test_time_is_the_servers(postgres: "Postgres") -> None:
    """It is heard with a question, and counted on from there with this host's steady clock."""
    store = PostgresStore(postgres.fresh())
    store.prepare()
    assert store.server is not None
    store.server.hear(store.clock() + 1_000.0)  # what a host whose own clock is wrong would have
    store.server._heard -= 10.0
    with store.reading() as work:
        work.row(key())
    (now,) = postgres.run("SELECT extract(epoch FROM clock_timestamp())::float8")[0]
    assert abs(store.clock() - now) < 60.0
    store.shut()


def test_expiry_passes_by_what_is_held(postgres: "Postgres") -> None:
    """A row that somebody has locked is left for the next time, and nobody waits."""
    clock = FakeClock()
    store = PostgresStore(postgres.fresh(), clock=clock)
    for name in ("held", "free"):
        store.claim(claim(key(name)))
    clock.tick(200_000)
    with psycopg.connect(store.url) as other:
        other.execute("SELECT * FROM so_ledger WHERE id=%s FOR UPDATE", [key("held").id])
        assert store.expire_now() == 1
    assert store.expire_now() == 1
    store.shut()


def test_every_statement_uses_an_index(postgres: "Postgres") -> None:
    """No question walks through a whole table, however many rows there are."""
    store = PostgresStore(postgres.fresh())
    ledger = ("READ_ROW", "READ_COUNTED", "DELETE_ROW", "EXPIRE", "VARIANTS", "OWNERS")
    receipts = ("READ_RECEIPT", "DELIVER", "ORPHANS")
    sessions = ("READ_SESSION", "READ_HEAD", "EXPIRE_SESSIONS", "CLEAR_SESSION", "END_SESSION")
    with store.reading() as work:
        work.run("SET enable_seqscan=off")
        for name in (*ledger, *receipts, *sessions):
            first, *others = getattr(pg_schema, name).split("%s")
            sql = first + "".join(f"${n}{rest}" for n, rest in enumerate(others, 1))
            plan = work.run(f"EXPLAIN (GENERIC_PLAN) {sql}")
            walks = [line for (line,) in plan if "Seq Scan on so_" in line]
            assert not walks, (name, plan)
        work.run("RESET enable_seqscan")
    store.shut()

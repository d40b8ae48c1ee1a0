"""Flask with a database of its own: `once` (joined) and without it (hooked), counted in rows."""

import logging
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask, flash, redirect, request, session
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import event
from sqlalchemy.orm import scoped_session, sessionmaker

from seeother.errors import PolicyError
from seeother.flask import SeeOther, see_other
from seeother.flask.hooked import RUNNING, _on_commit
from tests.adapters.flask_shop import FORM, Shop, order
from tests.adapters.flask_site import new_app, served, together, twice, visiting
from tests.board.visitor import Visitor


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """A shop on a fresh file."""
    shop = Shop(tmp_path)
    yield shop
    with shop.app.app_context():
        shop.db.engine.dispose()


BOTH = pytest.mark.parametrize("once", [True, False], ids=["once", "hooked"])


# Both modes ---------------------------------------------------------------------------------


@BOTH
def test_a_double_click_is_one_row(shop: Shop, once: bool) -> None:
    """Two threads, one form: one row, one answer for both, the message once."""
    shop.view(order(shop), once=once)
    with visiting(shop.app) as visitor:
        page = visitor.get("/")
        answers = twice(visitor, page, name="tea")
        assert {a.headers["location"] for a in answers} == {answers[0].headers["location"]}
        assert "['Ordered tea.']" in visitor.follow(answers[1]).source
        assert "[]" in visitor.get("/").source
        visitor.submit(page, name="coffee")
    assert shop.names() == ["tea", "coffee"]
    assert shop.ledger() == ["settled", "settled"]


@BOTH
def test_the_row_stands_where_the_effect_is(shop: Shop, once: bool, tmp_path: Path) -> None:
    """The ledger is in the app's own database, and no other file was made."""
    shop.view(order(shop), once=once)
    with visiting(shop.app) as visitor:
        visitor.submit(visitor.get("/"), name="tea")
    mode = shop.app.extensions["seeother"].settings.mode
    assert (mode, shop.ledger()) == ("hooked", ["settled"])
    assert {path.name.partition("-")[0] for path in tmp_path.iterdir()} == {"shop.db"}


@BOTH
@pytest.mark.parametrize("where", ["before", "after"])
def test_a_view_that_raises(shop: Shop, once: bool, where: str) -> None:
    """Raised before its commit: no row, the token may be sent again. After it: see the modes."""
    fails = [True]

    def post() -> Any:
        shop.add()
        if where == "after":
            shop.db.session.commit()
        if fails:
            fails.pop()
            shop.db.session.flush()
            raise RuntimeError
        shop.db.session.commit()
        return redirect("/done")

    shop.view(post, once=once)
    with visiting(shop.app) as visitor:
        page = visitor.get("/")
        first, second = (visitor.submit(page, name="tea") for _ in range(2))
    assert first.status_code == 500
    assert shop.names() == ["tea"]
    landing = "/" if where == "after" and not once else "/done"
    assert second.headers["location"].partition("?")[0] == landing


@BOTH
def test_a_rejected_form_runs_again(shop: Shop, once: bool) -> None:
    """A refusal, by draft or 4xx, keeps nothing that was not committed, and may be corrected."""

    def post() -> Any:
        shop.add()
        if request.form["name"] == "bad":
            return see_other("/", draft={"name": "Not that."})
        if request.form["name"] == "worse":
            return "no", 422
        shop.db.session.commit()
        return redirect("/")

    shop.view(post, once=once)
    with visiting(shop.app) as visitor:
        page = visitor.get("/")
        answers = [visitor.submit(page, name=name) for name in ("bad", "worse", "worse", "good")]
    assert [a.status_code for a in answers] == [303, 422, 422, 303]
    assert shop.names() == ["good"]


@BOTH
def test_a_hook_may_commit_first(shop: Shop, once: bool) -> None:
    """Commits of `before_request` are no effect of the submission, also if it raises afterwards."""
    fails = [True]

    @shop.app.before_request
    def seen() -> None:
        if request.method == "POST":
            shop.add("seen")
            shop.db.session.commit()
            shop.db.session.execute(sa.select(shop.Order)).scalars().all()

    def post() -> Any:
        shop.add()
        if fails:
            fails.pop()
            raise RuntimeError
        shop.db.session.commit()
        return redirect("/")

    shop.view(post, once=once)
    with visiting(shop.app) as visitor:
        page = visitor.get("/")
        answers = [visitor.submit(page, name="tea").status_code for _ in range(3)]
    assert answers == [500, 303, 303]
    assert shop.names() == ["seen", "seen", "tea", "seen"]


@BOTH
def test_a_duplicate_keeps_what_hooks_leave(shop: Shop, once: bool) -> None:
    """The view does not run again, but what a hook puts into the session is kept each time."""

    @shop.app.before_request
    def counts() -> None:
        session["requests"] = session.get("requests", 0) + 1

    shop.view(order(shop), once=once)
    client = shop.app.test_client()
    token = client.get("/").text.partition('value="')[2].partition('"')[0]
    for _ in range(3):
        client.post("/?so", data={"name": "tea", "so_token": token})
    with client.session_transaction() as found:
        assert (found["requests"], found["last"]) == (4, "tea")
    assert shop.names() == ["tea"]


@BOTH
def test_many_visitors_at_once(shop: Shop, once: bool) -> None:
    """Six people click twice each, all at the same time: six rows, and nobody sees an error.

    In hooked mode the view's own commits wait for SQLite's lock in SQLite's own way, which is not
    fair; on a slow disk that takes longer than the usual 5 s, so here they may wait for a minute.
    """
    shop.view(order(shop), once=once)
    with served(shop.app) as url:
        object.__setattr__(shop.app.extensions["seeother"].settings.policy, "patience", 60.0)
        visitors = [Visitor(url) for _ in range(6)]
        pages = [visitor.get("/") for visitor in visitors]
        answers = together(
            12, lambda n: visitors[n % 6].submit(pages[n % 6], name=f"order {n % 6}")
        )
        for visitor in visitors:
            visitor.client.close()
    assert [a.status_code for a in answers] == [303] * 12
    assert sorted(shop.names()) == [f"order {n}" for n in range(6)]


# once ---------------------------------------------------------------------------------------


def test_commit_and_rollback_work_on_a_savepoint(shop: Shop) -> None:
    """The view commits twice and takes one thing back: the other two are there, in one commit."""
    seen: list[int] = []

    def post() -> Any:
        for name in ("a", "b"):
            shop.add(name)
            shop.db.session.commit()
            seen.append(len(shop.names()))
        shop.add("never")
        shop.db.session.flush()
        shop.db.session.rollback()
        with shop.db.session.begin():
            shop.add("c")
        shop.add("d")
        return redirect("/")

    shop.view(post)
    with visiting(shop.app) as visitor:
        assert visitor.submit(visitor.get("/"), name="x").status_code == 303
    assert seen == [0, 0]
    assert shop.names() == ["a", "b", "c", "d"]


def test_after_commit_is_heard_once_and_then(shop: Shop) -> None:
    """A listener hears of one commit, when it is true; one that raises changes nothing."""
    heard: list[list[str]] = []

    def post() -> Any:
        for name in ("a", "b"):
            shop.add(name)
            shop.db.session.commit()
        return redirect("/")

    shop.view(post)

    def listener(_session: Any) -> None:
        heard.append(shop.names())
        raise RuntimeError

    event.listen(shop.db.session, "after_commit", listener)
    try:
        with visiting(shop.app) as visitor:
            page = visitor.get("/")
            answers = [visitor.submit(page, name="x").status_code for _ in range(2)]
    finally:
        event.remove(shop.db.session, "after_commit", listener)
    assert (answers, heard) == ([303, 303], [["a", "b"]])


def test_the_session_is_free_again(shop: Shop) -> None:
    """After `once` the session works as before, also with what it has loaded in the view."""
    later: list[str] = []

    @shop.app.after_request
    def after(response: Any) -> Any:
        if request.method == "POST":
            names = shop.db.session.execute(sa.select(shop.Order.name)).scalars().all()
            later.append(",".join(names))
            shop.add("by the hook")
            shop.db.session.commit()
        return response

    shop.view(order(shop))
    with visiting(shop.app) as visitor:
        assert visitor.submit(visitor.get("/"), name="tea").status_code == 303
    assert later == ["tea"] and shop.names() == ["tea", "by the hook"]


def test_a_decorator_outside_runs_each_time(shop: Shop, caplog: Any) -> None:
    """`login_required` above `once` is asked for every duplicate; one that hides it is an error."""
    asked: list[str] = []

    def login_required(view: Any) -> Any:
        def inner() -> Any:
            asked.append(request.method)
            return view()

        return inner

    shown = shop.so.once(shop.db)(order(shop))
    hidden = login_required(shown)
    shop.app.add_url_rule("/", view_func=lambda: FORM, endpoint="form")
    shop.app.add_url_rule("/", view_func=hidden, methods=["POST"], endpoint="post")
    client = shop.app.test_client()
    assert client.post("/", data={"name": "tea"}).status_code == 500
    assert "functools" in caplog.text and shop.names() == []
    hidden.__dict__.update(vars(shown))
    for _ in range(2):
        assert client.post("/", data={"name": "tea"}).status_code == 303
    assert asked == ["POST"] * 3


def test_it_works_on_a_session_of_sqlalchemy(tmp_path: Path) -> None:
    """Without Flask-SQLAlchemy a scoped session will do; the ledger goes into its database."""
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'own.db'}")
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE effect (what TEXT)"))
    sessions = scoped_session(sessionmaker(engine))
    app = new_app(tmp_path)
    so = SeeOther(app)

    @app.route("/", methods=["GET", "POST"])
    @so.once(sessions)
    def index() -> Any:
        if request.method == "GET":
            return FORM
        sessions.execute(sa.text("INSERT INTO effect VALUES (:name)"), dict(request.form))
        sessions.commit()
        return redirect("/")

    with visiting(app) as visitor:
        twice(visitor, visitor.get("/"), name="tea")
    with engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM effect")) == 1
        assert connection.scalar(sa.text("SELECT count(*) FROM so_ledger")) == 1
    engine.dispose()


def test_a_database_in_memory_is_enough_for_tests(tmp_path: Path) -> None:
    """`sqlite://`, as in most test suites: `once` holds, a view that raises leaves nothing."""
    shop = Shop(tmp_path, uri="sqlite://")
    fails = [True]

    def post() -> Any:
        shop.add()
        if fails:
            fails.pop()
            raise RuntimeError
        return redirect("/")

    shop.view(post)
    client = shop.app.test_client()
    token = client.get("/").text.partition('value="')[2].partition('"')[0]
    sent = {"name": "tea", "so_token": token}
    assert [client.post("/?so", data=sent).status_code for _ in range(3)] == [500, 303, 303]
    with shop.app.app_context():
        assert shop.db.session.query(shop.Order).count() == 1
        shop.db.session.remove()
        shop.db.engine.dispose()


def test_another_store_cannot_join(tmp_path: Path, caplog: Any) -> None:
    """A ledger in another file is refused with a sentence, and nothing has happened."""
    shop = Shop(tmp_path, SEEOTHER_STORE=f"sqlite:///{tmp_path / 'other.db'}")
    shop.view(order(shop))
    assert shop.app.extensions["seeother"].settings.mode == "separate"
    assert shop.app.test_client().post("/", data={"name": "tea"}).status_code == 500
    assert "SEEOTHER_STORE" in caplog.text and shop.names() == []


def test_a_full_disk_keeps_the_text(shop: Shop) -> None:
    """What the database cannot do is the resend page with the text, and the token stays good."""
    shop.view(order(shop))
    with visiting(shop.app) as visitor:
        page = visitor.get("/")
        shop.app.extensions["seeother"].settings.store.prepare()
        locker = sqlite3.connect(shop.path, isolation_level=None)
        locker.execute("BEGIN IMMEDIATE")
        object.__setattr__(shop.app.extensions["seeother"].settings.policy, "patience", 0.1)
        refused = visitor.submit(page, name="tea")
        assert refused.status_code == 503 and "\ntea</textarea>" in refused.text
        locker.execute("ROLLBACK")
        locker.close()
        assert visitor.submit(page, name="tea").status_code == 303
    assert shop.names() == ["tea"]


# Hooked -------------------------------------------------------------------------------------


def test_the_row_is_in_the_views_first_commit(shop: Shop) -> None:
    """As soon as the effect can be seen, its row can; before that neither."""
    seen: list[tuple[int, list[str]]] = []

    def post() -> Any:
        shop.add()
        for step in (shop.db.session.flush, shop.db.session.commit):
            step()
            seen.append((len(shop.names()), shop.ledger()))
        return redirect("/")

    shop.view(post, once=False)
    with visiting(shop.app) as visitor:
        visitor.submit(visitor.get("/"), name="tea")
    assert seen == [(0, []), (1, ["claimed"])]
    assert shop.ledger() == ["settled"]


def test_who_needs_no_listener_has_none(shop: Shop) -> None:
    """With `once` on all views nobody hears of commits; a view that is put in later is heard."""
    shop.view(order(shop))
    plain = order(shop)

    def later() -> Any:
        return plain() if request.method == "POST" else FORM

    def heard() -> bool:
        with shop.app.app_context():
            return bool(event.contains(shop.db.engine, "commit", _on_commit))

    with visiting(shop.app) as visitor:
        visitor.submit(visitor.get("/"), name="tea")
        assert not heard()
        shop.app.view_functions["index"] = later
        page = visitor.get("/")
        visitor.submit(page, name="coffee")
        visitor.submit(page, name="coffee")
    assert heard()
    assert shop.names() == ["tea", "coffee"]
    assert shop.ledger() == ["settled", "settled"]


def test_a_commit_past_the_session_counts_too(shop: Shop) -> None:
    """A view that works with the engine itself is seen as well."""

    def post() -> Any:
        with shop.db.engine.begin() as connection:
            connection.execute(sa.insert(shop.Order).values(name=request.form["name"]))
        return redirect("/")

    shop.view(post, once=False)
    with visiting(shop.app) as visitor:
        twice(visitor, visitor.get("/"), name="tea")
    assert (shop.names(), shop.ledger()) == (["tea"], ["settled"])


def test_the_second_process_to_commit_is_taken_back(tmp_path: Path) -> None:
    """Two apps on one file run the same form at once: one row, one outcome, one message."""
    shops = [Shop(tmp_path), Shop(tmp_path)]
    inside: list[str] = []

    def racing() -> Any:
        shops[0].add()
        if not inside:
            inside.append("first")
            with served(shops[1].app) as url:
                answer = second.post(
                    {"name": "tea", "so_token": page.form.fields["so_token"]},
                    f"{url}?so",
                    origin=url.rstrip("/"),
                )
                inside.append(answer.headers["location"])
        shops[0].db.session.commit()
        flash("by the first")
        return redirect("/first")

    def other() -> Any:
        shops[1].add()
        shops[1].db.session.commit()
        return redirect("/second")

    shops[0].view(racing, once=False)
    shops[1].view(other, once=False)
    with visiting(shops[0].app) as visitor, Visitor(visitor.url) as second:
        page = visitor.get("/")
        for cookie in visitor.client.cookies.jar:
            second.client.cookies.jar.set_cookie(cookie)
        answer = visitor.submit(page, name="tea")
    assert shops[0].names() == ["tea"]
    assert answer.headers["location"].startswith("/second") and len(inside) == 2
    assert answer.headers["location"] == inside[1]
    for shop in shops:
        with shop.app.app_context():
            shop.db.engine.dispose()


@pytest.mark.parametrize("commits", [1, 2])
def test_a_crash_after_the_commit(shop: Shop, commits: int) -> None:
    """The process ends between commit and answer: a redirect after one commit, else a doubt."""
    crashes = [True]

    def post() -> Any:
        for n in range(commits):
            shop.add(str(n))
            shop.db.session.commit()
        if crashes:
            raise SystemExit
        return redirect("/done")

    shop.view(post, once=False)
    client = shop.app.test_client()
    token = client.get("/").text.partition('value="')[2].partition('"')[0]
    sent = {"name": "tea", "so_token": token}
    with pytest.raises(SystemExit):
        client.post("/?so", data=sent)
    assert RUNNING.get() is None
    with sqlite3.connect(shop.path) as connection:
        connection.execute("UPDATE so_ledger SET lease_until=1")
    crashes.clear()
    answer = client.post("/?so", data=sent)
    if commits == 1:
        assert (answer.status_code, answer.location) == (303, "/")
    else:
        assert answer.status_code == 500 and "cannot tell" in answer.text
    assert len(shop.names()) == commits


def test_several_commits_are_advised_against(shop: Shop, caplog: Any) -> None:
    """A view that commits twice works, and the log says what it should use."""

    def post() -> Any:
        for name in ("a", "b"):
            shop.add(name)
            shop.db.session.commit()
        return redirect("/")

    shop.view(post, once=False)
    with caplog.at_level(logging.WARNING, "seeother"), visiting(shop.app) as visitor:
        twice(visitor, visitor.get("/"), name="x")
    assert shop.names() == ["a", "b"]
    assert [r.getMessage() for r in caplog.records if "once" in r.getMessage()] == [
        "the view of '/' commits 2 times; put @so.once(db) on it and it happens exactly once"
    ]


def test_a_view_without_an_effect_is_settled_too(shop: Shop) -> None:
    """Nothing to commit: the duplicate gets the first answer all the same."""
    runs: list[int] = []

    def post() -> Any:
        runs.append(1)
        flash("Hello.")
        return redirect("/")

    shop.view(post, once=False)
    with visiting(shop.app) as visitor:
        page = visitor.get("/")
        answers = [visitor.submit(page, name="x").headers["location"] for _ in range(2)]
    assert len(runs) == 1 and answers[0] == answers[1]


def test_what_is_not_committed_is_taken_back(shop: Shop) -> None:
    """A view that forgets to commit leaves nothing, as in Flask, and locks nobody out."""

    def post() -> Any:
        shop.add()
        shop.db.session.flush()
        return redirect("/")

    shop.view(post, once=False)
    with visiting(shop.app) as visitor:
        assert visitor.submit(visitor.get("/"), name="x").status_code == 303
    assert (shop.names(), shop.ledger()) == ([], ["settled"])


def test_two_databases_are_separate(tmp_path: Path) -> None:
    """With a second bind one commit cannot know of the other: the mode is separate."""
    app = new_app(
        tmp_path,
        SQLALCHEMY_DATABASE_URI="sqlite:///shop.db",
        SQLALCHEMY_BINDS={"other": "sqlite:///other.db"},
    )
    db = SQLAlchemy(app)
    SeeOther(app)
    assert app.extensions["seeother"].settings.mode == "separate"
    with app.app_context():
        for engine in db.engines.values():
            engine.dispose()


def test_a_mode_that_cannot_be_is_refused(tmp_path: Path) -> None:
    """Hooked without SQLAlchemy is one sentence and no surprise."""
    app: Flask = new_app(tmp_path, SEEOTHER_MODE="hooked")
    SeeOther(app)
    with pytest.raises(PolicyError, match="SQLAlchemy"):
        app.test_client().get("/")

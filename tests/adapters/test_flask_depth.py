"""What else a Flask app is made of: blueprints, classes, async views, streams, files, hooks.

Each with `once` (joined) and without it (hooked), as far as the mode can make a difference.
"""

import asyncio
import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, cast

import flask
import pytest
from flask import Blueprint, Flask, flash, redirect, request, session, stream_with_context, url_for
from flask.views import MethodView, View
from flask_sqlalchemy import SQLAlchemy

from seeother.flask import SeeOther, see_other
from tests.adapters.flask_shop import FORM, Shop
from tests.adapters.flask_site import new_app, twice, visiting

# What a browser says for what is no page: an image, a film, a download that goes on.
FETCHED = {"sec-fetch-dest": "video", "sec-fetch-mode": "no-cors", "accept": "*/*"}
BOTH = pytest.mark.parametrize("once", [True, False], ids=["once", "hooked"])


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """A shop on a fresh file."""
    shop = Shop(tmp_path)
    yield shop
    with shop.app.app_context():
        shop.db.engine.dispose()


def sent_twice(shop: Shop, path: str = "/", **values: str) -> tuple[int, str]:
    """The form of a page, clicked twice: the one answer of both."""
    with visiting(shop.app) as visitor:
        answers = twice(visitor, visitor.get(path), **(values or {"name": "tea"}))
    ((status, location),) = {(a.status_code, a.headers.get("location", "")) for a in answers}
    return status, location.partition("?")[0]


# How views come to be -----------------------------------------------------------------------


@BOTH
def test_a_blueprint_under_a_prefix(shop: Shop, once: bool) -> None:
    """Its views, relative endpoints and hooks of its own are what they are in the app itself."""
    group, hooks = Blueprint("orders", __name__), list[str]()

    @group.before_request
    def before() -> None:
        hooks.append(request.method)

    def index() -> Any:
        if request.method == "GET":
            return FORM
        shop.add()
        shop.db.session.commit()
        return see_other(".done", flash="Ordered.")

    view = shop.so.once(shop.db)(index) if once else index
    group.add_url_rule("/", "index", view, methods=["GET", "POST"])
    group.add_url_rule("/done", "done", lambda: "done")
    outer = Blueprint("outer", __name__, url_prefix="/outer")
    outer.register_blueprint(group, url_prefix="/orders")
    shop.app.register_blueprint(outer)
    assert sent_twice(shop, "/outer/orders/") == (303, "/outer/orders/done")
    assert (shop.names(), shop.ledger()) == (["tea"], ["settled"])
    assert hooks == ["GET", "POST", "POST"]


@BOTH
def test_a_blueprint_may_be_registered_twice(shop: Shop, once: bool) -> None:
    """One view under two addresses: a form of one is no form of the other."""
    group = Blueprint("orders", __name__)

    def index() -> Any:
        if request.method == "GET":
            return FORM
        shop.add(f"{request.blueprint} {request.form['name']}")
        shop.db.session.commit()
        return redirect(request.path)

    view = shop.so.once(shop.db)(index) if once else index
    group.add_url_rule("/", "index", view, methods=["GET", "POST"])
    for name in ("one", "two"):
        shop.app.register_blueprint(group, url_prefix=f"/{name}", name=name)
    assert [sent_twice(shop, f"/{name}/")[0] for name in ("one", "two")] == [303, 303]
    assert shop.names() == ["one tea", "two tea"]


@BOTH
def test_method_views(shop: Shop, once: bool) -> None:
    """`once` stands on the method, or nowhere; `get` of the same class is a page."""

    def post(_self: MethodView) -> Any:
        shop.add()
        shop.db.session.commit()
        return redirect(url_for("orders"))

    kept = shop.so.once(shop.db)(post) if once else post
    orders: Any = type("Orders", (MethodView,), {"get": lambda _self: FORM, "post": kept})
    shop.app.add_url_rule("/", view_func=orders.as_view("orders"))
    assert sent_twice(shop) == (303, "/")
    assert (shop.names(), shop.ledger()) == (["tea"], ["settled"])


@BOTH
def test_class_based_views_with_decorators(shop: Shop, once: bool) -> None:
    """`decorators` of a class: `once` may be one of them, below what is asked each time."""
    asked: list[str] = []

    class Orders(View):
        methods = ("GET", "POST")
        init_every_request = False
        decorators = [shop.so.once(shop.db)] if once else []

        def dispatch_request(self) -> Any:
            if request.method == "GET":
                return FORM
            asked.append(request.form["name"])
            shop.add()
            shop.db.session.commit()
            return redirect("/")

    shop.app.add_url_rule("/", view_func=Orders.as_view("orders"))
    assert sent_twice(shop) == (303, "/")
    assert (asked, shop.names(), shop.ledger()) == (["tea"], ["tea"], ["settled"])


@BOTH
@pytest.mark.parametrize("fails", [False, True])
def test_async_views(shop: Shop, once: bool, fails: bool) -> None:
    """An `async def` view has the session, the transaction and the messages of its request."""
    failing = [fails]

    async def index() -> Any:
        await asyncio.sleep(0)
        if request.method == "GET":
            return FORM
        shop.add()
        await asyncio.sleep(0)
        if failing.pop():
            failing.append(False)
            raise RuntimeError
        failing.append(False)
        shop.db.session.commit()
        session["last"] = request.form["name"]
        flash("Ordered.")
        return redirect("/")

    view = shop.so.once(shop.db)(index) if once else index
    shop.app.add_url_rule("/", view_func=view, methods=["GET", "POST"], endpoint="index")
    with visiting(shop.app) as visitor:
        page = visitor.get("/")
        statuses = [visitor.submit(page, name="tea").status_code for _ in range(3)]
    assert statuses == ([500] if fails else [303]) + [303, 303]
    assert (shop.names(), shop.ledger()) == (["tea"], ["settled"])


def test_apps_of_a_factory_keep_apart(tmp_path: Path) -> None:
    """Two apps of one factory, one `db` and one `so`: each its own database, ledger and tokens."""
    db, so = SQLAlchemy(), SeeOther()

    class Order(db.Model):  # type: ignore[name-defined,misc]
        id = db.Column(db.Integer, primary_key=True)

    def create_app(name: str) -> Flask:
        app = new_app(tmp_path / name, SQLALCHEMY_DATABASE_URI="sqlite:///shop.db")
        app.config["SEEOTHER_NAMESPACE"] = name
        db.init_app(app)
        so.init_app(app)

        @app.route("/", methods=["GET", "POST"])
        @so.once(db)
        def index() -> Any:
            if request.method == "POST":
                db.session.add(Order())
                db.session.commit()
                return redirect("/")
            return FORM

        with app.app_context():
            db.create_all()
        return app

    apps = [create_app(name) for name in ("one", "two")]
    counts = []
    with visiting(apps[0]) as first, visiting(apps[1]) as second:
        page = first.get("/")
        assert {a.status_code for a in twice(first, page, name="x")} == {303}
        second.get("/")
        foreign = second.post(page.form.filled(name="x"))
        assert (foreign.status_code, "so_token" in foreign.text) == (400, True)
    for app in apps:
        with app.app_context():
            counts.append(db.session.query(Order).count())
            db.session.remove()
            db.engine.dispose()
    assert counts == [1, 0]


# What a view may answer ---------------------------------------------------------------------


@BOTH
def test_a_stream_is_no_redirect(shop: Shop, once: bool) -> None:
    """A view that answers by a stream: its effect once, its bytes unchanged, closed at its end."""
    closed: list[bool] = []

    def post() -> Any:
        shop.add()
        shop.db.session.commit()

        def lines() -> Iterator[str]:
            try:
                for number in range(3):
                    yield f"{request.form['name']} {number}\n"
            finally:
                closed.append(True)

        return flask.Response(stream_with_context(lines()), mimetype="text/plain")

    shop.view(post, once=once)
    with visiting(shop.app) as visitor:
        page = visitor.get("/")
        first, second = (visitor.submit(page, name="tea") for _ in range(2))
    assert (first.status_code, first.text) == (200, "tea 0\ntea 1\ntea 2\n")
    assert (second.status_code, "already done" in second.text) == (200, True)
    assert (closed, shop.names(), shop.ledger()) == ([True], ["tea"], ["settled"])


def test_a_streamed_page_is_planted_as_it_goes(shop: Shop) -> None:
    """What is longer than 64 KiB goes out as it is made; a form cut in two gets its token.

    The visitor cookie that makes the token good is in the head, which went out before the form.
    """
    half, long = len(FORM) // 3, "<p>tea</p>" * 7_000
    seen: list[int] = []

    def pieces() -> Iterator[str]:
        for number, piece in enumerate((long, FORM[:half], FORM[half:])):
            seen.append(number)
            yield piece

    def index() -> Any:
        if request.method == "GET":
            return stream_with_context(pieces())
        shop.add()
        shop.db.session.commit()
        return redirect("/")

    shop.app.add_url_rule("/", view_func=index, methods=["GET", "POST"])
    client = shop.app.test_client()
    page = client.get("/", buffered=False)
    made = iter(page.response)
    assert (len(next(made)) >= len(long), seen) == (True, [0])
    found = re.findall(rb'name="so_token" value="([^"]+)"', b"".join(cast("Iterator[bytes]", made)))
    assert len(found) == 1
    for _ in range(2):
        assert client.post("/", data={"so_token": found[0], "name": "tea"}).status_code == 303
    assert shop.names() == ["tea"]


@BOTH
@pytest.mark.parametrize("kind", ["path", "memory"])
def test_files(shop: Shop, once: bool, kind: str, tmp_path: Path) -> None:
    """`send_file`, also as an answer to a form; by GET with ranges and validators as ever."""
    (tmp_path / "bill.txt").write_text("0123456789")

    def bill() -> Any:
        source: Any = tmp_path / "bill.txt" if kind == "path" else BytesIO(b"0123456789")
        return flask.send_file(source, "text/plain", conditional=True, download_name="bill.txt")

    def post() -> Any:
        shop.add()
        shop.db.session.commit()
        return bill()

    shop.view(post, once=once)
    shop.app.add_url_rule("/bill", view_func=bill)
    with visiting(shop.app) as visitor:
        page = visitor.get("/")
        first, second = (visitor.submit(page, name="tea") for _ in range(2))
        part = visitor.send("GET", "/bill", {**FETCHED, "range": "bytes=2-4"})
        whole = visitor.send("GET", "/bill", FETCHED)
        etag = whole.headers.get("etag", "")
        again = visitor.send("GET", "/bill", {**FETCHED, "if-none-match": etag}) if etag else None
    assert (first.text, "already done" in second.text) == ("0123456789", True)
    assert (part.status_code, part.text, whole.text) == (206, "234", "0123456789")
    assert again is None or again.status_code == 304
    assert shop.names() == ["tea"]


# Around a view ------------------------------------------------------------------------------


@BOTH
def test_hooks_run_for_every_request(shop: Shop, once: bool) -> None:
    """before, after and teardown see each duplicate once; `after` may change what is sent."""
    heard: list[str] = []
    shop.app.before_request(lambda: heard.append("before"))
    shop.app.teardown_request(lambda error: heard.append(f"teardown {error}"))

    @shop.app.after_request
    def after(response: Any) -> Any:
        heard.append(f"after {response.status_code}")
        response.headers["X-Shop"] = "open"
        return response

    def post() -> Any:
        shop.add()
        shop.db.session.commit()
        flask.after_this_request(after_this)
        return redirect("/")

    def after_this(response: Any) -> Any:
        heard.append("this")
        return response

    shop.view(post, once=once)
    with visiting(shop.app) as visitor:
        page = visitor.get("/")
        heard.clear()
        answers = [visitor.submit(page, name="tea") for _ in range(2)]
    assert [a.headers["x-shop"] for a in answers] == ["open", "open"]
    ordinary = ["before", "after 303", "teardown None"]
    assert heard == ["before", "this", "after 303", "teardown None", *ordinary]
    assert shop.names() == ["tea"]


@BOTH
def test_teardown_hears_what_was_raised(shop: Shop, once: bool) -> None:
    """The hook gets the exception of the view, nothing of the view stays, the token is free."""
    heard: list[str] = []
    shop.app.teardown_request(lambda error: heard.append(type(error).__name__))
    failing = [True]

    def post() -> Any:
        shop.add()
        if failing:
            failing.pop()
            raise ZeroDivisionError
        shop.db.session.commit()
        return redirect("/")

    shop.view(post, once=once)
    with visiting(shop.app) as visitor:
        page = visitor.get("/")
        heard.clear()
        assert [visitor.submit(page, name="tea").status_code for _ in range(2)] == [500, 303]
    assert (heard, shop.names()) == (["ZeroDivisionError", "NoneType"], ["tea"])


@BOTH
def test_what_raised_left_no_message_and_no_session(shop: Shop, once: bool) -> None:
    """A view that raised before its first commit has said nothing and changed no session."""
    failing = [True]

    def post() -> Any:
        shop.add()
        flash("Ordered.")
        session["last"] = request.form["name"]
        if failing:
            failing.pop()
            raise RuntimeError
        shop.db.session.commit()
        return redirect("/")

    shop.view(post, once=once)
    shop.app.add_url_rule("/last", view_func=lambda: session.get("last", "none"))
    with visiting(shop.app) as visitor:
        page = visitor.get("/")
        assert visitor.submit(page, name="tea").status_code == 500
        assert (visitor.get("/last").source, "Ordered" in visitor.get("/").source) == (
            "none",
            False,
        )
        landing = visitor.follow(visitor.submit(page, name="tea")).source
        assert (visitor.get("/last").source, "Ordered" in landing) == ("tea", True)


@BOTH
def test_what_abort_leaves(shop: Shop, once: bool) -> None:
    """Hooked as in Flask: `abort()` is an answer, the session is kept; `once` takes back all."""

    def post() -> Any:
        shop.add()
        session["tries"] = session.get("tries", 0) + 1
        flask.abort(403)

    shop.view(post, once=once)
    shop.app.add_url_rule("/tries", view_func=lambda: str(session.get("tries", 0)))
    with visiting(shop.app) as visitor:
        page = visitor.get("/")
        assert [visitor.submit(page, name="tea").status_code for _ in range(2)] == [403, 403]
        assert visitor.get("/tries").source == ("0" if once else "2")
    assert (shop.names(), shop.ledger()) == ([], [])


@BOTH
def test_an_after_request_that_raises(shop: Shop, once: bool) -> None:
    """The effect stands, so a duplicate is told of it, and nothing runs a second time."""
    failing = [True]

    @shop.app.after_request
    def after(response: Any) -> Any:
        if request.method == "POST" and failing:
            failing.pop()
            raise RuntimeError
        return response

    def post() -> Any:
        shop.add()
        shop.db.session.commit()
        return redirect("/")

    shop.view(post, once=once)
    with visiting(shop.app) as visitor:
        page = visitor.get("/")
        assert [visitor.submit(page, name="tea").status_code for _ in range(2)] == [500, 303]
    assert (shop.names(), shop.ledger()) == (["tea"], ["settled"])


@BOTH
def test_signals(shop: Shop, once: bool) -> None:
    """Flask's signals are sent as ever: per request, and for the exception of a view."""
    heard: list[str] = []

    def hear(name: str) -> Any:
        def receiver(_app: Flask, **_facts: Any) -> None:
            heard.append(name)

        signal = getattr(flask, name)
        signal.connect(receiver, shop.app)
        return signal, receiver

    names = ("request_started", "request_finished", "request_tearing_down")
    kept = [hear(name) for name in (*names, "got_request_exception", "appcontext_popped")]
    failing = [True]

    def post() -> Any:
        if failing:
            failing.pop()
            raise RuntimeError
        shop.add()
        shop.db.session.commit()
        return redirect("/")

    shop.view(post, once=once)
    with visiting(shop.app) as visitor:
        page = visitor.get("/")
        heard.clear()
        assert [visitor.submit(page, name="tea").status_code for _ in range(3)] == [500, 303, 303]
    ordinary = [*names, "appcontext_popped"]
    failed = [names[0], "got_request_exception", *names[1:], "appcontext_popped"]
    assert heard == [*failed, *ordinary, *ordinary]
    for signal, receiver in kept:
        signal.disconnect(receiver, shop.app)


@BOTH
def test_error_handlers_of_blueprint_and_app(shop: Shop, once: bool) -> None:
    """A handler makes a page of an exception; the submission is undone all the same."""
    failing = [True]
    shop.app.register_error_handler(LookupError, lambda _: ("never mind", 200))

    def post() -> Any:
        shop.add()
        if failing:
            failing.pop()
            raise LookupError
        shop.db.session.commit()
        return redirect("/")

    shop.view(post, once=once)
    with visiting(shop.app) as visitor:
        page = visitor.get("/")
        first, second = (visitor.submit(page, name="tea") for _ in range(2))
    assert (first.status_code, first.text) == (200, "never mind")
    assert (second.status_code, shop.names()) == (303, ["tea"])


# Sign-in ------------------------------------------------------------------------------------


@BOTH
def test_a_double_clicked_sign_in(shop: Shop, once: bool) -> None:
    """The first answer is thrown away by the browser: the second brings the session it began."""

    def post() -> Any:
        shop.add()
        shop.db.session.commit()
        session["user"] = request.form["name"]
        answer = redirect("/")
        answer.set_cookie("theme", "dark")
        return answer

    shop.view(post, once=once)
    shop.app.add_url_rule("/who", view_func=lambda: session.get("user", "nobody"))
    with visiting(shop.app) as visitor:
        page = visitor.get("/")
        visitor.submit(page, name="Ann")
        for name in ("session", "theme"):
            visitor.client.cookies.delete(name)
        again = visitor.submit(page, name="Ann")
        assert "theme=dark" in str(again.headers.get_list("set-cookie"))
        assert visitor.get("/who").source == "Ann"
    assert shop.names() == ["Ann"]

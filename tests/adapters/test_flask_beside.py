"""Flask-Login and Flask-Admin beside us, as they come."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import flash, get_flashed_messages, redirect, request, session
from flask_admin import Admin
from flask_admin.contrib.sqla import ModelView
from flask_login import (
    LoginManager,
    UserMixin,
    current_user,
    login_required,
    login_user,
    logout_user,
)

from seeother.flask import see_other, visit_of
from tests.adapters.flask_shop import FORM, Shop
from tests.adapters.flask_site import twice, visiting
from tests.board.visitor import Visitor

BOTH = pytest.mark.parametrize("once", [True, False], ids=["once", "hooked"])


class User(UserMixin):  # type: ignore[misc]
    """Somebody, by name."""

    def __init__(self, name: str) -> None:
        self.id = name


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """A shop on a fresh file with Flask-Login in it; its manager comes after SeeOther."""
    shop = Shop(tmp_path)
    manager = LoginManager(shop.app)
    manager.login_view = "sign_in"
    manager.user_loader(User)
    sites(shop)
    yield shop
    with shop.app.app_context():
        shop.db.engine.dispose()


def sites(shop: Shop) -> None:
    """Sign in, sign out, say who it is."""

    def sign_in() -> Any:
        if request.method == "POST":
            login_user(User(request.form["name"]), remember="remember" in request.args)
            flash(f"Hello, {request.form['name']}.")
            return redirect("/who")
        return f"{get_flashed_messages()}{FORM}"

    def sign_out() -> Any:
        if request.method == "POST":
            logout_user()
            flash("Goodbye.")
            return redirect("/who")
        return FORM

    def who() -> str:
        said = visit_of().draft
        name = current_user.get_id() if current_user.is_authenticated else "nobody"
        return f"{name} {get_flashed_messages()} {'' if said is None else said.old('name')}"

    both = ["GET", "POST"]
    shop.app.add_url_rule("/in", "sign_in", sign_in, methods=both)
    shop.app.add_url_rule("/out", "sign_out", sign_out, methods=both)
    shop.app.add_url_rule("/who", "who", who)


def sign(visitor: Visitor, where: str, name: str = "x") -> Any:
    """In or out, by its form."""
    return visitor.submit(visitor.get(where), name=name)


@BOTH
def test_login_required_and_a_double_click(shop: Shop, once: bool) -> None:
    """Without a user the form leads to the sign-in; with one a double click is one row, his."""

    def order() -> Any:
        if request.method == "GET":
            return FORM
        shop.add(f"{request.form['name']} for {current_user.get_id()}")
        shop.db.session.commit()
        return redirect("/who")

    view = login_required(shop.so.once(shop.db)(order) if once else order)
    shop.app.add_url_rule("/", "order", view, methods=["GET", "POST"])
    with visiting(shop.app) as visitor:
        refused = visitor.post({"name": "tea"})
        assert "/in?next=" in refused.headers["location"]
        landing = visitor.follow(sign(visitor, "/in", "ann")).source
        assert landing.startswith("ann ['Hello, ann.']")
        answers = twice(visitor, visitor.get("/"), name="tea")
        assert len({a.headers["location"] for a in answers}) == 1
    assert shop.names() == ["tea for ann"]


def test_a_sign_in_moves_the_session(shop: Shop) -> None:
    """What stood in the session is still there; its old id opens nothing any more (rule 1)."""
    shop.app.add_url_rule("/cart", "cart", lambda: str(session.setdefault("cart", "tea")))
    with visiting(shop.app) as visitor, Visitor(visitor.url) as thief:
        assert visitor.get("/cart").source == "tea"
        stolen = visitor.client.cookies["session"]
        sign(visitor, "/in", "ann")
        assert visitor.client.cookies["session"] != stolen
        assert visitor.get("/cart").source == "tea"
        thief.client.cookies.set("session", stolen)
        assert thief.get("/who").source.startswith("nobody")


def test_a_double_clicked_sign_in(shop: Shop) -> None:
    """Both halves come with the old session: the browser ends signed in, whichever it keeps."""
    with visiting(shop.app) as visitor:
        visitor.get("/who")
        page = visitor.get("/in")
        before = dict(visitor.client.cookies)
        visitor.submit(page, name="ann")
        visitor.client.cookies.clear()
        for name, value in before.items():
            visitor.client.cookies.set(name, value)
        visitor.submit(page, name="ann")
        assert visitor.get("/who").source.startswith("ann")


@pytest.mark.filterwarnings("ignore:datetime.datetime.utc:DeprecationWarning")
def test_a_remembered_user(shop: Shop) -> None:
    """The remember cookie alone brings the user back, and his draft is his."""
    shop.app.add_url_rule(
        "/", "reject", lambda: see_other("/who", draft={"name": "no"}), methods=["POST"]
    )
    with visiting(shop.app) as visitor:
        visitor.submit(visitor.get("/in?remember=1"), name="ann")
        fields = visitor.get("/out").form.fields
        visitor.client.cookies.delete("session")
        answer = visitor.post({**fields, "name": "dear diary"})
        assert "dear diary" in visitor.follow(answer).source
        visitor.client.cookies.delete("session")
        visitor.client.cookies.delete("remember_token")
        assert visitor.follow(answer).source == "nobody [] "


def test_nothing_of_one_user_is_shown_to_the_next(shop: Shop) -> None:
    """After Ann's sign-out neither her message nor her draft is there; "Goodbye." is (rule 4)."""
    shop.app.add_url_rule(
        "/", "reject", lambda: see_other("/who", draft={"name": "no"}), methods=["POST"]
    )

    @shop.app.post("/say")
    def say() -> Any:
        flash(f"Saved for {current_user.get_id()}.")
        return redirect("/who")

    with visiting(shop.app) as visitor:
        sign(visitor, "/in", "ann")
        fields = visitor.get("/out").form.fields
        draft = visitor.post({**fields, "name": "dear diary"})
        said = visitor.post({**fields, "name": "x"}, "/say")
        assert "dear diary" in visitor.follow(draft).source
        gone = sign(visitor, "/out")
        sign(visitor, "/in", "bob")
        pages = [visitor.follow(answer).source for answer in (draft, said, gone)]
    assert "diary" not in "".join(pages) and "Saved" not in "".join(pages)
    assert "Goodbye." in pages[2] and all(page.startswith("bob") for page in pages)


def test_flask_admin(shop: Shop) -> None:
    """Its create form, unchanged: a double click is one row, its message is shown once."""
    Admin(shop.app, name="shop").add_view(ModelView(shop.Order, shop.db))
    with visiting(shop.app) as visitor:
        page = visitor.get("/admin/order/new/")
        form = {f: page.form.fields.get(f, "") for f in page.form.fields if f.startswith("so_")}
        fields = {**form, "name": "tea"}
        answers = [visitor.post(fields, page.form.action, at=page.url) for _ in range(2)]
        assert {a.status_code for a in answers} == {303}
        assert answers[0].headers["location"] == answers[1].headers["location"]
        shown = [visitor.follow(answers[0]).source for _ in range(2)]
        assert ["successfully created" in text for text in shown] == [True, False]
        listed = visitor.get("/admin/order/").source
        assert "tea" in listed
    assert (shop.names(), shop.ledger()) == (["tea"], ["settled"])

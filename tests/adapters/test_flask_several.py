"""Several Flask apps in one server, and Flask-Admin as it is really used: edit, delete, act."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from flask import Blueprint, Flask, flash, get_flashed_messages, redirect, request, session, url_for
from flask_admin import Admin
from flask_admin.actions import action
from flask_admin.contrib.sqla import ModelView
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from tests.adapters.flask_shop import FORM, Shop
from tests.adapters.flask_site import twice, visiting
from tests.board.visitor import Page, Visitor

HIDDEN = re.compile(r'<input[^>]*type="hidden"[^>]*>')
BOTH = pytest.mark.parametrize("once", [True, False], ids=["once", "hooked"])


# Several apps -------------------------------------------------------------------------------------


@contextmanager
def mounted(folder: Path, **config: Any) -> Iterator[tuple[Flask, dict[str, Shop]]]:
    """Two shops under /a and /b of one server; in front of them an app with nothing."""
    shops = {}
    for name in ("a", "b"):
        (folder / name).mkdir()
        shops[name] = shop = Shop(folder / name, **config, SEEOTHER_NAMESPACE=name)
        shop.app.config["SESSION_COOKIE_PATH"] = f"/{name}"
        shop.view(ordering(shop))
    front = Flask("front", static_folder=None)
    behind: dict[str, Any] = {f"/{name}": shop.app.wsgi_app for name, shop in shops.items()}
    front.wsgi_app = DispatcherMiddleware(front.wsgi_app, behind)  # type: ignore[method-assign]
    yield front, shops
    for shop in shops.values():
        with shop.app.app_context():
            shop.db.engine.dispose()


def ordering(shop: Shop) -> Any:
    """A view that redirects to its own endpoint, wherever it is mounted."""

    def post() -> Any:
        shop.add()
        shop.db.session.commit()
        session["last"] = request.form["name"]
        flash(f"Ordered {request.form['name']}.")
        return redirect(url_for("index"))

    return post


def test_two_apps_of_one_server(tmp_path: Path) -> None:
    """Each counts its own forms once, under its own prefix; messages and tokens do not cross."""
    with mounted(tmp_path) as (front, shops), visiting(front) as visitor:
        pages = {name: visitor.get(f"/{name}/") for name in shops}
        for name, page in pages.items():
            answers = twice(visitor, page, name=f"tea {name}")
            assert {a.status_code for a in answers} == {303}
            (where,) = {a.headers["location"] for a in answers}
            assert where.startswith(f"/{name}/?")
            other = visitor.get("/b/" if name == "a" else "/a/")
            assert f"Ordered tea {name}." not in other.source
            landed = visitor.follow(answers[0])
            assert f"Ordered tea {name}." in landed.source
        foreign = visitor.post({**pages["a"].form.fields, "name": "x"}, "/b/")
        assert foreign.status_code == 400
        for name, shop in shops.items():
            assert (shop.names(), shop.ledger()) == ([f"tea {name}"], ["settled"])


@BOTH
def test_nested_blueprints(tmp_path: Path, once: bool) -> None:
    """A blueprint in a blueprint: its address and its relative endpoints are what they were."""
    shop = Shop(tmp_path)
    outer, inner = Blueprint("outer", __name__), Blueprint("inner", __name__)

    def index() -> Any:
        if request.method == "GET":
            return f"{get_flashed_messages()}{FORM}"
        shop.add()
        shop.db.session.commit()
        flash("Ordered.")
        return redirect(url_for(".index"))

    run = shop.so.once(shop.db)(index) if once else index
    inner.add_url_rule("/form", "index", run, methods=["GET", "POST"])
    outer.register_blueprint(inner, url_prefix="/inner")
    shop.app.register_blueprint(outer, url_prefix="/outer")
    with visiting(shop.app) as visitor:
        answers = twice(visitor, visitor.get("/outer/inner/form"), name="tea")
        assert {a.status_code for a in answers} == {303}
        assert answers[0].headers["location"].partition("?")[0] == "/outer/inner/form"
        assert "Ordered." in visitor.follow(answers[0]).source
    with shop.app.app_context():
        shop.db.engine.dispose()
    assert shop.names() == ["tea"]


# Flask-Admin --------------------------------------------------------------------------------------


@pytest.fixture
def admin(tmp_path: Path) -> Iterator[tuple[Shop, Visitor]]:
    """An admin of a shop with two orders, and somebody at it."""
    shop = Shop(tmp_path)

    class Orders(ModelView):  # type: ignore[misc]
        """With an action for many, and a name that has to be long enough."""

        @action("double", "Double")  # type: ignore[untyped-decorator]
        def double(self, ids: list[str]) -> None:
            """Order the same again."""
            for found in shop.Order.query.filter(shop.Order.id.in_(ids)):
                shop.db.session.add(shop.Order(name=f"{found.name} again"))
            shop.db.session.commit()
            flash(f"Doubled {len(ids)}.")

    Admin(shop.app, name="shop").add_view(Orders(shop.Order, shop.db))
    with shop.app.app_context():
        for name in ("tea", "milk"):
            shop.add(name)
        shop.db.session.commit()
    with visiting(shop.app) as visitor:
        yield shop, visitor
    with shop.app.app_context():
        shop.db.engine.dispose()


def form_of(page: Page, number: int) -> dict[str, str]:
    """The hidden fields of the form of that number that posts."""
    forms = [part for part in page.source.split("<form")[1:] if 'method="post"' in part.lower()]
    tags = HIDDEN.findall(forms[number].partition("</form>")[0])
    pairs = [re.findall(r'\b(name|value)="([^"]*)"', tag) for tag in tags]
    return {pair["name"]: pair.get("value", "") for pair in map(dict, pairs) if "name" in pair}


def ask(visitor: Visitor, page: Page, path: str, **fields: str) -> list[httpx.Response]:
    """The same form twice."""
    return [visitor.post(fields, path, at=page.url) for _ in range(2)]


def test_an_admin_edits_once(admin: tuple[Shop, Visitor]) -> None:
    """The duplicate gets the redirect of the first, and its message is shown once."""
    shop, visitor = admin
    page = visitor.get("/admin/order/edit/?id=1&url=/admin/order/")
    sent = {**form_of(page, 0), "name": "green tea"}
    answers = ask(visitor, page, page.url, **sent)
    assert {(a.status_code, a.headers["location"]) for a in answers} == {
        (303, answers[0].headers["location"])
    }
    shown = [visitor.follow(answers[0]).source for _ in range(2)]
    assert ["successfully saved" in text for text in shown] == [True, False]
    assert shop.names() == ["green tea", "milk"]


def test_a_rejected_edit_may_be_corrected(admin: tuple[Shop, Visitor]) -> None:
    """A form with an error is the page again, with what was typed; corrected it runs."""
    shop, visitor = admin
    page = visitor.get("/admin/order/new/")
    hidden = form_of(page, 0)
    wrong = visitor.post({**hidden, "name": ""}, page.url, at=page.url)
    assert (wrong.status_code, "required" in wrong.text) == (200, True)
    assert shop.names() == ["tea", "milk"]
    again = form_of(Page(wrong), 0)
    right = visitor.post({**again, "name": "honey"}, page.url, at=page.url)
    assert (right.status_code, shop.names()) == (303, ["tea", "milk", "honey"])


def test_an_admin_deletes_once(admin: tuple[Shop, Visitor]) -> None:
    """The second click is no "record does not exist", but what the first was told."""
    shop, visitor = admin
    page = visitor.get("/admin/order/")
    forms = page.source.split("<form")[1:]
    (number,) = [n for n, text in enumerate(posting(forms)) if "order/delete" in text][:1]
    answers = ask(visitor, page, "/admin/order/delete/", **{**form_of(page, number), "id": "1"})
    assert {a.status_code for a in answers} == {303}
    assert answers[0].headers["location"] == answers[1].headers["location"]
    assert "does not exist" not in visitor.follow(answers[1]).source
    assert shop.names() == ["milk"]


def posting(forms: list[str]) -> list[str]:
    """Those that post."""
    return [text for text in forms if 'method="post"' in text.lower()]


def test_an_action_on_many_runs_once(admin: tuple[Shop, Visitor]) -> None:
    """Chosen rows and an action: a double click doubles once."""
    shop, visitor = admin
    page = visitor.get("/admin/order/")
    forms = posting(page.source.split("<form")[1:])
    (number,) = [n for n, text in enumerate(forms) if "order/action" in text]
    sent = {**form_of(page, number), "action": "double", "rowid": "2", "url": "/admin/order/"}
    answers = ask(visitor, page, "/admin/order/action/", **sent)
    assert {a.status_code for a in answers} == {303}
    assert shop.names() == ["tea", "milk", "milk again"]
    shown = [visitor.follow(answers[0]).source for _ in range(2)]
    assert ["Doubled 1." in text for text in shown] == [True, False]

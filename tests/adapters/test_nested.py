"""One seeother inside of another: the outer one is at it, and the inner one does nothing."""

from typing import Any

import pytest
from flask import Flask, request, session
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.orm import scoped_session, sessionmaker
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from seeother import asgi, wsgi
from seeother.flask import SeeOther as FlaskSeeOther
from seeother.starlette import SeeOtherMiddleware
from seeother.testing.adapter import ASGIClient, Browser, Client, WSGIClient
from seeother.testing.adapter.browser import token
from seeother.testing.lint import ASGILint, WSGILint
from tests.adapters.stages import lifespan, read

PAGE = "<title>Shop</title><form method=post><input name=a><button>Order</button></form>"
OUTER = {"secret": "the secret of the one that stands outside", "namespace": "outer"}
INNER = {"secret": "the secret of the one that stands inside.", "namespace": "inner"}
STORE = {"store": "memory://"}


class Shop:
    """A file of orders, and the same shop in four frameworks."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE orders(id INTEGER PRIMARY KEY)"))

    def order(self) -> None:
        """The effect."""
        with self.engine.begin() as connection:
            connection.execute(text("INSERT INTO orders DEFAULT VALUES"))

    @property
    def orders(self) -> int:
        """How many there are."""
        with self.engine.connect() as connection:
            return int(connection.scalar(text("SELECT count(*) FROM orders")) or 0)

    def wsgi(self) -> Any:
        """As a WSGI app behind seeother."""

        def app(environ: Any, start_response: Any) -> list[bytes]:
            if environ["REQUEST_METHOD"] == "POST":
                environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
                self.order()
                start_response("302 Found", [("Location", "/done"), ("Content-Type", "text/html")])
                return [b""]
            start_response("200 OK", [("Content-Type", "text/html")])
            return [PAGE.encode()]

        return wsgi.SeeOther(WSGILint(app), **INNER, **STORE)

    def flask(self, *, once: bool = False) -> Any:
        """As a Flask app with the extension, and perhaps `once`."""
        app = Flask("shop", static_folder=None)
        app.secret_key = INNER["secret"]
        so, db = FlaskSeeOther(app, **STORE), scoped_session(sessionmaker(self.engine))

        def view() -> Any:
            if request.method == "GET":
                return PAGE
            session["last"] = request.form["a"]
            self.order()
            return "", 302, {"Location": "/done"}

        run = so.once(db)(view) if once else view
        app.add_url_rule("/", "shop", run, methods=["GET", "POST"])
        app.add_url_rule("/done", "done", lambda: f"last: {session['last']}")
        return app

    def asgi(self) -> Any:
        """As an ASGI app behind seeother."""

        async def app(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "lifespan":
                await lifespan(receive, send)
                return
            await read(receive)
            answer: Response = HTMLResponse(PAGE)
            if scope["method"] == "POST":
                self.order()
                answer = RedirectResponse("/done", 302)
            await answer(scope, receive, send)

        return asgi.SeeOther(ASGILint(app), **INNER, **STORE)

    def starlette(self) -> Any:
        """As a Starlette app with the middleware, and with its session."""

        async def view(request: Request) -> Response:
            if request.method == "GET":
                return HTMLResponse(PAGE)
            request.session["last"] = (await request.body()).decode().partition("&")[0]
            self.order()
            return RedirectResponse("/done", 302)

        async def done(request: Request) -> Response:
            return HTMLResponse(f"last: {request.session['last'].removeprefix('a=')}")

        layer = Middleware(SeeOtherMiddleware, **INNER, **STORE)
        routes = [Route("/", view, methods=["GET", "POST"]), Route("/done", done)]
        return Starlette(routes=routes, middleware=[layer])


PAIRS: dict[str, Any] = {
    "wsgi in wsgi": Shop.wsgi,
    "flask in wsgi": Shop.flask,
    "flask with once in wsgi": lambda shop: shop.flask(once=True),
    "asgi in asgi": Shop.asgi,
    "starlette in asgi": Shop.starlette,
}


@pytest.mark.parametrize("mode", ["separate", "joined"])
@pytest.mark.parametrize("pair", PAIRS)
def test_the_inner_one_does_nothing(pair: str, mode: str, tmp_path: Any) -> None:
    """One token, of the outer one; one order for each form; nothing of the inner one is seen."""
    shop = Shop(create_engine(f"sqlite:///{tmp_path / 'shop.db'}"))
    app = PAIRS[pair](shop)
    settings: dict[str, Any] = {**OUTER, **STORE, "mode": mode}
    client: Client
    if pair.endswith("wsgi"):
        client = WSGIClient(WSGILint(wsgi.SeeOther(app, **settings)))
    else:
        client = ASGIClient(ASGILint(asgi.SeeOther(app, **settings)))
    browser = Browser(client)
    sent = {"a": "tea", "so_token": token(browser.get())}
    answers = [browser.post(sent) for _ in range(2)]
    assert [answer.status for answer in answers] == [303, 303]
    assert len({answer.location for answer in answers}) == 1
    # In mode joined the outer one leaves the claim to its own `once`; the inner one is silent, too.
    assert shop.orders == (1 if mode == "separate" else 2)
    assert len([name for name in browser.cookies if not name.startswith("so-s-")]) == 1
    if pair.startswith(("flask", "starlette")):
        assert browser.follow(answers[0]).text == "last: tea"
    client.close()
    shop.engine.dispose()

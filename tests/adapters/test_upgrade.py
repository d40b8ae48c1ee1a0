"""Sessions in signed cookies, of Starlette's own middleware and of Flask's own interface.

The old cookie comes from the framework itself, the new one from the same app with seeother in it.
What there is to be counted is counted in the database.
"""

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from http.cookies import SimpleCookie
from pathlib import Path
from string import ascii_lowercase, ascii_uppercase, digits
from typing import Any, ClassVar, NamedTuple

import flask
import pytest
from flask import Flask
from flask.sessions import SecureCookieSessionInterface
from itsdangerous import TimestampSigner
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware as StarlettesOwn
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket

from seeother.core import legacy
from seeother.flask import SeeOther, SeeOtherSessionInterface
from seeother.starlette import SessionMiddleware, visit_of
from tests.adapters.flask_site import together

KEY = "a key that is long enough for everybody here"
NEXT = "the key after it, just as long as the other one"
HOUR = 3600


class Answer(NamedTuple):
    """What came back: the session as the view saw it, and the cookies that were set."""

    seen: dict[str, Any]
    cookies: dict[str, str]


class Site(ABC):
    """One app, bare or with seeother; every request names its cookies itself."""

    session: ClassVar[str]

    @abstractmethod
    def ask(self, path: str, cookies: dict[str, str], method: str = "GET") -> Answer:
        """One request."""

    def old(self) -> dict[str, str]:
        """The cookies of somebody who has signed in."""
        return self.ask("/in", {}, "POST").cookies

    @abstractmethod
    def close(self) -> None:
        """End what it started."""


def sent(cookies: dict[str, str]) -> dict[str, str]:
    """The header that names these cookies."""
    return {"cookie": "; ".join(f"{k}={v}" for k, v in cookies.items())} if cookies else {}


def received(lines: list[str]) -> dict[str, str]:
    """What a browser keeps of Set-Cookie: an empty value stands for a deletion."""
    return {name: morsel.value for line in lines for name, morsel in SimpleCookie(line).items()}


def applied(cookies: dict[str, str], answer: Answer) -> dict[str, str]:
    """The browser's cookies of sessions after this answer."""
    both = {**cookies, **answer.cookies}
    return {name: value for name, value in both.items() if value and "session" in name}


class StarletteSite(Site):
    """The views in Starlette."""

    session = "session-s"

    def __init__(self, middleware: Middleware) -> None:
        def shown(request: Request) -> Response:
            return JSONResponse(dict(request.session))

        async def enter(request: Request) -> Response:
            request.session.update({"user": "Ann", "cart": ["tea"]})
            return shown(request)

        async def leave(request: Request) -> Response:
            request.session.clear()
            return shown(request)

        async def add(request: Request) -> Response:
            request.session[request.query_params["name"]] = 1
            return shown(request)

        async def rotate(request: Request) -> Response:
            visit_of(request).session.rotate()
            request.session["user"] = "Bob"
            return shown(request)

        async def show(request: Request) -> Response:
            return shown(request)

        async def hear(websocket: WebSocket) -> None:
            await websocket.accept()
            await websocket.send_json(dict(websocket.session))
            await websocket.close()

        views: dict[str, Callable[..., Any]] = {
            "/": show,
            "/in": enter,
            "/out": leave,
            "/add": add,
            "/rotate": rotate,
        }
        routes = [Route(path, view, methods=["GET", "POST"]) for path, view in views.items()]
        app = Starlette(routes=[*routes, WebSocketRoute("/ws", hear)], middleware=[middleware])
        self.client = TestClient(app)
        self.client.__enter__()

    def ask(self, path: str, cookies: dict[str, str], method: str = "GET") -> Answer:
        """One request."""
        self.client.cookies.clear()
        answer = self.client.request(method, path, headers=sent(cookies))
        return Answer(answer.json(), received(answer.headers.get_list("set-cookie")))

    def close(self) -> None:
        """End the app's lifespan."""
        self.client.__exit__(None, None, None)


class FlaskSite(Site):
    """The views in Flask."""

    session = "session"

    def __init__(self, app: Flask) -> None:
        self.app = app

        def leave() -> None:
            flask.session.clear()

        def rotate() -> None:
            flask.session.rotate()  # type: ignore[attr-defined]
            flask.session["user"] = "Bob"

        steps: dict[str, Callable[[], Any]] = {
            "/": lambda: None,
            "/in": lambda: flask.session.update({"user": "Ann", "cart": ["tea"]}),
            "/out": leave,
            "/add": lambda: flask.session.update({flask.request.args["name"]: 1}),
            "/rotate": rotate,
        }
        for path, step in steps.items():
            app.add_url_rule(path, path, self._view(step), methods=["GET", "POST"])

    def _view(self, step: Callable[[], Any]) -> Callable[[], Any]:
        def view() -> dict[str, Any]:
            step()
            return dict(flask.session)

        return view

    def ask(self, path: str, cookies: dict[str, str], method: str = "GET") -> Answer:
        """One request."""
        client = self.app.test_client(use_cookies=False)
        answer = client.open(path, method=method, headers=sent(cookies))
        assert answer.json is not None
        return Answer(answer.json, received(answer.headers.getlist("set-cookie")))

    def close(self) -> None:
        """Close the store."""
        for name in ("seeother", "seeother.session"):
            found = self.app.extensions.get(name)
            if found is not None:
                getattr(found, "settings", found).store.shut()


def new_flask(folder: Path, **config: Any) -> Flask:
    """An app whose sessions live for an hour."""
    app = Flask("shop", instance_path=str(folder), static_folder=None)
    app.config.update(SECRET_KEY=KEY, PERMANENT_SESSION_LIFETIME=HOUR, **config)
    return app


Make = Callable[..., Site]


def starlettes(own: bool, folder: Path, *secrets: str) -> Site:
    """Starlette's own, or ours in its place; secrets as they are rotated, the first one signs."""
    if own:
        return StarletteSite(Middleware(StarlettesOwn, secret_key=KEY, max_age=HOUR))
    key = secrets[0] if secrets else KEY
    more: dict[str, Any] = {"secret": secrets} if secrets else {}
    store = f"sqlite:///{folder / 'seeother.db'}"
    return StarletteSite(
        Middleware(SessionMiddleware, secret_key=key, max_age=HOUR, store=store, **more)
    )


def flasks(own: bool, folder: Path, *secrets: str) -> Site:
    """Flask's own, or ours around it."""
    app = new_flask(folder)
    if secrets:
        app.config.update(SECRET_KEY=secrets[0], SECRET_KEY_FALLBACKS=list(secrets[1:]))
    if not own:
        SeeOther(app)
    return FlaskSite(app)


def interfaces(own: bool, folder: Path, *secrets: str) -> Site:
    """Flask's own, or our session interface alone."""
    site = flasks(True, folder, *secrets)
    assert isinstance(site, FlaskSite)
    if not own:
        site.app.session_interface = SeeOtherSessionInterface()
    return site


class Change(NamedTuple):
    """Before and after."""

    before: Site
    after: Site
    database: Path
    make: Make


@pytest.fixture(params=[starlettes, flasks, interfaces], ids=["starlette", "flask", "interface"])
def change(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Change]:
    """One app before and after the change."""
    make: Make = request.param
    found = Change(make(True, tmp_path), make(False, tmp_path), tmp_path / "seeother.db", make)
    yield found
    found.before.close()
    found.after.close()


def heads(database: Path) -> int:
    """How many rows there are of sessions."""
    if not database.exists():
        return 0
    connection = sqlite3.connect(database)
    try:
        return int(connection.execute("SELECT count(*) FROM so_session_head").fetchone()[0])
    finally:
        connection.close()


def spellings(cookie: str) -> list[str]:
    """Four cookies with one signature: two bits of its last character say nothing."""
    alphabet = ascii_uppercase + ascii_lowercase + digits + "-_"
    first = alphabet.index(cookie[-1]) // 4 * 4
    found = [cookie[:-1] + last for last in alphabet[first : first + 4]]
    assert cookie in found
    return found


ANN = {"user": "Ann", "cart": ["tea"]}


def test_nobody_is_signed_out(change: Change) -> None:
    """A page that reads finds the values and writes nothing; the first post upgrades them."""
    site, cookies = change.after, change.before.old()
    for _ in range(2):
        answer = site.ask("/", cookies)
        assert (answer.seen, answer.cookies, heads(change.database)) == (ANN, {}, 0)
    posted = site.ask("/", cookies, "POST")
    assert posted.seen == ANN
    now = applied(cookies, posted)
    assert list(now) == [site.session]
    assert now[site.session] != cookies["session"]
    assert site.ask("/", now) == Answer(ANN, {})


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_change_is_kept_with_everything_else(change: Change, method: str) -> None:
    """The first change writes all values, whatever the method, and none is written twice."""
    site, cookies = change.after, change.before.old()
    answer = site.ask("/add?name=a", cookies, method)
    assert answer.seen == {**ANN, "a": 1}
    now = applied(cookies, answer)
    assert list(now) == [site.session]
    assert site.ask("/", now).seen == {**ANN, "a": 1}


def test_an_answer_that_got_lost_costs_nothing(change: Change) -> None:
    """The old cookie once more: the same session goes on, its first values are not put back."""
    site, cookies = change.after, change.before.old()
    site.ask("/add?name=cart", cookies, "POST")
    rows = heads(change.database)
    again = site.ask("/add?name=b", cookies, "POST")
    assert again.seen == {"user": "Ann", "cart": 1, "b": 1}
    assert site.ask("/", cookies).seen == again.seen
    assert site.ask("/", applied(cookies, again)).seen == again.seen
    assert heads(change.database) == rows


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_many_at_once_are_one_session(change: Change, method: str) -> None:
    """Six first changes at the same time, under one old cookie: none is lost."""
    site, cookies = change.after, change.before.old()
    answers = together(6, lambda n: site.ask(f"/add?name=n{n}", cookies, method))
    assert len({answer.cookies[site.session] for answer in answers}) == 1
    now = applied(cookies, answers[0])
    assert site.ask("/", now).seen == {**ANN, **{f"n{n}": 1 for n in range(6)}}
    assert heads(change.database) == 2  # the session, and that the cookie was used


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody else is at it in these tests, so there is nobody to wait two seconds for."""
    monkeypatch.setattr(legacy, "BETWEEN", 0.1)


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("first", [False, True], ids=["later", "at once"])
def test_a_sign_out_stays_one(change: Change, first: bool, method: str) -> None:
    """After it the old cookie opens nothing, also under another spelling of its signature."""
    site, cookies = change.after, change.before.old()
    now = cookies if first else applied(cookies, site.ask("/", cookies, "POST"))
    left = applied(now, site.ask("/out", now, method))
    assert left == {}
    for spelling in spellings(cookies["session"]):
        for way in ("GET", "POST"):
            assert site.ask("/", {"session": spelling}, way).seen == {}


@pytest.mark.usefixtures("soon")
def test_after_a_rotation_it_opens_nothing(change: Change) -> None:
    """Who has signed in anew goes on under a new id; the old cookie is a stranger's."""
    site, cookies = change.after, change.before.old()
    answer = site.ask("/rotate", cookies, "POST")
    assert site.ask("/", applied(cookies, answer)).seen == {**ANN, "user": "Bob"}
    assert site.ask("/", cookies).seen == {}


def test_what_is_not_ours_is_no_session(change: Change, tmp_path: Path) -> None:
    """Tampered with, signed by somebody else, or nonsense: as if there were none."""
    site, cookies = change.after, change.before.old()
    good = cookies["session"]
    other = change.make(True, tmp_path)
    if isinstance(other, FlaskSite):
        other.app.secret_key = NEXT
        foreign = other.old()["session"]
    else:
        foreign = TimestampSigner(NEXT).sign(good.rpartition(".")[0].rpartition(".")[0]).decode()
    for bad in ("x" + good, good[:-5], foreign, "x.y.z", "null", ""):
        for method in ("GET", "POST"):
            assert site.ask("/", {"session": bad}, method).seen == {}
    assert heads(change.database) == 0


class Early(TimestampSigner):
    """A signer whose clock is an hour and a minute behind."""

    def get_timestamp(self) -> int:
        """A time that is over."""
        return super().get_timestamp() - HOUR - 60


def test_what_is_too_old_is_no_session(change: Change) -> None:
    """The age that the framework allowed is allowed, and no more."""
    if isinstance(change.after, FlaskSite):
        serializer = SecureCookieSessionInterface().get_signing_serializer(change.after.app)
        assert serializer is not None
        serializer.signer = Early
        text = serializer.dumps({"user": "Ann"})
    else:
        payload = change.before.old()["session"].rpartition(".")[0].rpartition(".")[0]
        text = Early(KEY).sign(payload).decode()
    assert change.after.ask("/", {"session": str(text)}, "POST").seen == {}
    assert heads(change.database) == 0


@pytest.mark.usefixtures("soon")
def test_secrets_are_rotated(change: Change, tmp_path: Path) -> None:
    """A cookie under the secret of before opens, is upgraded once, and ends for good."""
    cookies = change.before.old()
    site = change.make(False, tmp_path, NEXT, KEY)
    try:
        assert site.ask("/", cookies).seen == ANN
        now = applied(cookies, change.after.ask("/", cookies, "POST"))  # an old worker
        assert site.ask("/", now).seen == ANN
        assert site.ask("/add?name=a", cookies, "POST").seen == {**ANN, "a": 1}
        site.ask("/out", now, "POST")
        assert site.ask("/", cookies).seen == {}
    finally:
        site.close()


@pytest.mark.usefixtures("soon")
def test_a_websocket_reads_the_old_values(tmp_path: Path) -> None:
    """A handshake of our own page does; after the sign-out it finds nothing."""
    before, site = starlettes(True, tmp_path), starlettes(False, tmp_path)
    cookies = before.old()
    assert isinstance(site, StarletteSite)

    def heard() -> Any:
        headers = {"origin": "http://testserver", **sent(cookies)}
        with site.client.websocket_connect("/ws", headers=headers) as socket:
            return socket.receive_json()

    assert heard() == ANN
    site.ask("/add?name=a", cookies, "POST")
    assert heard() == {**ANN, "a": 1}
    site.ask("/out", cookies, "POST")
    assert heard() == {}
    before.close()
    site.close()


def test_on_https_the_names_are_others(tmp_path: Path) -> None:
    """The old cookie is deleted by its own name, and the new one carries `__Host-`."""
    before, site = starlettes(True, tmp_path), starlettes(False, tmp_path)
    assert isinstance(site, StarletteSite)
    site.client.base_url = "https://testserver"
    cookies = before.old()
    now = applied(cookies, site.ask("/", cookies, "POST"))
    assert list(now) == ["__Host-session-s"]
    assert site.ask("/", now).seen == ANN
    before.close()
    site.close()

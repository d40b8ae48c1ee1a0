"""Sessions in Starlette: `request.session`, and our SessionMiddleware in the place of its own."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket

from seeother.core.values import Changes
from seeother.errors import PolicyError
from seeother.starlette import SeeOtherMiddleware, SessionMiddleware
from seeother.starlette.sessions import RequestSession
from seeother.testing.adapter.stage import SECRET

POST_FORM = '<form method="post"><input name="message"><button>Post</button></form>'


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A file for a store."""
    return tmp_path / "store.db"


@pytest.fixture
def sessions(database: Path) -> Iterator[TestClient]:
    """An app on Starlette's own arguments."""

    async def show(request: Request) -> Response:
        return JSONResponse(dict(request.session))

    async def change(request: Request) -> Response:
        request.session.update(await request.json())
        return JSONResponse(dict(request.session))

    async def clear(request: Request) -> Response:
        request.session.clear()
        return PlainTextResponse("cleared")

    async def hear(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_json(dict(websocket.session))
        await websocket.close()

    app = Starlette(
        routes=[
            Route("/", show),
            Route("/change", change, methods=["POST"]),
            Route("/clear", clear, methods=["POST"]),
            Route("/page", lambda _: HTMLResponse(POST_FORM)),
            WebSocketRoute("/ws", hear),
        ],
        middleware=[
            Middleware(
                SessionMiddleware, secret_key=SECRET, max_age=3600, store=f"sqlite:///{database}"
            )
        ],
    )
    with TestClient(app) as client:
        yield client


def test_the_session_of_starlette(sessions: TestClient) -> None:
    """Set, read, cleared; a page that touches no session sets no cookie and gets no token."""
    assert "set-cookie" not in sessions.get("/page").headers
    assert "so_token" not in sessions.get("/page").text
    assert sessions.post("/change", json={"a": 1, "b": [2]}).json() == {"a": 1, "b": [2]}
    assert sessions.get("/").json() == {"a": 1, "b": [2]}
    fresh = TestClient(sessions.app)
    assert "Max-Age=3600" in fresh.post("/change", json={"a": 1}).headers["set-cookie"]
    sessions.post("/clear")
    assert sessions.get("/").json() == {}


def test_a_session_that_ends_with_the_browser(database: Path) -> None:
    """`max_age=None`: its cookie names no age, and the one that takes it away still does."""

    async def change(request: Request) -> Response:
        request.session.update(await request.json())
        return JSONResponse(request.session)

    async def clear(request: Request) -> Response:
        request.session.clear()
        return PlainTextResponse("cleared")

    routes = [Route("/", change, methods=["POST"]), Route("/clear", clear, methods=["POST"])]
    app = Starlette(routes=routes)
    app.add_middleware(
        SessionMiddleware, secret_key=SECRET, max_age=None, store=f"sqlite:///{database}"
    )
    with TestClient(app) as client:
        answer = client.post("/", json={"a": 1})
        assert answer.json() == {"a": 1}
        assert "max-age" not in answer.headers["set-cookie"].lower()
        assert "max-age=0" in client.post("/clear").headers["set-cookie"].lower()
        assert client.post("/", json={}).json() == {}


@pytest.mark.parametrize(("asked", "said"), [("lax", "Lax"), ("strict", "Strict")])
def test_the_cookie_says_what_was_asked(database: Path, asked: str, said: str) -> None:
    """`same_site="strict"` is no Lax, neither where it comes nor where it is taken away."""

    def change(request: Request) -> Response:
        request.session.update(request.session or {"a": 1})
        return JSONResponse(request.session)

    def clear(request: Request) -> Response:
        request.session.clear()
        return PlainTextResponse("cleared")

    app = Starlette(routes=[Route("/", change), Route("/clear", clear)])
    store = f"sqlite:///{database}"
    app.add_middleware(SessionMiddleware, secret_key=SECRET, same_site=asked, store=store)
    with TestClient(app) as client:
        for path in ("/", "/clear"):
            assert f"samesite={said.lower()}" in client.get(path).headers["set-cookie"].lower()


def test_the_session_is_a_dict() -> None:
    """To those who ask, and to encoders that read a dict past its methods."""
    session = RequestSession([("a", b"1"), ("b", b"[2]")])
    session.mark_accessed()
    session["c"] = 3
    del session["a"]
    session["b"].append(4)
    plain = {"b": [2, 4], "c": 3}
    assert isinstance(session, dict)
    assert json.loads(json.dumps(session)) == plain == dict(session) == {**session}
    assert session == session.copy() == (session | {}) == ({} | session) == plain
    assert dict.__len__(session) == 2 and dict.__getitem__(session, "b") == [2, 4]
    assert list(dict.items(session)) == list(plain.items())
    session |= {"d": 4}
    assert (session.popitem(), session.popitem()) == (("d", 4), ("c", 3))
    assert session.changes() == Changes(sets=(("b", b"[2,4]"),), deletes=("a",))
    session.clear()
    assert (dict.__len__(session), json.dumps(session), bool(session)) == (0, "{}", False)
    with pytest.raises(KeyError):
        session.popitem()


@pytest.mark.parametrize("said", [True, False])
def test_encoders_find_it_also_in_older_releases(
    monkeypatch: pytest.MonkeyPatch, said: bool
) -> None:
    """A Starlette that says nothing of who asks finds the pairs there from the beginning."""
    monkeypatch.setattr("seeother.starlette.sessions.SAID", said)
    session = RequestSession([("a", b"1")])
    assert dict.__len__(session) == int(not said)
    session.mark_accessed()
    assert list(dict.items(session)) == [("a", 1)]


@pytest.mark.parametrize("listed", [None, "Accept", "Accept, cookie", "*"])
def test_who_shows_a_session_varies_by_the_cookie(database: Path, listed: str | None) -> None:
    """`Vary: Cookie` once, beside what the app says; where nobody asks for it, nothing."""

    def page(request: Request) -> Response:
        if request.url.path == "/session":
            assert request.session == {}
        return PlainTextResponse("page", headers={"vary": listed} if listed else {})

    app = Starlette(routes=[Route("/session", page), Route("/other", page)])
    app.add_middleware(SeeOtherMiddleware, secret=SECRET, store=f"sqlite:///{database}")
    with TestClient(app) as client:
        assert client.get("/other").headers.get("vary") == listed
        said = client.get("/session").headers.get_list("vary")
    assert said == [{None: "Cookie", "Accept": "Accept, Cookie"}.get(listed, listed)]


def test_another_site_is_the_apps_business(sessions: TestClient) -> None:
    """As with Starlette's own: nothing is refused. The cookie is Lax, so it does not come along."""
    headers = {"origin": "https://other.example", "sec-fetch-site": "cross-site"}
    assert sessions.post("/change", json={"a": 1}, headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("origin", "seen"),
    [
        ("http://testserver", {"a": 1}),
        ("https://other.example", {}),
        ("null", {}),
        (None, {}),
    ],
    ids=str,
)
def test_a_websocket_reads_the_session(
    sessions: TestClient, origin: str | None, seen: dict[str, int]
) -> None:
    """A handshake of our own page does; browsers send cookies along with everybody's."""
    sessions.post("/change", json={"a": 1})
    headers = {} if origin is None else {"origin": origin}
    with sessions.websocket_connect("/ws", headers=headers) as socket:
        assert socket.receive_json() == seen


@pytest.mark.parametrize(
    "asked",
    [{"domain": "example.org"}, {"path": "/app"}, {"same_site": "none"}, {"partitioned": True}],
    ids=str,
)
def test_what_cannot_be_promised_is_said(asked: dict[str, Any]) -> None:
    """An argument that would give the cookie away is an error that names it."""
    with pytest.raises(PolicyError, match=next(iter(asked))):
        SessionMiddleware(Starlette(), SECRET, **asked)

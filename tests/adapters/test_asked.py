"""What an app sees of a request that may be answered by a page, under both protocols."""

from collections.abc import Iterator
from typing import Any

import pytest

from seeother import asgi, wsgi
from seeother.testing.adapter import ASGIClient, Client, WSGIClient
from seeother.testing.adapter.stage import SECRET, Ask, fetch
from seeother.testing.lint import ASGILint, WSGILint
from tests.adapters.stages import lifespan

SETTINGS = {"secret": SECRET, "store": "memory://"}
CACHE = {"if-none-match": '"1"', "range": "bytes=0-9", "if-range": '"1"'}
SENT = {"accept-encoding": "gzip, br, zstd;q=0.1", "x-own": "kept", **CACHE}
NAMES = {*SENT, "if-modified-since"}


def seen(client: Client, **more: str) -> dict[str, str]:
    """What the app sees of these headers; it answers with them."""
    sent = {**SENT, **{name.replace("_", "-"): value for name, value in more.items()}}
    text = fetch(client, Ask(headers=tuple(sent.items()))).text
    return dict(line.split(": ", 1) for line in text.splitlines())


def wsgi_app(environ: Any, start_response: Any) -> list[bytes]:
    """Says which of the headers it sees."""
    keys = {name: f"HTTP_{name.upper().replace('-', '_')}" for name in sorted(NAMES)}
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{name}: {environ[key]}\n".encode() for name, key in keys.items() if key in environ]


async def asgi_app(scope: Any, receive: Any, send: Any) -> None:
    """Says which of the headers it sees."""
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
        return
    lines = [k + b": " + v for k, v in scope["headers"] if k.decode() in NAMES]
    head = [(b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": b"\n".join(lines)})


def client_of(kind: str, **policy: Any) -> Client:
    """The app behind seeother, between lints."""
    if kind == "wsgi":
        return WSGIClient(WSGILint(wsgi.SeeOther(WSGILint(wsgi_app), **SETTINGS, **policy)))
    return ASGIClient(ASGILint(asgi.SeeOther(ASGILint(asgi_app), **SETTINGS, **policy)))


@pytest.fixture(params=["wsgi", "asgi"])
def kind(request: pytest.FixtureRequest) -> str:
    """Under which protocol."""
    return str(request.param)


@pytest.fixture
def client(kind: str) -> Iterator[Client]:
    """The app."""
    made = client_of(kind)
    yield made
    made.close()


def test_a_navigation_asks_for_a_page_that_can_be_planted(client: Client) -> None:
    """No coding that cannot be undone, nothing that the app could answer by 304 or a part."""
    assert seen(client, sec_fetch_dest="document") == {"accept-encoding": "gzip", "x-own": "kept"}


def test_an_asset_keeps_what_it_asked_for(client: Client) -> None:
    """Images and styles come as before: in any coding, from the browser's cache, in parts."""
    assert seen(client, sec_fetch_dest="image") == SENT


def test_a_script_may_be_sent_a_page(client: Client) -> None:
    """A swapped fragment may hold a form; what the script knows of its cache stays."""
    expected = {**SENT, "accept-encoding": "gzip"}
    assert seen(client, sec_fetch_dest="empty", accept="*/*") == expected
    assert seen(client, sec_fetch_dest="empty", accept="application/json") == SENT


def test_where_it_is_switched_off_nothing_is_changed(kind: str) -> None:
    """A path that is left alone sees the request as it came."""
    client = client_of(kind, off=("/",))
    assert seen(client, sec_fetch_dest="document") == SENT
    client.close()

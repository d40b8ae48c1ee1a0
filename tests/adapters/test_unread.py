"""Zero-code: a form that the strict parser refuses is for the app to judge, and unprotected."""

import logging
from typing import Any

import pytest

from seeother import asgi, wsgi
from seeother.setup import Middleware
from seeother.testing.adapter import ASGIClient, Client, WSGIClient
from seeother.testing.adapter.stage import SECRET, Answer, Ask, fetch
from seeother.testing.lint import ASGILint, WSGILint
from tests.adapters.stages import lifespan, read

MULTIPART = "multipart/form-data; boundary=b"
PLAIN = "application/x-www-form-urlencoded"
HALF = b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\ncut off'
LARGE = b"a=" + b"x" * 300_000
# What nobody reads without guessing, what is no UTF-8, more fields than are counted, more bytes.
UNREAD = {
    "damaged": (MULTIPART, HALF, "bad-form"),
    "another charset": (f"{PLAIN}; charset=latin-1", b"a=%E4", "unsupported-form"),
    "many fields": (PLAIN, b"&".join([b"a=1"] * 1001), "too-large"),
    "many bytes": (PLAIN, LARGE, "too-large"),
}
PROVED = {"Sec-Fetch-Site": "same-origin"}


class Site:
    """An app that keeps every body it gets, behind seeother, under WSGI or ASGI."""

    def __init__(self, kind: str, **policy: Any) -> None:
        self.bodies: list[bytes] = []
        self.asks = False
        settings = {"secret": SECRET, "store": "memory://", "max_body": 200_000, **policy}
        self.outer: Middleware
        self.client: Client
        if kind == "wsgi":
            self.outer = app = wsgi.SeeOther(self.wsgi, **settings)
            self.client = WSGIClient(WSGILint(app), {"wsgi.input_terminated": True})
        else:
            self.outer = other = asgi.SeeOther(ASGILint(self.asgi), **settings)
            self.client = ASGIClient(ASGILint(other))

    def wsgi(self, environ: Any, start_response: Any) -> list[bytes]:
        """As a WSGI app that reads in its own way."""
        stream, parts = environ["wsgi.input"], list[bytes]()
        while part := stream.read(50_000):
            parts.append(part)
        said = environ["seeother"].form.get("a") if self.asks else "done"
        self.bodies.append(b"".join(parts))
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [str(said).encode()]

    async def asgi(self, scope: Any, receive: Any, send: Any) -> None:
        """As an ASGI app."""
        if scope["type"] == "lifespan":
            await lifespan(receive, send)
            return
        body = await read(receive)
        said = scope["seeother"].form.get("a") if self.asks else "done"
        self.bodies.append(body)
        head = [(b"content-type", b"text/plain")]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": str(said).encode()})

    def post(self, kind: str, body: bytes, *, sized: bool = True, **headers: str) -> Answer:
        """Send it, with its length or in chunks."""
        length = ("Content-Length", str(len(body))) if sized else ("Transfer-Encoding", "chunked")
        return fetch(
            self.client,
            Ask("POST", "/", (("Content-Type", kind), length, *headers.items()), body),
        )


@pytest.fixture(params=["wsgi", "asgi"])
def sites(request: pytest.FixtureRequest) -> Any:
    """Makes sites, and shuts them down."""
    made: list[Site] = []

    def make(**policy: Any) -> Site:
        made.append(Site(request.param, **policy))
        return made[-1]

    yield make
    for site in made:
        site.client.close()


@pytest.mark.parametrize("sized", [True, False], ids=["with a length", "in chunks"])
@pytest.mark.parametrize("what", UNREAD)
def test_the_app_gets_what_was_sent(sites: Any, what: str, sized: bool) -> None:
    """It gets every byte, as without seeother, each time, and gives its own answer."""
    site, (kind, body, reason) = sites(), UNREAD[what]
    for _ in range(2):
        answer = site.post(kind, body, sized=sized, **PROVED)
        assert (answer.status, answer.body) == (200, b"done")
    assert site.bodies == [body, body]
    assert site.outer.unread == {reason: 2}


def test_each_reason_is_said_once(sites: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A warning tells which path, and why; the next one of the kind is only counted."""
    site = sites()
    with caplog.at_level(logging.WARNING, "seeother"):
        for _ in range(3):
            for kind, body, _reason in UNREAD.values():
                site.post(kind, body, **PROVED)
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 3
    assert all(line.startswith("unprotected: a form for / ") for line in said)
    assert site.outer.unread == {"bad-form": 3, "unsupported-form": 3, "too-large": 6}


@pytest.mark.parametrize("what", UNREAD)
def test_nothing_passes_that_a_token_had_to_prove(sites: Any, what: str) -> None:
    """Cross-site it is refused; and where only a token could say that our own page sent it."""
    site, (kind, body, _) = sites(), UNREAD[what]
    assert site.post(kind, body, Cookie="login=1").status == 403
    assert site.post(kind, body, **{"Sec-Fetch-Site": "cross-site"}).status == 403
    assert site.bodies == []


@pytest.mark.parametrize("policy", [{"require_token": True}, {"mode": "joined"}], ids=str)
@pytest.mark.parametrize("what", UNREAD)
def test_it_is_refused_where_it_was_asked_for(
    sites: Any, what: str, policy: dict[str, Any]
) -> None:
    """With `require_token`, and where views rely on the visit's form, it is refused as ever."""
    site, (kind, body, _) = sites(**policy), UNREAD[what]
    assert site.post(kind, body, **PROVED).status in (400, 413, 415)
    assert site.bodies == []


@pytest.mark.parametrize("what", UNREAD)
def test_a_view_that_asks_for_the_form_hears_of_it(sites: Any, what: str) -> None:
    """`visit.form` is parsed strictly or not at all: the view ends there, the answer says why."""
    site, (kind, body, _) = sites(), UNREAD[what]
    site.asks = True
    assert site.post(kind, body, **PROVED).status in (400, 413, 415)
    assert site.bodies == []


@pytest.mark.parametrize(
    "lengths", [[("Content-Length", "9")], [("Content-Length", "3"), ("Content-Length", "4")], []]
)
def test_a_length_that_is_not_true_is_refused(sites: Any, lengths: list[tuple[str, str]]) -> None:
    """Where a body ends is not for the app to guess: a lie about it can hide another request."""
    site = sites()
    head = (("Content-Type", PLAIN), *lengths, *PROVED.items())
    client = site.client
    if isinstance(client, WSGIClient):  # the lint's own view of such a request comes first
        client = WSGIClient(site.outer)
    else:
        client = ASGIClient(site.outer)
    assert fetch(client, Ask("POST", "/", head, b"a=1")).status in (400, 411)
    client.close()
    assert site.bodies == []


def test_what_is_no_text_is_a_submission(sites: Any) -> None:
    """A form in another charset has a name as any other: its bytes are compared, not its text."""
    site = sites()
    answer = site.post(PLAIN, b"a=%FF", **PROVED)
    assert (answer.status, site.bodies, site.outer.unread) == (200, [b"a=%FF"], {})

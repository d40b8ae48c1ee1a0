"""The WSGI adapter: the contract in two modes under both lints, and what only WSGI has."""

import sys
import warnings
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any, ClassVar
from wsgiref.util import FileWrapper

import pytest

from seeother.core.policy import Mode
from seeother.errors import PolicyError
from seeother.testing.adapter import Browser, Stage, WrappingContract, WSGIClient, ZeroCodeContract
from seeother.testing.adapter.browser import FORM, token
from seeother.testing.adapter.stage import SECRET, Ask, fetch
from seeother.testing.lint import WSGILint
from seeother.wsgi import App, SeeOther, Sent, once
from tests.adapters.stages import WSGIStage


class WSGIContract(WrappingContract):
    """wsgiref's validator outside and inside."""

    def client(self, stage: Stage) -> WSGIClient:
        """The adapter between two lints."""
        app = WSGILint(WSGIStage(stage))
        for _ in range(stage.layers):
            app = WSGILint(SeeOther(app, **stage.settings))
        return WSGIClient(app)


class TestJoined(WSGIContract):
    """Every promise in mode joined."""


class TestSeparate(WSGIContract, ZeroCodeContract):
    """Every promise in mode separate."""

    mode: ClassVar[Mode] = "separate"


class TestFenced(WSGIContract):
    """Every promise in mode fenced."""

    mode: ClassVar[Mode] = "fenced"


# What only WSGI has -------------------------------------------------------------------------------

TEXT = [("Content-Type", "text/plain")]
HTML = [("Content-Type", "text/html")]
PAGE = b'<form method=post action="/save"><button>Go</button></form>'
SETTINGS = {
    "secret": SECRET,
    "namespace": "contract",
    "store": "memory://",
}


def served(app: App, *, extra: dict[str, Any] | None = None, **policy: Any) -> Browser:
    """A browser at a WSGI app behind seeother, between lints."""
    made = WSGILint(SeeOther(WSGILint(app), **{**SETTINGS, **policy}))
    return Browser(WSGIClient(made, extra))


def ignore(*_head: Any) -> Callable[[bytes], object]:
    """A start_response that nobody looks at."""
    return bytes


class Body:
    """An iterable body that counts how often it is closed."""

    def __init__(self, *pieces: bytes | Exception) -> None:
        self.pieces, self.closed, self.read = pieces, 0, 0

    def __iter__(self) -> Iterator[bytes]:
        for piece in self.pieces:
            self.read += 1
            if isinstance(piece, Exception):
                raise piece
            yield piece

    def close(self) -> None:
        self.closed += 1


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("headers", [TEXT, HTML], ids=["text", "page"])
def test_write(headers: list[tuple[str, str]], method: str) -> None:
    """What an app says through the old `write()` arrives before what it returns, in order."""

    def app(_environ: Any, start_response: Any) -> list[bytes]:
        write = start_response("200 OK", headers)
        write(b"<p>one")
        write(b"<p>two")
        return [b"<p>three"]

    browser = served(app)
    answer = browser.get() if method == "GET" else browser.post({"a": "b"})
    assert (answer.status, answer.body) == (200, b"<p>one<p>two<p>three")


def test_a_written_page_is_planted() -> None:
    """Also a page that comes through `write()` gets its token."""

    def app(_environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", HTML)(PAGE)
        return []

    token(served(app).get())


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_late_start_response(method: str) -> None:
    """A generator calls start_response when it is first asked for a piece, and not before."""

    def app(_environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("404 Nowhere", TEXT)
        yield b""
        yield b"nothing here"

    browser = served(app)
    answer = browser.get() if method == "GET" else browser.post({"a": "b"})
    assert (answer.status, answer.body) == (404, b"nothing here")


@pytest.mark.parametrize(
    ("method", "status", "headers"),
    [
        ("GET", "200 OK", TEXT),
        ("GET", "200 OK", HTML),
        ("HEAD", "200 OK", TEXT),
        ("GET", "302 Found", [*TEXT, ("Location", "/x")]),
        ("POST", "200 OK", HTML),
        ("POST", "302 Found", [*TEXT, ("Location", "/x")]),
        ("POST", "400 Bad Request", TEXT),
        ("POST", "503 Later", TEXT),
        ("POST", "500 Broken", TEXT),
    ],
)
def test_a_body_is_closed_once(method: str, status: str, headers: list[tuple[str, str]]) -> None:
    """`close()` is called once for each answer, whatever becomes of it."""
    body = Body(*([] if method == "HEAD" else [b"a", b"b"]))

    def app(_environ: Any, start_response: Any) -> Body:
        start_response(status, headers)
        return body

    browser = served(app)
    browser.ask(method, "/", origin=browser.origin)
    assert body.closed == 1


@pytest.mark.parametrize("headers", [TEXT, HTML], ids=["text", "page"])
@pytest.mark.parametrize("length", [1, 100_000])
def test_a_body_that_fails_is_closed_once(headers: list[tuple[str, str]], length: int) -> None:
    """An app that raises in the middle of its body: its server hears of it, the body is closed."""
    body = Body(b"x" * length, RuntimeError("broken off"))

    def app(_environ: Any, start_response: Any) -> Body:
        start_response("200 OK", headers)
        return body

    client = served(app).client
    stream = client.open(Ask())
    if stream.status == 200:
        with pytest.raises(RuntimeError, match="broken off"):
            list(stream)
    stream.close()
    assert body.closed == 1


def test_a_client_that_leaves_closes_the_body() -> None:
    """A server that stops reading calls `close()`: the app's iterable hears of it, once."""
    body = Body(PAGE, b"x" * 200_000, b"never read", b"never read")

    def app(_environ: Any, start_response: Any) -> Body:
        start_response("200 OK", HTML)
        return body

    stream = served(app).client.open(Ask())
    stream.close()
    stream.close()
    assert (body.closed, body.read) == (1, 2)


def test_an_error_page_replaces_what_was_not_sent() -> None:
    """start_response with exc_info, before anything left: the new head, and only the new body."""

    def app(_environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [*HTML, ("X-First", "1")])(b"<p>half a page")
        try:
            int("in the middle")
        except ValueError:
            start_response("500 Broken", TEXT, sys.exc_info())
        return [b"it broke"]

    answer = served(app).get()
    assert (answer.status, answer.body) == (500, b"it broke")
    assert answer.header("x-first") is None


def test_an_error_after_the_head_is_raised() -> None:
    """start_response with exc_info, after the head was sent: the error is the server's business."""

    def app(_environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", TEXT)
        yield b"one"
        try:
            int("in the middle")
        except ValueError:
            start_response("500 Broken", TEXT, sys.exc_info())
        yield b"never"

    stream = served(app).client.open(Ask())
    with pytest.raises(ValueError, match="in the middle"):
        list(stream)
    stream.close()


def test_a_second_start_without_an_error_is_refused() -> None:
    """start_response twice without exc_info is a fault of the app, as PEP 3333 says."""

    def app(_environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", TEXT)
        start_response("200 OK", TEXT)
        return []

    environ = WSGIClient(app)._environ(Ask())
    with pytest.raises(AssertionError, match="twice"):
        SeeOther(app, **SETTINGS)(environ, ignore)


def test_no_start_response_is_a_fault() -> None:
    """An app that never calls start_response is named, not answered by an empty page."""
    environ = WSGIClient(None)._environ(Ask())  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="start_response"):
        SeeOther(lambda _e, _s: [], **SETTINGS)(environ, ignore)


def test_the_reason_is_kept() -> None:
    """The app's own words behind the status number arrive; a changed status gets the usual ones."""
    said: list[str] = []

    def app(_environ: Any, start_response: Any) -> list[bytes]:
        start_response("302 Over There", [*TEXT, ("Location", "/x")])
        return []

    made = SeeOther(app, **SETTINGS)
    client = WSGIClient(made)
    form = (("Content-Type", FORM), ("Content-Length", "0"))

    def keep(status: str, *_head: Any) -> Callable[[bytes], object]:
        said.append(status)
        return bytes

    for ask in (Ask(), Ask("POST", headers=form)):
        made(client._environ(ask), keep)
    assert said == ["302 Over There", "303 See Other"]


def test_a_file_wrapper_stays_one() -> None:
    """What the server sends fastest is handed to it as it is: the same object, no copy."""
    body = FileWrapper(BytesIO(b"a file"))

    def app(_environ: Any, start_response: Any) -> FileWrapper:
        start_response("200 OK", [("Content-Type", "application/octet-stream")])
        return body

    environ = WSGIClient(app)._environ(Ask())
    assert SeeOther(app, **SETTINGS)(environ, ignore) is body


def test_a_mounted_app() -> None:
    """Under SCRIPT_NAME: redirects, the mark and the fingerprint know the whole path."""

    def app(environ: Any, start_response: Any) -> list[bytes]:
        visit = environ["seeother"]
        if environ["REQUEST_METHOD"] == "POST":
            answer = visit.see_other("/app/list", flash="Saved.")
            return list(Sent(answer)(environ, start_response))
        start_response("200 OK", HTML)
        return [PAGE, *(flash.text.encode() for flash in visit.flashes())]

    extra = {"SCRIPT_NAME": "/app"}
    browser = served(app, extra=extra)
    answer = browser.submit({"message": "a"}, "/list")
    path, _, query = answer.location.partition("?")
    assert (answer.status, path, query[:3]) == (303, "/app/list", "so=")
    assert "Saved." in browser.get(f"/list?{query}").text


def test_the_app_sees_no_mark() -> None:
    """QUERY_STRING, RAW_URI, REQUEST_URI and the Referer come without our mark, else unchanged."""
    seen: list[dict[str, Any]] = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        seen.append(dict(environ))
        if environ["REQUEST_METHOD"] == "POST":
            return list(
                Sent(environ["seeother"].see_other("/?a=1", flash="x"))(environ, start_response)
            )
        start_response("200 OK", HTML)
        return [PAGE]

    browser = served(app)
    target = browser.submit({"message": "a"}, "/").location
    again = served(app, extra={"RAW_URI": target, "REQUEST_URI": target})
    again.get(target, referer=f"http://localhost:8000{target}")
    last = seen[-1]
    names = ("QUERY_STRING", "RAW_URI", "REQUEST_URI", "HTTP_REFERER")
    assert [last[n] for n in names] == ["a=1", "/?a=1", "/?a=1", "http://localhost:8000/?a=1"]
    again.get("/?so=mine&so", referer="http://other.example/?so=1")
    last = seen[-1]
    assert (last["QUERY_STRING"], last["HTTP_REFERER"]) == (
        "so=mine&so",
        "http://other.example/?so=1",
    )


# Bodies -------------------------------------------------------------------------------------------


def echo(environ: Any, start_response: Any) -> list[bytes]:
    """Answer with the body as the app reads it."""
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    start_response("200 OK", TEXT)
    return [body, b"|" + environ["seeother"].form.get("a", "").encode()]


def test_the_app_reads_the_form_again() -> None:
    """The body that was read to judge it is there for the app, byte for byte."""
    assert served(echo).post({"a": "1", "b": "2"}).body == b"a=1&b=2|1"


def test_a_form_that_breaks_off_is_refused() -> None:
    """Fewer bytes than announced: 400, for it is not the form that the person sent."""
    browser = served(echo)
    answer = browser.ask("POST", "/", b"a=1", content_length="9", origin=browser.origin)
    assert answer.status == 400


@pytest.mark.parametrize("length", ["9, 9", "9,9", "+9", "-1", "0x9", "9.0", "\xb2", "1" * 30])
def test_a_length_that_is_none_is_refused(length: str) -> None:
    """A Content-Length that is not one plain number: 400, and nothing is read."""
    browser = served(echo)
    environ = {"CONTENT_LENGTH": length, "wsgi.input": None}
    bare = WSGIClient(SeeOther(echo, **SETTINGS), environ)
    answer = Browser(bare).ask("POST", "/", origin=browser.origin)
    assert answer.status in (400, 413)


def test_chunks_count_only_where_the_server_ends_them() -> None:
    """Chunked: read to its end where the server says that it ends the input, else 411."""
    ask = Ask(
        "POST", headers=(("Content-Type", FORM), ("Transfer-Encoding", "chunked")), body=b"a=1"
    )
    app = SeeOther(echo, **SETTINGS)
    assert fetch(WSGIClient(app), ask).status == 411
    answer = fetch(WSGIClient(app, {"wsgi.input_terminated": True}), ask)
    assert (answer.status, answer.body) == (200, b"a=1|1")


def test_a_header_with_underscores_is_no_length() -> None:
    """`Content_Length:` reaches the environ under another name, and says nothing."""
    ask = Ask("POST", headers=(("Content-Type", FORM), ("Content-Length", "3")), body=b"a=1")
    lies = {"HTTP_CONTENT_LENGTH": "99", "HTTP_CONTENT_TYPE": "text/plain"}
    answer = fetch(WSGIClient(SeeOther(echo, **SETTINGS), lies), ask)
    assert (answer.status, answer.body) == (200, b"a=1|1")


# Under a real server's lint -----------------------------------------------------------------------


def test_under_webtest() -> None:
    """The lint of webtest has rules of its own: outside and inside, with a form sent twice."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it imports `cgi`
        from webtest.lint import middleware

    def app(environ: Any, start_response: Any) -> list[bytes]:
        if environ["REQUEST_METHOD"] == "POST":
            return list(
                Sent(environ["seeother"].see_other("/", flash="Saved."))(environ, start_response)
            )
        start_response("200 OK", HTML)
        said = environ["seeother"].flashes()
        return [PAGE, *(flash.text.encode() for flash in said)]

    made = WSGILint(SeeOther(WSGILint(app, middleware), **SETTINGS), middleware)
    browser = Browser(WSGIClient(made))
    sent = {"a": "1", "so_token": token(browser.get())}
    first, again = browser.post(sent), browser.post(sent)
    assert (first.status, first.location) == (303, again.location)
    assert "Saved." in browser.follow(first).text


@pytest.mark.parametrize("mode", ["hooked"])
def test_a_mode_that_needs_more(mode: str) -> None:
    """A mode that this adapter cannot keep is refused when the app is built."""
    with pytest.raises(PolicyError, match=mode):
        SeeOther(echo, mode=mode, **SETTINGS)


def test_once_needs_a_visit() -> None:
    """`once` without seeother around the app says what is missing."""
    with pytest.raises(PolicyError, match="SeeOther"):
        once({}, None, echo)  # type: ignore[arg-type]

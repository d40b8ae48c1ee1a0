"""What stands around the arms: the bridge for handlers, the cookie jar, the effects' file."""

import stat
import sys
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler
from io import BytesIO
from pathlib import Path
from typing import Any
from wsgiref.validate import validator

import pytest

from seeother.apps.tour.effects import FILE, Effects, record
from seeother.apps.tour.handler import bridge
from seeother.apps.tour.jar import Jar
from tests.tour.arms_site import together


def call(
    app: Callable[..., Iterable[bytes]], method: str = "GET", body: bytes = b"", **more: Any
) -> tuple[str, list[tuple[str, str]], bytes]:
    """One request to a WSGI app: status, headers and body of its answer."""
    started: list[tuple[str, list[tuple[str, str]]]] = []
    environ = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": "/",
        "QUERY_STRING": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }

    def start(status: str, headers: list[tuple[str, str]], _exc: Any = None) -> Any:
        started.append((status, headers))

    answer = app({**environ, **more}, start)
    found = b"".join(answer)
    if hasattr(answer, "close"):
        answer.close()
    return *started[0], found


class Echo(BaseHTTPRequestHandler):
    """Says what it was asked."""

    def do_GET(self) -> None:
        """What a handler can see of a request."""
        length = int(self.headers.get("Content-Length", "0"))
        seen = (self.command, self.path, self.headers["X-Name"], self.rfile.read(length))
        self.answer(f"{seen} {self.client_address[0]} {self.rfile.read()!r}".encode())

    do_POST = do_HEAD = do_GET  # noqa: N815 - their names there

    def answer(self, body: bytes, length: int | None = None) -> None:
        """Send a page."""
        self.send_response(200, "Fine")
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.send_header("Set-Cookie", "a=1")
        self.send_header("Set-Cookie", "b=2")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)


class Wrong(Echo):
    """Says the wrong length."""

    def answer(self, body: bytes, length: int | None = None) -> None:
        """One byte more than there is."""
        super().answer(body, len(body) + 1)


class Silent(BaseHTTPRequestHandler):
    """Forgets to answer."""

    def do_GET(self) -> None:
        """Nothing."""


class Raising(BaseHTTPRequestHandler):
    """Has a bug."""

    def do_GET(self) -> None:
        """Raise."""
        raise RuntimeError("a bug")


def test_what_a_handler_sees() -> None:
    """Method, whole path with query, headers, exactly the body, the client; and all headers out."""
    status, headers, body = call(
        bridge(Echo),
        "POST",
        b"hello",
        SCRIPT_NAME="/tour",
        PATH_INFO="/m\xc3\xa4h \xe2\x82\xac",
        QUERY_STRING="a=1&b",
        HTTP_X_NAME="Ann",
        REMOTE_ADDR="192.0.2.1",
        REMOTE_PORT="4000",
    )
    assert status == "200 Fine"
    assert body == b"('POST', '/tour/m%C3%A4h%20%E2%82%AC?a=1&b', 'Ann', b'hello') 192.0.2.1 b''"
    assert headers == [
        ("Content-Type", "text/plain"),
        ("Content-Length", str(len(body))),
        ("Set-Cookie", "a=1"),
        ("Set-Cookie", "b=2"),
    ]


def test_it_is_a_wsgi_app() -> None:
    """PEP 3333's own validator finds nothing wrong with it, on either side."""
    for method, body in (("GET", b""), ("POST", b"hello"), ("HEAD", b"")):
        assert call(validator(bridge(Echo)), method, body)[0] == "200 Fine"


def test_nothing_is_read_behind_the_body() -> None:
    """What stands in the stream behind the body is another request's."""
    stream = BytesIO(b"helloPOST / HTTP/1.1")
    _, _, body = call(bridge(Echo), "POST", b"hello", **{"wsgi.input": stream})
    assert b"b'hello'" in body and b"HTTP/1.1" not in body
    assert stream.read() == b"POST / HTTP/1.1"


@pytest.mark.parametrize("length", ["abc", "-1", "+5", "5.0", "0x5", "5,5", "\xb25"])
def test_a_length_that_is_none(length: str) -> None:
    """Anything but digits is a 400, and the handler is not asked."""
    status, _, _ = call(bridge(Raising), "GET", b"hello", CONTENT_LENGTH=length)
    assert status.startswith("400 ")


def test_a_body_that_is_too_short() -> None:
    """It ends before its Content-Length: 400, and the handler is not asked."""
    status, _, _ = call(bridge(Raising), "GET", b"hell", CONTENT_LENGTH="5")
    assert status.startswith("400 ")


def test_a_body_that_is_too_long() -> None:
    """A megabyte is a 413, and nothing of it is read; less of it is a form like any other."""
    stream = BytesIO(b"x" * 1_000_000)
    more: dict[str, Any] = {"CONTENT_LENGTH": "1000000", "wsgi.input": stream}
    status, _, _ = call(bridge(Raising), **more)
    assert status.startswith("413 ") and stream.tell() == 0
    assert call(bridge(Echo), "POST", b"x" * 999_999)[0] == "200 Fine"


@pytest.mark.parametrize("start", ["//evil.example/", "///evil.example", "/%2Fevil.example"])
def test_a_path_is_never_a_host(start: str) -> None:
    """A Location that is made of `path` stays on this site."""
    _, _, body = call(bridge(Echo), PATH_INFO=start)
    path = body.decode().split("'")[3]
    assert path.startswith("/") and not path.startswith("//")


def test_head_has_no_body() -> None:
    """The headers of a GET, its length too, and nothing else."""
    _, headers, body = call(bridge(Echo), "HEAD")
    assert body == b"" and int(dict(headers)["Content-Length"]) > 0


def test_no_such_method() -> None:
    """As `http.server` itself says it."""
    assert call(bridge(Echo), "BREW")[0].startswith("501 ")


@pytest.mark.parametrize("handler", [Wrong, Silent])
def test_a_handler_that_breaks_http(handler: type[BaseHTTPRequestHandler]) -> None:
    """A wrong length and a missing status line are bugs, and raise."""
    with pytest.raises(ValueError, match="the handler"):
        call(bridge(handler))


def test_a_handler_that_raises() -> None:
    """Its exception is the server's to report."""
    with pytest.raises(RuntimeError, match="a bug"):
        call(bridge(Raising))


# The jar -------------------------------------------------------------------------------------


def setting(*cookies: str) -> Callable[..., list[bytes]]:
    """An app that sets these cookies, and says which it got."""

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        start_response("200 OK", [("Set-Cookie", cookie) for cookie in cookies])
        return [environ.get("HTTP_COOKIE", "none").encode()]

    return app


@pytest.mark.parametrize(
    ("cookie", "expected"),
    [
        ("a=1", "x.a=1; Path=/tour"),
        ("a=1; Path=/; HttpOnly", "x.a=1; Path=/tour; HttpOnly"),
        (" a=1; HttpOnly; path=/deep; Secure", "x.a=1; Path=/tour; HttpOnly; Secure"),
        ("__Host-a=1; Path=/; Secure", "__Host-x.a=1; Path=/; Secure"),
    ],
)
def test_out_of_the_jar(cookie: str, expected: str) -> None:
    """Each cookie leaves under the arm's prefix and path; __Host- keeps what it must."""
    _, headers, _ = call(Jar(setting(cookie), "x."), SCRIPT_NAME="/tour")
    assert headers == [("Set-Cookie", expected)]


@pytest.mark.parametrize(
    ("sent", "seen"),
    [
        ("x.a=1; b=2; x.c=3", b"a=1; c=3"),
        ("__Host-x.a=1; __Host-a=2", b"__Host-a=1"),
        ("a=1; y.x.a=2", b"none"),
        ("", b"none"),
        ("x.a", b"a"),
    ],
)
def test_into_the_jar(sent: str, seen: bytes) -> None:
    """The app gets its own cookies under its own names, and no other."""
    assert call(Jar(setting(), "x."), HTTP_COOKIE=sent)[2] == seen


# The effects ---------------------------------------------------------------------------------


def test_effects_are_counted_apart(tmp_path: Path) -> None:
    """By lesson, arm and browser; the newest comes first; the file is the owner's alone."""
    effects = Effects(tmp_path / "new" / FILE)
    for lesson, arm, browser in [("hello", "page", "b1"), ("hello", "lesson", "b1")]:
        with effects.recording(lesson, arm, browser):
            record(f"{arm} one")
            record(f"{arm} two")
    assert effects.count("hello", "page", "b1") == 2
    assert effects.count("hello", "seeother", "b1") == effects.count("guess", "page", "b1") == 0
    assert effects.count("hello", "page", "b2") == 0
    found = effects.rows("hello", "lesson", "b1")
    assert [(e.what, e.lesson, e.browser) for e in found] == [
        ("lesson two", "hello", "b1"),
        ("lesson one", "hello", "b1"),
    ]
    assert effects.rows("hello", "lesson", "b1", limit=1) == found[:1]
    assert stat.S_IMODE(effects.path.stat().st_mode) == 0o600


def test_nobody_records_outside(tmp_path: Path) -> None:
    """A lesson that runs alone writes nothing, also after a request that did."""
    effects = Effects(tmp_path / FILE)
    with effects.recording("hello", "page", ""):
        record("inside")
    record("outside")
    assert effects.count("hello", "page", "") == 1


def test_threads_do_not_mix(tmp_path: Path) -> None:
    """Eight requests at once: each effect is its own browser's, and none is lost."""
    effects = Effects(tmp_path / FILE)

    def work(browser: str) -> None:
        for _ in range(20):
            with effects.recording("hello", "page", browser):
                record(browser)

    names = [f"b{number}" for number in range(8)]
    together(*[lambda name=name: work(name) for name in names])
    assert {effects.count("hello", "page", name) for name in names} == {20}
    assert {e.what for e in effects.rows("hello", "page", "b3", limit=100)} == {"b3"}


def test_a_second_process_start(tmp_path: Path) -> None:
    """The file is kept; opening it again loses nothing."""
    with Effects(tmp_path / FILE).recording("hello", "page", "b"):
        record("before")
    assert Effects(tmp_path / FILE).count("hello", "page", "b") == 1

"""The message board on `http.server`: status, Location, lengths, encoding, escaping."""

import http.client
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import HTTPServer
from types import ModuleType
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from seeother.apps.tour.lessons import lesson
from seeother.apps.tour.source import load
from tests.tour.arms_site import Learner, Site, location, running

TEXTS = [
    "Hello",
    "Don't & won't <i>escape</i>",
    "<script>alert(1)</script>",
    "two\nlines",
    "Grüße, 你好 👋",
    "a+b=c&d=%41",
]
BAD_LENGTHS = ["abc", "-5", "-1", "1e3", "+7", "5 5", "\xb2"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """All arms on one server."""
    with running(tmp_path_factory.mktemp("messages")) as found:
        yield found


@pytest.fixture(params=["lesson", "seeother"])
def learner(request: pytest.FixtureRequest, site: Site) -> Learner:
    """A new browser, in the arms that redirect."""
    return site.learner(lesson("messages"), request.param)


def raw(
    learner: Learner, body: bytes = b"", length: str | None = None, method: str = "POST"
) -> tuple[int, bytes]:
    """A request as no browser sends it: with any Content-Length, or none.

    Where the server will not read a body none is sent: closing on unread bytes resets the
    connection, and then the answer may be lost.
    """
    host = urlsplit(learner.url).netloc
    with closing(http.client.HTTPConnection(host, timeout=20)) as connection:
        connection.putrequest(method, learner.path("messages"))
        connection.putheader("Content-Type", "application/x-www-form-urlencoded")
        if length is not None:
            connection.putheader("Content-Length", length.encode("latin-1"))
        connection.endheaders()
        connection.send(body)
        connection.sock.shutdown(1)  # nothing more comes
        answer = connection.getresponse()
        return answer.status, answer.read()


def test_the_page(learner: Learner) -> None:
    """A GET is an HTML page in UTF-8 with a form and a list."""
    page = learner.open()
    assert page.answer.headers["content-type"] == "text/html; charset=utf-8"
    assert len(page.tree.css("main > pre")) == 1
    assert len(page.tree.css('form[method="post"] textarea[name="message"]')) == 1


@pytest.mark.parametrize("text", TEXTS)
def test_a_message(learner: Learner, text: str) -> None:
    """POST is 303 to its own page without a body; there the text stands as it was typed."""
    answer = learner.type_in(message=text)
    assert (answer.status_code, answer.content) == (303, b"")
    assert location(answer) == learner.path("messages")
    page = learner.landing(answer)
    assert page.texts("pre")[0].endswith(text)
    assert page.tree.css("pre *") == []
    assert learner.effects == 1


def test_the_order(learner: Learner) -> None:
    """Messages stand in the order in which they came, and a refresh adds none."""
    learner.landing(learner.type_in(message="the first"))
    page = learner.landing(learner.type_in(message="the second"))
    assert page.texts("pre")[0].splitlines()[-2:] == ["the first", "the second"]
    assert learner.open().texts("pre") == page.texts("pre")


@pytest.mark.parametrize(
    "body", ["", "message=", "other=1", "message", "message=%ff", "message=%E4"]
)
def test_a_missing_message(learner: Learner, body: str) -> None:
    """A form without a message, or with bytes that are no UTF-8, is a 400 and leaves no trace."""
    before = learner.open().texts("pre")
    status, page = raw(learner, body.encode(), str(len(body)))
    assert status == 400
    assert b"Traceback" not in page
    assert learner.open().texts("pre") == before


@pytest.mark.parametrize("length", BAD_LENGTHS)
def test_a_length_that_is_none(learner: Learner, length: str) -> None:
    """A Content-Length that is no number is a 400."""
    status, page = raw(learner, length=length)
    assert status == 400 and b"Traceback" not in page


def test_no_length(learner: Learner) -> None:
    """Without Content-Length nobody knows where the form ends: 400, or more precisely 411."""
    status, page = raw(learner)
    assert status == {"lesson": 400, "seeother": 411}[learner.arm]
    assert b"Traceback" not in page


def test_a_body_that_is_too_short(learner: Learner) -> None:
    """A body that ends before its Content-Length is a 400, and nobody waits for the rest."""
    before = learner.open().texts("pre")
    status, page = raw(learner, b"message=hello", "1000")
    assert status == 400 and b"Traceback" not in page
    assert learner.open().texts("pre") == before


def test_another_method(learner: Learner) -> None:
    """What the handler has no method for is a 501."""
    assert raw(learner, length="0", method="PUT")[0] == 501


def test_the_page_arm(site: Site) -> None:
    """The page arm answers the POST with the list."""
    learner = site.learner(lesson("messages"), "page")
    answer = learner.type_in(message="from the page arm")
    assert answer.status_code == 200
    assert learner.landing(answer).texts("pre")[0].endswith("from the page arm")


def test_only_the_last_twenty(learner: Learner) -> None:
    """The list does not grow for ever."""
    for number in range(25):
        learner.type_in(message=f"number {number}")
    lines = learner.open().texts("pre")[0].splitlines()
    assert lines == [f"number {number}" for number in range(5, 25)]


@contextmanager
def serving(module: ModuleType) -> Iterator[int]:
    """The very handler class on Python's own HTTPServer, without bridge or WSGI."""
    server = HTTPServer(("127.0.0.1", 0), module.MessageHandler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join(20)


def ask(port: int, method: str, body: bytes | None = None, **headers: str) -> tuple[Any, ...]:
    """One request: status, Location, type and body of its answer."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        connection.request(method, "/", body, headers)
        answer = connection.getresponse()
        found = (answer.getheader("Location"), answer.getheader("Content-Type"))
        return answer.status, *found, answer.read().decode()


def test_the_same_class_without_a_bridge(capfd: pytest.CaptureFixture[str]) -> None:
    """`HTTPServer(address, MessageHandler)`, as the lesson's readers know it, does the same."""
    with serving(load(lesson("messages"), "lesson")) as port:
        body = urlencode({"message": "Grüße <b>"}).encode()
        status, target, _, text = ask(port, "POST", body)
        assert (status, target, text) == (303, "/", "")
        status, _, kind, text = ask(port, "GET")
        assert (status, kind) == (200, "text/html; charset=utf-8")
        assert "<pre>Grüße &lt;b&gt;</pre>" in text
        for length in ("abc", "-5", "-1"):  # read(-1) would wait for the end
            assert ask(port, "POST", None, **{"Content-Length": length})[0] == 400
    assert "Traceback" not in capfd.readouterr().err

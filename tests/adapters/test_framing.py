"""Requests that two parties read in two ways, against real servers, byte by byte.

Who stands in front of an app may take another end for a form than the app's server does (two
lengths, a length and chunks), may be asked to take headers away (`Connection: Cookie`, RFC 9110
section 7.6.1), or may let through a header whose name differs only by an underscore, which CGI and
WSGI cannot tell from the real one. Whatever the server makes of it: nothing has an effect that was
not said to have one, nothing hidden in a body is run, and no proof of origin can be spelled anew.
"""

import os
import re
import socket
import sqlite3
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple

import pytest

from seeother.testing.adapter.browser import TOKEN
from tests.board.wire import FORM, Answer, ask, exchange, head
from tests.recipes.served import running
from tests.servers import free_port

ROOT = Path(__file__).parents[2]
PATH = os.pathsep.join((str(ROOT), os.environ.get("PYTHONPATH", "")))
BIND = "127.0.0.1"
MODULE = "tests.adapters.framing_site"
GUNICORN = ("-m", "gunicorn", "-k", "gthread", "--threads", "4", "--bind", f"{BIND}:{{port}}")
UVICORN = ("-m", "uvicorn", "--host", BIND, "--port", "{port}", "--http")
SERVERS = {
    "gunicorn": (*GUNICORN, f"{MODULE}:on_wsgi"),
    "uvicorn, h11": (*UVICORN, "h11", f"{MODULE}:on_asgi"),
    "uvicorn, httptools": (*UVICORN, "httptools", f"{MODULE}:on_asgi"),
}
SAME = ("Sec-Fetch-Site", "same-origin")
FOREIGN = ("Sec-Fetch-Site", "cross-site")
Headers = Iterable[tuple[str, str]]


class Form(NamedTuple):
    """A form as a browser got it."""

    cookie: str
    token: str

    def body(self, text: str) -> bytes:
        """Filled in."""
        return f"text={text}&so_token={self.token}".encode()


class Site:
    """The site on one of the servers."""

    def __init__(self, port: int, folder: Path) -> None:
        self.port, self._database = port, folder / "app.db"

    def form(self, cookie: str = "") -> Form:
        """Fetch the page; its visitor is new, or the one who has this cookie."""
        answer = ask(self.port, "GET", "/", **({"cookie": cookie} if cookie else {}))
        found = TOKEN.search(answer.text)
        assert found is not None
        made = [line.partition(";")[0] for line in answer.all("set-cookie")]
        return Form("; ".join(made) or cookie, found[1])

    def head(self, *more: tuple[str, str], cookie: str = "") -> bytes:
        """A form's request line and headers; the Host is the right one."""
        lines = [("Host", f"{BIND}:{self.port}"), ("Content-Type", FORM)]
        lines += [("Cookie", cookie)] if cookie else []
        return head("POST / HTTP/1.1", (*lines, *more))

    def send(self, form: Form, text: str, *more: tuple[str, str], cookie: bool = True) -> Answer:
        """Send a form with these headers as well."""
        body = form.body(text)
        lines = (("Content-Length", str(len(body))), ("Connection", "close"))
        own = () if any(name == "Connection" for name, _ in more) else lines[1:]
        sent = self.head(lines[0], *own, *more, cookie=form.cookie if cookie else "")
        answer = exchange(self.port, sent + body, method="POST")
        assert answer is not None
        return answer

    def notes(self, text: str) -> int:
        """How often this took effect."""
        with closing(sqlite3.connect(self._database)) as db:
            found: int = db.execute("SELECT count(*) FROM note WHERE text = ?", (text,)).fetchone()[
                0
            ]
            return found


@pytest.fixture(scope="module", params=SERVERS)
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """Each server, once."""
    yield from served(SERVERS[request.param], tmp_path_factory.mktemp("site"))


def served(words: Iterable[str], folder: Path) -> Iterator[Site]:
    """The site on a server."""
    port = free_port()
    command = [sys.executable, *(word.format(port=port) for word in words)]
    env = {**os.environ, "SITE": str(folder), "PYTHONPATH": PATH}
    with running(command, folder, env, port):
        yield Site(port, folder)


# Connection: Cookie -------------------------------------------------------------------------------


@pytest.mark.parametrize("named", ["Cookie", "close, Cookie", "keep-alive, cookie, sec-fetch-site"])
def test_a_header_of_the_connection_takes_nothing_away(site: Site, named: str) -> None:
    """A server is the end of the connection: the cookie counts, the form is once, its copy too."""
    form, text = site.form(), f"connection {named}"
    answers = [
        site.send(form, text.replace(" ", "+"), SAME, ("Connection", named)) for _ in range(2)
    ]
    assert [answer.status for answer in answers] == [303, 303]
    assert answers[0].header("location") == answers[1].header("location")
    assert site.notes(text) == 1


@pytest.mark.parametrize("bound", [True, False], ids=["bound to a visitor", "of a first page"])
def test_what_a_proxy_that_obeys_leaves_of_it(site: Site, bound: bool) -> None:
    """Without its cookie, and without what says where it came from, a form is no other form.

    One that was made for a visitor is refused and has no effect; one of a first page names its
    submission without a cookie as well, and has its effect. Either way nobody gets a new identity,
    and sent again with its cookie it has taken effect once.
    """
    first, text = site.form(), f"stripped {bound}".replace(" ", "+")
    form = site.form(first.cookie) if bound else first
    stripped = site.send(form, text, cookie=False)
    assert stripped.status == (400 if bound else 303)
    assert stripped.all("set-cookie") == []
    assert site.notes(text.replace("+", " ")) == (0 if bound else 1)
    assert [site.send(form, text, SAME).status for _ in range(2)] == [303, 303]
    assert site.notes(text.replace("+", " ")) == 1


# Where it ends ------------------------------------------------------------------------------------


def framings(length: int) -> dict[str, tuple[bool, Headers]]:
    """Ways to say where a form ends that two parties may read in two ways; is it sent in chunks?"""
    right, chunked = ("Content-Length", str(length)), ("Transfer-Encoding", "chunked")
    return {
        "a length and chunks": (True, (("Content-Length", "4"), chunked)),
        "chunks and a length": (True, (chunked, right)),
        "a tab in the value": (True, (("Transfer-Encoding", "\tchunked"), right)),
        "chunks twice": (True, (chunked, chunked)),
        "chunked, identity": (True, (("Transfer-Encoding", "chunked, identity"),)),
        "xchunked": (True, (("Transfer-Encoding", "xchunked"), right)),
        "a space before the colon": (True, (("Transfer-Encoding ", "chunked"), right)),
        "a folded line": (True, (("X-Folded", "a\r\n Transfer-Encoding: chunked"), right)),
        "two lengths": (False, (right, ("Content-Length", str(length + 400)))),
        "two lengths, the longer first": (False, (("Content-Length", str(length + 400)), right)),
        "a length of nothing, too": (False, (("Content-Length", "0"), right)),
        "a list of lengths": (False, (("Content-Length", f"{length}, {length + 9}"),)),
        "a plus": (False, (("Content-Length", f"+{length}"),)),
        "hex": (False, (("Content-Length", hex(length)),)),
        "an underscore in it": (False, (("Content-Length", f"{length // 10}_{length % 10}"),)),
    }


@pytest.mark.parametrize("framing", framings(0))
def test_nothing_hidden_in_a_form_is_run(site: Site, framing: str) -> None:
    """A form that ends here or there, and behind it another one, complete and with its token.

    The first one may be refused or take effect; what its answer says is so. The other one is run
    for nobody: a proxy that sees one request here has its limits and its log pass it by.
    """
    first, hidden = site.form(), site.form()
    open_, secret = f"open {framing}", f"hidden {framing}"
    body = first.body(open_.replace(" ", "+"))
    chunked, lines = framings(len(body))[framing]
    sent = site.head(SAME, *lines, cookie=first.cookie)
    sent += b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if chunked else body
    behind = hidden.body(secret.replace(" ", "+"))
    sent += site.head(SAME, ("Content-Length", str(len(behind))), cookie=hidden.cookie) + behind
    statuses = said(site.port, sent)
    assert site.notes(secret) == 0, statuses
    assert len(statuses) <= 1
    assert site.notes(open_) == statuses.count(303)


def said(port: int, sent: bytes) -> list[int]:
    """Everything that is answered on one connection until the server has no more to say."""
    answered = b""
    with socket.create_connection((BIND, port)) as line:
        line.sendall(sent)
        line.settimeout(2)
        with suppress(TimeoutError, ConnectionError):
            while more := line.recv(1 << 16):
                answered += more
    return [int(one) for one in re.findall(rb"^HTTP/1\.\d (\d{3})", answered, re.MULTILINE)]


# Underscores --------------------------------------------------------------------------------------


UNDERSCORES = {
    "a length": ("Content_Length", "3"),
    "chunks": ("Transfer_Encoding", "chunked"),
    "a type": ("Content_Type", "text/plain"),
    "a method": ("X_HTTP_Method_Override", "GET"),
}


@pytest.mark.parametrize("what", UNDERSCORES)
def test_an_underscore_is_another_name(site: Site, what: str) -> None:
    """The form is read as its real headers say, and takes effect once."""
    form, text = site.form(), f"underscore {what}"
    assert [
        site.send(form, text.replace(" ", "+"), SAME, UNDERSCORES[what]).status for _ in "12"
    ] == [303, 303]
    assert site.notes(text) == 1


@pytest.mark.parametrize("order", [1, -1])
def test_no_proof_of_origin_with_an_underscore(site: Site, order: int) -> None:
    """A foreign page's form stays one, whatever stands beside its Sec-Fetch-Site."""
    form = site.form()
    both = (FOREIGN, ("Sec_Fetch_Site", "same-origin"))[::order]
    answer = site.send(form, "foreign", *both)
    assert answer.status == 403
    assert answer.all("set-cookie") == []
    assert site.notes("foreign") == 0


@pytest.mark.parametrize("order", [1, -1])
def test_no_host_with_an_underscore(site: Site, order: int) -> None:
    """The proxy says which host was asked; its visitor says another one, with an underscore."""
    form = site.form()
    told = (("X-Forwarded-Host", "shop.example"), ("X_Forwarded_Host", "evil.example"))[::order]
    evil, good = f"evil {order}", f"good {order}"
    answer = site.send(form, evil.replace(" ", "+"), *told, ("Origin", "http://evil.example"))
    assert answer.status == 403
    assert site.notes(evil) == 0
    own = site.send(site.form(), good.replace(" ", "+"), *told, ("Origin", "http://shop.example"))
    assert own.status == 303
    assert site.notes(good) == 1

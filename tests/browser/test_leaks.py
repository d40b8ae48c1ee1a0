"""No token leaves the site: pages that lead planting astray, in browsers with script.

Each case is a page of an app behind the middleware, in which a form, as the browser reads it, posts
to another origin or to ours. A person presses the button. A second server, at another name and
port, keeps everything that it receives: no token is ever in it. Where the form posts to us the
submission works, and is stored once; the app's database says so.
"""

import json
import sqlite3
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote
from wsgiref.simple_server import make_server

import pytest
from playwright.sync_api import Browser

from seeother.core.html import HOLD
from seeother.wsgi import SeeOther
from tests.adapters.unmodified import SECRET, Quiet, Threaded
from tests.browser import chromium as chromium_
from tests.browser.chromium import visiting
from tests.browser.firefox import Firefox
from tests.browser.polling import until
from tests.browser.server import rows

OWN, AWAY, EITHER = "own", "away", "either"
OURS: Final = "<form method=post action=/take>"
THEIRS: Final = "<form method=post action=http://{away}/>"
GO: Final = "<button id=go>Go</button>"
PRESS: Final = (
    "<button id=go type=button onclick=\"{}.querySelector('[name=b]').click()\">Go</button>"
)
INNER: Final = "<button name=b>x</button></form>"


@dataclass(frozen=True)
class Case:
    """A page, where its form leads, and what stands behind the page's own address."""

    name: str
    html: str
    leads: str
    query: str = ""


CASES: Final = (
    # What says that a form leads away.
    Case("nothing special", OURS + GO + "</form>", OWN),
    Case("its own address", "<form method=post>" + GO, OWN),
    Case("away", THEIRS + GO, AWAY),
    Case("base before", "<base href=http://{away}/><form method=post action=x>" + GO, AWAY),
    Case("base after", "<form method=post action=x>" + GO + "</form><base href=//{away}/>", AWAY),
    Case(
        "base after, no action",
        "<form method=post>" + GO + "</form><base href=//{away}/>",
        OWN,
    ),
    Case("formaction inside", OURS + "<button id=go formaction=//{away}/>Go</button></form>", AWAY),
    Case(
        "formaction behind",
        "<form id=f method=post></form><button id=go form=f formaction=//{away}/>Go</button>",
        AWAY,
    ),
    Case(
        "formaction before",
        "<button id=go form=f formaction=//{away}/>Go</button><form id=f method=post></form>",
        AWAY,
    ),
    Case("control character", '<form method=post action="\x01//{away}/">' + GO, AWAY),
    Case("referenced control", '<form method=post action="&#1;&Tab;//{away}/">' + GO, AWAY),
    Case("tab inside", '<form method=post action="/\t/{away}/">' + GO, AWAY),
    Case("backslashes", r'<form method=post action="\\{away}\">' + GO, AWAY),
    Case("slash and backslash", r'<form method=post action="/\{away}/">' + GO, AWAY),
    Case("user and host", '<form method=post action="//127.0.0.1@{away}/">' + GO, AWAY),
    Case("two actions", "<form method=post action=//{away}/ action=/take>" + GO, AWAY),
    # A form of ours that is none, as the one of others is still open.
    Case("nested", THEIRS + OURS + GO, AWAY),
    Case("noscript", THEIRS + "<noscript></form></noscript>" + OURS + GO, AWAY),
    Case("noscript begins", "<noscript>" + THEIRS + "</noscript>" + OURS + GO, OWN),
    Case("cdata", THEIRS + "<svg><![CDATA[></svg></form>]]></svg>" + OURS + GO, AWAY),
    Case("style in svg", THEIRS + "<svg><style><a></form></style></svg>" + OURS + GO, EITHER),
    Case("end in svg", THEIRS + "<svg></form></svg>" + OURS + GO + "</form>", OWN),
    Case("end in desc", THEIRS + "<svg><desc></form></desc></svg>" + OURS + GO, OWN),
    Case("element in desc", THEIRS + "<svg><desc><b></form></b></desc></svg>" + OURS + GO, EITHER),
    Case("glyph", THEIRS + "<math><mi><mglyph></form></mglyph></mi></math>" + OURS + GO, EITHER),
    Case("template", THEIRS + "<template></form></template>" + OURS + GO, AWAY),
    Case("textarea", THEIRS + "<textarea></form></textarea>" + OURS + GO, AWAY),
    Case("title", THEIRS + "<title></form></title>" + OURS + GO, AWAY),
    Case("comment", THEIRS + "<!-- </form> --!>" + OURS + GO, AWAY),
    Case("short comment", "<!-->" + THEIRS + "<!-- -->" + OURS + GO, AWAY),
    Case(
        "escaped script",
        THEIRS + "<script>/*<!--<script></script></form>*/--></script>" + OURS + GO,
        AWAY,
    ),
    Case("attribute", THEIRS + "<p title='</form>'>" + OURS + GO, AWAY),
    Case("table", "<table>" + THEIRS + "</table>" + OURS + GO, AWAY),
    Case("select", THEIRS + "<select></form></select>" + OURS + GO, EITHER),
    Case("open select", THEIRS + "<select></form>" + OURS + "<input name=x>" + GO, EITHER),
    Case(
        "title in select",
        "<select><title></select>" + THEIRS + "</title></select>" + OURS + GO,
        EITHER,
    ),
    # A form that is none until a script makes it one.
    Case(
        "shadow root",
        "<div id=h><template shadowrootmode=open>" + THEIRS + INNER + "</template></div>"
        "" + PRESS.format("h.shadowRoot"),
        AWAY,
    ),
    Case(
        "shadow root of ours",
        "<div id=h><template shadowrootmode=open>" + OURS + INNER + "</template></div>"
        "" + PRESS.format("h.shadowRoot"),
        OWN,
    ),
    Case(
        "cloned template",
        "<template id=t>" + THEIRS + INNER + "</template><div id=h></div>"
        "<script>h.append(t.content.cloneNode(true))</script>" + PRESS.format("h"),
        AWAY,
    ),
    # What the address of the page says, in an action that was made from it.
    Case("reflected", "<form method=post>" + GO, OWN, "?a='%22><base%20href=//{away}/>&b=&quot;"),
)


def stored(database: Path, statement: str, *values: str) -> None:
    """One change of the app's database."""
    with closing(sqlite3.connect(database, timeout=30)) as db, db:
        db.execute(statement, values)


class Site:
    """An app that shows a case at its number, and stores what is posted to it; at 127.0.0.1."""

    def __init__(self, folder: Path, away: str) -> None:
        self.away, self.database = away, folder / "app.db"
        stored(self.database, "CREATE TABLE taken (body TEXT)")
        wrapped = SeeOther(self.app, secret=SECRET, store=f"sqlite:///{folder}/seeother.db")
        self.server = make_server("127.0.0.1", 0, wrapped, Threaded, Quiet)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def app(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        """The app knows nothing of tokens; it is given none."""
        path: str = environ["PATH_INFO"]
        if environ["REQUEST_METHOD"] == "POST":
            body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"] or 0))
            stored(self.database, "INSERT INTO taken VALUES (?)", body.decode())
            start_response("303 See Other", [("Location", "/done")])
            return [b""]
        number = path.removeprefix("/")
        html = self.page(number) if number.isdigit() else FOUND.get(path, "<title>Done</title>")
        start_response("200 OK", [("Content-Type", "text/html; charset=utf-8")])
        return [html.replace("{away}", self.away).encode()]

    @staticmethod
    def page(number: str) -> str:
        """The page of a case, in one piece."""
        return f"<!doctype html><title>Case</title>{CASES[int(number)].html}"

    def taken(self) -> int:
        """How many submissions are stored."""
        return rows(self.database, "taken")


FOUND: Final = {
    "/get": OURS + "<button id=go formmethod=get formaction=/got>Go</button></form>",
    "/got": "<title>Got</title><a id=go href=http://{away}/>Away</a>",
    "/long": "<form method=post action=x>"
    + GO
    + "</form>"
    + "x" * (HOLD - 200)
    + "<base href=http://{away}/>",
}


class Elsewhere(ThreadingHTTPServer):
    """Another origin: it keeps everything that it receives."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Keeping)
        self.received: list[str] = []
        self.host = f"localhost:{self.server_port}"


class _Keeping(BaseHTTPRequestHandler):
    server: Elsewhere

    def do_GET(self) -> None:
        """Keep all of it, and answer."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if "favicon" not in self.path:
            said = f"{self.requestline}\n{self.headers}\n{body.decode('latin-1')}"
            self.server.received.append(said)
        page = b"<!doctype html><title>Away</title>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    do_POST = do_GET  # noqa: N815 (the base class's name)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (also)
        """Say nothing."""


@contextmanager
def serving(server: Any) -> Generator[None]:
    """A server in a thread."""
    thread = threading.Thread(target=server.serve_forever, args=[0.02])
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Elsewhere]:
    """The other origin."""
    server = Elsewhere()
    with serving(server):
        yield server


@pytest.fixture(scope="module")
def site(elsewhere: Elsewhere, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Our own."""
    running = Site(tmp_path_factory.mktemp("leaks"), elsewhere.host)
    with serving(running.server):
        yield running


@dataclass(frozen=True)
class Visitor:
    """Somebody in front of one of the two browsers."""

    open: Callable[[str], object]
    press: Callable[[], object]
    look: Callable[[str], Any]

    def tokens(self) -> list[str]:
        """All tokens of the page, those in shadow roots too."""
        script = "[...document.querySelectorAll('[name=so_token]')].map(one => one.value)"
        found: list[str] = json.loads(self.look(f"JSON.stringify({script})"))
        return found


@pytest.fixture(scope="module", params=["chromium", "firefox"])
def visitor(request: pytest.FixtureRequest) -> Iterator[Visitor]:
    """One visitor in each browser, for all cases."""
    if request.param == "firefox":
        firefox: Firefox = request.getfixturevalue("firefox")
        with firefox.visitor():
            yield Visitor(firefox.goto, lambda: firefox.click("#go"), firefox.js)
        return
    browser: Browser = request.getfixturevalue("chromium")
    with visiting(browser) as page:
        press = lambda: chromium_.clicks(page, "#go")  # noqa: E731
        yield Visitor(page.goto, press, lambda script: chromium_.look(page, script))


def leads(visitor: Visitor, site: Site, elsewhere: Elsewhere, url: str) -> tuple[str, list[str]]:
    """Open a page and press its button: where that leads, and the tokens of the page."""
    visitor.open(url)
    taken, received = site.taken(), len(elsewhere.received)
    tokens = visitor.tokens()
    visitor.press()
    until(lambda: (site.taken(), len(elsewhere.received)) != (taken, received), "a request")
    until(lambda: visitor.look("document.title") in ("Done", "Away"), "the next page")
    away = elsewhere.received[received:]
    assert not any("so_token" in unquote(said) for said in elsewhere.received)
    assert not any(token in said for said in elsewhere.received for token in tokens)
    assert (site.taken() - taken) + len(away) == 1
    return (AWAY if away else OWN), tokens


@pytest.mark.parametrize("number", range(len(CASES)), ids=[case.name for case in CASES])
def test_no_token_leaves(visitor: Visitor, site: Site, elsewhere: Elsewhere, number: int) -> None:
    """Whatever a page does, the other origin gets no token; what is ours is stored once."""
    case = CASES[number]
    query = case.query.replace("{away}", elsewhere.host)
    led, _ = leads(visitor, site, elsewhere, f"{site.url}/{number}{query}")
    assert case.leads in (led, EITHER)


def test_an_ordinary_form_has_a_token(visitor: Visitor, site: Site, elsewhere: Elsewhere) -> None:
    """The cases would show nothing if nothing were planted."""
    led, tokens = leads(visitor, site, elsewhere, f"{site.url}/0")
    assert (led, len(tokens)) == (OWN, 1)


def test_a_base_at_the_end_of_what_is_read(
    visitor: Visitor, site: Site, elsewhere: Elsewhere
) -> None:
    """Almost as far behind the form as is looked."""
    assert leads(visitor, site, elsewhere, f"{site.url}/long") == (AWAY, [])


def test_a_token_in_an_address(visitor: Visitor, site: Site, elsewhere: Elsewhere) -> None:
    """`formmethod=get` puts it into the URL, which the next site is not told."""
    visitor.open(f"{site.url}/get")
    [token] = visitor.tokens()
    visitor.press()
    until(lambda: visitor.look("document.title") == "Got", "the next page")
    received = len(elsewhere.received)
    visitor.press()
    until(lambda: visitor.look("document.title") == "Away", "the other site")
    [said] = elsewhere.received[received:]
    assert "so_token" not in said
    assert token not in said

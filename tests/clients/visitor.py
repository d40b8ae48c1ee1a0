"""Somebody who uses the small app in Chromium, and the app as a process of its own."""

import sqlite3
import sys
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page

from tests.browser.chromium import clicks, history, look, reload, visiting
from tests.browser.polling import at_rest, until
from tests.browser.proxy import Fault, Proxy
from tests.browser.server import Server, rows
from tests.upstream.projects import ROOT

SAID = "[...document.querySelectorAll('#said p')].map(one => one.innerText).join('|')"
FIELD = "document.querySelector('#note [name=text]')?.value"
TOKEN = "(document.querySelector('#note [name=so_token]') || {}).value"
WRONG = "(document.querySelector('#wrong') || {}).innerText"
# What a script does once, whoever wrote it: it loses the answer, or it gives the request up.
BREAKS = """
{
  const ask = window.fetch, send = XMLHttpRequest.prototype.send;
  const broken = () => { throw Error("broken") };
  window.fetch = (what, how) => window.whole ? ask(what, how) : ask(what, how).then(broken);
  XMLHttpRequest.prototype.send = function (body) {
    if (!window.whole) for (const name of ["response", "responseText"])
      Object.defineProperty(this, name, {get: broken});
    return send.call(this, body);
  };
}
"""
ABORTS = """
{
  const ask = window.fetch, send = XMLHttpRequest.prototype.send, given = [];
  window.giveUp = () => given.forEach(one => one.abort());
  window.fetch = (what, how) => {
    const one = new AbortController();
    given.push(one);
    const signal = how?.signal ? AbortSignal.any([how.signal, one.signal]) : one.signal;
    return ask(what, {...how, signal});
  };
  XMLHttpRequest.prototype.send = function (body) {
    given.push(this);
    return send.call(this, body);
  };
}
"""


class Site(Server):
    """The app as a process; the store's clock is moved and a slow view let go by files."""

    def __init__(self, folder: Path, kind: str) -> None:
        self.folder, self.database = folder, folder / "app.db"
        site = (sys.executable, ROOT / "tests" / "clients" / "serve.py", kind, folder)
        super().__init__(folder, site)

    def notes(self) -> int:
        """How many effects there are."""
        return rows(self.database, "note")

    def go(self) -> None:
        """Let slow views end."""
        (self.folder / "go").touch()

    def later(self, seconds: float) -> None:
        """Let so much time pass for the store."""
        before = self.folder / "later"
        passed = float(before.read_text()) if before.exists() else 0.0
        fresh = before.with_suffix(".new")
        fresh.write_text(str(passed + seconds))
        fresh.replace(before)

    def emptied(self) -> "Site":
        """The same app without notes: a start costs more than many a test."""
        (self.folder / "go").unlink(missing_ok=True)
        with closing(sqlite3.connect(self.database, isolation_level=None, timeout=30)) as db:
            db.execute("DELETE FROM note")
        return self


class Visitor:
    """Somebody with one of the clients on the page."""

    def __init__(self, site: Site, proxy: Proxy, page: Page, client: str) -> None:
        self.site, self.proxy, self.page, self.client = site, proxy, page, client

    def open(self, asked: str = "", rest: str = "page") -> None:
        """Type the address of a page; `asked` is its query."""
        self.page.goto(f"{self.proxy.url}{self.client}/{rest}?{asked}")
        self.rest()

    def write(self, text: str) -> None:
        """Replace what stands in the form."""
        self.page.fill("#note [name=text]", text)

    def press(self, n: int = 1, *, form: str = "note", gap: float = 0.15) -> None:
        """Click the button, and see that something was sent."""
        before = len(self.posts())
        clicks(self.page, f"#{form} button", n, gap=gap)
        until(lambda: len(self.posts()) > before, "a POST")

    def send(self, text: str, n: int = 1) -> None:
        """Type and click; wait until nothing moves."""
        self.write(text)
        self.press(n)
        self.rest()

    def posts(self) -> list[object]:
        """The POSTs that came in so far."""
        return list(self.proxy.begun("POST"))

    def rest(self) -> None:
        """Wait until no request is under way and the page is whole and as it was a moment ago."""

        def still() -> tuple[str, int] | None:
            ready = look(self.page, "document.readyState") == "complete" and self.proxy.idle
            shown = look(self.page, "document.body?.innerHTML") if ready else None
            return None if shown is None else (shown, len(self.proxy.begun()))

        at_rest(still, "a page at rest", looks=6)

    def said(self) -> str:
        """The messages on the page."""
        return str(look(self.page, SAID))

    def is_told(self, notes: int, said: str) -> None:
        """There are so many notes, and at last the page says this, and nothing else after it."""
        until(lambda: self.said() == said, said)
        self.rest()
        assert (self.site.notes(), self.said()) == (notes, said)

    def text(self) -> str:
        """What stands in the form."""
        return str(look(self.page, FIELD))

    def wrong(self) -> str:
        """What is said to be wrong with it."""
        return str(look(self.page, WRONG))

    def token(self) -> str:
        """The token of the form."""
        return str(look(self.page, TOKEN))

    def reload(self) -> None:
        """Press the Reload button, and wait until the page is there, anew."""
        self.page.evaluate("window.before = true")
        reload(self.page)
        fresh = "document.readyState == 'complete' && !window.before"
        until(lambda: look(self.page, fresh), "the page anew")

    def go(self, delta: int) -> None:
        """Press Back (-1) or Forward (1)."""
        left = self.page.url
        history(self.page, delta)
        until(lambda: (look(self.page, "location.href") or left) != left, "another page")
        self.rest()

    @contextmanager
    def held(self) -> Generator[None]:
        """The server works, and what it says to POSTs comes only afterwards."""
        gate, answered = self.proxy.gate(), len(self._answered())
        self.proxy.rule(Fault(after=gate), method="POST", times=None)
        try:
            yield
            until(lambda: len(self._answered()) > answered, "an answer of the server")
        finally:
            self.proxy.clear()
            gate.set()

    def _answered(self) -> list[object]:
        return [one for one in self.proxy.answered() if one.request.method == "POST"]


@contextmanager
def visitor(
    browser: Browser, site: Site, client: str, *, script: str = "", blocked: str = ""
) -> Generator[Visitor]:
    """A new visitor; `script` runs before those of the page, `blocked` never arrives."""
    with Proxy(site.emptied().port) as proxy, visiting(browser) as page:
        if script:
            page.add_init_script(script)
        if blocked:
            page.route(f"**/{blocked}", lambda route: route.abort())
        yield Visitor(site, proxy, page, client)

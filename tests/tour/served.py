"""The tour as a process, and a visitor who presses its buttons.

A process of its own, because Django is configured once in each. What the lessons did is counted in
the tour's database from outside, past all code under test.
"""

import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Self

import httpx
from selectolax.lexbor import LexborHTMLParser, LexborNode

from seeother.apps.tour.effects import FILE, TABLES
from seeother.apps.tour.journal import Journal
from seeother.apps.tour.lessons import ARMS
from tests.browser.server import Server

ROOT = Path(__file__).parents[2]
SECRET = b"the secret of a tour that is only a test"
PREFIXES = {"seeother": "/tour", "lesson": "/tour/lesson", "page": "/tour/page"}
HOSTS = ("127.0.0.1", "localhost")
START = f"""import sys; sys.path.insert(0, {str(ROOT)!r})
from tests.tour.served import main; main(*sys.argv[1:])"""


def main(data: str, proxy_hops: str, port: str) -> None:
    """Serve until the process is ended."""
    import uvicorn

    from seeother.apps.tour.app import create_tour

    app = create_tour(Path(data), secret=SECRET, hosts=HOSTS, board="/", proxy_hops=int(proxy_hops))
    uvicorn.run(app, port=int(port), log_level="warning", access_log=False, proxy_headers=False)


class Tour(Server):
    """A running tour; its files are in `data`."""

    def __init__(self, folder: Path, proxy_hops: int = 0) -> None:
        self.data = folder / "data"
        super().__init__(folder, [sys.executable, "-c", START, self.data, str(proxy_hops)])

    def effects(self, lesson: str, arm: str, browser: str | None = None) -> int:
        """How many rows this arm's table really holds, of one browser or of all."""
        query = f"SELECT count(*) FROM {TABLES[arm]} WHERE lesson = ?"
        values = [lesson]
        if browser is not None:
            query, values = f"{query} AND browser = ?", [lesson, browser]
        path = self.data / FILE
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=10)) as db:
            return int(db.execute(query, values).fetchone()[0])

    def all_effects(self, lesson: str) -> tuple[int, ...]:
        """The rows of the three arms."""
        return tuple(self.effects(lesson, arm) for arm in ARMS)

    def journal(self) -> Journal:
        """The journal that the running tour writes."""
        return Journal(self.data / "tour-journal.db")


class Page:
    """What a visitor sees."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer, self.status = answer, answer.status_code
        self.tree = LexborHTMLParser(answer.text)

    def texts(self, selector: str) -> list[str]:
        """The words of what a selector finds, blanks made one."""
        return [" ".join(node.text().split()) for node in self.tree.css(selector)]

    def one(self, selector: str) -> LexborNode:
        """The one thing that a selector finds."""
        (found,) = self.tree.css(selector)
        return found

    @property
    def requests(self) -> list[tuple[str, ...]]:
        """The lines of the panel, the newest first: request, answer, effects."""
        lines = self.tree.css(".requests tbody tr")
        return [tuple(" ".join(c.text().split()) for c in tr.css("td")) for tr in lines]

    @property
    def effects(self) -> dict[str, list[tuple[str, ...]]]:
        """The table of effects: for each attack the numbers of the arms, one row per form."""
        found: dict[str, list[tuple[str, ...]]] = {}
        for tr in self.tree.css("table.effects tbody tr:not(.form)"):
            label = " ".join(self._words(tr, "th"))
            found.setdefault(label, []).append(tuple(self._words(tr, "td")))
        return found

    @staticmethod
    def _words(row: LexborNode, what: str) -> list[str]:
        return [
            node.text(separator=" ").split("✓")[0].split("✗")[0].strip() for node in row.css(what)
        ]


class Visitor:
    """A browser with cookies of its own, that follows redirects; a context manager."""

    def __init__(self, url: str) -> None:
        origin = url.rstrip("/")
        own = {"origin": origin, "sec-fetch-site": "same-origin", "accept": "text/html"}
        self.client = httpx.Client(base_url=origin, headers=own, trust_env=False, timeout=60)

    def get(self, path: str) -> Page:
        """Open a page."""
        return Page(self.client.get(path, follow_redirects=True))

    def send(self, page: Page, selector: str = "form[method=post]", **typed: str) -> httpx.Response:
        """Fill in the first form that a selector finds and send it; the answer is not followed."""
        form = page.tree.css(selector)[0]
        fields = {
            str(f.attributes["name"]): f.attributes.get("value") or ""
            for f in form.css("input[type=hidden]")
        }
        action = page.answer.url.join(form.attributes.get("action") or str(page.answer.url))
        return self.client.post(action, data=fields | typed)

    def press(self, page: Page, button: str) -> Page:
        """Press one of the attack buttons, and see the page behind the redirect."""
        answer = self.send(page, "form.attacks", attack=button)
        assert answer.status_code == 303, answer.text
        return self.get(answer.headers["location"])

    @property
    def name(self) -> str:
        """What the tour calls this browser."""
        return str(self.client.cookies["tour_browser"])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.client.close()

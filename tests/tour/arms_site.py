"""All arms of all lessons on a real server, and learners who visit them.

The server is a process of its own, because Django is configured once in a process. It mounts the
arms where the tour mounts them, and knows browsers by a cookie, as the tour does. What a learner
did is counted in the tour's database.
"""

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.cookies import SimpleCookie
from pathlib import Path
from secrets import token_hex
from typing import Any
from urllib.parse import urljoin

import httpx
from selectolax.lexbor import LexborNode

from seeother.apps.tour.arms import BROWSER, Arm, build
from seeother.apps.tour.effects import FILE
from seeother.apps.tour.lessons import ARMS, LESSONS, Lesson
from tests.board.visitor import Form, Page, Visitor
from tests.browser.server import Server, rows

PREFIXES = {"seeother": "/tour", "lesson": "/tour/lesson", "page": "/tour/page"}
SECRET = b"the secret of a site that is only a test"
ROOT = Path(__file__).parents[2]
START = f"""import sys; sys.path.insert(0, {str(ROOT)!r})
from tests.tour.arms_site import main; main(*sys.argv[1:])"""


class Arms:
    """Every arm at its place."""

    def __init__(self, data: Path) -> None:
        self._arms: dict[str, tuple[str, Arm]] = {}
        for lesson in LESSONS:
            for arm in ARMS:
                prefix = PREFIXES[arm]
                made = build(lesson, arm, prefix=prefix, data=data, secret=SECRET)
                self._arms |= {f"{prefix}/{path}": (prefix, made) for path in lesson.paths}

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        """One WSGI request."""
        path = environ["PATH_INFO"]
        if path not in self._arms:
            start_response("404 Not Found", [("Content-Length", "0")])
            return []
        prefix, arm = self._arms[path]
        cookie = SimpleCookie(environ.get("HTTP_COOKIE", "")).get("tour_browser")
        environ |= {"SCRIPT_NAME": prefix, "PATH_INFO": path.removeprefix(prefix)}
        environ[BROWSER] = "" if cookie is None else cookie.value
        return arm(environ, start_response)


def main(data: str, port: str) -> None:
    """Serve until the process is ended."""
    from werkzeug.serving import run_simple

    run_simple("127.0.0.1", int(port), Arms(Path(data)), threaded=True)


class Learner(Visitor):
    """A browser in one arm of one lesson."""

    def __init__(self, url: str, data: Path, lesson: Lesson, arm: str) -> None:
        super().__init__(url)
        self._data, self.lesson, self.arm = data, lesson, arm
        self.name = token_hex(8)
        self.client.cookies.set("tour_browser", self.name)

    @property
    def start(self) -> str:
        """Where the lesson starts."""
        return self.lesson.paths[0]

    @property
    def effects(self) -> int:
        """How many effects this browser has had, as the file says."""
        where = "lesson = ? AND browser = ?"
        values = (self.lesson.name, self.name)
        return rows(self._data / FILE, f"effect_{self.arm}", where, *values)

    def path(self, name: str) -> str:
        """A path of this arm, as the site sees it."""
        return f"{PREFIXES[self.arm]}/{name}"

    def open(self, name: str = "") -> Page:
        """Type the address of one of the lesson's pages, the first one unless it is named."""
        return self.get(self.path(name or self.start))

    def fill(self, page: Page, **values: str) -> tuple[str, dict[str, str]]:
        """Where the first POST form of a page goes, and what it carries then."""
        form = post_form(page)
        return urljoin(page.url, form.action or page.url), {**form.fields, **values}

    def send_form(self, filled: tuple[str, dict[str, str]]) -> httpx.Response:
        """Send what was filled in; the answer is not followed, but for a 307 (Fetch, 4.4)."""
        action, fields = filled
        answer = self.post(fields, action)
        if answer.status_code == 307:
            return self.send_form((urljoin(action, answer.headers["location"]), fields))
        return answer

    def type_in(self, name: str = "", /, **values: str) -> httpx.Response:
        """Open a page of the lesson, fill in its form, and send it."""
        return self.send_form(self.fill(self.open(name), **values))

    def landing(self, answer: httpx.Response) -> Page:
        """What a browser shows in the end."""
        if answer.is_redirect:
            target = urljoin(str(answer.url), answer.headers["location"])
            return self.get(target, site="same-origin")
        return Page(answer)


def location(answer: httpx.Response) -> str:
    """Where a redirect leads, without our mark."""
    return str(answer.headers["location"]).partition("?so=")[0]


def post_form(page: Page) -> Form:
    """The first form of a page that is sent by POST, with its hidden fields."""
    form = next(f for f in page.tree.css("form") if _attribute(f, "method") == "post")
    hidden = form.css('input[type="hidden"][name]')
    fields = {_attribute(field, "name"): _attribute(field, "value") for field in hidden}
    return Form(_attribute(form, "action"), fields)


def _attribute(node: LexborNode, name: str) -> str:
    return node.attributes.get(name) or ""


def attribute(page: Page, selector: str, name: str) -> str:
    """An attribute of the only element that a CSS selector finds."""
    (node,) = page.tree.css(selector)
    return _attribute(node, name)


def said(page: Page) -> list[str]:
    """The status messages of a page."""
    return page.texts('[role="status"]')


def together(*jobs: Callable[[], Any]) -> list[Any]:
    """Run these at the same time."""
    with ThreadPoolExecutor(len(jobs)) as pool:
        return [done.result(60) for done in [pool.submit(job) for job in jobs]]


class Site:
    """The running server."""

    def __init__(self, server: Server, data: Path) -> None:
        self.server, self.data = server, data
        self._open: list[Learner] = []

    def learner(self, lesson: Lesson, arm: str) -> Learner:
        """A new browser in an arm."""
        self._open.append(Learner(self.server.url, self.data, lesson, arm))
        return self._open[-1]

    @property
    def log(self) -> str:
        """What the server has written."""
        return self.server.log.read_text("utf-8", "replace")

    def close(self) -> None:
        """Every browser is closed."""
        for one in self._open:
            one.client.close()


@contextmanager
def running(folder: Path) -> Iterator[Site]:
    """The server, as long as the block runs; no view may have raised in it."""
    data = folder / "data"
    with Server(folder, [sys.executable, "-W", "error", "-c", START, data]) as server:
        site = Site(server, data)
        try:
            yield site
        finally:
            site.close()
        assert "Traceback" not in site.log, site.log[-3000:]

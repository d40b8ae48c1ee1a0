"""The tour as one ASGI app: fifteen small apps, the pages about them, and a journal of it all.

    /tour/                  the index                   |  the tour's own pages (`pages`),
    /tour/about/<lesson>    a page for each lesson      |  behind seeother themselves
    /tour/<path>            a lesson, arm `seeother`    |
    /tour/lesson/<path>     the same, as it is taught   |  WSGI apps, each with its SCRIPT_NAME
    /tour/page/<path>       the same, without redirect  |

The lessons stand beside the tour's own seeother and not behind it, so that the bare arms stay bare.
What the frame adds to them is a cookie that names the browser, some headers, and the panel.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from a2wsgi import WSGIMiddleware
from starlette.responses import PlainTextResponse, RedirectResponse

from ...asgi import SeeOther, request_of
from ...channel import App, Message, Receive, Scope, Send
from ...core.origin import known_host
from ...log import request_line
from .arms import build
from .attacks import COOKIE, Arena
from .effects import Effects
from .journal import Entry, Journal
from .lessons import ARMS, LESSONS, Lesson
from .pages import Pages
from .panel import Answer, Framed
from .pictures import MOUNTS

QUIET: Final = re.compile(r"/static/|/favicon\.|\.(css|ico|svg|png|map)$")
NAME: Final = re.compile(rf"(?:^|;)\s*{COOKIE}=([A-Za-z0-9_-]{{16,64}})\s*(?:;|$)")
MOST: Final = 1 << 20  # bytes of a form
WRITERS: Final = 2  # threads that write the journal; SQLite lets one at a time


@dataclass(frozen=True, slots=True)
class Place:
    """Where an arm of a lesson stands: its root, and its app."""

    lesson: Lesson
    arm: str
    root: str
    app: App

    def has(self, path: str) -> bool:
        """Does this path belong to it?"""
        own = [f"{self.root}/{one}" for one in self.lesson.paths]
        return any(path == one or path.startswith(f"{one}/") for one in own)


class Tour:
    """The dispatcher; `own` is the app of the tour's own pages."""

    def __init__(
        self,
        own: App,
        pages: Pages,
        places: Sequence[Place],
        *,
        prefix: str,
        hosts: tuple[str, ...] | None,
    ) -> None:
        self._own, self._pages, self._places, self._prefix = own, pages, places, prefix
        self._hosts = hosts
        self._writers = ThreadPoolExecutor(WRITERS, thread_name_prefix="tour-journal")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One ASGI connection."""
        if scope["type"] != "http":
            await self._own(scope, receive, send)
        elif not known_host(_header(scope, b"host"), self._hosts):
            await PlainTextResponse("This host is not known here.", 400)(scope, receive, send)
        elif scope["path"] in ("/", self._prefix):
            await RedirectResponse(f"{self._prefix}/", 303)(scope, receive, send)
        elif _length(scope) > MOST:  # the bare arms would read all of it
            await PlainTextResponse("That is too much at once.", 413)(scope, receive, send)
        else:
            await self._within(scope, receive, send)

    async def _within(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A request below the prefix, of a browser that has a name from now on."""
        known = NAME.search(_header(scope, b"cookie"))
        browser = known[1] if known else secrets.token_urlsafe(18)
        if known is None and not QUIET.search(scope["path"]):
            send = _naming(send, _cookie(browser, self._prefix, scope["scheme"] == "https"))
        place = next((one for one in self._places if one.has(scope["path"])), None)
        if place is not None:
            await self._lesson(place, browser, scope, receive, send)
        else:
            inner = {**scope, "tour.browser": browser}
            await self._own(inner, receive, self._noting(scope, send, browser))

    async def _lesson(
        self, place: Place, browser: str, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """A request to an arm: its effects are claimed, its page gets the panel."""

        async def finish(answer: Answer) -> tuple[bytes, bytes]:
            make = partial(self._noted, place, browser, scope, answer)
            return await asyncio.get_running_loop().run_in_executor(self._writers, make)

        started = time.perf_counter()
        framed = Framed(send, finish, bodiless=scope["method"] == "HEAD")
        inner = {**scope, "root_path": place.root, "seeother.tour.browser": browser}
        await place.app(inner, receive, framed)
        if place.arm != "seeother":  # which writes its own line
            seconds = time.perf_counter() - started
            request = request_of(scope)
            request_line(request, framed.status, framed.location, word="bare", seconds=seconds)

    def _noted(
        self, place: Place, browser: str, scope: Scope, answer: Answer
    ) -> tuple[bytes, bytes]:
        """Write the request down; what belongs into the head of its page, and the panel."""
        journal, lesson, arm = self._pages.journal, place.lesson, place.arm
        counted = self._pages.effects.count(lesson.name, arm, browser)
        effects = journal.claim(browser, lesson.name, arm, counted)
        path = _asked(scope)
        journal.note(browser, Entry(scope["method"], path, answer.status, answer.location, effects))
        if not answer.takes_panel:
            return b"", b""
        return self._pages.head(), self._pages.panel(lesson, arm, browser)

    def _noting(self, scope: Scope, send: Send, browser: str) -> Send:
        """`send` for the tour's own answers, which writes them down."""

        def note(status: int, location: str | None) -> None:
            quiet = QUIET.search(scope["path"]) is not None
            entry = Entry(scope["method"], _asked(scope), status, location, quiet=quiet)
            self._pages.journal.note(browser, entry)

        return Noting(send, note, self._writers)


@dataclass(frozen=True, slots=True)
class Noting:
    """`send` that calls `note(status, location)` on another thread as an answer begins."""

    send: Send
    note: Callable[[int, str | None], None]
    writers: Executor

    async def __call__(self, message: Message) -> None:
        """One message of the answer."""
        if message["type"] == "http.response.start":
            where = dict(message.get("headers", ())).get(b"location")
            location = None if where is None else bytes(where).decode("latin-1")
            write = partial(self.note, message["status"], location)
            await asyncio.get_running_loop().run_in_executor(self.writers, write)
        await self.send(message)


def create_tour(
    data: Path,
    *,
    secret: bytes,
    prefix: str = "/tour",
    hosts: Iterable[str] | None = None,
    proxy_hops: int = 0,
    board: str | None = None,
) -> App:
    """The tour as an ASGI app that serves everything below `prefix`.

    `data` is a folder for its SQLite files, made where it is missing; `secret` signs sessions and
    tokens; `hosts` are the names under which it may be reached (None: any), `proxy_hops` how many
    proxies stand before it; `board` is the address of the message board, for a link. `/` leads to
    the tour. Raises PolicyError where a setting cannot be, StoreDown where `data` cannot be used.
    """
    journal, effects = Journal(data / "tour-journal.db"), Effects(data / "tour.db")
    known = None if hosts is None else tuple(hosts)
    arena = Arena(journal, effects, proxy_hops)
    pages = Pages(journal, effects, arena, prefix=prefix, board=board)
    own = SeeOther(
        pages.app(),
        secret=secret,
        store=f"sqlite:///{data / 'tour-pages.db'}",
        namespace="tour",
        hosts=known,
        proxy_hops=proxy_hops,
        max_body=64 << 10,
    )

    def place(lesson: Lesson, arm: str) -> Place:
        app = build(lesson, arm, prefix=prefix, data=data, secret=secret, hosts=known)
        bridged: Any = WSGIMiddleware(_named(app))  # ASGI, typed message by message
        return Place(lesson, arm, prefix + MOUNTS[arm], bridged)

    places = [place(one, arm) for one in LESSONS for arm in ARMS]
    checked = None if proxy_hops else known  # behind proxies Host is not what the visitor typed
    return Tour(own, pages, places, prefix=prefix, hosts=checked)


def _named(app: Callable[..., Any]) -> Callable[..., Any]:
    """A WSGI app that is told which browser asks."""

    def named(environ: dict[str, Any], start_response: Any) -> Any:
        environ["seeother.tour.browser"] = environ["asgi.scope"]["seeother.tour.browser"]
        return app(environ, start_response)

    return named


def _naming(send: Send, cookie: bytes) -> Send:
    async def naming(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = [*message.get("headers", ()), (b"set-cookie", cookie)]
            message = {**message, "headers": headers}
        await send(message)

    return naming


def _cookie(browser: str, prefix: str, secure: bool) -> bytes:
    flags = "HttpOnly; SameSite=Lax" + ("; Secure" if secure else "")
    return f"{COOKIE}={browser}; Path={prefix}; {flags}".encode("ascii")


def _header(scope: Scope, name: bytes) -> str:
    return "; ".join(bytes(v).decode("latin-1") for k, v in scope["headers"] if k == name)


def _length(scope: Scope) -> int:
    """What Content-Length says; 0 where it is no number, for the lesson has to answer that."""
    said = _header(scope, b"content-length")
    return int(said[:20]) if said.isascii() and said.isdigit() else 0


def _asked(scope: Scope) -> str:
    """Path and query as they were sent, cut where nobody would read on."""
    raw = bytes(scope.get("raw_path") or scope["path"].encode())
    query = bytes(scope.get("query_string", b""))
    return (raw + (b"?" + query if query else b"")).decode("latin-1")[:300]

"""The board's cycle in this process: GET, POST, 303, GET, against the board without seeother."""

import asyncio
import gc
import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from collections.abc import Iterator as Lines
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlencode

from seeother.apps.board.app import create_board
from tests.bench.bare import create_bare
from tests.bench.measure import Contestant, Figures, Scale, interleaved, spent, times
from tests.bench.report import Line
from tests.bench.submissions import FORM, SECRET, TEXT, Site, forms
from tests.bench.wal import commits

App = Callable[..., Awaitable[None]]
HOSTS = ("127.0.0.1",)
ACTION = re.compile(rb'<form [^>]*action="([^"]*)"')
TOKEN = re.compile(rb'name="so_token" value="([^"]*)"')


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    location: str
    cookies: tuple[str, ...]
    body: bytes


def filled(page: bytes, text: str) -> tuple[str, bytes]:
    """Fill in the form of the board: where it goes, and its body."""
    action, token = ACTION.search(page), TOKEN.search(page)
    assert action is not None
    fields = {"message": text, "name": "Ann"}
    if token is not None:
        fields["so_token"] = token[1].decode()
    return unescape(action[1].decode()), urlencode(fields).encode()


def headers_of(method: str, cookies: dict[str, str], origin: str) -> list[tuple[str, str]]:
    """What a browser sends along."""
    out = [
        ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
        ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
        ("sec-fetch-dest", "document"),
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-site", "same-origin"),
    ]
    if cookies:
        out.append(("cookie", "; ".join(f"{name}={value}" for name, value in cookies.items())))
    if method == "POST":
        out += [("origin", origin), ("content-type", FORM.decode())]
    return out


class Browser:
    """A browser without a network: it calls an ASGI app as a server does."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.cookies: dict[str, str] = {}

    async def ask(self, method: str, target: str, body: bytes = b"") -> Answer:
        """One request, cookies kept."""
        path, _, query = target.partition("?")
        headers = [("host", HOSTS[0]), *headers_of(method, self.cookies, f"http://{HOSTS[0]}")]
        if body:
            headers.append(("content-length", str(len(body))))
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in headers],
            "server": (HOSTS[0], 80),
            "client": (HOSTS[0], 50_000),
        }
        said: list[MutableMapping[str, Any]] = []
        waiting = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> MutableMapping[str, Any]:
            if waiting:
                return waiting.pop()
            never: asyncio.Future[MutableMapping[str, Any]]
            never = asyncio.get_running_loop().create_future()
            return await never

        async def send(message: MutableMapping[str, Any]) -> None:
            said.append(message)

        await self.app(scope, receive, send)
        return self._read(said)

    def _read(self, said: list[MutableMapping[str, Any]]) -> Answer:
        head = [(k.decode(), v.decode()) for k, v in said[0]["headers"]]
        cookies = tuple(v for k, v in head if k == "set-cookie")
        keep(self.cookies, cookies)
        body = b"".join(message["body"] for message in said[1:])
        return Answer(said[0]["status"], dict(head).get("location", ""), cookies, body)

    async def cycle(self) -> None:
        """See the board, post a message, land."""
        page = await self.ask("GET", "/")
        action, body = filled(page.body, TEXT)
        posted = await self.ask("POST", action, body)
        assert posted.status == 303, posted
        landed = await self.ask("GET", posted.location)
        assert landed.status == 200


def keep(cookies: dict[str, str], lines: tuple[str, ...]) -> None:
    """Take Set-Cookie lines as a browser does."""
    for line in lines:
        name, _, value = line.partition(";")[0].partition("=")
        if "max-age=0" in line.lower():
            cookies.pop(name, None)
        else:
            cookies[name] = value


def lines(scale: Scale) -> Lines[Line]:
    """P2 and P3."""
    yield from asyncio.run(_cycles(scale))
    yield from _durable(scale)


async def _cycles(scale: Scale) -> list[Line]:
    path = scale.folder / "board.db"
    board = create_board(path, secret=SECRET, hosts=HOSTS)
    contestants = {"board": Browser(board), "bare": Browser(create_bare(scale.folder / "bare.db"))}
    for browser in contestants.values():
        for _ in range(scale.shown + 1):
            await browser.cycle()
    out = [await _commits(contestants["board"], path)]
    figures = {name: Figures() for name in contestants}
    gc.collect()
    for number in range(scale.rounds):
        for name in sorted(contestants, reverse=bool(number % 2)):
            await _round(contestants[name], figures[name], scale.cycles)
    board.driver.shut()
    board.store.shut()
    bare, own = figures["bare"], figures["board"]
    out += [
        Line.of("P3", "board without seeother, cycle in process, CPU", spent(bare), "us"),
        Line.of("P3", "board, cycle in process, CPU", spent(own), "us"),
        Line.of("P3", "  board against the one without", times(bare, own), "x", 1.25),
        Line.of("P3", "  the same, p50 of the cycle", times(bare, own, "wall"), "x"),
    ]
    return out


async def _round(browser: Browser, figures: Figures, cycles: int) -> None:
    walls = []
    cpu = time.process_time_ns()
    for _ in range(cycles):
        start = time.perf_counter_ns()
        await browser.cycle()
        walls.append(time.perf_counter_ns() - start)
    figures.cpu.append((time.process_time_ns() - cpu) / cycles / 1e3)
    figures.wall.append(median(walls) / 1e3)


async def _commits(browser: Browser, path: Path) -> Line:
    """Commits per POST of the real board, counted in SQLite's own log."""
    posts, made = 10, 0
    for _ in range(posts):
        action, body = filled((await browser.ask("GET", "/")).body, TEXT)
        before = commits(path)
        await browser.ask("POST", action, body)
        made += commits(path) - before
    return Line(
        "P2", "commits per POST of the board, from SQLite's log", made / posts, "commits", 1
    )


def _durable(scale: Scale) -> Lines[Line]:
    """The joined POST under synchronous=FULL against its effect alone."""
    site = Site(scale.folder / "full.db", "FULL")
    before = commits(site.path)
    for _ in range(10):
        site.effect(None)
    assert commits(site.path) - before == 10, "the count is wrong"
    f = interleaved(
        {"effect": Contestant(site.effect), "post": Contestant(site.post, forms)},
        rounds=5 * scale.rounds,  # short turns: a disk is disturbed for a moment at a time
        block=max(scale.block // 5, 2),
    )
    site.close()
    yield Line.of("P2", "FULL: the effect alone, p50", spent(f["effect"], "wall"), "us")
    yield Line.of(
        "P2",
        "FULL: the whole POST against it, p50",
        times(f["effect"], f["post"], "wall"),
        "x",
        1.30,
    )

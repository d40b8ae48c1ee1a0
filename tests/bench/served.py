"""The board's cycle behind uvicorn, against the board without seeother; CPU of the server."""

import http.client
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.bench.board import HOSTS, Answer, filled, headers_of, keep
from tests.bench.measure import Figures, Scale, spent, times
from tests.bench.report import Line
from tests.bench.submissions import TEXT
from tests.browser.server import Board, Server

BROWSERS = 4
BARE = Path(__file__).with_name("bare.py")
TICKS = os.sysconf("SC_CLK_TCK")


class Visitor:
    """A browser with a connection of its own, kept alive."""

    def __init__(self, port: int) -> None:
        self.origin = f"http://{HOSTS[0]}:{port}"
        self.connection = http.client.HTTPConnection(HOSTS[0], port, timeout=60)
        self.cookies: dict[str, str] = {}

    def ask(self, method: str, target: str, body: bytes | None = None) -> Answer:
        """One request, cookies kept."""
        headers = dict(headers_of(method, self.cookies, self.origin))
        self.connection.request(method, target, body, headers)
        answer = self.connection.getresponse()
        cookies = tuple(v for k, v in answer.getheaders() if k.lower() == "set-cookie")
        keep(self.cookies, cookies)
        location = answer.getheader("location", "").removeprefix(self.origin)
        return Answer(answer.status, location, cookies, answer.read())

    def cycles(self, count: int) -> None:
        """See the board, post a message, land; again and again.

        The connection is closed at the end: in the pause that follows the server would do it.
        """
        for _ in range(count):
            action, body = filled(self.ask("GET", "/").body, TEXT)
            posted = self.ask("POST", action, body)
            assert posted.status == 303, posted
            assert self.ask("GET", posted.location).status == 200
        self.connection.close()


def lines(scale: Scale) -> Iterator[Line]:
    """P3 behind a server."""
    folders = [scale.folder / name for name in ("served", "bare")]
    for folder in folders:
        folder.mkdir()
    command = (sys.executable, "-P", BARE, folders[1] / "bare.db")
    with Board(folders[0], "--quiet") as board, Server(folders[1], command) as bare:
        figures = rounds(scale, {"bare": bare, "board": board})
    own, without = figures["board"], figures["bare"]
    what = f"behind uvicorn, {BROWSERS} browsers, server CPU"
    yield Line.of("P3", f"board without seeother, cycle {what}", spent(without), "us")
    yield Line.of("P3", f"board, cycle {what}", spent(own), "us")
    yield Line.of("P3", "  board against the one without", times(without, own), "x", 1.25)
    rate = times(own, without, "wall")
    yield Line.of("P3", "  cycles per second, against the one without", rate, "x")


def rounds(
    scale: Scale, servers: dict[str, Server], visitor: type[Visitor] = Visitor
) -> dict[str, Figures]:
    """So many rounds of cycles at each server, by several browsers at once."""
    figures = {name: Figures() for name in servers}
    visitors = {
        name: [visitor(server.port) for _ in range(BROWSERS)] for name, server in servers.items()
    }
    with ThreadPoolExecutor(BROWSERS) as pool:
        for several in visitors.values():
            several[0].cycles(scale.shown + 1)
        for number in range(scale.rounds):
            for name in sorted(servers, reverse=bool(number % 2)):
                cpu, start = cpu_of(servers[name]), time.perf_counter()
                each = 4 * scale.cycles // BROWSERS + 1
                list(pool.map(lambda one, count=each: one.cycles(count), visitors[name]))
                took = time.perf_counter() - start
                done = each * BROWSERS
                figures[name].cpu.append((cpu_of(servers[name]) - cpu) / done * 1e6)
                figures[name].wall.append(took / done * 1e6)
    return figures


def cpu_of(server: Server) -> float:
    """User and system time of a server and its workers so far, in seconds (proc(5))."""
    return sum(map(_cpu, [server.pid, *server.workers()]))


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS

"""Starlette: the cycle of a small board with its own session and flash, and with seeother."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from tests.bench.board import filled
from tests.bench.frameworks import Site
from tests.bench.measure import Figures, Scale, spent, times
from tests.bench.report import Line
from tests.bench.served import Visitor, rounds
from tests.bench.sites import DONE
from tests.bench.submissions import TEXT
from tests.browser.server import Server

ROOT = Path(__file__).parents[2]
KINDS = {
    "starlette": "Starlette, own session + flash",
    "starlette-seeother": "Starlette + seeother (joined)",
}
BARE, OURS = KINDS
MODULE = "tests.bench.starlette_site"
MOST = 1.10


class Guest(Visitor):
    """A browser at this board."""

    def cycles(self, count: int) -> None:
        """See the board, post a message, land on the board that says so; again and again."""
        for _ in range(count):
            action, body = filled(self.ask("GET", "/").body, TEXT)
            posted = self.ask("POST", action, body)
            assert posted.status == 303, posted
            assert DONE.encode() in self.ask("GET", posted.location).body
        self.connection.close()


def lines(scale: Scale) -> Iterator[Line]:
    """P5, in process and behind a server."""
    for where, figures in (("in process", _alone(scale)), ("uvicorn", _served(scale))):
        for kind, what in KINDS.items():
            yield Line.of("P5", f"{what}: cycle, CPU, {where}", spent(figures[kind]), "us")
        against = times(figures[BARE], figures[OURS])
        yield Line.of("P5", f"  {OURS} against {BARE}, CPU, {where}", against, "x", MOST)


def _alone(scale: Scale) -> dict[str, Figures]:
    folder = scale.folder / "starlette-alone"
    folder.mkdir()
    with ExitStack() as stack:
        sites = {kind: Site(kind, folder, MODULE) for kind in KINDS}
        for site in sites.values():
            stack.callback(site.close)
            site.run(scale.shown + 2)
        for number in range(scale.rounds):
            for kind in sorted(sites, reverse=bool(number % 2)):
                sites[kind].turn(scale.cycles)
    return {kind: site.figures for kind, site in sites.items()}


def _served(scale: Scale) -> dict[str, Figures]:
    with ExitStack() as stack:
        servers: dict[str, Server] = {}
        for kind in KINDS:
            folder = scale.folder / f"{kind}-served"
            folder.mkdir()
            command = ("env", f"PYTHONPATH={ROOT}", sys.executable, "-m", MODULE, kind, folder)
            servers[kind] = stack.enter_context(Server(folder, command))
        return rounds(scale, servers, Guest)

"""Zero-code: the cycle of a small Flask app, bare and with one line around it.

`python -m tests.bench.zero KIND FOLDER` runs cycles on demand, as `sites` does; with a port behind
it, it becomes gunicorn with one process and four threads (gthread), at that port.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from seeother import wsgi
from tests.bench.board import filled
from tests.bench.frameworks import Site
from tests.bench.measure import Figures, Scale, spent, times
from tests.bench.report import Line
from tests.bench.served import Visitor, rounds
from tests.bench.sites import DONE, SECRET, App, flask_site, on_demand
from tests.bench.submissions import TEXT
from tests.browser.server import Server

ROOT = Path(__file__).parents[2]
MODULE = "tests.bench.zero"
KINDS = {
    "flask": "Flask, session + flash",
    "flask-zero": "the same with one line around it (separate)",
}
BARE, OURS = KINDS
# Where, and what it may cost at most.
PLACES = (("in process", 1.40), ("gunicorn gthread", 1.15))
GUNICORN = ("--worker-class", "gthread", "--workers", "1", "--threads", "4", "--log-level", "error")


class Guest(Visitor):
    """A browser at this app."""

    def cycles(self, count: int) -> None:
        """See the page, post a message, land on the page that says so; again and again."""
        for _ in range(count):
            action, body = filled(self.ask("GET", "/").body, TEXT)
            posted = self.ask("POST", action, body)
            assert posted.status in (302, 303), posted
            assert DONE.encode() in self.ask("GET", posted.location).body
        self.connection.close()


def lines(scale: Scale) -> Iterator[Line]:
    """P5, in process and behind a server."""
    for (where, most), figures in zip(PLACES, (_alone(scale), _served(scale)), strict=True):
        for kind, what in KINDS.items():
            yield Line.of("P5", f"{what}: cycle, CPU, {where}", spent(figures[kind]), "us")
        against = times(figures[BARE], figures[OURS])
        yield Line.of("P5", f"  zero-code against bare, CPU, {where}", against, "x", most)


def _alone(scale: Scale) -> dict[str, Figures]:
    folder = scale.folder / "zero-alone"
    folder.mkdir()
    with ExitStack() as stack:
        sites = {kind: Site(kind, folder, MODULE) for kind in KINDS}
        for site in sites.values():
            stack.callback(site.close)
            site.run(scale.shown + 2)  # a full page, and everything that is made once
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


def app_of(kind: str, folder: str) -> App:
    """The app of a kind; gunicorn calls this."""
    app = flask_site(kind, Path(folder))
    if kind == OURS:
        store = f"sqlite:///{folder}/seeother.db"
        app.wsgi_app = wsgi.SeeOther(app.wsgi_app, secret=SECRET, store=store)  # type: ignore[attr-defined]
    return app


def main() -> None:
    """Serve it, or run cycles."""
    kind, folder, *port = sys.argv[1:]
    if not port:
        on_demand(app_of(kind, folder))
        return
    where, app = f"127.0.0.1:{port[0]}", f"{MODULE}:app_of({kind!r}, {folder!r})"
    start = (sys.executable, "-m", "gunicorn", *GUNICORN, "--bind", where, app)
    os.execv(sys.executable, start)


if __name__ == "__main__":
    main()

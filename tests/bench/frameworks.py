"""Flask and Django: the cycle of a small board with the framework's own means, and with seeother.

Each contestant is a process of its own (`sites`); they take turns.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from tests.bench.measure import Figures, Scale, spent, times
from tests.bench.report import Line

ROOT = Path(__file__).parents[2]
KINDS = {
    "flask": "Flask, session + flash",
    "flask-wtf": "Flask + Flask-WTF, session + flash",
    "flask-once": "Flask + seeother, @so.once(db) (joined)",
    "flask-hooked": "Flask + seeother, nothing else changed (hooked)",
    "django": "Django, database sessions + CSRF + messages",
    "django-seeother": "Django + seeother (joined)",
}
AGAINST = (
    ("flask-once", "flask", 0.90),
    ("flask-once", "flask-wtf", 0.80),
    ("flask-hooked", "flask", None),
    ("django-seeother", "django", 1.00),
)


class Site:
    """One contestant, alive until its input ends."""

    def __init__(self, kind: str, folder: Path, module: str = "tests.bench.sites") -> None:
        command = [sys.executable, "-m", module, kind, str(folder)]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.figures = Figures()

    def run(self, cycles: int) -> tuple[float, float]:
        """Run so many cycles: CPU time and p50 of one, in microseconds."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{cycles}\n")
        self._process.stdin.flush()
        cpu, wall = map(float, self._process.stdout.readline().split())
        return cpu, wall

    def turn(self, cycles: int) -> None:
        """One round."""
        cpu, wall = self.run(cycles)
        self.figures.cpu.append(cpu)
        self.figures.wall.append(wall)

    def close(self) -> None:
        """End it."""
        self._process.communicate()


def lines(scale: Scale) -> Iterator[Line]:
    """P5."""
    with ExitStack() as stack:
        sites = {kind: Site(kind, scale.folder) for kind in KINDS}
        for site in sites.values():
            stack.callback(site.close)
            site.run(scale.shown + 2)  # a full page, and everything that is made once
        for number in range(scale.rounds):
            turn = number % len(sites)
            for kind in (*list(sites)[turn:], *list(sites)[:turn]):
                sites[kind].turn(scale.cycles)
    figures = {kind: site.figures for kind, site in sites.items()}
    for kind, what in KINDS.items():
        yield Line.of("P5", f"{what}: cycle, CPU", spent(figures[kind]), "us")
    for kind, base, budget in AGAINST:
        against = times(figures[base], figures[kind])
        yield Line.of("P5", f"  {kind} against {base}, CPU", against, "x", budget)

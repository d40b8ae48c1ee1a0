"""Importing: what `import seeother` costs a program before it does anything."""

import subprocess
import sys
from collections.abc import Iterator

from tests.bench.measure import Scale, Summary
from tests.bench.report import Line

TIMED = "import time; t = time.process_time_ns(); import {}; print(time.process_time_ns() - t)"


def lines(scale: Scale) -> Iterator[Line]:
    """Import times, each in interpreters of its own."""
    modules: dict[str, float | None] = {
        "seeother": 50,
        "seeother.wsgi": None,
        "seeother.asgi": None,
    }
    found: dict[str, list[float]] = {name: [] for name in modules}
    for _ in range(scale.processes):
        for name in modules:
            found[name].append(_imported(name))
    for name, budget in modules.items():
        yield Line.of("-", f"import {name}, CPU", Summary.of(found[name]), "ms", budget)


def _imported(name: str) -> float:
    command = [sys.executable, "-c", TIMED.format(name)]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return int(out) / 1e6

"""`python -m tests.bench`: all measurements, one after the other, in one run.

--quick looks whether everything runs, its figures mean nothing; --full takes more rounds;
--soak lets the ledger grow to 10,000,000 rows; --only names sections. The exit status is 0 whatever
the figures are.
"""

import argparse
import shlex
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.bench.measure import Scale
from tests.bench.report import Line, machine, page

SECTIONS = (
    "imports",
    "tokens",
    "pages",
    "ledger",
    "board",
    "frameworks",
    "starlette",
    "zero",
    "overlap",
    "served",
    "planting",
    "growth",
    "writers",
    "redis",
    "postgres",
)
AMOUNTS: dict[str, dict[str, Any]] = {
    "quick": {
        "rounds": 1,
        "block": 10,
        "sizes": (100, 1_000),
        "posts": 2,
        "cycles": 2,
        "shown": 2,
        "storms": 1,
        "processes": 1,
    },
    "usual": {
        "rounds": 15,
        "block": 100,
        "sizes": (10_000, 1_000_000),
        "posts": 60,
        "cycles": 20,
        "shown": 20,
        "storms": 3,
        "processes": 7,
    },
    "full": {
        "rounds": 45,
        "block": 100,
        "sizes": (10_000, 100_000, 1_000_000),
        "posts": 200,
        "cycles": 40,
        "shown": 20,
        "storms": 5,
        "processes": 15,
    },
}


def main() -> None:
    """Measure what was asked for."""
    asked = _arguments()
    amount = dict(AMOUNTS["quick" if asked.quick else "full" if asked.full else "usual"])
    if asked.soak:
        amount["sizes"] = (*amount["sizes"], 10_000_000)
    with tempfile.TemporaryDirectory(prefix="seeother-bench-", dir=asked.folder) as folder:
        scale = Scale(folder=Path(folder), **amount)
        head = machine(scale.folder)
        print(head, flush=True)
        sections = [_section(name, scale) for name in asked.only or SECTIONS]
    if asked.write:
        command = shlex.join(["python", "-m", "tests.bench", *sys.argv[1:]])
        asked.write.write_text(page(head, sections, command=command), "utf-8")


def _section(name: str, scale: Scale) -> tuple[str, list[Line]]:
    module, found, start = import_module(f"tests.bench.{name}"), [], time.monotonic()
    title = str(module.__doc__).partition("\n")[0].rstrip(".")
    print(f"\n{title}", flush=True)
    for line in module.lines(scale):
        print(line.text(), flush=True)
        found.append(line)
    print(f"     ({time.monotonic() - start:.0f} s)", flush=True)
    return title, found


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m tests.bench", description=__doc__)
    amount = parser.add_mutually_exclusive_group()
    amount.add_argument("--quick", action="store_true", help="a look whether everything runs")
    amount.add_argument("--full", action="store_true", help="more rounds")
    parser.add_argument("--soak", action="store_true", help="10,000,000 rows as well")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, help="these sections")
    parser.add_argument("--folder", type=Path, help="where the databases are made")
    parser.add_argument("--write", type=Path, help="also write a Markdown page")
    return parser.parse_args()


if __name__ == "__main__":
    main()

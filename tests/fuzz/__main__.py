"""Run it: `python -m tests.fuzz --n 10000000 targets tokens bodies=1000000`.

A number behind a kind is that kind's own.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import reduce
from operator import add
from pathlib import Path
from typing import Final

from tests.proof import Table, write

from .bodies import bodies
from .tally import Kind, Tally, measured
from .targets import targets
from .tokens import tokens

KINDS: Final[Mapping[str, Kind]] = {"targets": targets, "tokens": tokens, "bodies": bodies}
WHAT: Final[Mapping[str, str]] = {
    "targets": "Redirect targets: `safe_target`, judged by ada, the URL parser of browsers",
    "tokens": "Forged tokens: `verify`, judged by the list of those that were minted",
    "bodies": "Form bodies: `read_form`; canonical ones judged by Werkzeug, Django and Starlette",
}


def run(kind: str, number: int, seed: int, processes: int) -> Tally:
    """One kind, spread over processes."""
    with ProcessPoolExecutor(processes) as pool:
        parts = [
            pool.submit(measured, KINDS[kind], seed + n, number // processes)
            for n in range(processes)
        ]
        return reduce(add, (part.result() for part in parts), Tally())


def _wanted(said: str) -> tuple[str, int]:
    """A kind, and how many of it; 0 for what `--n` says.

    >>> _wanted("tokens"), _wanted("bodies=1000")
    (('tokens', 0), ('bodies', 1000))
    """
    kind, _, number = said.partition("=")
    if kind not in KINDS:
        raise argparse.ArgumentTypeError(f"{kind} is none of {', '.join(KINDS)}")
    return kind, int(number or 0)


def main() -> int:
    """Run the kinds that were asked for; 1 where something wrong was accepted."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("kinds", nargs="*", type=_wanted, help=f"of {', '.join(KINDS)}; all")
    parser.add_argument("--n", type=int, default=1_000_000, help="inputs of each kind")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--write", type=Path, help="write a report")
    given = parser.parse_args()
    found: dict[str, Tally] = {}
    for kind, own in given.kinds or [(kind, 0) for kind in KINDS]:
        found[kind] = run(kind, own or given.n, given.seed, given.processes)
        print(kind, dict(found[kind].counts), f"memory +{found[kind].grown >> 20} MB", flush=True)
        for wrong in found[kind].wrong:
            print("  WRONG", wrong)
    if given.write:
        command = " ".join(["python -m tests.fuzz", *sys.argv[1:]])
        report(given.write, found, given.seed, command.partition(" --write")[0])
    return 1 if any(tally.wrong for tally in found.values()) else 0


def report(path: Path, found: Mapping[str, Tally], seed: int, command: str) -> None:
    """What was tried, and what became of it."""
    about = """Hostile input, made of what attacks are made of. What was accepted is judged by
        somebody else. Memory is the growth of a process's peak after its first 10,000 inputs."""
    parts: list[object] = [about]
    for kind, tally in found.items():
        rows = [(name, count) for name, count in sorted(tally.counts.items())]
        total = sum(count for name, count in rows if name != "wrong")
        more = [("tried", total), ("wrong", tally.counts["wrong"])]
        parts += [f"## {WHAT[kind]}", Table(("what became of it", "number"), [*rows, *more])]
        parts.append(f"Memory: +{tally.grown / (1 << 20):.1f} MB.")
    write(path, "Hostile input", {"command": f"`{command}`", "seed": seed}, parts)


if __name__ == "__main__":
    sys.exit(main())

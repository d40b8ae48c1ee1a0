"""Run schedules: `python -m tests.sim --n 3000 --seed 7`, or the planted bugs with `--mutants`.

Exit status 1 after any violation or uncaught bug. A violation prints its seed and what happened;
the last line is the summary.
"""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from pathlib import Path
from typing import Final

from . import report
from .mutants import MUTANTS
from .runner import SCENARIOS, SPAWN, Catch, Result, hunt, run, timeline

LINES: Final = 60
ENOUGH: Final = 5000  # schedules for each planted bug, at least


def main() -> int:
    """Parse, run, sum up."""
    given = _arguments()
    if given.trace:
        print(*timeline(given.seed, given.mode.split(",")[0], given.store), sep="\n")
        return 0
    if given.write:
        return _report(given)
    return (_mutants if given.mutants else _schedules)(given)[0]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.sim", description=__doc__)
    parser.add_argument("--n", type=int, default=3000, help="schedules per scenario")
    parser.add_argument("--seed", type=int, default=1, help="the first of them")
    parser.add_argument("--mode", default=",".join(SCENARIOS), help="scenarios, with commas")
    parser.add_argument("--store", choices=("memory", "sqlite"), default="memory")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--mutants", action="store_true", help="hunt the planted bugs instead")
    parser.add_argument("--write", type=Path, help="schedules and planted bugs, as a report")
    parser.add_argument("--trace", action="store_true", help="tell the one schedule of --seed")
    return parser.parse_args()


def _report(given: argparse.Namespace) -> int:
    status, results = _schedules(given)
    missed, catches = _mutants(given)
    report.write(given.write, results, catches, given.seed)
    return status | missed


def _schedules(given: argparse.Namespace) -> tuple[int, list[Result]]:
    total, results = Result("all"), []
    for scenario in given.mode.split(","):
        result = run(given.seed, given.n, scenario, given.store, given.jobs)
        print(result, flush=True)
        _tell(result, given.store)
        total.add(result)
        total.seconds += result.seconds
        results.append(result)
    print(total)
    return (1 if total.violations else 0), results


def _tell(result: Result, store: str) -> None:
    """Each violation with its seed; the first one with everything that led to it."""
    for seed, text in sorted(result.violations)[:10]:
        print(f"  seed {seed}: {text}")
    if result.violations:
        seed = min(result.violations)[0]
        lines = list(timeline(seed, result.scenario, store))
        print(f"  the last {LINES} events of seed {seed}:", *lines[-LINES:], sep="\n  ")
        print(f"  all of it: python -m tests.sim --trace --seed {seed} --mode {result.scenario}")


def _mutants(given: argparse.Namespace) -> tuple[int, list[Catch]]:
    """A table: which schedule is the first to notice which planted bug, and by what."""
    missed, catches = 0, hunted(given.seed, max(given.n, ENOUGH), given.jobs)
    for catch in catches:
        missed += catch.seed is None
        seed = "MISSED" if catch.seed is None else f"seed {catch.seed}"
        mutant = catch.mutant
        print(f"{mutant:<36}{catch.scenario:<10}{seed:<11}{catch.violation:<7}{catch.why}")
    print(f"{len(MUTANTS) - missed} of {len(MUTANTS)} planted bugs caught")
    return (1 if missed else 0), catches


def hunted(seed: int, most: int, jobs: int) -> list[Catch]:
    """Hunt all planted bugs, each for at most so many schedules."""
    with ProcessPoolExecutor(jobs, SPAWN) as pool:
        return list(pool.map(hunt, range(len(MUTANTS)), repeat(seed), repeat(most)))


if __name__ == "__main__":
    sys.exit(main())

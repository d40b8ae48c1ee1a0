"""Try all mutants: `python -m tests.mutation`, or those of some modules: `... token target`.

Exit status 1 where too many of a module survive, where one survives that `survivors.toml` does not
name, or where that file names one that is killed, or exists no more. The last line is the summary.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from .operators import Mutant, mutants
from .trial import Fate, Target, ended, start, tried, warm

BOUND: Final = 0.95
LISTED: Final = Path(__file__).with_name("survivors.toml")
CORE: Final = "seeother.core"
TARGETS: Final = (
    Target(
        f"{CORE}.flows",
        (
            "tests/core/test_flows.py",
            "tests/core/test_flow_repeats.py",
            "tests/core/test_flow_page.py",
        ),
    ),
    Target(f"{CORE}.fetching", ("tests/core/test_flow_page.py", "tests/core/test_flows.py")),
    Target(
        f"{CORE}.ledger",
        (
            "tests/core/test_ledger.py",
            "tests/docs/test_architecture.py::test_pictures_are_up_to_date",
        ),
    ),
    Target(f"{CORE}.token", ("tests/core/test_token.py",)),
    Target(f"{CORE}.target", ("tests/core/test_target.py",)),
)


@dataclass
class Report:
    """What became of the mutants of one module."""

    target: Target
    fates: dict[Mutant, Fate] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def survivors(self) -> list[Mutant]:
        """Those that no test noticed."""
        return [mutant for mutant, fate in self.fates.items() if fate is Fate.SURVIVED]

    @property
    def killed(self) -> int:
        """How many were noticed."""
        return len(self.fates) - len(self.survivors)

    @property
    def enough(self) -> bool:
        """Are the tests good enough?"""
        return self.killed >= BOUND * len(self.fates)

    def __str__(self) -> str:
        endless = sum(fate is Fate.ENDLESS for fate in self.fates.values())
        share = self.killed / len(self.fates)
        return (
            f"{self.target.module:<22}{len(self.fates):>5} mutants{self.killed:>6} killed"
            f" ({endless} without an end){len(self.survivors):>4} survive{share:>9.2%}"
            f"{self.seconds:>7.0f} s"
        )


def listed() -> dict[str, dict[tuple[str, str], str]]:
    """The survivors that are known: for each module their names and the reasons."""
    known: dict[str, dict[tuple[str, str], str]] = {}
    for one in tomllib.loads(LISTED.read_text("utf-8")).get("survivor", []):
        known.setdefault(one["module"], {})[one["where"], one["change"]] = one["reason"]
    return known


def run(target: Target, jobs: int) -> Report:
    """Try all mutants of a module; the module itself has to survive first."""
    report, begun = Report(target), time.monotonic()
    source = target.path.read_text("utf-8")
    if tried(target, source) is not Fate.SURVIVED:
        raise SystemExit(f"the tests of {target.module} fail without any mutant")
    at_it: dict[int, Mutant] = {}
    for mutant in mutants(source):
        if len(at_it) >= jobs:
            _collect(at_it, report)
        at_it[start(target, mutant.source)] = mutant
    while at_it:
        _collect(at_it, report)
    report.seconds = time.monotonic() - begun
    return report


def _collect(at_it: dict[int, Mutant], report: Report) -> None:
    pid, status = os.wait()
    report.fates[at_it.pop(pid)] = ended(status)


def faults(report: Report, known: dict[tuple[str, str], str]) -> list[str]:
    """What is wrong with the result of a module, each as a line."""
    alive = {mutant.name for mutant in report.survivors}
    out = [] if report.enough else [f"fewer than {BOUND:.0%} were killed"]
    out += [f"survives, and is not listed: {where}: {what}" for where, what in alive - set(known)]
    out += [f"listed, and does not survive: {where}: {what}" for where, what in set(known) - alive]
    return sorted(out)


def main() -> int:
    """Parse, try, sum up."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument(
        "modules", nargs="*", metavar="module", help="flows, fetching, ledger, token, target"
    )
    parser.add_argument("--jobs", type=int, default=1)
    given = parser.parse_args()
    names = {f"{CORE}.{name}" for name in given.modules}
    targets = [one for one in TARGETS if not names or one.module in names]
    known, wrong, total, killed = listed(), 0, 0, 0
    warm(targets)
    for target in targets:
        report = run(target, given.jobs)
        print(report, flush=True)
        for line in faults(report, known.get(target.module, {})):
            print(f"  {line}")
            wrong += 1
        total, killed = total + len(report.fates), killed + report.killed
    print(f"{killed} of {total} mutants killed; {wrong} faults")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

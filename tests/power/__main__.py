"""Cut the power: `python -m tests.power --cycles 1000 --seed 1 [--write docs/proof/power-loss.md]`.

Exit status 1 after any fault; each is printed with the seed that shows it again.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests import proof

from .cuts import Count, cycles

HEAD: Final = (
    *("mode", "app writes", "cuts", "accepted before", "gone after", "sent again"),
    *("in doubt", "duplicates", "lost", "changed"),
)
WHAT: Final = """
A real run of the app (WSGI adapter, two threads, most forms sent twice) is recorded system call by
system call. The power is cut at a random moment of it. On the disk is then what was synced, and of
the rest a random part, in pieces of 512 or 4096 bytes; files and deletions whose folder was not
synced are there or not. A new process opens what is left, and every form is sent again until it is
answered, then once more. The database of effects is the judge."""
RULES: Final = """
* "accepted before": submissions whose client was told so before the cut. "gone after": those of
them whose effect was not on the disk. With `synchronous=FULL` there may be none. With NORMAL the
app does not wait for its disk: in joined and fenced the record went with its effect, so the same
form ran again; in separate the record, which is always written with FULL, may outlive the effect
(such a form is answered "accepted" and is not counted further).
* In joined and fenced, after every cut, the records on the disk named exactly the effects there.
* duplicates: more than one effect. lost: none, although the answer said so. changed: two answers
that differ, or an answer that names no effect. Each would be an error, in every row."""


def main() -> int:
    """Cut, sum up, and write the report where asked to."""
    parser = argparse.ArgumentParser(prog="python -m tests.power", description=__doc__)
    parser.add_argument("--cycles", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--submissions", type=int, default=40, help="forms in each recording")
    parser.add_argument("--write", type=Path, help="the report")
    given = parser.parse_args()
    counts = cycles(given.seed, given.cycles, given.submissions)
    for count in counts:
        print(f"{count.synchronous:<7}{count.summary}; {count.forgotten} gone")
        print(*(f"  {fault}\n" for fault in count.faults[:10]), sep="", end="")
    faults = sum(len(count.faults) for count in counts)
    if given.write:
        _write(given, counts, faults)
    return 1 if faults else 0


def _write(given: argparse.Namespace, counts: Sequence[Count], faults: int) -> None:
    rows = [
        (
            *(one.mode, one.synchronous, one.summary.cycles, one.told, one.forgotten),
            *(one.summary.submissions, one.summary.doubts, one.summary.duplicates),
            *(one.summary.lost, one.summary.changed),
        )
        for one in counts
    ]
    acts = sum(one.acts for one in counts)
    made = {
        "command": f"`make power N={given.cycles} SEED={given.seed}`",
        "cuts": given.cycles,
        "forms in each recording": given.submissions,
        "moments at which it could be cut": acts,
        "faults": faults,
    }
    proof.write(given.write, "Power loss", made, [WHAT, proof.Table(HEAD, rows), RULES])


if __name__ == "__main__":
    sys.exit(main())

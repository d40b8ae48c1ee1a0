"""Kill until it is enough: `python -m tests.crash --kills 5000 --strikes 50 [--write FILE]`.

So many workers for each store, shared out among the modes; `--strikes` kills the database server
that often, where there is one. Exit status 1 after any fault.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, fields
from pathlib import Path
from typing import Final

from tests import proof

from .cycles import STORES
from .judge import Summary

MODES: Final = ("joined", "fenced", "separate")
SERVED: Final = ("postgresql",)
CHUNK: Final = 100  # cycles of one process
ROOT: Final = Path(__file__).parents[2]
HEAD: Final = (
    *("store", "mode", "cycles", "workers killed", "servers killed", "submissions", "answers"),
    *("in doubt", "unrecorded", "duplicates", "lost", "changed"),
)
COUNTS: Final = (
    *("cycles", "kills", "strikes", "submissions", "answers"),
    *("doubts", "unrecorded", "duplicates", "lost", "changed"),
)
WHAT: Final = """
In each cycle two worker processes send the same few forms at the same time through the WSGI
adapter, and one or both die by SIGKILL: before or after a question to the store, at a writing
statement, or at any moment. Then fresh workers send everything again, the first of them perhaps
dying as well, until all is answered, and once more. Where a server was killed, the postmaster and
all its processes died at once by SIGKILL, at a random step of a worker, and it was started again
while workers went on. The database of effects is the judge."""
RULES: Final = """
* duplicates: submissions with more than one effect. lost: none, although the answer said so (in
joined and fenced: any submission without one). changed: two answers to one submission that differ,
or one that names an effect that is not there.
* In doubt is an answer of mode separate only, after a kill between effect and record; it is
counted, and it is no fault there. "unrecorded" are those of them whose first sender had been told
"accepted", which was true, when the server died before that was recorded.
* SIGKILL leaves the page cache alone; for that see [power loss](power-loss.md)."""
Row = tuple[str, str, Summary]


def main() -> int:
    """Run the cycles, sum up, and write the report where asked to."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--kills", type=int, default=300, help="of workers, for each store")
    parser.add_argument("--strikes", type=int, default=6, help="of the database server")
    parser.add_argument("--store", default=",".join(STORES), help="with commas")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--write", type=Path, help="the report")
    given = parser.parse_args()
    rows = list(_rows(given))
    faults = [fault for _, _, one in rows for fault in one.faults]
    print(*faults[:20], sep="\n", end="")
    if given.write:
        _write(given, rows, len(faults))
    return 1 if faults else 0


def _rows(given: argparse.Namespace) -> Iterator[Row]:
    tasks = [
        (store, mode, given.kills if not strikes else 0, strikes, given.seed)
        for store in given.store.split(",")
        for strikes in ((0, given.strikes) if store in SERVED and given.strikes else (0,))
        for mode in MODES
    ]
    with ThreadPoolExecutor(given.jobs) as pool:
        for row in pool.map(lambda one: _enough(*one), tasks):
            print(row[0], row[2], f"{row[2].strikes} servers", flush=True)
            yield row


def _enough(store: str, mode: str, kills: int, strikes: int, seed: int) -> Row:
    """Cycles until a third of the kills is done, or a third of the strikes."""
    total, wanted = Summary(mode), -(-(strikes or kills) // len(MODES))
    while (total.strikes if strikes else total.kills) < wanted:
        number = wanted - total.strikes if strikes else CHUNK
        words = ["--mode", mode, "--store", store, "--seed", str(seed), "--cycles", str(number)]
        words += ["--strikes", str(number)] if strikes else []
        command = [sys.executable, "-m", "tests.crash.cycles", *words]
        done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
        _add(total, json.loads(done.stdout.splitlines()[-1]))
        seed += number
    return store, mode, total


def _add(total: Summary, found: dict[str, int | list[str]]) -> None:
    for one in fields(Summary):
        if one.name not in ("mode", "struck"):
            setattr(total, one.name, getattr(total, one.name) + found[one.name])


def _write(given: argparse.Namespace, rows: list[Row], faults: int) -> None:
    table = []
    for store, mode, one in rows:
        found = asdict(one)
        counts = (found[name] for name in COUNTS)
        table.append((store, mode, *counts))
    made = {
        "command": f"`make crash N={given.kills} STRIKES={given.strikes} SEED={given.seed}`",
        "workers killed": sum(one.kills for _, _, one in rows),
        "servers killed": sum(one.strikes for _, _, one in rows),
        "faults": faults,
    }
    proof.write(given.write, "kill -9", made, [WHAT, proof.Table(HEAD, table), RULES])


if __name__ == "__main__":
    sys.exit(main())

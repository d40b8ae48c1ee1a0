"""Storms: `python -m tests.chaos --posts 5000 [--store sqlite] [--adapter wsgi,flask]`.

For each adapter and store so many POSTs, shared out among its modes; `--board` for the board,
`--write` for the report. Exit status 1 after any fault.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from tests import proof

from .storms import STORES, Storm, run

BOARD: Final = "board"
HEAD: Final = (
    *("adapter", "store", "mode", "forms", "POSTs sent", "answered", "confirmed", "in doubt"),
    *("duplicates", "lost", "changed"),
)
WHAT: Final = """
People fill in a form and send the same bytes until a page confirms it; one in five clicks twice,
one in seven goes back and sends it again. Between them and a real server with two worker processes
stands a proxy that loses, cuts, delays, doubles and resets what goes by. WSGI, Flask and Django run
under gunicorn, ASGI, Starlette and the board under uvicorn."""
RULES: Final = """
* "POSTs sent" left a browser. "answered" is what the servers answered, doubled and stray requests
included; every one of these answers is judged, also those that nobody got to read.
* duplicates: forms with more than one effect in the database. lost: forms that were answered
"accepted" and have none (in joined, fenced and hooked: any form without one). changed: two answers
to one form that differ, or one that names an effect that is not there. In doubt is an answer of
mode separate only; it is counted, and it is no fault there."""


def main() -> int:
    """Run the storms, sum up, and write the report where asked to."""
    given = _arguments()
    storms = []
    for storm in _storms(given):
        storms.append(storm)
        print(storm, flush=True)
        print(*(f"  {fault}\\n" for fault in storm.faults[:10]), sep="", end="")
    faults = sum(len(storm.faults) for storm in storms)
    if given.write:
        _write(given, storms, faults)
    return 1 if faults else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--posts", type=int, default=300, help="for each adapter and store")
    parser.add_argument("--board", type=int, help="for the board on each store (else as the rest)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--store", default=",".join(STORES), help="with commas")
    parser.add_argument("--adapter", help="with commas; else all")
    parser.add_argument(
        "--kill-each", type=float, default=0.0, help="a worker dies every so many seconds"
    )
    parser.add_argument("--write", type=Path, help="the report")
    return parser.parse_args()


def _storms(given: argparse.Namespace) -> Iterator[Storm]:
    wanted = given.adapter.split(",") if given.adapter else None
    for store in given.store.split(","):
        kind = STORES[store]
        with kind.opened() as opened:
            for adapter, modes in kind.modes.items():
                if wanted is not None and adapter not in wanted:
                    continue
                posts = given.board if adapter == BOARD and given.board else given.posts
                each = -(-posts // len(modes))
                for mode in modes:
                    place, more = opened(mode), {"kill_each": given.kill_each}
                    yield run(adapter, store, mode, place, seed=given.seed, posts=each, **more)


def _write(given: argparse.Namespace, storms: Sequence[Storm], faults: int) -> None:
    rows = [
        (
            *(one.adapter, one.store, one.mode, one.forms, one.posts, one.arrived),
            *(one.forms - one.summary.doubts, one.summary.doubts, one.summary.duplicates),
            *(one.summary.lost, one.summary.changed),
        )
        for one in storms
    ]
    fates = sum((one.fates for one in storms), Counter[str]())
    board = f" BOARD={given.board or given.posts}"
    made = {
        "command": f"`make chaos N={given.posts}{board} SEED={given.seed}`",
        "forms": sum(one.forms for one in storms),
        "POSTs sent": sum(one.posts for one in storms),
        "faults": faults,
    }
    parts = [WHAT, proof.Table(HEAD, rows), RULES]
    happened = proof.Table(("what became of a request", "requests"), fates.most_common())
    title = "Chaos between browser and server"
    proof.write(given.write, title, made, [*parts, "## What the proxy did", happened])


if __name__ == "__main__":
    sys.exit(main())

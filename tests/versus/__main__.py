"""`python -m tests.versus [flask] [django] [starlette]`: attack the shops, print what came of it.

A whole run (all frameworks, SCALE=1) writes docs/versus.md and docs/versus.svg; `--write FOLDER`
writes them there, from any number of trials. The exit status is 1 where a figure of seeother is
not 0, the limit that it states left out.
"""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path
from typing import Final

from .plot import WIDTH, described, draw
from .report import ARMS, Results, faults, page, table
from .run import SCALE, attacked
from .shops import FRAMEWORKS, ROOT
from .trial import Attack, Result

DOCS: Final = ROOT / "docs"


def main() -> int:
    """Attack what was asked for."""
    asked = _arguments()
    chosen = [one for one in FRAMEWORKS if one.name in (asked.frameworks or NAMES)]
    results = {}
    for framework in chosen:
        for protected in ARMS:
            print(f"\n{framework.title}, {'with seeother' if protected else 'bare'}", flush=True)
            results[framework.name, protected] = attacked(
                framework, protected=protected, tell=_tell
            )
    print(f"\n{table(results)}\n")
    whole = len(chosen) == len(FRAMEWORKS)
    if whole and (folder := asked.write or (DOCS if SCALE == 1 else None)):
        write(results, folder)
    wrong = faults(results)
    print(
        *(f"FAIL {one}" for one in wrong), f"{len(wrong)} figures of seeother are not 0", sep="\n"
    )
    return 1 if wrong else 0


NAMES: Final = [one.name for one in FRAMEWORKS]


def write(results: Results, folder: Path) -> None:
    """The page and its picture."""
    (folder / "versus.svg").write_text(draw(results), "utf-8")
    (folder / "versus.md").write_text(page(results, width=WIDTH, alt=described(results)), "utf-8")


def _tell(attack: Attack, result: Result, seconds: float) -> None:
    print(f"  {attack.name:26}{result.trials:5}  {result!s:44}{seconds:6.1f} s", flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m tests.versus", description=__doc__)
    parser.add_argument("frameworks", nargs="*", metavar="framework", help=", ".join(NAMES))
    parser.add_argument("--write", type=Path, metavar="FOLDER", help="where the page is written")
    asked = parser.parse_args()
    if unknown := set(asked.frameworks) - set(NAMES):
        parser.error(f"no framework {', '.join(sorted(unknown))}: there are {', '.join(NAMES)}")
    return asked


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the servers end with this process
    sys.exit(main())

"""The ledger as it grows: time per POST, bytes per row, memory of the process.

`python -m tests.bench.growth DB` is the process whose memory is measured.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from seeother.core.ledger import Row, State
from seeother.core.values import ACCEPTED, Key, Outcome
from seeother.stores.ledgerstore import DAY
from seeother.stores.sqlite import SQLiteStore
from tests.bench.measure import Contestant, Figures, Scale, interleaved, times
from tests.bench.report import Line
from tests.bench.submissions import Site, asks, key_of

ROOT: Final = Path(__file__).parents[2]
AT_ONCE: Final = 50_000
EXPIRIES: Final = 20


def lines(scale: Scale) -> Iterator[Line]:
    """P7 and P13."""
    paths = {size: scale.folder / f"ledger-{size}.db" for size in scale.sizes}
    expired = 2 * scale.rounds * scale.block + 200 * EXPIRIES
    bytes_each = {size: fill(path, size, expired) for size, path in paths.items()}
    sites = {str(size): Site(path) for size, path in paths.items()}
    contestants = {size: Contestant(site.joined, asks) for size, site in sites.items()}
    f = interleaved(contestants, rounds=2 * scale.rounds, block=scale.block)
    small, large = min(scale.sizes), max(scale.sizes)
    yield from _flat(scale, f)
    longest = _longest_expiry(sites[str(large)].store)
    yield Line("P7", f"longest expiry step at {large:,} rows, lock held", longest, "ms", 100)
    for site in sites.values():
        site.close()
    yield Line("P13", "file: bytes per row of the ledger", bytes_each[large], "B", 65)
    yield Line("P13", "file: 1,000,000 rows", bytes_each[large], "MB")
    grown = _memory(paths[large]) - _memory(paths[small])
    yield Line("P13", f"memory of a process: {large:,} rows against {small:,}", grown, "MB", 5)


def _flat(scale: Scale, f: dict[str, Figures]) -> Iterator[Line]:
    base = f[str(min(scale.sizes))]
    for size in scale.sizes[1:]:
        what = f"POST at {size:,} rows against {min(scale.sizes):,}, expiry included"
        more = f[str(size)]
        yield Line.of("P7", f"{what}, CPU", times(base, more), "x", 1.1)
        yield Line.of("P7", f"{what}, p50", times(base, more, "wall"), "x", 1.1)


def fill(path: Path, rows: int, expired: int = 0) -> float:
    """Write settled rows, oldest first, some of them to be expired; returns bytes per row."""
    store = SQLiteStore(path)
    store.prepare()
    now, before = time.time(), _size(store)
    old, live = now - 2 * DAY, now - DAY / 2
    for start in range(-expired, rows, AT_ONCE):
        with store.writing() as work:
            assert work is not None
            for n in range(start, min(start + AT_ONCE, rows)):
                when = old + (n + expired) / 100 if n < 0 else live + n * DAY / 2 / rows
                work.keep(*_settled(when))
    size = _size(store) - before
    store.shut()
    return size / (rows + expired)


def _settled(when: float) -> tuple[Key, Row]:
    key = key_of(when)
    outcome = Outcome(ACCEPTED, 303, "/", os.urandom(8))
    row = Row(
        State.SETTLED, 1, os.urandom(16), key.variant, when + 30, outcome=outcome, settled_at=when
    )
    return key, row


def _size(store: SQLiteStore) -> int:
    with store.reading() as work:
        connection = work.connection
        pages, free, size = (
            connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
    return int((pages - free) * size)


def _longest_expiry(store: SQLiteStore) -> float:
    """The longest of some expiry steps, COMMIT and all, in milliseconds."""
    longest = 0.0
    for _ in range(EXPIRIES):
        start = time.perf_counter()
        with store.writing() as work:
            assert work is not None
            work.expire()
        longest = max(longest, time.perf_counter() - start)
    return longest * 1e3


def _memory(path: Path) -> float:
    """What a fresh process needs after some work on this file, in MB."""
    command = [sys.executable, "-m", __name__, str(path)]
    out = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return float(out) / 1024


def main() -> None:
    """Work on the file, then print the resident memory in KiB (proc(5))."""
    site = Site(Path(sys.argv[1]))
    for asked in asks(300):
        site.joined(asked)
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            print(line.split()[1])
    site.close()


if __name__ == "__main__":
    main()

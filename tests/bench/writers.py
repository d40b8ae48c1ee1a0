"""Sixteen writers at once under synchronous=FULL: how long does the unluckiest one wait?

Each writer posts forms through the whole WSGI adapter and `once`. Beside it the same effect alone
under SQLite's own busy handler, which sleeps and starves. Every contestant runs in processes of its
own: `python -m tests.bench.writers DB KIND THREADS POSTS` is one.
"""

import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from io import BytesIO
from itertools import chain, count
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy import Connection, create_engine, event, text

from seeother.core.values import Response
from seeother.stores.sqlite import tune
from seeother.visit import Visit
from seeother.wsgi import SeeOther, once
from tests.bench.growth import ROOT
from tests.bench.measure import Scale
from tests.bench.report import Line, number
from tests.bench.submissions import HOST, INSERT, SECRET, TEXT, Sent, Site, forms

WRITERS = 16
BUCKETS = (1, 3, 10, 30, 100, 300, 1000)  # milliseconds
STORE = text("INSERT INTO effect(text) VALUES(:text)")
Post = Callable[[Sent], bool]


def lines(scale: Scale) -> Iterator[Line]:
    """Worst waits and rates; reported, not bounded: the machine's disk decides them."""
    kinds = {
        "seeother, 1 process, 16 threads": ("seeother", 1),
        "seeother, 2 processes, 8 threads each": ("seeother", 2),
        "SQLite's busy handler, 16 threads, effect alone": ("busy", 1),
        "SQLite's busy handler, 2 x 8 threads, effect alone": ("busy", 2),
    }
    waits: dict[str, list[list[float]]] = {name: [] for name in kinds}
    rates: dict[str, list[float]] = {name: [] for name in kinds}
    for number_ in range(scale.storms):
        for name, (kind, processes) in kinds.items():
            path = scale.folder / f"storm-{kind}-{processes}-{number_}.db"
            Site(path, "FULL").close()
            took, found = storm(path, kind, processes, scale.posts)
            waits[name].append(found)
            rates[name].append(len(found) / took)
    for name, storms in waits.items():
        every = sorted(chain.from_iterable(storms))
        yield Line("P8", f"{name}: worst wait", every[-1], "ms", note=histogram(every))
        yield Line("P8", "  POSTs per second, all writers", median(rates[name]), "/s")


def storm(path: Path, kind: str, processes: int, posts: int) -> tuple[float, list[float]]:
    """Let all writers loose at once; returns seconds and the wait of each POST in ms."""
    threads = str(WRITERS // processes)
    command = [sys.executable, "-m", __name__, str(path), kind, threads, str(posts)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    running = [subprocess.Popen(command, cwd=ROOT, **pipes) for _ in range(processes)]  # type: ignore[call-overload]
    for process in running:
        assert process.stdout.readline() == "ready\n"
    start = time.perf_counter()
    for process in running:
        process.stdin.write("go\n")
        process.stdin.flush()
    heard = [process.communicate()[0] for process in running]
    took = time.perf_counter() - start
    assert all(process.returncode == 0 for process in running)
    waits = [wait for one in heard for wait in json.loads(one)]
    assert _effects(path) == len(waits), "an effect was lost or doubled"
    return took, waits


def histogram(waits: list[float]) -> str:
    """The waits as shares, in words."""
    steps = zip((0, *BUCKETS), BUCKETS, strict=False)
    parts = [(f"<{high} ms", sum(low <= w < high for w in waits)) for low, high in steps]
    parts.append((f">={BUCKETS[-1]} ms", sum(w >= BUCKETS[-1] for w in waits)))
    return ", ".join(f"{name} {number(100 * n / len(waits))}%" for name, n in parts if n)


def _effects(path: Path) -> int:
    with sqlite3.connect(path) as connection:
        return int(connection.execute("SELECT count(*) FROM effect").fetchone()[0])


# One process of writers -----------------------------------------------------------------------


def main() -> None:
    """Say ready, wait for the word, post; print the waits in milliseconds."""
    path, kind, threads, posts = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    site = _site(path) if kind == "seeother" else None
    with ThreadPoolExecutor(threads) as pool:
        posters = [_poster(site) if site else _busy(path) for _ in range(threads)]
        work = [forms(posts) for _ in range(threads)]
        print("ready", flush=True)
        sys.stdin.readline()
        done = list(pool.map(_writer, posters, work))
    print(json.dumps(list(chain.from_iterable(done))))


def _writer(post: Post, work: Iterable[Sent]) -> list[float]:
    waits: list[float] = []
    for sent in work:
        start = time.perf_counter()
        for attempt in count(1):
            if post(sent):
                break
            assert attempt < 100, "a form was refused again and again"
        waits.append((time.perf_counter() - start) * 1e3)
    return waits


def _site(path: Path) -> SeeOther:
    engine = create_engine(f"sqlite:///{path}", pool_size=WRITERS)
    event.listen(engine, "connect", lambda raw, _record: tune(raw, "FULL"))

    def save(connection: Connection, visit: Visit) -> Response:
        connection.execute(STORE, {"text": visit.form["message"]})
        return visit.see_other("/", flash="Your message was posted.")

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        return once(environ, engine, save)(environ, start_response)

    return SeeOther(app, secret=SECRET, hosts=(HOST,), store=f"sqlite:///{path}", mode="joined")


def _poster(site: SeeOther) -> Post:
    return partial(_post, site)


def _post(site: SeeOther, sent: Sent) -> bool:
    """One POST as a WSGI server hands it over (PEP 3333); False: busy, send it again."""
    environ = {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/",
        "QUERY_STRING": "",
        "SERVER_NAME": HOST,
        "SERVER_PORT": "443",
        "wsgi.url_scheme": "https",
        "wsgi.input": BytesIO(sent.body),
        **{_named(name): value.decode("latin-1") for name, value in sent.request.headers},
    }
    said: list[str] = []
    for _ in site(environ, lambda status, *_: said.append(status)):  # type: ignore[arg-type]
        pass
    assert said[0][:3] in ("303", "503"), said
    return said[0].startswith("303")


def _named(name: bytes) -> str:
    upper = name.decode("latin-1").upper().replace("-", "_")
    return upper if upper in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{upper}"


def _busy(path: Path) -> Post:
    """The effect alone on a connection of its own, waiting as SQLite itself waits."""
    raw = sqlite3.connect(path, timeout=60, isolation_level=None, check_same_thread=False)
    raw.execute("PRAGMA synchronous=FULL")

    def post(_sent: Sent) -> bool:
        raw.execute("BEGIN IMMEDIATE")
        raw.execute(INSERT, (TEXT,))
        raw.execute("COMMIT")
        return True

    return post


if __name__ == "__main__":
    main()

"""What is written of a run: the page of docs, and the same table for a terminal."""

from __future__ import annotations

import difflib
import platform
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Final

from .run import ATTACKS
from .shops import FRAMEWORKS, THREADS, WORKERS, Framework
from .trial import Fault, Result

APPS: Final = Path(__file__).with_name("apps")
Results = Mapping[tuple[str, bool], Mapping[str, Result]]
ARMS: Final = (False, True)
NAMES: Final = {"flask-wtf": "Flask-WTF", "flask-sqlalchemy": "Flask-SQLAlchemy"} | {
    "flask": "Flask",
    "django": "Django",
    "starlette": "Starlette",
    "sqlalchemy": "SQLAlchemy",
}
WORDS: Final = {
    Fault.TWICE: "two rows for one order",
    Fault.NEVER: "no row for an order",
    Fault.SILENT: "the page that the person ends on does not tell about the order",
    Fault.WRONG: "a page tells about the order of another tab",
    Fault.REPEATED: "two pages tell about the same order",
    Fault.UNDONE: "a key that was written is not in the session afterwards",
}
PAGE: Final = """\
# Bare and with seeother

The same small shop on {frameworks}, as their documentation says and with seeother in mode
joined, attacked over HTTP. A cell says how many of the trials went wrong, and how. 0 is the goal.

<p align="center"><img src="versus.svg" width="{width}" alt="{alt}"></p>

{table}

{words}

**Lost page answer** is a limit that seeother has: a message is acknowledged before the last byte of
its page is sent, and what is lost after that is not shown again. A message in a cookie survives
there, because the browser never learned that it was taken; what that costs stands in the rows
above. The order itself is stored, and its form sent again is answered as ever.

## Slow requests

Two requests of one session with 200 ms of work each, sent at once, against one of them alone: the
median of the ratio. 1 is both at the same time, 2 is one after the other.

{ratios}

## The shops

A page with a form; a POST that works for 20 ms, inserts a row and leaves a message; a redirect to a
page that shows it. A page that writes a key into the session, and one that shows the session. Bare
that is:

{shops}

The database is one SQLite file in WAL mode. gunicorn has {workers} workers of {threads} threads,
uvicorn {workers} workers, on loopback. {versions}

With seeother the shop in Flask differs by the lines below; the one in Django by four settings and
nothing in its views; the one in Starlette by a middleware, and a view that runs through `once`.
The files are in `tests/versus/apps`.

```diff
{diff}
```

## How it is attacked and counted

| attack | what is done |
|---|---|
{attacks}

* Rows are counted in the shop's own table, messages in the pages that the person ends on, keys in
  the page that shows the session. No counter of seeother is asked.
* Each trial has a browser of its own: one cookie jar for all its tabs, cookies of more than 4096
  octets ignored, redirects by the Fetch standard, Origin and Sec-Fetch-* as browsers send them,
  hidden fields as they stand in the page. A form that is sent again is the same octets.
* What an attack asks of the view (crash here, stand still there) is said in a request header, so
  the form is the same each time. A crash is `os._exit` in the worker.
* The session exists already where updates are counted. Two requests that both write before there is
  one begin one each, and the browser keeps the later: that is so bare and with seeother.

`make versus` does it all again and writes this page, which nobody edits. `make versus ARGS=flask`
prints one framework's columns, `SCALE=0.1` takes a tenth of the trials. It fails if a figure of
seeother is not 0, the limit left out.
"""


def faults(results: Results) -> list[str]:
    """What seeother's columns have that is not 0, and no limit of its own."""
    return [
        f"{name} with seeother, {attack.name}: {result}"
        for (name, protected), column in results.items()
        for attack in ATTACKS
        if protected and (result := column.get(attack.name))
        if result.faults.keys() - {attack.limit}
    ]


def table(results: Results) -> str:
    """One line for each attack, two columns for each framework."""
    shown = [one for one in FRAMEWORKS if (one.name, True) in results]
    titles = [title for one in shown for title in (f"{one.title}, bare", f"{one.title} + seeother")]
    lines = []
    for attack in ATTACKS:
        cells = [results[one.name, arm][attack.name] for one in shown for arm in ARMS]
        lines.append([attack.name, str(cells[0].trials), *map(str, cells)])
    return _table(["attack", "trials", *titles], lines)


def page(results: Results, *, width: int, alt: str) -> str:
    """The page of docs."""
    legend = "\n".join(f"* *{fault}*: {words}" for fault, words in WORDS.items())
    return PAGE.format(
        frameworks="Flask, Django and Starlette",
        width=width,
        alt=alt,
        table=table(results),
        words=legend,
        ratios=_ratios(results),
        shops="\n".join(f"* {one.title}: {one.says}" for one in FRAMEWORKS),
        workers=WORKERS,
        threads=THREADS,
        versions=_versions(FRAMEWORKS),
        diff=_diff(),
        attacks="\n".join(f"| {one.name} | {one.says} |" for one in ATTACKS),
    )


def ratio(result: Result) -> float:
    """How long two at once took, in times of one."""
    return median(two / one for one, two in result.seconds)


def _ratios(results: Results) -> str:
    name = "slow requests overlap"
    lines = [
        [one.title, *(f"{ratio(results[one.name, arm][name]):.2f}" for arm in ARMS)]
        for one in FRAMEWORKS
    ]
    return _table(["", "bare", "with seeother"], lines)


def _versions(frameworks: Iterable[Framework]) -> str:
    packages = sorted({one for framework in frameworks for one in framework.packages})
    named = [f"{NAMES.get(one, one)} {version(one)}" for one in packages]
    python = f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    return f"Versions: {', '.join(named)}; {python}."


def _diff() -> str:
    """What seeother changes in the shop in Flask, without the files' first lines."""
    one, other = (
        (APPS / f"flask_{arm}.py").read_text("utf-8").splitlines()[1:]
        for arm in ("bare", "seeother")
    )
    changed = [line for line in difflib.ndiff(one, other) if line[0] in "+-" and line[2:].strip()]
    return "\n".join(changed)


def _table(titles: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    ruled = ["|".join(["---"] * len(titles))]
    return "\n".join(
        f"| {line} |" if line not in ruled else f"|{line}|"
        for line in (" | ".join(titles), *ruled, *(" | ".join(line) for line in lines))
    )

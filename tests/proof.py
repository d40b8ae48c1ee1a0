"""Reports of long runs, below docs/proof: each number was counted by the run that wrote it.

A report says what was run (seed, counts, commit, versions), so that anyone can run it again, and
what came of it. It has no date and no place: what decides is the code and the seed.
"""

from __future__ import annotations

import os
import platform
import re
import sqlite3
import subprocess
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[1]
WIDTH: Final = 108
JUDGED: Final = ("src", "tests")


class Table(NamedTuple):
    """Rows below a head; numbers stand to the right and get commas."""

    head: Sequence[str]
    rows: Sequence[Sequence[object]]

    def __str__(self) -> str:
        columns = [[row[at] for row in self.rows] for at in range(len(self.head))]
        right = [all(isinstance(one, int) for one in column) for column in columns]
        rule = ["--:" if one else "---" for one in right]
        lines = [self.head, rule, *([_cell(one) for one in row] for row in self.rows)]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)


class Block(NamedTuple):
    """Lines that stay as they are."""

    lines: Sequence[str]

    def __str__(self) -> str:
        return "\n".join(["```text", *self.lines, "```"])


def write(path: Path, title: str, made: Mapping[str, object], parts: Iterable[object]) -> None:
    """Write a report: what was run, then its parts; text is wrapped, all else is as it is."""
    run = [f"* {name}: {_cell(value)}" for name, value in {**made, **where()}.items()]
    texts = [_wrapped(part) if isinstance(part, str) else str(part) for part in parts]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n\n".join([f"# {title}", "\n".join(run), *texts]) + "\n", "utf-8")


def where() -> dict[str, str]:
    """The code that was judged, and what it ran on."""
    names = ("SQLAlchemy",)
    packages = ", ".join(f"{name} {version(name)}" for name in names)
    kernel = ".".join(platform.release().split(".")[:2])
    own = f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    return {
        "commit": commit(),
        "versions": f"{own}, {packages}",
        "machine": f"{platform.system()} {kernel}, {os.cpu_count()} processors",
    }


def commit() -> str:
    """The commit in the working tree, and whether the code differs from it."""
    head = _git("rev-parse", "HEAD").strip()
    changed = _git("status", "--porcelain", "--", *JUDGED).splitlines()
    return f"`{head}`" + (f" and {len(changed)} changed files" if changed else "")


def _git(*words: str) -> str:
    return subprocess.run(
        ["git", *words], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    ).stdout


def _wrapped(text: str) -> str:
    """A paragraph in full lines; a heading stays as it is, items of a list are wrapped alone."""
    if text.startswith("#"):
        return text
    items = [" ".join(item.split()) for item in re.split(r"^\* ", text.strip(), flags=re.MULTILINE)]
    first, *points = items
    lines = [_filled(first, "")] if first else []
    return "\n".join([*lines, *(_filled(f"* {point}", "  ") for point in points)])


def _filled(text: str, indent: str) -> str:
    return textwrap.fill(text, WIDTH, subsequent_indent=indent, break_on_hyphens=False)


def _cell(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)

"""What is printed: one line per figure, with its budget and the verdict."""

import os
import platform
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.bench.measure import Summary

WIDTH = 74


@dataclass(frozen=True, slots=True)
class Line:
    """One figure; without a `budget` it is only reported. `floor`: the budget is a least value."""

    goal: str
    what: str
    value: float
    unit: str
    budget: float | None = None
    spread: tuple[float, float] | None = None
    floor: bool = False
    note: str = ""

    @classmethod
    def of(
        cls, goal: str, what: str, found: Summary, unit: str, budget: float | None = None
    ) -> "Line":
        """A line from the rounds of a measurement."""
        return cls(goal, what, found.median, unit, budget, (found.low, found.high))

    @property
    def verdict(self) -> str:
        """Is the budget kept?"""
        if self.budget is None:
            return "reported"
        kept = self.value >= self.budget if self.floor else self.value <= self.budget
        return "ok" if kept else "MISSED"

    @property
    def figure(self) -> str:
        """The value with its unit, and between what half of the rounds lie."""
        if self.spread is None:
            return f"{number(self.value)} {self.unit}"
        low, high = map(number, self.spread)
        return f"{number(self.value)} {self.unit} ({low} to {high})"

    @property
    def bound(self) -> str:
        """The budget."""
        if self.budget is None:
            return ""
        return f"{'>=' if self.floor else '<='} {number(self.budget)} {self.unit}"

    def text(self) -> str:
        """The line for a terminal."""
        budget = f"budget {self.bound}" if self.bound else ""
        note = f"   [{self.note}]" if self.note else ""
        what = f"{self.goal:<4} {self.what}"
        return f"{what:<{WIDTH}} {self.figure:<30} {budget:<24} {self.verdict}{note}".rstrip()

    def row(self) -> str:
        """The line as a row of a Markdown table."""
        what = f"{self.what} ({self.note})" if self.note else self.what
        return f"| {self.goal} | {what} | {self.figure} | {self.bound} | {self.verdict} |"


def number(value: float) -> str:
    """Three digits that matter, and no more.

    >>> number(0.9417), number(17.23), number(1234.5), number(2.0)
    ('0.94', '17.2', '1,234', '2')
    """
    if float(value).is_integer() or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def machine(folder: Path) -> str:
    """The machine in one line; nothing in it tells whose it is."""
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    return (
        f"{platform.python_implementation()} {platform.python_version()},"
        f" SQLite {sqlite3.sqlite_version}, {platform.system()} {platform.machine()},"
        f" {os.cpu_count()} CPUs, load {load}, databases on {_filesystem(folder)}"
    )


def _filesystem(folder: Path) -> str:
    try:
        mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    except OSError:
        return "an unknown file system"
    around = {str(folder.resolve()), *map(str, folder.resolve().parents)}
    return max((len(m[1]), m[2]) for m in mounts if m[1] in around)[1]


def page(head: str, sections: Iterable[tuple[str, list[Line]]], *, command: str) -> str:
    """The whole run as a Markdown page."""
    told = (
        f"Written by `{command}`; not edited by hand. One run on one machine, contestants side by"
        " side: trust CPU time first, then ratios inside a section, then p50, and compare no two"
        " runs. Figures are medians of interleaved rounds, with the quartiles behind them."
    )
    out = ["# Benchmarks", "", told, "", head + "."]
    for title, lines in sections:
        table = ["| goal | what | measured | budget | |", "|---|---|---|---|---|"]
        out += ["", f"## {title}", "", *table, *(line.row() for line in lines)]
    return "\n".join(out) + "\n"

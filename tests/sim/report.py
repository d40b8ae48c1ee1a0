"""The report of a run: what was simulated, what was found, and which planted bugs were caught."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from textwrap import shorten
from typing import Final

from tests import proof

from .mutants import MUTANTS
from .runner import Catch, Result, timeline

LINES: Final = 24
TOLD: Final = "take-over when a lease is over"
COUNTED: Final = ("submissions", "messages", "writes")
INJECTED: Final = (
    ("crashes", "processes killed"),
    ("pauses", "processes that stood still"),
    ("lost", "questions to the store that got lost"),
    ("unheard", "answers of the store that got lost"),
    ("late", "late effects of a lost question"),
    ("busy", "questions that found the store busy"),
    ("silent", "answers that no browser got"),
)
WHAT: Final = """
A schedule is one run of three simulated processes on one store, with clients that click twice,
correct, edit and come back, and with faults drawn from its seed: operations and answers that get
lost, late or doubled, killed and paused processes, wrong clocks, exceptions, slow views. The code
is the library's own; only time, network and processes are simulated. Invariants are looked at
after every step, and at the end all faults stop and every submission is asked about once more."""
BUGS: Final = """
Each of these is a mistake that somebody made or could make, planted into the library. The
simulation has to notice every one: the table names the first schedule that did, and the invariant
that was broken there. The invariants are listed in
[ARCHITECTURE.md](../../ARCHITECTURE.md)."""


def write(path: Path, results: Sequence[Result], catches: Sequence[Catch], seed: int) -> None:
    """Write the report of these results."""
    number = sum(one.schedules for one in results)
    caught = [one for one in catches if one.seed is not None]
    each = results[0].schedules
    made = {
        "command": f"`make sim N={each} SEED={seed} ARGS='--write docs/proof/simulation.md'`",
        "schedules": number,
        "steps": sum(one.stats["steps"] for one in results),
        "violations": sum(len(one.violations) for one in results),
        "planted bugs caught": f"{len(caught)} of {len(MUTANTS)}",
        "schedules per second": round(number / max(sum(one.seconds for one in results), 0.1)),
    }
    head = ("scenario", "schedules", "steps", *COUNTED, "accepted", "in doubt", "violations")
    parts: list[object] = [WHAT, proof.Table(head, [_row(one) for one in results])]
    parts += ["## Faults in these schedules", _faults(results)]
    parts += ["## Planted bugs", BUGS, _bugs(catches), *_story(catches)]
    proof.write(path, "Simulation", made, parts)


def _row(one: Result) -> tuple[object, ...]:
    names = ("steps", *COUNTED, "ended accepted", "ended doubt")
    counts = (one.stats[name] for name in names)
    return (one.scenario, one.schedules, *counts, len(one.violations))


def _faults(results: Sequence[Result]) -> proof.Table:
    rows = [(text, sum(one.stats[name] for one in results)) for name, text in INJECTED]
    return proof.Table(("what", "how often"), rows)


def _bugs(catches: Sequence[Catch]) -> proof.Table:
    head = ("planted bug", "scenario", "first schedule", "invariant", "what was seen")
    rows = [
        (one.mutant, one.scenario, one.seed or "MISSED", one.violation, shorten(one.why, 90))
        for one in catches
    ]
    return proof.Table(head, rows)


def _story(catches: Sequence[Catch]) -> list[object]:
    """The timeline of one planted bug, up to the moment that gives it away."""
    for number, one in enumerate(catches):
        if one.mutant == TOLD and one.seed is not None:
            mutant = MUTANTS[number]
            with mutant.planted():
                lines = list(timeline(one.seed, one.scenario, "memory", mutant))
            text = f"""The last events of schedule {one.seed} with the planted bug "{TOLD}"
            (seconds of simulated time; `so=` is the name of a message):"""
            return ["## One of them, told", text, proof.Block(lines[-LINES:])]
    return []

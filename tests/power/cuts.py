"""Cycles: cut the power of a recording at any moment, look at what is left, send everything again.

    python -m tests.power --cycles 1000 --seed 1

What must hold after a cut, by how the app writes its own file (the ledger itself is always FULL):

| | FULL | NORMAL |
|---|---|---|
| joined, fenced | who was told "accepted" has his effect | effect and record may both be gone |
| separate | the same | the effect may be gone alone: the app did not wait for it |

In joined and fenced the records that are there name exactly the effects that are there; in separate
with FULL no record is there without its effect. And after everything was sent again, each
submission has one effect (separate: or an honest doubt).
"""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final

from seeother.core.values import unpack_outcome
from seeother.testing.adapter import Browser, WSGIClient
from tests.crash import memory
from tests.crash.judge import ACCEPTED, FINAL, Summary, Told
from tests.crash.site import ONCE, Site

from .disk import STRACE, TRACED, Act, Disk, read
from .record import COMBINATIONS, SAID, name

SECTORS: Final = (512, 4096)
TRIES: Final = 12
BATCH: Final = 120
RUN: Final = re.compile(r"^/done/([^?#]+)")
SETTLED: Final = "SELECT outcome FROM so_ledger WHERE state='settled'"
ROOT: Final = Path(__file__).parents[2]


@dataclass(slots=True)
class Count:
    """The figures of one mode and one way to write."""

    mode: str
    synchronous: str
    summary: Summary
    acts: int = 0
    told: int = 0
    forgotten: int = 0
    torn: list[str] = field(default_factory=list)

    @property
    def faults(self) -> list[str]:
        """Everything that must not be."""
        return [*self.torn, *self.summary.faults]


@dataclass(frozen=True, slots=True)
class Recording:
    """What a mode did to its files, and with which forms."""

    mode: str
    synchronous: str
    acts: tuple[Act, ...]
    cookies: dict[str, str]
    tokens: dict[str, str]


def recordings(seed: int, submissions: int) -> dict[tuple[str, str], Recording]:
    """Record a run of every combination; it takes a few seconds."""
    with tempfile.TemporaryDirectory(prefix="seeother-power-") as made:
        folder, log = Path(made).resolve() / "data", Path(made) / "log"
        folder.mkdir()
        app = [sys.executable, "-m", "tests.power.record", str(folder), str(seed), str(submissions)]
        command = [*STRACE, "-e", f"trace={TRACED}", "-o", str(log), *app]
        done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
        forms = json.loads(done.stdout.splitlines()[-1])
        acts = list(read(log, folder))
    found = {}
    for mode, synchronous in COMBINATIONS:
        own = folder / name(mode, synchronous)
        mine = tuple(act for act in acts if own in (act.path, act.path.parent))
        found[mode, synchronous] = Recording(mode, synchronous, mine, **forms[own.name])
    return found


@dataclass(slots=True)
class Cut:
    """One cut, and the life after it in a folder."""

    recording: Recording
    seed: int
    folder: Path
    told: list[Told] = field(default_factory=list)

    def fall(self) -> None:
        """Cut the power, and write what is left."""
        dice, acts = Random(f"{self.seed} power"), self.recording.acts
        before = acts[: dice.randrange(len(acts) + 1)]
        disk = Disk(dice, dice.choice(SECTORS), dice.choice((0.0, 0.1, 0.5, 0.9)))
        disk.run([act for act in before if act.path.name != SAID])
        for path, data in disk.left().items():
            (self.folder / path.name).write_bytes(data)
        said = (act.data for act in before if (act.verb, act.path.name) == ("write", SAID))
        self.told = [Told(*json.loads(one)) for one in said]

    def judge(self, count: Count) -> None:
        """Look at what is there, send everything again, and look once more."""
        try:
            self._judge(count, self.recording.mode)
        except sqlite3.DatabaseError as error:
            count.torn.append(f"seed {self.seed}: damaged: {error}")

    def _judge(self, count: Count, mode: str) -> None:
        runs, records = {run for _, run in self.effects()}, self.records()
        full = self.recording.synchronous == "FULL"
        alone = records - runs if mode not in ONCE else records ^ runs
        if alone and (full or mode in ONCE):
            count.torn.append(f"seed {self.seed}: only effect or only record: {sorted(alone)}")
        count.told += len(self._naming(lambda _run: True))
        gone = self._naming(lambda run: run not in runs)
        if full and gone:
            count.torn.append(f"seed {self.seed}: told accepted, and gone: {sorted(gone)}")
        self.told = [one for one in self.told if one.label not in gone]
        self._again()
        # Joined and fenced: record and effect went together, so these have happened again.
        never = set() if full or mode in ONCE else gone | self._naming(lambda run: run in alone)
        count.forgotten += len(gone | never)
        told = [one for one in self.told if one.label not in never]
        after = [one for one in self.effects() if one[0] not in never]
        count.summary.judge(self.seed, told, after)

    def _naming(self, which: Callable[[str], bool]) -> set[str]:
        """The labels that were told "accepted" with such a run."""
        return {one.label for one in self.told if one.kind == ACCEPTED and which(_run(one))}

    def _again(self) -> None:
        """A new process would find this: open it, and send every form until it is answered."""
        own = self.recording
        site = Site(self.folder, own.mode, synchronous=own.synchronous)
        site.prepare()
        browser = Browser(WSGIClient(site.app))
        browser.cookies |= own.cookies
        for label in [*own.tokens, *own.tokens]:
            for _ in range(TRIES):
                answer = browser.post({"label": label, "so_token": own.tokens[label]})
                location = answer.header("location") or ""
                told = Told(time.monotonic(), label, answer.status, location, answer.text)
                self.told.append(told)
                if told.kind in FINAL:
                    break
        site.shut()

    def effects(self) -> list[tuple[str, str]]:
        """The app's rows; a damaged file is an error."""
        return self._rows("app.db", "effect", "SELECT label, run FROM effect")

    def records(self) -> set[str]:
        """The runs that the ledger says were accepted."""
        file = "app.db" if self.recording.mode in ONCE else "ledger.db"
        rows = self._rows(file, "so_ledger", SETTLED)
        outcomes = [unpack_outcome(packed) for (packed,) in rows]
        return {_named(one.location or "") for one in outcomes}

    def _rows(self, file: str, table: str, query: str) -> list[Any]:
        if not (self.folder / file).exists():
            return []
        with closing(sqlite3.connect(self.folder / file)) as connection:
            (said,) = connection.execute("PRAGMA integrity_check").fetchone()
            if said != "ok":
                raise sqlite3.DatabaseError(said)
            known = "SELECT 1 FROM sqlite_master WHERE name=?"
            there = connection.execute(known, (table,)).fetchone()
            return connection.execute(query).fetchall() if there else []


def _run(told: Told) -> str:
    return _named(told.location)


def _named(location: str) -> str:
    found = RUN.match(location)
    assert found, location
    return found[1]


def cycles(seed: int, number: int, submissions: int) -> list[Count]:
    """So many cuts, shared out among the combinations, with a new recording now and then."""
    counts = {one: Count(*one, Summary(one[0])) for one in COMBINATIONS}
    for first in range(seed, seed + number, BATCH):
        made, end = recordings(first, submissions), min(first + BATCH, seed + number)
        for at, combination in enumerate(COMBINATIONS):
            cut(made[combination], range(first + at, end, len(COMBINATIONS)), counts[combination])
    return list(counts.values())


def cut(recording: Recording, seeds: range, count: Count | None = None) -> Count:
    """The same recording, cut once for each seed; the figures go into `count`."""
    if count is None:
        count = Count(recording.mode, recording.synchronous, Summary(recording.mode))
    count.acts += len(recording.acts)
    with memory.folder() as folder:
        for seed in seeds:
            place = folder / str(seed)
            place.mkdir()
            one = Cut(recording, seed, place)
            one.fall()
            one.judge(count)
            shutil.rmtree(place)
    return count

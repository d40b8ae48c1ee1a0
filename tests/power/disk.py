"""A recording, and what a disk may hold after a cut at any moment of it.

The disk is a bad one, within what POSIX allows: between two syncs of a file any piece of any write
may have landed or not, in any order; so may a truncation. A file that was made, and a deletion,
last only from the moment that their folder was synced.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

TRACED: Final = "openat,pwrite64,write,fsync,fdatasync,ftruncate,unlink"
STRACE: Final = (
    "strace",
    "--seccomp-bpf",
    "-f",
    "-qq",
    "-y",
    "-xx",
    "-s",
    "1000000",
    "-e",
    "signal=none",
)
UNFINISHED: Final = "<unfinished ...>"
CALL: Final = re.compile(r'(\w+)\((?:\d+<([^>]*)>|"([^"]*)")(?:, "([^"]*)")?[^"]*?(\d*)\) += \d')
MADE: Final = re.compile(r'openat\([^"]*"([^"]*)", [^)]*O_CREAT[^)]*\) += \d')
SHARED_MEMORY: Final = "-shm"


class Act(NamedTuple):
    """One thing that a process did to a file; `at` is an offset or a length."""

    verb: str
    path: Path
    at: int = 0
    data: bytes = b""


def read(log: Path, folder: Path) -> Iterator[Act]:
    """The acts below a folder in a log of strace, in order; shared memory is not on the disk."""
    halves: dict[str, str] = {}
    with log.open() as lines:
        for line in lines:
            pid, _, rest = line.strip().partition(" ")
            call = rest.strip()
            if call.endswith(UNFINISHED):
                halves[pid] = call.removesuffix(UNFINISHED).strip()
                continue
            if call.startswith("<..."):
                call = halves.pop(pid) + call.partition("resumed>")[2]
            act = _act(call)
            if (
                act
                and act.path.is_relative_to(folder)
                and not act.path.name.endswith(SHARED_MEMORY)
            ):
                yield act


def _act(call: str) -> Act | None:
    if made := MADE.match(call):
        return Act("make", Path(_raw(made[1]).decode()))
    if found := CALL.match(call):
        path = Path(_raw(found[2] or found[3]).decode())
        return Act(found[1], path, int(found[5] or 0), _raw(found[4]))
    return None


def _raw(text: str | None) -> bytes:
    return bytes.fromhex((text or "").replace("\\x", ""))


@dataclass(slots=True)
class Disk:
    """The files as they were synced, and what is still on its way."""

    dice: Random
    sector: int
    keep: float = 0.5
    durable: dict[Path, bytearray] = field(default_factory=dict)
    pending: dict[Path, list[Act]] = field(default_factory=dict)
    fresh: set[Path] = field(default_factory=set)
    gone: dict[Path, bytearray] = field(default_factory=dict)

    def run(self, acts: Sequence[Act]) -> None:
        """Everything up to the cut."""
        for act in acts:
            if act.verb == "unlink":
                self.gone[act.path] = self.durable.pop(act.path, bytearray())
                self.pending.pop(act.path, None)
            elif act.verb in ("fsync", "fdatasync"):
                self._sync(act.path)
            else:
                self._write(act)

    def _write(self, act: Act) -> None:
        if act.path not in self.durable:
            self.durable[act.path] = bytearray()
            self.fresh.add(act.path)
            self.gone.pop(act.path, None)
        if act.verb != "make":
            self.pending.setdefault(act.path, []).append(act)

    def _sync(self, path: Path) -> None:
        if path in self.durable:
            self._land(path, 1.0)
            return
        self.fresh = {one for one in self.fresh if one.parent != path}
        self.gone = {one: data for one, data in self.gone.items() if one.parent != path}

    def _land(self, path: Path, chance: float) -> None:
        """Let pieces of what is on its way arrive."""
        data = self.durable[path]
        for act in self.pending.pop(path, ()):
            if act.verb == "ftruncate":
                if self.dice.random() < chance:
                    _cut(data, act.at)
                continue
            for start in range(0, len(act.data), self.sector):
                if self.dice.random() < chance:
                    _put(data, act.at + start, act.data[start : start + self.sector])

    def left(self) -> dict[Path, bytes]:
        """The power is gone: what is found afterwards."""
        for path in list(self.pending):
            self._land(path, self.keep)
        found = {
            path: data
            for path, data in self.durable.items()
            if path not in self.fresh or self.dice.random() < self.keep
        }
        again = {path: data for path, data in self.gone.items() if self.dice.random() < self.keep}
        return {path: bytes(data) for path, data in {**again, **found}.items()}


def _cut(data: bytearray, length: int) -> None:
    if length > len(data):
        data.extend(bytes(length - len(data)))
    del data[length:]


def _put(data: bytearray, at: int, piece: bytes) -> None:
    if len(data) < at:
        data.extend(bytes(at - len(data)))
    data[at : at + len(piece)] = piece

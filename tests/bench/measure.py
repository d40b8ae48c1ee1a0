"""Measuring on a machine that others use too.

Contestants take turns, round by round, in an order that rotates, so that a busy second hits all of
them. What is compared is compared inside a round (`added`, `times`) and the median of the rounds is
what counts. Trust in this order: CPU time, ratios inside one run, p50, rates, worst cases. Two runs
are never compared.

CPU time is that of the calling thread here, and of the process or the server's process tree where a
section says so.
"""

import gc
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path
from statistics import median, quantiles
from typing import Any, Literal

Clock = Literal["cpu", "wall"]
WARM_UP = 20


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured; `folder` is where databases may be made."""

    folder: Path
    rounds: int
    block: int
    sizes: tuple[int, ...]  # rows of ledgers that are compared
    posts: int  # per thread of a storm
    cycles: int  # of a board, per round
    shown: int  # messages on a board before it is measured; 20 fill a page
    storms: int
    processes: int  # fresh interpreters per measurement of one


@dataclass(frozen=True, slots=True)
class Contestant:
    """Something to be timed: `run` is called with each item that `prepare(n)` made beforehand."""

    run: Callable[[Any], object]
    prepare: Callable[[int], Sequence[Any]] = lambda n: list(repeat(None, n))


@dataclass(frozen=True, slots=True)
class Figures:
    """Microseconds per call, one number per round: mean CPU time, and p50 of the wall time."""

    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)

    def of(self, clock: Clock) -> list[float]:
        """The rounds by one clock."""
        return self.cpu if clock == "cpu" else self.wall


@dataclass(frozen=True, slots=True)
class Summary:
    """The median of the rounds, and the quartiles: half of the rounds lie between them."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, rounds: Iterable[float]) -> "Summary":
        """Sum up."""
        found = list(rounds)
        if len(found) == 1:
            return cls(found[0], found[0], found[0])
        low, middle, high = quantiles(found, n=4, method="inclusive")
        return cls(middle, low, high)


def interleaved(
    contestants: Mapping[str, Contestant], *, rounds: int, block: int
) -> dict[str, Figures]:
    """Time all contestants, `block` calls of each per round."""
    names = list(contestants)
    figures = {name: Figures() for name in names}
    for contestant in contestants.values():
        _timed(contestant, min(block, WARM_UP))
    gc.collect()
    for number in range(rounds):
        turn = number % len(names)
        for name in (*names[turn:], *names[:turn]):
            cpu, wall = _timed(contestants[name], block)
            figures[name].cpu.append(cpu)
            figures[name].wall.append(wall)
    return figures


def _timed(contestant: Contestant, block: int) -> tuple[float, float]:
    """Mean CPU and median wall time of a block of calls, in microseconds."""
    run, items, clock = contestant.run, contestant.prepare(block), time.perf_counter_ns
    walls: list[int] = []
    note = walls.append
    cpu = time.thread_time_ns()
    before = clock()
    for item in items:
        run(item)
        after = clock()
        note(after - before)
        before = after
    return (time.thread_time_ns() - cpu) / block / 1e3, median(walls) / 1e3


def added(base: Figures, more: Figures, clock: Clock = "cpu") -> Summary:
    """What `more` takes beyond `base`, in microseconds, inside each round."""
    pairs = zip(base.of(clock), more.of(clock), strict=True)
    return Summary.of(b - a for a, b in pairs)


def times(base: Figures, more: Figures, clock: Clock = "cpu") -> Summary:
    """How many times what `base` takes `more` takes, inside each round."""
    pairs = zip(base.of(clock), more.of(clock), strict=True)
    return Summary.of(b / a for a, b in pairs)


def spent(one: Figures, clock: Clock = "cpu") -> Summary:
    """What one contestant takes, in microseconds."""
    return Summary.of(one.of(clock))

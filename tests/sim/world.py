"""Time, processes and the order of events.

Nothing happens by itself: whoever wants something to happen says when (`at`), and `run` takes the
earliest. An event may belong to a process; it does not happen once that process is dead, and it
happens later if that process stands still (a pause longer than every lease is one of the faults).
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any, Final

from seeother.core.values import Key

from .faults import Faults

if TYPE_CHECKING:
    from .backends import Backend
    from .clients import Told
    from .mutants import Mutant
    from .worker import Worker

START: Final = 1_700_000_000.0
PROCESSES: Final = 3
MOST_STEPS: Final = 20_000
Action = Callable[[], None]


class Violation(AssertionError):
    """An invariant did not hold; `world` is the one in which it did not."""

    world: World

    def __init__(self, number: str, text: str) -> None:
        super().__init__(f"{number} {text}")
        self.number, self.text = number, text


@dataclass(slots=True, eq=False)
class Process:
    """One worker process of the app: its store object, its clock, and who runs what in it."""

    index: int
    skew: float
    store: Any = None
    alive: bool = True
    paused_until: float = 0.0
    running: dict[Key, Worker] = field(default_factory=dict)
    workers: dict[int, Worker] = field(default_factory=dict)


class World:
    """One schedule: everything that is true in it, and everything that was seen."""

    def __init__(
        self, seed: int, scenario: str, *, mutant: Mutant | None = None, tracing: bool = False
    ) -> None:
        self.rng = random.Random(f"{scenario}/{seed}")  # text is hashed the same way everywhere
        self.seed, self.scenario, self.mutant, self.tracing = seed, scenario, mutant, tracing
        self.now = START
        self.steps = 0
        self.trace: list[str] = []
        self.stats: Counter[str] = Counter()
        self.faults = Faults.drawn(self.rng)
        self.backend: Backend
        self.processes: list[Process] = []
        self.told: list[Told] = []
        self.faulted: dict[str, set[str]] = {}
        self.slow: set[str] = set()
        self.stirred = False
        self.healing = False
        self.memo: dict[str, Any] = {}
        self._events: list[tuple[float, int, Process | None, Action]] = []
        self._count = 0

    # Time ------------------------------------------------------------------------------------

    def at(self, delay: float, action: Action, process: Process | None = None) -> None:
        """Let something happen in `delay` seconds, in a process or outside of all."""
        self._count += 1
        heappush(self._events, (self.now + delay, self._count, process, action))

    def run(self, most: int = MOST_STEPS) -> None:
        """Until nothing is left to happen; raises Violation I6 if that takes too long."""
        events, limit = self._events, self.steps + most
        while events:
            at, count, process, action = heappop(events)
            if process is not None:
                if not process.alive:
                    continue
                if process.paused_until > at:
                    heappush(events, (process.paused_until, count, process, action))
                    continue
            self.now = max(self.now, at)
            self.steps += 1
            if self.steps > limit:
                raise Violation("I6", f"no end after {most} steps")
            action()

    def number(self) -> int:
        """A fresh number, for names."""
        self._count += 1
        return self._count

    def log(self, text: str) -> None:
        """A line of the timeline; only kept while tracing."""
        if self.tracing:
            self.trace.append(f"{self.now - START:9.3f}  {text}")

    # Processes -------------------------------------------------------------------------------

    def start(self, backend: Backend) -> None:
        """Begin with a store and three processes whose clocks disagree."""
        self.backend = backend
        for index in range(PROCESSES):
            skew = 0.0 if self.faults.calm else self.rng.choice((0.0, 0.0, -40.0, 40.0, 5.0))
            self.processes.append(self._born(index, skew))

    def _born(self, index: int, skew: float) -> Process:
        process = Process(index, skew)
        process.store = self.backend.open(process)
        return process

    def crash(self, process: Process) -> None:
        """Kill a process where it stands; another one starts in its place."""
        self.stats["crashes"] += 1
        self.log(f"process {process.index} is killed")
        process.alive = False
        for worker in list(process.workers.values()):
            worker.die()
        self.backend.drop(process)
        born = self._born(process.index, process.skew)
        born.paused_until = self.now + self.rng.random()
        self.processes[process.index] = born

    def boundary(self, process: Process, unit: str) -> bool:
        """Between two ops of a process: False if it dies here. It may also stand still for long."""
        if self.faults.hits(self.rng, "pause"):
            seconds = self.rng.random() * 80
            process.paused_until = self.now + seconds
            self.log(f"process {process.index} stands still for {seconds:.1f} s")
            for worker in process.workers.values():
                self.fault(worker.unit, "pause")
            self.fault(unit, "pause")
            self.stats["pauses"] += 1
        if self.faults.hits(self.rng, "crash"):
            self.crash(process)
            return False
        return True

    def fault(self, unit: str, what: str) -> None:
        """Remember that something was done to a submission."""
        self.faulted.setdefault(unit, set()).add(what)
        self.stirred = True

    def heal(self, seconds: float = 200.0) -> None:
        """All faults stop, and enough time passes for every lease and patience to end."""
        self.healing = True
        self.faults = Faults.none()
        for process in self.processes:
            process.paused_until = 0.0
        self.now += seconds
        self.log("--- all faults have stopped ---")

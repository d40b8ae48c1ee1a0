"""Many schedules, several processes, one summary."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import Final

from .backends import Backend, MemoryBackend
from .mutants import MUTANTS, Mutant
from .scenes import scene
from .sqlite import SQLiteBackend
from .world import Violation, World

SCENARIOS: Final = ("joined", "fenced", "separate", "flash", "session")
SPAWN: Final = get_context("spawn")  # pytest may have threads; forking them is no good
CHUNK: Final = 250
SHORT_IDLE: Final = 300.0
ERROR: Final = "ERROR"


@dataclass(slots=True)
class Result:
    """What a number of schedules of one scenario showed."""

    scenario: str
    schedules: int = 0
    seconds: float = 0.0
    stats: Counter[str] = field(default_factory=Counter)
    violations: list[tuple[int, str]] = field(default_factory=list)

    def add(self, other: Result) -> None:
        """Sum up."""
        self.schedules += other.schedules
        self.stats.update(other.stats)
        self.violations += other.violations

    def __str__(self) -> str:
        rate = self.schedules / self.seconds if self.seconds else 0.0
        return (
            f"{self.scenario:<9}{self.schedules:>8} schedules {self.stats['steps']:>10} steps"
            f" {len(self.violations):>3} violations {self.seconds:>7.1f} s {rate:>6.0f}/s"
        )


def play(
    seed: int,
    scenario: str,
    store: str = "memory",
    *,
    mutant: Mutant | None = None,
    tracing: bool = False,
) -> World:
    """One schedule. Raises Violation, which then knows its world."""
    world = World(seed, scenario, mutant=mutant, tracing=tracing)
    backend = _backend(world, store)
    try:
        world.start(backend)
        scene(world)
    except Violation as violation:
        violation.world = world
        raise
    except Exception as error:
        found = Violation(ERROR, f"{type(error).__name__}: {error}")
        found.world = world
        raise found from error
    finally:
        backend.close()
    return world


def _backend(world: World, store: str) -> Backend:
    limits = {"idle": SHORT_IDLE if world.scenario == "session" else 14 * 86_400.0}
    kind: Callable[..., Backend] = SQLiteBackend if store == "sqlite" else MemoryBackend
    return kind(world, **limits)


def several(first: int, count: int, scenario: str, store: str) -> Result:
    """Schedules with consecutive seeds, in this process."""
    result = Result(scenario)
    for seed in range(first, first + count):
        try:
            world = play(seed, scenario, store)
        except Violation as violation:
            result.violations.append((seed, str(violation)))
        else:
            result.stats.update(world.stats)
            result.stats["steps"] += world.steps
        result.schedules += 1
    return result


def run(first: int, count: int, scenario: str, store: str, jobs: int) -> Result:
    """Schedules on several processes; the order does not matter, their sum does."""
    total, start = Result(scenario), time.perf_counter()
    chunks = [(s, min(CHUNK, first + count - s)) for s in range(first, first + count, CHUNK)]
    if jobs == 1:
        for begin, many in chunks:
            total.add(several(begin, many, scenario, store))
    else:
        with ProcessPoolExecutor(jobs, SPAWN) as pool:
            done = [pool.submit(several, begin, many, scenario, store) for begin, many in chunks]
            for one in done:
                total.add(one.result())
    total.seconds = time.perf_counter() - start
    return total


def timeline(seed: int, scenario: str, store: str, mutant: Mutant | None = None) -> Iterator[str]:
    """The same schedule once more, told."""
    try:
        world = play(seed, scenario, store, mutant=mutant, tracing=True)
    except Violation as violation:
        yield from violation.world.trace
        yield f"VIOLATION {violation}"
    else:
        yield from world.trace


@dataclass(frozen=True, slots=True)
class Catch:
    """How a planted bug was caught: the first seed that shows it, and what was broken there."""

    mutant: str
    scenario: str
    seed: int | None
    violation: str = ""
    why: str = ""


def hunt(index: int, first: int, most: int) -> Catch:
    """Play schedules with a planted bug until one of them is caught.

    An exception is none: it says nothing about what the simulation looks at.
    """
    mutant = MUTANTS[index]
    with mutant.planted():
        for seed in range(first, first + most):
            try:
                play(seed, mutant.scenario, mutant=mutant)
            except Violation as violation:
                why = violation.text.partition(" (")[0]
                caught = None if violation.number == ERROR else seed
                return Catch(mutant.name, mutant.scenario, caught, violation.number, why)
    return Catch(mutant.name, mutant.scenario, None)

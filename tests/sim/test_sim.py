"""The simulation as a test: thousands of schedules, real SQLite, and every planted bug."""

import subprocess
import sys
from os import environ
from pathlib import Path

import pytest

from tests.sim.__main__ import hunted
from tests.sim.runner import SCENARIOS, run

ROOT = Path(__file__).parents[2]
SCHEDULES = {
    "joined": 10_000,
    "fenced": 10_000,
    "separate": 10_000,
    "flash": 3_000,
    "session": 5_000,
}
ON_SQLITE = 80
ENOUGH = 5000


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_no_schedule_breaks_an_invariant(scenario: str) -> None:
    """Whatever is lost, late, dead or slow: every invariant holds after every schedule."""
    result = run(1, SCHEDULES[scenario], scenario, "memory", jobs=2)
    print(result)
    assert result.violations == []


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_real_sqlite_behaves_like_the_model(scenario: str) -> None:
    """The same schedules hold on SQLite files, with the library's own transactions."""
    result = run(1, ON_SQLITE, scenario, "sqlite", jobs=2)
    assert result.violations == []


def test_every_planted_bug_is_caught() -> None:
    """A simulation that misses a known mistake would prove nothing."""
    missed = [catch for catch in hunted(1, ENOUGH, jobs=2) if catch.seed is None]
    assert missed == []


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_seed_is_a_schedule(scenario: str) -> None:
    """The same seed gives the same trace, byte by byte, whatever Python's hash seed is."""
    traces = {_trace(scenario, hash_seed) for hash_seed in ("0", "1", "random")}
    assert len(traces) == 1


def _trace(scenario: str, hash_seed: str) -> bytes:
    command = [sys.executable, "-m", "tests.sim", "--trace", "--seed", "5", "--mode", scenario]
    env = {**environ, "PYTHONHASHSEED": hash_seed}
    return subprocess.run(command, cwd=ROOT, env=env, check=True, capture_output=True).stdout

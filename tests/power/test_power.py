"""The power fails at random moments of a recorded run: effects and answers after it.

`make power` does it a thousand times and writes docs/proof/power-loss.md.
"""

import os
import subprocess
from dataclasses import replace
from typing import Final

import pytest

from tests.power.cuts import Recording, cut, recordings
from tests.power.disk import STRACE
from tests.power.record import COMBINATIONS
from tests.presence import missing, program

SCALE: Final = float(os.environ.get("SCALE", "1"))
SEED: Final = int(os.environ.get("SEED", "1"))
EACH: Final = max(2, int(3 * SCALE))
SUBMISSIONS: Final = 20

Recordings = dict[tuple[str, str], Recording]


@pytest.fixture(scope="module")
def recorded() -> Recordings:
    """A run of each mode, and of each way to write."""
    if program("STRACE", STRACE[0]) is None:
        missing("strace", "apt-get install strace")
    if subprocess.run([*STRACE, "-o", os.devnull, "true"], check=False).returncode:
        missing("PTRACE", "let this container trace its own processes (--cap-add SYS_PTRACE)")
    return recordings(SEED, SUBMISSIONS)


@pytest.mark.parametrize(("mode", "synchronous"), COMBINATIONS)
def test_a_power_cut_at_any_moment(recorded: Recordings, mode: str, synchronous: str) -> None:
    """FULL: what was answered stands. NORMAL: effect and record live or die together; once."""
    count = cut(recorded[mode, synchronous], range(SEED, SEED + EACH))
    assert count.faults == []
    assert count.summary.duplicates == count.summary.lost == count.summary.changed == 0


def test_cuts_see_a_disk_that_lies(recorded: Recordings) -> None:
    """The same cuts of the same run, with every sync left out: what was answered is gone."""
    honest = recorded["joined", "FULL"]
    lazy = replace(honest, acts=tuple(act for act in honest.acts if "sync" not in act.verb))
    assert cut(lazy, range(SEED, SEED + 5)).faults != []


def test_cuts_see_what_normal_may_lose(recorded: Recordings) -> None:
    """Under NORMAL something was told and is gone: judged by the rule of FULL it is a fault."""
    daring = replace(recorded["joined", "NORMAL"], synchronous="FULL")
    assert "gone" in "".join(cut(daring, range(SEED, SEED + 8)).torn)

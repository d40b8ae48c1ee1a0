"""A shop, and the command line on its ledger."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.shop import Shop


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def bad(self) -> list[str]:
        """The findings that somebody has to look at."""
        return [line[6:] for line in self.out.splitlines() if line.startswith("LOOK")]


Command = Callable[..., Ran]


def seeother(*words: str, store: str) -> Ran:
    """`seeother WORDS --store STORE` as a process of its own."""
    command = [sys.executable, "-m", "seeother", *words, "--store", store]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "Traceback" not in run.stderr, run.stderr
    return Ran(run.returncode, run.stdout, run.stderr)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """A shop without any order."""
    made = Shop(tmp_path / "shop")
    made.folder.mkdir(0o700)
    yield made
    made.app.store.shut()

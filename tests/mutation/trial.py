"""One mutant, tried for real: imported as the module it is a mutant of, and the tests run on it.

The parent imports pytest and everything third-party once and nothing of the library, so a child
that it forks has all of that for nothing and the mutant from its first import on: constants, tables
and what other modules copy out of it are the mutant's. What a child costs is the library's own
import, the collection of a few test files, and the tests up to the first that fails.

Limits are CPU seconds, so that a busy machine kills nobody; a mutant that waits for ever ends by
the alarm.
"""

from __future__ import annotations

import importlib
import os
import resource
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Final

import pytest
from hypothesis import HealthCheck, Phase, settings

ROOT: Final = Path(__file__).parents[2]
SOURCES: Final = ROOT / "src"
OURS: Final = ("seeother", "tests")
CPU_SECONDS: Final = 60
WALL_SECONDS: Final = 900
MEMORY: Final = 4 << 30
SMALL: Final = "0.02"  # of the long random tests; what they alone would notice is a survivor


class Fate(Enum):
    """What became of a mutant."""

    SURVIVED = "survived"
    FAILED = "a test failed"
    UNUSABLE = "it could not even be imported"
    ENDLESS = "it found no end"


# 4: a test was asked for by its name, and its file cannot be imported.
FATES: Final = {0: Fate.SURVIVED, 1: Fate.FAILED, 2: Fate.UNUSABLE, 4: Fate.UNUSABLE}
ENDLESS: Final = (signal.SIGXCPU, signal.SIGALRM)


@dataclass(frozen=True, slots=True)
class Target:
    """A module and the tests that concern it."""

    module: str
    tests: tuple[str, ...]

    @property
    def path(self) -> Path:
        """Where its source is."""
        return SOURCES / f"{self.module.replace('.', '/')}.py"


def warm(targets: Sequence[Target]) -> None:
    """Import all that the tests need, and forget what is ours.

    pytest is run once for that, without running a test: its own plugins are imported then.
    """
    with _silence():
        files = [file for target in targets for file in target.tests]
        assert pytest.main(["--collect-only", "-qq", *_options(), *files]) == 0
    for name in [name for name in sys.modules if name.partition(".")[0] in OURS]:
        if not name.startswith("tests.mutation"):
            del sys.modules[name]


def start(target: Target, source: str) -> int:
    """Try a mutant in a child; returns its process id."""
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        os._exit(_child(target, source))
    return pid


def ended(status: int) -> Fate:
    """The fate that an exit status tells; RuntimeError where the trial itself went wrong."""
    code = os.waitstatus_to_exitcode(status)
    if -code in ENDLESS:
        return Fate.ENDLESS
    if code not in FATES:
        raise RuntimeError(f"a trial ended with status {code}")
    return FATES[code]


def tried(target: Target, source: str) -> Fate:
    """Try a mutant and wait for its fate."""
    return ended(os.waitpid(start(target, source), 0)[1])


# In the child -------------------------------------------------------------------------------


class _Impostor(MetaPathFinder, Loader):
    """Gives this source where that module is asked for."""

    def __init__(self, target: Target, source: str) -> None:
        self.target, self.code = target, compile(source, target.path, "exec", dont_inherit=True)

    def find_spec(self, fullname: str, *_: object) -> ModuleSpec | None:
        if fullname != self.target.module:
            return None
        return spec_from_file_location(fullname, self.target.path, loader=self)

    def exec_module(self, module: ModuleType) -> None:
        exec(self.code, module.__dict__)


class _Quick:
    """Hypothesis without chance, without a memory, without a search for shorter examples."""

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self) -> None:
        settings.register_profile(
            "mutants",
            max_examples=50,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        settings.load_profile("mutants")


def _child(target: Target, source: str) -> int:
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 5))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    signal.alarm(WALL_SECONDS)
    os.environ["SCALE"] = SMALL
    try:
        sys.meta_path.insert(0, _Impostor(target, source))
        importlib.invalidate_caches()
        with _silence():
            return int(pytest.main(["-x", "-qq", *_options(), *target.tests], [_Quick()]))
    except BaseException:  # noqa: BLE001 - pytest itself fell over it
        return int(pytest.ExitCode.TESTS_FAILED)


def _options() -> list[str]:
    """No files written, no time measured; asserts need no words, because nobody reads them."""
    return ["--assert=plain", "-p", "no:cacheprovider", "-k", "not linear_time"]


@contextmanager
def _silence() -> Iterator[None]:
    """Nothing is printed, whatever the tests say."""
    kept = os.dup(1), os.dup(2)
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os.dup2(kept[0], 1)
            os.dup2(kept[1], 2)
            for number in kept:
                os.close(number)

"""What became of the tests of a suite, bare and with seeother, and what is different."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

PASSED: Final = "passed"
FAILED: Final = "failed"
GONE: Final = "gone"  # it passed without seeother, and with it nobody ran it


@dataclass(frozen=True)
class Results:
    """One run: the outcome of each test by its id, and how many requests seeother saw.

    `unclosed`: iterators that nobody closed, of the app and of seeother, where a checker counts.
    """

    outcomes: Mapping[str, str]
    visits: int = 0
    unclosed: Mapping[str, int] = field(default_factory=dict[str, int])

    @classmethod
    def read(cls, path: Path) -> Results:
        """What a recorder wrote; where it wrote nothing, nothing ran."""
        if not path.exists():
            return cls({})
        found = json.loads(path.read_text("utf-8"))
        return cls(found["outcomes"], found.get("visits", 0), found.get("unclosed", {}))

    def count(self, outcome: str) -> int:
        """How many ended so."""
        return Counter(self.outcomes.values())[outcome]

    def __str__(self) -> str:
        return f"{self.count(PASSED)} passed, {self.count(FAILED)} failed"


@dataclass(frozen=True)
class Difference:
    """A test that passed without seeother and did not with it; `reason` is empty if unexpected."""

    test: str
    became: str
    reason: str = ""


@dataclass(frozen=True)
class Verdict:
    """Two runs of one suite, compared."""

    differences: tuple[Difference, ...]
    stale: tuple[str, ...]
    complaints: tuple[str, ...]

    @property
    def good(self) -> bool:
        """Is there nothing to be looked at?"""
        unexpected = [one for one in self.differences if not one.reason]
        return not (unexpected or self.stale or self.complaints)


def compare(
    bare: Results,
    protected: Results,
    expected: Mapping[str, str],
    *,
    least: int = 0,
    visits: int = 0,
) -> Verdict:
    """Compare a bare run with one behind seeother.

    `expected` maps patterns of test ids to reasons. `least`: so many tests pass bare; `visits`: so
    many requests seeother sees at least.
    """
    differences = tuple(_differences(bare, protected, expected))
    used = {pattern for pattern in expected for one in differences if _fits(one.test, pattern)}
    complaints = []
    if bare.count(PASSED) < least:
        complaints.append(f"bare only {bare.count(PASSED)} tests passed, at least {least} should")
    if protected.visits < visits:
        complaints.append(f"seeother saw {protected.visits} requests, at least {visits} should be")
    app, ours = (protected.unclosed.get(side, 0) for side in ("app", "seeother"))
    if app > ours:
        complaints.append(f"seeother was closed, and left {app - ours} iterators of apps open")
    stale = tuple(pattern for pattern in expected if pattern not in used)
    return Verdict(differences, stale, tuple(complaints))


def _differences(
    bare: Results, protected: Results, expected: Mapping[str, str]
) -> list[Difference]:
    found: list[Difference] = []
    for test, outcome in bare.outcomes.items():
        became = protected.outcomes.get(test, GONE)
        if outcome == PASSED != became:
            reasons = [reason for pattern, reason in expected.items() if _fits(test, pattern)]
            found.append(Difference(test, became, reasons[0] if reasons else ""))
    return found


def _fits(test: str, pattern: str) -> bool:
    """Is it the test that is meant? `*` stands for anything; brackets are brackets."""
    return fnmatchcase(test, pattern.replace("[", "[[]"))

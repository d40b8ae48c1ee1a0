"""What came of a run."""

from __future__ import annotations

import resource
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

MOST: Final = 10
KIB: Final = 1024
# The first inputs fill caches and load the judges; memory is measured from then on.
WARM: Final = 10_000


@dataclass
class Tally:
    """Counts by name, the wrong ones in full (a few), and the growth of memory in bytes."""

    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    grown: int = 0

    def add(self, what: str, wrong: str = "") -> None:
        """One input: what became of it, and why that is wrong."""
        self.counts[what] += 1
        if wrong:
            self.counts["wrong"] += 1
            self.wrong = [*self.wrong, wrong][:MOST]

    def __add__(self, other: Tally) -> Tally:
        wrong = [*self.wrong, *other.wrong][:MOST]
        return Tally(self.counts + other.counts, wrong, max(self.grown, other.grown))


Kind = Callable[[int, int, Tally], None]


def measured(kind: Kind, seed: int, number: int) -> Tally:
    """Run a kind; memory is the peak of this process, so growth is what never came back."""
    tally = Tally()
    kind(seed, min(number, WARM), tally)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if number > WARM:
        kind(seed + 1_000_003, number - WARM, tally)
    tally.grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * KIB
    return tally

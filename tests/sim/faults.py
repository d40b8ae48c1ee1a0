"""What goes wrong in one schedule, and how often.

The probabilities are drawn once per schedule, so that some schedules are full of one kind of
trouble and some have none at all; in those, nobody may ever be told of a doubt or an error.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Final

CALM_SCHEDULES: Final = 0.15
LEVELS: Final[dict[str, tuple[float, ...]]] = {
    "lost": (0.0, 0.02, 0.1),  # the store was not reached
    "ambiguous": (0.0, 0.02, 0.1),  # it was, perhaps, and its answer got lost
    "busy": (0.0, 0.0, 0.02),  # it stays locked for a while
    "outage": (0.0, 0.0, 0.01),  # it is down for a while
    "crash": (0.0, 0.002, 0.01),
    "pause": (0.0, 0.002, 0.006),
    "unsent": (0.0, 0.05, 0.2),  # a request or an answer lost on the way
    "twice": (0.0, 0.1),  # a request that arrives two times
    "raises": (0.0, 0.05, 0.15),
}


@dataclass(slots=True)
class Faults:
    """How often each kind happens, and until when the store is down or locked."""

    odds: dict[str, float] = field(default_factory=dict)
    down_until: float = 0.0
    busy_until: float = 0.0

    @classmethod
    def none(cls) -> Faults:
        """Nothing goes wrong (any more)."""
        return cls()

    @classmethod
    def drawn(cls, rng: random.Random) -> Faults:
        """The faults of one schedule."""
        if rng.random() < CALM_SCHEDULES:
            return cls()
        return cls({name: rng.choice(levels) for name, levels in LEVELS.items()})

    @property
    def calm(self) -> bool:
        """Is this a schedule without any fault?"""
        return not any(self.odds.values())

    def hits(self, rng: random.Random, name: str) -> bool:
        """Does it happen now?"""
        odds = self.odds.get(name, 0.0)
        return odds > 0.0 and rng.random() < odds

    def fate(self, rng: random.Random, now: float, *, answers_busy: bool) -> str:
        """What becomes of a question to the store: one of five words.

        done; lost: it never arrived; silent: done, but the answer is lost; late: it arrives when
        nobody waits for it any more; busy: locked.
        """
        if not self.odds:
            return "done"
        if self.hits(rng, "outage"):
            self.down_until = now + rng.random() * 10
        if self.hits(rng, "busy"):
            self.busy_until = now + rng.random() * rng.choice((0.5, 3.0, 20.0))
        if now < self.down_until or self.hits(rng, "lost"):
            return "lost"
        if now < self.busy_until and answers_busy:
            return "busy"
        if self.hits(rng, "ambiguous"):
            return rng.choice(("silent", "silent", "late", "lost"))
        return "done"

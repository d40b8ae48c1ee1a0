"""One trial of an attack: a new browser, what it orders, and what went wrong.

What was stored is counted when all trials of an attack are over, in the shop's own table; what the
person sees is looked at in the page. Nothing here asks seeother.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from .browser import Browser, Page, Sent
from .shops import Shop

AGAIN: Final = "already done"  # a second time is told so, if it comes late


class Fault(StrEnum):
    """What a person would complain of; the words of the table."""

    TWICE = "stored twice"
    NEVER = "not stored"
    SILENT = "no message"
    WRONG = "wrong tab"
    REPEATED = "shown twice"
    UNDONE = "update lost"


@dataclass
class Trial:
    """One browser in one shop."""

    shop: Shop
    name: str
    faults: set[Fault] = field(default_factory=set)
    ordered: list[str] = field(default_factory=list)
    seconds: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        self.browser = Browser(self.shop.port)

    def form(self, which: str = "", note: str = "") -> Sent:
        """Open the form in a tab and fill it in; each tea is ordered nowhere else."""
        tea = f"{self.name}{which}"
        self.ordered.append(tea)
        return self.browser.open("/").fill(tea=tea, note=note)

    def post(self, sent: Sent) -> str:
        """Send a form; where its answer leads, which is not loaded yet."""
        answer = self.browser.hear(self.browser.send(sent))
        there = self.browser.location(sent.target, answer)
        assert there is not None, answer
        return there

    def land(self, there: str) -> Page:
        """Load the page behind a redirect."""
        return self.browser.follow(there, self.browser.ask(there))

    def expect(self, page: Page, which: str = "") -> None:
        """This page has to tell about that order."""
        if not (page.says(f" {self.name}{which}.") or page.says(AGAIN)):
            self.faults.add(Fault.SILENT)

    def seen(self) -> dict[str, object]:
        """What the session holds."""
        found: dict[str, object] = json.loads(self.browser.open("/seen").answer.text)
        return found

    def remembers(self, **wanted: object) -> None:
        """The session has to hold this."""
        if not wanted.items() <= self.seen().items():
            self.faults.add(Fault.UNDONE)


@dataclass(frozen=True)
class Attack:
    """What is done and how often.

    `alone`: one trial after the other, because others would be hit by it, or its time is taken.
    """

    name: str
    trials: int
    play: Callable[[Trial], None]
    alone: bool = False
    limit: Fault | None = None  # what of it seeother does not promise, and says so

    @property
    def says(self) -> str:
        """What is done, in a sentence."""
        return str(self.play.__doc__)


@dataclass
class Result:
    """What came of all trials of an attack."""

    trials: int
    failed: int = 0
    faults: Counter[Fault] = field(default_factory=Counter)
    seconds: list[tuple[float, ...]] = field(default_factory=list)

    def add(self, trial: Trial, orders: Counter[str]) -> None:
        """One trial, and what of it is in the database."""
        for tea in trial.ordered:
            if orders[tea] != 1:
                trial.faults.add(Fault.TWICE if orders[tea] else Fault.NEVER)
        self.failed += bool(trial.faults)
        self.faults.update(trial.faults)
        self.seconds += [trial.seconds] if trial.seconds else []

    def __str__(self) -> str:
        told = ", ".join(f"{self.faults[one]} {one}" for one in Fault if self.faults[one])
        return told or "0"

"""Four things that happen to every form, done to every arm of a lesson.

None of them is an attack by somebody else: it is what impatient people and bad lines do. The
server plays the browser (`player`), over its own port; what comes of it is counted in the lesson's
storage, under the name of the browser that was played, and nowhere else.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Protocol

from .filling import Stopped
from .journal import Journal, Run
from .player import Player, Site, Stranger

COOKIE: Final = "tour_browser"
AT_ONCE: Final = 4  # browsers whose runs are under way
RECORDER: Final = "tour"  # whose runs the drawings are; no cookie can be so short


class Busy(Stopped):
    """Another run is under way."""


class Counts(Protocol):
    """The effects in storage (`effects.Effects`)."""

    def count(self, lesson: str, arm: str, browser: str, /) -> int:
        """How many of this browser in this arm."""
        ...


@dataclass(frozen=True, slots=True)
class Target:
    """One form of one arm: where it is, and what is typed into it."""

    lesson: str
    arm: str
    form: str
    path: str
    typed: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Attack:
    """What happens to a form: the button's words, one sentence, and how it is played."""

    name: str
    label: str
    what: str
    play: Callable[[Player, Target], object]


def _twice(player: Player, target: Target) -> None:
    player.visit("opens the form", target.path)
    player.press_twice("clicks", "clicks again", player.fill(target.typed))


def _refresh(player: Player, target: Target) -> None:
    player.visit("opens the form", target.path)
    player.press("clicks", player.fill(target.typed))
    player.refresh("refreshes")


def _back(player: Player, target: Target) -> None:
    player.visit("opens the form", target.path)
    form = player.fill(target.typed)
    player.press("clicks", form)
    player.press("goes back, clicks", form)


def _cut(player: Player, target: Target) -> None:
    player.visit("opens the form", target.path)
    form = player.fill(target.typed)
    player.press_and_lose("clicks", form)
    player.press("tries again", form)


ATTACKS: Final = (
    Attack(
        "twice",
        "Double click",
        "The button is clicked again before the first answer is there.",
        _twice,
    ),
    Attack(
        "refresh",
        "Refresh",
        "The form is sent; the page that comes back is refreshed.",
        _refresh,
    ),
    Attack(
        "back",
        "Back + send",
        "The form is sent; the person goes back to it and sends it again as it is.",
        _back,
    ),
    Attack(
        "cut",
        "Cut the answer",
        "The line breaks when the server has done its work; the form is sent again.",
        _cut,
    ),
)
BY_NAME: Final = {attack.name: attack for attack in ATTACKS}


class Arena:
    """Where attacks are run: bounded in number, and one at a time for each browser."""

    def __init__(self, journal: Journal, effects: Counts, proxy_hops: int = 0) -> None:
        self._journal, self._effects, self._hops = journal, effects, proxy_hops
        self._lock = threading.Lock()
        self._running: set[str] = set()

    @contextmanager
    def turn(self, browser: str) -> Generator[None]:
        """The turn of this browser. Raises Busy where it has one already, or too many have."""
        with self._lock:
            if browser in self._running:
                raise Busy("Your last run is still under way. Its result will stand here.")
            if len(self._running) >= AT_ONCE:
                raise Busy("Others are trying this just now. Please press the button again.")
            self._running.add(browser)
        try:
            yield
        finally:
            with self._lock:
                self._running.discard(browser)

    def run(self, site: Site, browser: str, attack: Attack, target: Target) -> Run:
        """Play one attack on one arm, by a new browser, and write it down for this one.

        Raises Stopped where it could not be played to its end; nothing is written down then.
        """
        played = secrets.token_urlsafe(18)

        def count() -> int:
            return self._effects.count(target.lesson, target.arm, played)

        if not site.local():
            raise Stranger("The tour does not know its own address here.")
        player = Player(site, (COOKIE, played), count, self._hops)
        player.visit("", target.path)
        if not self._journal.last(played, 1):
            raise Stranger("Another server answers at the tour's address.")
        player.forget()
        attack.play(player, target)
        steps = tuple(player.steps)
        run = Run(target.lesson, target.form, attack.name, target.arm, played, steps)
        self._journal.keep(browser, run)
        return run

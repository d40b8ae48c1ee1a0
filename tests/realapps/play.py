"""What is played with each app, and what has to come of it.

Each scene types a text of its own, so that its effects can be counted afterwards in the app's
database. Its result is how many there are, and how the answers differ from what they should be.

Three scenes stop a server or kill it. They need no hook in the app: whoever holds the write lock of
a SQLite file decides how far a request comes. With the app's file locked it stops in the middle of
the view; with seeother's file locked it stops after its effect, before its outcome is written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from threading import Barrier
from typing import Final

from .person import Ending, Person, Sent, Unexpected
from .site import SERVERS, Site

DOUBLES: Final = 10
BURST: Final = 5
GOOD: Final = range(200, 400)


@dataclass
class Result:
    """What came of a scene."""

    stored: int
    faults: list[str] = field(default_factory=list)
    endings: list[Ending] = field(default_factory=list)

    @property
    def doubts(self) -> int:
        """How many were told that nobody knows."""
        return sum(one.doubt for one in self.endings)

    @property
    def explained(self) -> str:
        """What was told, and how often; how many got there by the waiting page."""
        told = Counter("in doubt" if one.doubt else one.told for one in self.endings)
        each = ", ".join(f"{times} x {one}" for one, times in told.items())
        return f"{self} stored; {each}; {sum(one.waited for one in self.endings)} waited"

    def __str__(self) -> str:
        return f"{self.stored}{'?' if self.doubts else ''}"


class Play:
    """One person and one site; a scene is one of its methods."""

    def __init__(self, site: Site, person: Person) -> None:
        self.site, self.person = site, person
        self._all = ThreadPoolExecutor(DOUBLES)

    def load(self, text: str) -> Sent:
        """Open the form as if by a bookmark, and fill it in."""
        task = self.site.app.task
        typed = {name: value.format(text) for name, value in task.typed.items()}
        return self.person.get(task.page).fill(task.form, typed, task.pressed)

    def once(self, text: str) -> Result:
        """Sent once."""
        return self._judged(text, [self.person.submit(self.load(text))])

    def refresh(self, text: str) -> Result:
        """Sent, answered, and the very same sent again to the other server."""
        sent = self.load(text)
        return self._judged(text, [self.person.submit(sent, door) for door in range(SERVERS)])

    def double(self, text: str) -> Result:
        """Ten times a double click: both halves at once, to different servers."""
        each = []
        for number in range(DOUBLES):
            one = f"{text} no {number}"
            each.append(self._judged(one, self._at_once(self.load(one), 2)))
        return _sum(each)

    def burst(self, text: str) -> Result:
        """The same five times at once."""
        return self._judged(text, self._at_once(self.load(text), BURST))

    def two(self, text: str) -> Result:
        """Two forms that were opened one after the other, with the same content: both are meant."""
        forms = [self.load(text), self.load(text)]
        return _sum([self._judged(text, [self.person.submit(one)]) for one in forms], once=True)

    def slow(self, text: str) -> Result:
        """The server stands still in the middle of the view, until a repeat has lost patience."""
        sent, site = self.load(text), self.site
        begun = site.claimed()
        with site.no_writes(site.app.effect.database):
            first = self._all.submit(self.person.submit, sent)
            site.until_claimed(begun)
            stopped = ExitStack()
            stopped.enter_context(site.paused(0))
        with stopped:
            told_to_wait = self.person.send(sent, 1)
        repeat = self.person.ending(sent, told_to_wait, 1)
        result = self._judged(text, [first.result(), repeat])
        if not repeat.waited:
            result.faults.append(f"{text}: no waiting page, but {told_to_wait.status_code}")
        return result

    def killed_in_view(self, text: str) -> Result:
        """Killed in the middle of the view, while a repeat waits at the other server."""
        return self._killed(text, after_effect=False)

    def killed_after_effect(self, text: str) -> Result:
        """Killed between the effect and its outcome, while a repeat waits at the other server."""
        return self._killed(text, after_effect=True)

    def killed_after_answer(self, text: str) -> Result:
        """All servers killed after the answer, then started again: the answer is still known."""
        sent = self.load(text)
        endings = [self.person.submit(sent)]
        for number in range(SERVERS):
            self.site.kill(number)
        for number in range(SERVERS):
            self.site.restart(number)
        endings += [self.person.submit(sent, door) for door in range(SERVERS)]
        return self._judged(text, endings)

    def _killed(self, text: str, *, after_effect: bool) -> Result:
        site, person, sent = self.site, self.person, self.load(text)
        begun = site.claimed()
        with ExitStack() as held:
            view = held.enter_context(ExitStack())
            view.enter_context(site.no_writes(site.app.effect.database))
            lost = self._all.submit(_lost, person, sent)
            site.until_claimed(begun)
            repeat = self._all.submit(person.submit, sent, 1)
            if after_effect:
                held.enter_context(site.no_writes("seeother.db"))
                view.close()
                site.until_stored(text)
            site.kill(0)
        if not lost.result():
            raise Unexpected("a killed server answered")
        # Who waits at the other server sits the lease out, unless a process starts on this machine.
        if not after_effect:
            repeat.result()
        site.restart(0)
        endings = [person.submit(sent, door) for door in range(SERVERS)]
        return self._judged(text, [repeat.result(), *endings], may_doubt=True)

    def _at_once(self, sent: Sent, times: int) -> list[Ending]:
        """The same from several threads at once, in turn to both servers."""
        start = Barrier(times)

        def send(number: int) -> Ending:
            start.wait()
            return self.person.submit(sent, number % SERVERS)

        return list(self._all.map(send, range(times)))

    def _judged(self, text: str, endings: Sequence[Ending], *, may_doubt: bool = False) -> Result:
        result = Result(self.site.stored(text), endings=list(endings))
        answered = [one for one in endings if not one.doubt]
        if len({one.told for one in answered}) > 1:
            result.faults.append(f"{text}: different endings: {[one.told for one in answered]}")
        if any(one.status not in GOOD for one in answered):
            result.faults.append(f"{text}: refused: {[one.told for one in answered]}")
        for location in {one.location for one in answered if one.location}:
            landing = self.person.get(location)
            if landing.status not in GOOD or self.site.app.task.landing not in landing.text:
                result.faults.append(f"{text}: {location} is no landing page: {landing.title}")
        if result.doubts and not may_doubt:
            result.faults.append(f"{text}: in doubt without a crash")
        return result


SCENES: Final[dict[str, Callable[[Play, str], Result]]] = {
    "once": Play.once,
    "refresh": Play.refresh,
    "10 doubles": Play.double,
    "burst of 5": Play.burst,
    "2 forms": Play.two,
    "slow": Play.slow,
    "killed in view": Play.killed_in_view,
    "killed after effect": Play.killed_after_effect,
    "killed after answer": Play.killed_after_answer,
}
# How many effects there must be; after a crash in the view there may be none, and it is in doubt.
PROTECTED: Final = dict(zip(SCENES, ({1}, {1}, {10}, {1}, {2}, {1}, {0, 1}, {1}, {1}), strict=True))
BARE: Final = dict(zip(SCENES, (1, 2, 20, 5, 2), strict=False))


def _lost(person: Person, sent: Sent) -> bool:
    """Send it to the first server; true where no answer came."""
    try:
        person.send(sent, 0)
    except Exception:  # noqa: BLE001 - however a dying server looks from here
        return True
    return False


def _sum(results: Sequence[Result], *, once: bool = False) -> Result:
    """Several results as one; with `once` they have counted the same effects."""
    stored = max(r.stored for r in results) if once else sum(r.stored for r in results)
    total = Result(stored)
    for one in results:
        total.faults += one.faults
        total.endings += one.endings
    return total

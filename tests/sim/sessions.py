"""People whose requests write to one session at the same time.

Every request goes through the library's own visit: it sets a key of its own, overwrites a common
one, counts with `change`, rotates the id (as a sign-in does) or clears everything (as a sign-out
does), while others that began earlier are still at it. The person's browser keeps the newest cookie
that it was told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from seeother.core.entry import COOKIE_BYTES, Greeting, greet
from seeother.core.fingerprint import session_id
from seeother.core.flows import Answer, page
from seeother.core.keys import decode
from seeother.core.ops import Handle
from seeother.core.values import Response
from seeother.stores.work import FORWARD_SECONDS
from seeother.visit import Visit

from . import promises
from .clients import Desk, policy_of
from .worker import Ended, Worker

if TYPE_CHECKING:
    from .world import World

DEEDS = ("set", "set", "set", "same", "count", "count", "look")


@dataclass(slots=True)
class Jar:
    """The session cookie of a browser."""

    sid: bytes | None = None


class Deeds:
    """What was asked of the session, and what of it was answered."""

    def __init__(self) -> None:
        self.done: Counter[str] = Counter()
        self.tried: Counter[str] = Counter()
        self.keys: dict[str, set[str]] = {}
        self.maybe: set[str] = set()
        self.late: set[str] = set()


class Doing:
    """The view of one request."""

    def __init__(self, greeting: Greeting, desk: Desk, deed: str, seconds: float) -> None:
        self.visit = Visit(greeting, desk.policy)
        self.deed, self.seconds = deed, seconds
        self.wrote = False

    def steps(self, worker: Worker, op: Handle) -> Generator[float, None, Any]:
        """Read, think, write. A stranger (whose session is not there) writes nothing."""
        self.visit.begin(op.opened, op.taken)
        known = op.opened is not None and op.opened.session is not None
        yield self.seconds / 2
        if known or self.deed == "begin":
            self.wrote = True
            self._write(str(worker.run))
        yield self.seconds / 2
        return self.visit.handled(Response(200))

    def _write(self, own: str) -> None:
        session = self.visit.session
        match self.deed:
            case "begin":
                session["begun"] = "begun"
            case "set":
                session[f"k{own}"] = own
            case "same":
                session["same"] = own
            case "count":
                session.change("count", lambda n: n + 1, default=0)
            case "rotate":
                session.rotate()
            case "clear":
                session.clear()


class Browser:
    """One person's browser: several requests at once, one cookie jar."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.world = desk, desk.world
        self.jar, self.deeds = Jar(), Deeds()
        self.visitor = self.world.rng.randbytes(16)

    def send(self, deed: str, seconds: float) -> None:
        """Send one request with the cookie of this moment."""
        world, desk = self.world, self.desk
        process = world.processes[world.rng.randrange(len(world.processes))]
        request = desk.request("GET", "/", self.visitor, sid=self.jar.sid)
        greeting = greet(request, desk.policy)
        view = Doing(greeting, desk, deed, seconds)
        worker = Worker(
            world,
            process,
            page(greeting, desk.policy),
            world.backend.port(process, "separate"),
            unit=f"{deed} {world.number()}",
            view=view,
            then=partial(self._ended, view),
        )
        world.log(f"{worker}: will {deed}")
        world.at(0.0, worker.start, process)

    def _ended(self, view: Doing, worker: Worker, ended: Ended) -> None:
        if not view.wrote:
            return
        self.deeds.tried[view.deed] += 1
        if not isinstance(ended.value, Answer):
            self._unknown(view, worker)
            return
        self.deeds.done[view.deed] += 1
        name = {"set": f"k{worker.run}", "same": "same"}.get(view.deed)
        if not self._too_late(worker) and name is not None:
            self.deeds.keys.setdefault(name, set()).add(str(worker.run))
        self._keep(ended.value)

    def _unknown(self, view: Doing, worker: Worker) -> None:
        if view.deed == "same":
            self.deeds.maybe.add(str(worker.run))

    def _too_late(self, worker: Worker) -> bool:
        """The id was rotated so long ago that even a visit of before is dropped."""
        if self.world.now - worker.began > FORWARD_SECONDS:
            self.deeds.late.add("late")
            return True
        return False

    def _keep(self, answer: Answer) -> None:
        if self.world.faults.hits(self.world.rng, "unsent"):
            return
        for cookie in answer.cookies:
            if "so-s-" in cookie.name:
                self.jar.sid = decode(cookie.value, COOKIE_BYTES) if cookie.value else None


def merging(world: World) -> None:
    """One session; many writes; perhaps a new id; perhaps its end."""
    desk = Desk(world, policy_of("separate", 10.0), "separate")
    world.memo["reconcile"] = lambda _key: None
    browser, rng = Browser(desk), world.rng
    while browser.jar.sid is None:
        browser.send("begin", 0.1)
        world.run()
    first = session_id(browser.jar.sid)
    if rng.random() < 0.2:
        _idle(browser, first)
        return
    deeds = [rng.choice(DEEDS) for _ in range(rng.randrange(2, 9))]
    deeds += ["rotate"] * rng.choice((0, 0, 1, 1, 2)) + ["clear"] * rng.choice((0, 0, 0, 1))
    for deed in deeds:
        seconds = rng.random() * rng.choice((0.3, 0.3, 3.0))
        world.at(rng.random() * 2, partial(browser.send, deed, seconds))
    world.run()
    world.heal(5.0)
    _judge(browser, first)


def _judge(browser: Browser, first: bytes) -> None:
    world, deeds = browser.world, browser.deeds
    world.stats["writes"] += sum(deeds.done.values())
    final = promises.last_id(world, first)
    if promises.sessions(world).ended:
        return
    work = world.backend.work()
    values = {name: data.decode() for name, data in work.values(final)}
    if not deeds.late:
        promises.writes_survive(values, deeds.keys, deeds.maybe)
        promises.counts_exactly(values, deeds.done["count"], deeds.tried["count"])


def _idle(browser: Browser, first: bytes) -> None:
    """The session ends because nobody came; a request that began before is still at it."""
    world = browser.world
    limit = world.backend.idle
    since = world.now
    browser.send("set", limit * (1.2 + world.rng.random()))
    world.run()
    if world.now - since > limit:
        promises.stays_dead(world, first)

"""Random kills: a warm parent forks two children at a time, and kills them when the dice say so.

    python -m tests.crash.cycles --mode joined --cycles 200 --seed 1 [--store postgresql]

In each cycle two children send the same few forms at once. One or both die by SIGKILL: at an op, at
a writing statement of SQLite, or at any moment. Then fresh children send all of it again, the first
of them perhaps dying as well, until everything is answered; and one more child asks for everything
a last time. The last line of output is a JSON object: the figures, and each fault with its seed.

On PostgreSQL the places are the messages to the server, before they are sent and when they are
answered; and with `--strikes` the server itself is killed, with all its processes, in so many of
the cycles, while children work, and started again.

The parent has imported everything and has neither threads nor connections; it only reads the
database after all children of a cycle have ended.
"""

import argparse
import gc
import json
import os
import random
import shutil
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

from seeother.drive import Driver
from seeother.testing.adapter import Browser, WSGIClient
from seeother.testing.adapter.browser import tokens
from tests.crash import memory, servers
from tests.crash.judge import ACCEPTED, FINAL, Summary, Told
from tests.crash.nursery import Watch
from tests.crash.servers import Place
from tests.crash.site import Site

TOKENS: Final = 2
TEXTS: Final = ("a", "a", "a", "b")
SENDS: Final = 3
PLACES: Final = 60
MOMENT: Final = 0.025
TRIES: Final = 12


class Places(Watch):
    """The watch of the nursery around the sync driver; at the place `alarm` it writes to `bell`."""

    def __init__(self, deadly: int | None, alarm: int | None, bell: int) -> None:
        super().__init__(deadly)
        self.alarm, self.bell = alarm, bell

    def place(self, name: str) -> None:
        """One place is reached."""
        if self.armed and len(self.places) == self.alarm:
            os.write(self.bell, b"!")
        super().place(name)

    def install(self) -> None:
        """Every flow that runs on this thread passes its places."""
        super().install()
        run: Any = Driver.run
        servers.watch(self.place)

        def watched(driver: Driver, flow: Any, *args: Any, **more: Any) -> Any:
            return run(driver, self.flow(flow), *args, **more)

        Driver.run = watched  # type: ignore[method-assign, assignment]


@dataclass(frozen=True, slots=True)
class Order:
    """What a child is to send, and when it dies: at a place, after some seconds, or not at all.

    At the place `alarm` the server is killed.
    """

    sends: tuple[str, ...]
    slow: float = 0.0
    place: int | None = None
    moment: float | None = None
    alarm: int | None = None


@dataclass(slots=True)
class Cycle:
    """One cycle, on files of its own or on a server; with `strike` the server dies in it."""

    mode: str
    seed: int
    place: Place
    strike: bool = False
    struck: bool = False
    kills: int = 0
    told: list[Told] = field(default_factory=list)

    def __post_init__(self) -> None:
        browser = Browser(WSGIClient(self._site().app))
        browser.get()  # a first page, so that the tokens belong to a visitor
        self.tokens = {str(n): "".join(tokens(browser.get())) for n in range(TOKENS)}
        self.cookies = browser.cookies

    @property
    def on_its_own(self) -> bool:
        """May the view fail because its own database is gone?"""
        return self.strike and self.mode == "separate"

    def _site(self, slow: float = 0.0) -> Site:
        return Site(self.place.folder, self.mode, slow, url=self.place.url)

    tokens: dict[str, str] = field(init=False)
    cookies: dict[str, str] = field(init=False)

    def run(self) -> None:
        """Kill, send again until everything is answered, and ask once more."""
        dice = random.Random(f"{self.mode} {self.seed}")
        labels = [f"{n}{dice.choice(TEXTS)}.{self.seed}" for n in range(TOKENS)]
        labels.append(f"{dice.randrange(TOKENS)}b.{self.seed}")
        orders = [_order(dice, labels, deadly=dice.random() < 0.8) for _ in range(2)]
        if self.strike:
            orders[0] = replace(orders[0], alarm=dice.randrange(PLACES), place=None, moment=None)
        self._together(orders)
        everything = tuple(sorted({*labels, *(one.label for one in self.told)}))
        self._together([_order(dice, everything, deadly=dice.random() < 0.4)])
        for _ in range(TRIES):
            if self._answered(everything):
                break
            self._together([Order(everything)])
        self._together([Order(everything)])

    def effects(self) -> list[tuple[str, str]]:
        """What is in the database."""
        return self.place.effects(self.seed)

    def _answered(self, labels: Sequence[str]) -> bool:
        said = {one.label for one in self.told if one.kind in FINAL}
        return said >= set(labels)

    def _together(self, orders: list[Order]) -> None:
        """Let children live at once; kill those whose moment comes, and hear what they said."""
        (gate, start), (alarm, bell) = os.pipe(), os.pipe()
        children = [self._fork(order, gate, start, bell) for order in orders]
        os.close(bell)
        os.close(gate)
        os.close(start)  # they all read the end of it at the same time
        begun = time.monotonic()
        if any(order.alarm is not None for order in orders) and os.read(alarm, 1):
            self.place.strike()
            self.struck = True
        os.close(alarm)
        for order, (pid, _) in sorted(zip(orders, children, strict=True), key=_when):
            if order.moment is not None:
                time.sleep(max(0.0, begun + order.moment - time.monotonic()))
                os.kill(pid, signal.SIGKILL)
        for pid, report in children:
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            assert code in (0, -signal.SIGKILL), f"seed {self.seed}: a child ended with {code}"
            self.kills += code != 0
            with os.fdopen(report, "rb") as lines:
                self.told += [Told(*json.loads(line)) for line in lines if line.endswith(b"\n")]

    def _fork(self, order: Order, gate: int, start: int, bell: int) -> tuple[int, int]:
        reading, report = os.pipe()
        child = os.fork()
        if child:
            os.close(report)
            return child, reading
        code = 1
        try:
            os.close(start)
            self._live(order, gate, report, bell)
            code = 0
        finally:
            os._exit(code)

    def _live(self, order: Order, gate: int, report: int, bell: int) -> None:
        """The child: send, tell what was answered, and look at where it leads."""
        watch = Places(order.place, order.alarm, bell)
        watch.install()
        browser = Browser(WSGIClient(self._site(order.slow).app))
        browser.cookies |= self.cookies
        os.read(gate, 1)
        watch.armed = True
        for label in order.sends:
            answer = browser.post({"label": label, "so_token": self.tokens[label[0]]})
            location = answer.header("location") or ""
            text = "" if location else answer.text
            told = Told(time.monotonic(), label, answer.status, location, text)
            if self.on_its_own and told.kind == "?" and answer.status == 500:
                continue  # the page of an app whose own database is gone: it promises nothing
            os.write(report, json.dumps(told).encode() + b"\n")
            if told.kind == ACCEPTED:
                assert browser.get(location).status in ((200, 503) if self.strike else (200,))


def _when(one: tuple[Order, tuple[int, int]]) -> float:
    return one[0].moment or 0.0


def _order(dice: random.Random, labels: Sequence[str], *, deadly: bool) -> Order:
    """Some of the submissions in any order, repeated, and perhaps a death."""
    sends = tuple(dice.choices(labels, k=SENDS))
    slow = dice.choice((0.0, 0.0, 0.004))
    if not deadly:
        return Order(sends, slow)
    if dice.random() < 0.25:
        return Order(sends, slow, moment=dice.uniform(0.0, MOMENT))
    return Order(sends, slow, place=dice.randrange(PLACES))


def cycles(mode: str, seeds: range, strikes: int = 0) -> Iterator[Cycle]:
    """Run a cycle for each seed, each on a copy of the same empty files."""
    assert not strikes, "files have no server"
    with memory.folder() as made:
        empty, folder = made / "empty", made / "cycle"
        empty.mkdir()
        _prepare(Site(empty, mode))
        for seed in seeds:
            shutil.copytree(empty, folder)
            cycle = Cycle(mode, seed, Place(folder))
            cycle.run()
            yield cycle
            shutil.rmtree(folder)


def on_server(mode: str, seeds: range, strikes: int = 0) -> Iterator[Cycle]:
    """Run a cycle for each seed, all in one database; the server dies in so many of them."""
    with servers.Postgres() as server, memory.folder() as folder:
        place = servers.OnServer(folder, server.fresh(), server)
        _prepare(Site(folder, mode, url=place.url))
        for seed in seeds:
            strike = (seed - seeds.start) % max(1, len(seeds) // strikes) == 0 if strikes else False
            cycle = Cycle(mode, seed, place, strike)
            cycle.run()
            yield cycle


def _prepare(site: Site) -> None:
    """In a child: whoever opens SQLite here must not be the parent of others."""
    if os.fork() == 0:
        site.prepare()
        os._exit(0)
    os.wait()


STORES: Final = {"sqlite": cycles, "postgresql": on_server}


def main() -> None:
    """Run them, and say what came of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash.cycles")
    parser.add_argument("--mode", choices=("joined", "fenced", "separate", "bare"), required=True)
    parser.add_argument("--store", choices=tuple(STORES), default="sqlite")
    parser.add_argument("--cycles", type=int, default=200)
    parser.add_argument("--strikes", type=int, default=0, help="of the database server")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    gc.freeze()  # the children share these pages as long as nobody writes into them
    summary = Summary(given.mode, struck=given.strikes > 0)
    seeds = range(given.seed, given.seed + given.cycles)
    for cycle in STORES[given.store](given.mode, seeds, given.strikes):
        summary.kills += cycle.kills
        summary.strikes += cycle.struck
        summary.judge(cycle.seed, cycle.told, cycle.effects())
    print(summary)
    print(json.dumps(asdict(summary)))


if __name__ == "__main__":
    main()

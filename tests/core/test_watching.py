"""Duplicates that wait for another process, where the store can tell when that one is done.

The first one in a process asks the store (`Watch`), all others wait for that one. Whatever the
store says, a pause ends, and nobody is left in the room.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from seeother.core.ops import Op, Pause, Watch
from seeother.drive import Driver
from seeother.errors import StoreDown
from tests.core.test_drive import KEY, asking, never

WAIT = 30.0
Run = Callable[[Driver, Pause, Callable[[Op[Any]], Any]], Any]


class Watching:
    """A store that can watch: what it is asked, and what it answers."""

    def __init__(self, reply: bool | Exception) -> None:
        self.asked: list[Op[Any]] = []
        self._reply = reply

    def watch(self, op: Watch) -> bool:
        """Answer, as `perform` does."""
        self.asked.append(op)
        if isinstance(self._reply, Exception):
            raise self._reply
        return self._reply

    def perform(self, op: Op[Any]) -> Any:
        """Only this is asked here."""
        assert isinstance(op, Watch)
        return self.watch(op)


def on_a_thread(driver: Driver, pause: Pause, perform: Callable[[Op[Any]], Any]) -> Any:
    """As under WSGI."""
    return driver.run(asking(pause), perform, never)[0]


def on_a_loop(driver: Driver, pause: Pause, perform: Callable[[Op[Any]], Any]) -> Any:
    """As under ASGI."""
    return asyncio.run(driver.arun(asking(pause), perform))[0]


@pytest.fixture(params=[on_a_thread, on_a_loop])
def run(request: pytest.FixtureRequest) -> Run:
    """Both drivers."""
    found: Run = request.param
    return found


def driver_for(store: object) -> Driver:
    """A driver that knows what the store can."""
    driver = Driver()
    driver.suit(store)
    return driver


@pytest.mark.parametrize("reply", [True, False, StoreDown("gone")])
def test_the_store_says_when_it_is_over(run: Run, reply: bool | Exception) -> None:
    """It is asked once, for no longer than the pause may last; an outage ends a pause as well."""
    store = Watching(reply)
    driver = driver_for(store)
    paused = run(driver, Pause(KEY, 0.0, WAIT), store.perform)
    assert store.asked == [Watch(KEY, WAIT)]
    assert not paused.crowded
    assert driver.room.enter(KEY), "nobody is left in the room"
    driver.shut()


def test_a_pause_for_nobody_asks_nothing(run: Run) -> None:
    """Without a submission there is nothing to watch: it is a nap."""
    store = Watching(reply=True)
    driver = driver_for(store)
    run(driver, Pause(None, 0.0, WAIT), store.perform)
    assert store.asked == []
    driver.shut()


def test_who_comes_second_waits_for_the_first() -> None:
    """One question per process, however many duplicates there are."""
    begun, over = threading.Event(), threading.Event()
    asked: list[Op[Any]] = []

    def perform(op: Op[Any]) -> bool:
        asked.append(op)
        begun.set()
        return over.wait(WAIT)

    driver = driver_for(Watching(reply=True))
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(on_a_thread, driver, Pause(KEY, 0.0, WAIT), perform)
        assert begun.wait(WAIT)
        second = pool.submit(on_a_thread, driver, Pause(KEY, 0.0, WAIT), perform)
        while not driver.room._waiting[KEY]:
            threading.Event().wait(0.001)
        over.set()
        assert not first.result(WAIT).crowded
        assert not second.result(WAIT).crowded
    assert len(asked) == 1


def test_who_is_overtaken_asks_nothing() -> None:
    """Between the look into the room and the question somebody else began to watch."""
    driver, store = driver_for(Watching(reply=True)), Watching(reply=True)
    driver.room.enter(KEY)
    driver._watch(Pause(KEY, 0.0, WAIT), store.perform)
    assert store.asked == []
    assert not driver.room.enter(KEY), "the other one is still there"

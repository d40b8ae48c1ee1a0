"""What waits: turns in the order of asking, seats in the waiting room, leases that are renewed."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from seeother.core.ops import Claim, Done, Granted, Op, Renew
from seeother.core.values import Key
from seeother.errors import StoreBusy
from seeother.waits import Heart, Turns, WaitingRoom

WAIT = 30.0
KEY = Key(b"i" * 16, b"v" * 16)
OTHER = Key(b"j" * 16, b"v" * 16)
GRANT = Granted(1, b"c" * 16)


def eventually(ready: Callable[[], bool]) -> None:
    """Wait until it is so."""
    for _ in range(int(WAIT * 1000)):
        if ready():
            return
        threading.Event().wait(0.001)
    raise AssertionError("it never happened")


# Turns --------------------------------------------------------------------------------------------


def test_turns_go_round_in_the_order_of_asking() -> None:
    """Ten threads ask one after the other; they come in that order, however long each one takes."""
    turns, order = Turns(), list[int]()
    assert turns.take(0)

    def ask(n: int) -> None:
        assert turns.take(WAIT)
        order.append(n)
        turns.give()

    with ThreadPoolExecutor(10) as pool:
        asked = []
        for n in range(10):
            asked.append(pool.submit(ask, n))
            eventually(lambda n=n: len(turns._queue) == n + 1)  # type: ignore[misc]
        turns.give()
        for job in asked:
            job.result(WAIT)
    assert order == list(range(10))


def test_one_at_a_time() -> None:
    """Under many threads a turn is never had twice."""
    turns, inside, worst = Turns(), list[int](), list[int]()

    def work(_n: int) -> None:
        assert turns.take(WAIT)
        inside.append(1)
        worst.append(len(inside))
        inside.pop()
        turns.give()

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(work, range(1000)))
    assert set(worst) == {1}


def test_who_gives_up_leaves_the_queue() -> None:
    """A turn is not handed to somebody who has gone: the one behind gets it."""
    turns = Turns()
    assert turns.take(0)
    assert not turns.take(0.0)
    assert not turns._queue
    turns.give()
    assert turns.take(0)


def test_a_turn_that_comes_too_late_is_not_lost() -> None:
    """Given up and handed over at the same moment: either way the next one gets a turn."""
    turns = Turns()
    for _ in range(200):
        assert turns.take(WAIT)
        with ThreadPoolExecutor(2) as pool:
            impatient = pool.submit(turns.take, 0.0005)
            pool.submit(turns.give).result(WAIT)
            if impatient.result(WAIT):
                turns.give()
    assert turns.take(0)


def test_a_turn_that_is_handed_over_after_the_last_moment() -> None:
    """Between the end of the patience and the look at the queue: it is taken, and nobody's else."""

    class Crossed:
        entered = 0

        def __enter__(self) -> None:
            self.entered += 1
            if self.entered == 2:
                turns._queue.popleft().set()  # as `give` does it

        def __exit__(self, *_: object) -> None:
            pass

    turns = Turns()
    assert turns.take(0)
    turns._lock, lock = Crossed(), turns._lock  # type: ignore[assignment]
    assert turns.take(0)
    turns._lock = lock
    assert not turns.take(0)


# The waiting room ---------------------------------------------------------------------------------


def test_one_holder_per_key() -> None:
    """Who enters first holds it; other keys are free; after he left, the next one may."""
    room = WaitingRoom()
    assert [room.enter(KEY), room.enter(KEY), room.enter(OTHER)] == [True, False, True]
    room.leave(KEY)
    assert room.enter(KEY)


def test_one_of_many_threads_holds_it() -> None:
    """Sixteen enter at the same time: one holds it."""
    room = WaitingRoom()
    start = threading.Barrier(16)

    def enter(_n: int) -> bool:
        start.wait(WAIT)
        return room.enter(KEY)

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(enter, range(16))) == 1


def test_everybody_is_woken_in_order() -> None:
    """When the holder leaves, all who waited are woken, first come first served."""
    room, woken = WaitingRoom(), list[int]()
    room.enter(KEY)
    seats = [room.join(KEY, lambda n=n: woken.append(n), 5) for n in range(5)]  # type: ignore[misc]
    room.leave(KEY)
    assert woken == [0, 1, 2, 3, 4]
    assert not any(seat.evicted for seat in seats if seat)


def test_nobody_to_wait_for() -> None:
    """Without a holder here, or without a key, there is nothing to wait for."""
    room = WaitingRoom()
    assert room.join(KEY, print, 4) is None
    assert room.join(None, print, 4) is None


def test_the_last_click_gets_a_seat() -> None:
    """All seats taken: the oldest gets up and is told, the new one sits down."""
    room, woken = WaitingRoom(), list[int]()
    room.enter(KEY)
    seats = [room.join(KEY, lambda n=n: woken.append(n), 2) for n in range(4)]  # type: ignore[misc]
    assert [seat.evicted for seat in seats if seat] == [True, True, False, False]
    assert woken == [0, 1]
    room.leave(KEY)
    assert woken == [0, 1, 2, 3]


def test_who_stops_waiting_is_not_woken() -> None:
    """Patience is over: the seat is free, and the holder wakes nobody who has gone."""
    room, woken = WaitingRoom(), list[int]()
    room.enter(KEY)
    seat = room.join(KEY, lambda: woken.append(1), 1)
    assert seat is not None
    room.forget(KEY, seat)
    room.forget(KEY, seat)
    assert room.join(KEY, lambda: woken.append(2), 1) is not None
    room.leave(KEY)
    room.forget(KEY, seat)
    assert woken == [2]


# The heart ----------------------------------------------------------------------------------------


def claim(key: Key = KEY, lease: float = 0.01) -> Claim:
    """A claim with a short lease."""
    return Claim(key, b"", b"c" * 16, lease, 1.0, renew=True)


class Beats:
    """A store that is asked to renew, and counts."""

    def __init__(self, *errors: Exception) -> None:
        self.seen: list[Op[Any]] = []
        self._errors = list(errors)

    def __call__(self, op: Op[Any]) -> Any:
        self.seen.append(op)
        if self._errors:
            raise self._errors.pop()
        return Done()


def test_a_lease_is_renewed_until_it_is_stopped() -> None:
    """Renewed again and again, each time for the whole lease and under its fence."""
    heart, beats = Heart(), Beats()
    heart.start(claim(), GRANT, beats)
    eventually(lambda: len(beats.seen) >= 3)
    heart.stop(KEY)
    assert set(beats.seen) == {Renew(KEY, GRANT, 0.01)}
    eventually(lambda: heart._thread is None)
    after = len(beats.seen)
    threading.Event().wait(0.01)
    assert len(beats.seen) == after


def test_a_lease_is_renewed_long_before_it_lapses() -> None:
    """The first beat comes in a quarter of the lease, so that two may get lost."""
    heart = Heart()
    before = time.monotonic()
    heart.start(claim(lease=4000.0), GRANT, Beats())
    assert before + 999 <= heart._due[KEY] <= time.monotonic() + 1000
    heart.stop(KEY)


@pytest.mark.parametrize("errors", [1, 3])
def test_a_store_that_is_busy_is_asked_again(errors: int) -> None:
    """A renewal that could not be written is tried again at the next beat."""
    heart, beats = Heart(), Beats(*[StoreBusy()] * errors)
    heart.start(claim(), GRANT, beats)
    eventually(lambda: len(beats.seen) > errors)
    heart.stop(KEY)


def test_one_thread_for_all_leases() -> None:
    """Many views, one thread; stopped in any order, it ends with the last one and starts again."""
    heart, beats = Heart(), Beats()
    heart.start(claim(), GRANT, beats)
    first = heart._thread
    heart.start(claim(OTHER), GRANT, beats)
    assert heart._thread is first
    eventually(lambda: {op.key for op in beats.seen} == {KEY, OTHER})  # type: ignore[attr-defined]
    heart.stop(KEY)
    heart.stop(OTHER)
    heart.stop(OTHER)
    eventually(lambda: heart._thread is None)
    before = len(beats.seen)
    heart.start(claim(), GRANT, beats)
    eventually(lambda: len(beats.seen) > before)
    heart.stop(KEY)


def test_a_new_short_lease_does_not_wait_for_a_long_one() -> None:
    """The thread sleeps until the next beat; a lease that comes meanwhile is beaten in its time."""
    heart, beats = Heart(), Beats()
    heart.start(claim(lease=10_000.0), GRANT, beats)
    heart.start(claim(OTHER), GRANT, beats)
    eventually(lambda: len(beats.seen) >= 2)
    assert {op.key for op in beats.seen} == {OTHER}  # type: ignore[attr-defined]
    heart.stop(KEY)
    heart.stop(OTHER)


def test_short_views_wake_nobody() -> None:
    """A thousand views that end before their first beat need one thread, which sleeps on."""
    heart, beats = Heart(), Beats()
    heart.start(claim(OTHER, lease=4000.0), GRANT, beats)
    first = heart._thread
    heart.stop(OTHER)
    for _ in range(1000):
        heart.start(claim(lease=4000.0), GRANT, beats)
        heart.stop(KEY)
    assert heart._thread is first
    assert (heart._due, beats.seen) == ({}, [])
    heart.start(claim(), GRANT, beats)
    eventually(lambda: len(beats.seen) >= 2)
    heart.stop(KEY)

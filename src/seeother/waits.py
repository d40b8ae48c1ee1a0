"""What waits: duplicates for their holder, threads for their turn, leases for the next beat.

Three small things, each with a lock of its own and none of them a protection: the ledger alone
decides who runs. Take them away and everything is still right, only slower or less patient.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, NamedTuple

from .core.ops import Claim, Granted, Op, Renew
from .core.values import Key
from .errors import StoreError

BEATS_PER_LEASE: Final = 4


class Seat:
    """One who waits in the waiting room; `evicted` if a later one needed the seat."""

    __slots__ = ("_wake", "evicted")

    def __init__(self, wake: Callable[[], object]) -> None:
        self._wake = wake
        self.evicted = False

    def wake(self, *, evicted: bool = False) -> None:
        """It is over: the holder has left, or there are too many."""
        self.evicted = evicted
        self._wake()


class WaitingRoom:
    """Who runs which key in this process, and who waits for it.

    There are few seats per key, because a waiting thread is a thread less for everybody else. When
    they are taken the oldest gets up: of several answers to one form a browser shows the last one
    only, so it is the last click that must not go away empty-handed.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[Key, deque[Seat]] = {}

    def enter(self, key: Key) -> bool:
        """Become the one who runs it here; False if somebody is."""
        with self._lock:
            if key in self._waiting:
                return False
            self._waiting[key] = deque()
            return True

    def leave(self, key: Key) -> None:
        """Done; wake everybody who waited, first come first served."""
        with self._lock:
            waiting = self._waiting.pop(key, None)
        for seat in waiting or ():
            seat.wake()

    def join(self, key: Key | None, wake: Callable[[], object], most: int) -> Seat | None:
        """Take a seat behind the holder, one of `most`; None where nobody holds the key."""
        with self._lock:
            waiting = self._waiting.get(key) if key is not None else None
            if waiting is None:
                return None
            oldest = waiting.popleft() if len(waiting) >= most else None
            seat = Seat(wake)
            waiting.append(seat)
        if oldest is not None:
            oldest.wake(evicted=True)
        return seat

    def forget(self, key: Key, seat: Seat) -> None:
        """Stop waiting."""
        with self._lock, suppress(ValueError):
            self._waiting.get(key, deque()).remove(seat)


class Turns:
    """A lock that is handed on in the order of asking; Python's own Lock is not fair.

    Under threads it stands before SQLite's writer lock, whose waiters sleep and starve each other.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken = False
        self._queue: deque[threading.Event] = deque()

    def take(self, timeout: float) -> bool:
        """Wait for my turn, at most `timeout` seconds; False if it did not come."""
        with self._lock:
            if not self._taken:
                self._taken = True
                return True
            mine = threading.Event()
            self._queue.append(mine)
        if mine.wait(timeout):
            return True
        with self._lock:
            if mine.is_set():
                return True
            self._queue.remove(mine)
            return False

    def give(self) -> None:
        """Hand it on to the next one."""
        with self._lock:
            if self._queue:
                self._queue.popleft().set()
            else:
                self._taken = False


class _Beat(NamedTuple):
    """One lease to be renewed."""

    renew: Renew
    perform: Callable[[Op[Any]], Any]
    each: float


class Heart:
    """One daemon thread that renews the leases of running views, four times per lease.

    A view that is merely slow must not lapse into doubt. Most views end long before their first
    beat, so neither a start nor a stop wakes the thread, unless a beat is due before it would wake
    by itself; where it wakes and there is no lease it ends. A store that does not answer is asked
    again at the next beat.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._beats: dict[Key, _Beat] = {}
        self._due: dict[Key, float] = {}
        self._wakes = 0.0  # when the thread looks again, whatever comes
        self._thread: threading.Thread | None = None

    def start(self, claim: Claim, grant: Granted, perform: Callable[[Op[Any]], Any]) -> None:
        """Renew this claim's lease until `stop`."""
        each = claim.lease / BEATS_PER_LEASE
        due = time.monotonic() + each
        with self._changed:
            self._beats[claim.key] = _Beat(Renew(claim.key, grant, claim.lease), perform, each)
            self._due[claim.key] = due
            if self._thread is None or not self._thread.is_alive():
                self._wakes = due
                self._thread = threading.Thread(
                    target=self._run, name="seeother-heart", daemon=True
                )
                self._thread.start()
            elif due < self._wakes:
                self._changed.notify()

    def stop(self, key: Key) -> None:
        """The claim has ended."""
        if key not in self._beats:  # it was started, if at all, by the one who asks now
            return
        with self._changed:
            self._beats.pop(key, None)
            self._due.pop(key, None)

    def _run(self) -> None:
        while True:
            with self._changed:
                now = time.monotonic()
                key = min(self._due, key=self._due.__getitem__, default=None)
                self._wakes = self._wakes if key is None else self._due[key]
                if now < self._wakes:
                    self._changed.wait(self._wakes - now)
                    continue
                if key is None:
                    self._thread = None
                    return
                beat = self._beats[key]
                self._due[key] = now + beat.each
            with suppress(StoreError):
                beat.perform(beat.renew)

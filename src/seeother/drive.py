"""The drivers: the only code that waits.

A flow asks; somebody has to run the question. `drive` does it on the calling thread, `adrive` on
an event loop, and both understand the same flows, so nothing is written twice.

Under asyncio a thread hop costs 40 to 60 us, so the driver does not hop per op but per *segment*:
`advance` runs op after op on the current thread until one belongs to a higher lane. Look-ups run on
a few reader threads and never queue behind a writer; everything from Claim on is one job on the one
writer thread of the process, first come first served. SQLite has one writer at a time anyway; a fair
queue in front of it removes the second-long waits of its own sleeping lock (measured).

Duplicates wait in the `WaitingRoom`: who claims a key that somebody in this process is running gets
InFlight at once, without asking the store, and its pause ends when the holder leaves. The room is a
convenience and no protection: the ledger alone decides who runs.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, Final, Generic, Protocol, TypeVar

from .core.ops import Claim, Flow, Handle, InFlight, Lane, Op, Pause, Paused
from .core.values import Handled, Key

T = TypeVar("T")
Perform = Callable[[Op[Any]], Any]

READERS: Final = 4
WAITERS_PER_KEY: Final = 64
THREADS_PER_KEY: Final = 4


class Store(Protocol):
    """What a driver needs to know of a store: it answers an op."""

    def perform(self, op: Op[Any]) -> Any:
        """Answer one op, atomically and without waiting."""


class Never:
    """No op is one: nothing stops a segment but its lane."""


class Talk(Generic[T]):
    """A flow and the op it is waiting for; `value` once it has ended."""

    __slots__ = ("_flow", "done", "op", "value")

    op: Op[Any]
    value: T

    def __init__(self, flow: Flow[T]) -> None:
        self._flow = flow
        self.done = False
        self.answer(None)

    def answer(self, reply: object) -> None:
        """Send a reply and move on to the next op."""
        try:
            self.op = self._flow.send(reply)
        except StopIteration as end:
            self.done, self.value = True, end.value

    def fail(self, error: BaseException) -> None:
        """The op raised: raise it inside the flow, at the place that asked."""
        try:
            self.op = self._flow.throw(error)
        except StopIteration as end:
            self.done, self.value = True, end.value


def advance(talk: Talk[Any], perform: Perform, lane: Lane, *, stop: type = Never) -> None:
    """Run ops on this thread until one belongs to a higher lane or is a `stop`, or to the end."""
    while not talk.done and talk.op.lane <= lane and not isinstance(talk.op, stop):
        try:
            reply = perform(talk.op)
        except Exception as error:
            talk.fail(error)
        else:
            talk.answer(reply)


class WaitingRoom:
    """Who runs which key in this process, and who waits for it, first come first served."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[Key, list[Callable[[], None]]] = {}

    def enter(self, key: Key) -> bool:
        """Become the one who runs it here; False if somebody is."""
        with self._lock:
            if key in self._waiting:
                return False
            self._waiting[key] = []
            return True

    def leave(self, key: Key) -> None:
        """Done; wake everybody who waited."""
        with self._lock:
            waiting = self._waiting.pop(key, [])
        for wake in waiting:
            wake()

    def join(self, key: Key | None, wake: Callable[[], None], most: int) -> bool | None:
        """Wait for the holder: True = `wake` will be called, False = crowded, None = no holder."""
        with self._lock:
            waiting = self._waiting.get(key) if key is not None else None
            if waiting is None:
                return None
            if len(waiting) >= most:
                return False
            waiting.append(wake)
            return True

    def forget(self, key: Key, wake: Callable[[], None]) -> None:
        """Stop waiting."""
        with self._lock, suppress(ValueError):
            self._waiting.get(key, []).remove(wake)


class Driver:
    """Runs flows against stores; one per app, its threads made lazily in each process."""

    def __init__(self) -> None:
        self.room = WaitingRoom()
        self._pid = 0
        self._lock = threading.Lock()
        self._readers: ThreadPoolExecutor
        self._writer: ThreadPoolExecutor

    def run(self, flow: Flow[T], perform: Perform, handle: Callable[[Handle], Handled]) -> T:
        """Drive a flow on this thread (WSGI). Returns its value; raises what it raises."""
        held: list[Key] = []

        def answer(op: Op[Any]) -> Any:
            if isinstance(op, Pause):
                self._leave(held)
                return self._pause(op)
            if isinstance(op, Handle):
                return handle(op)
            return self._ask(op, perform, held)

        try:
            talk = Talk(flow)
            advance(talk, answer, Lane.LOOP)
            return talk.value
        finally:
            self._leave(held)

    async def arun(
        self,
        flow: Flow[T],
        perform: Perform,
        handle: Callable[[Handle], Awaitable[Handled]] | None = None,
        within: Callable[[Handle], Handled] | None = None,
    ) -> T:
        """Drive a flow on the event loop.

        `handle` runs the view on the loop; `within` runs it on the writer thread, inside the open
        transaction (joined).
        """
        held: list[Key] = []

        def answer(op: Op[Any]) -> Any:
            if isinstance(op, Handle):
                assert within is not None
                return within(op)
            return self._ask(op, perform, held)

        try:
            talk = Talk(flow)
            while not talk.done:
                op = talk.op
                if isinstance(op, Pause):
                    self._leave(held)
                    talk.answer(await self._apause(op))
                elif isinstance(op, Handle) and handle is not None:
                    await self._handle(talk, op, handle)
                elif isinstance(op, Claim) and not self._enter(op, held):
                    talk.answer(InFlight())
                else:
                    lane = Lane.READ if op.lane is Lane.READ else Lane.WRITE
                    limit = Lane.LOOP if within is not None and lane is Lane.WRITE else lane
                    await self._hop(lane, partial(advance, talk, answer, limit, stop=Pause))
            return talk.value
        finally:
            self._leave(held)

    def shut(self) -> None:
        """End this process's threads."""
        if self._pid == os.getpid():
            self._pid = 0
            self._readers.shutdown()
            self._writer.shutdown()

    async def _handle(
        self, talk: Talk[Any], op: Handle, handle: Callable[[Handle], Awaitable[Handled]]
    ) -> None:
        try:
            handled = await handle(op)
        except Exception as error:
            talk.fail(error)
        else:
            talk.answer(handled)

    def _ask(self, op: Op[Any], perform: Perform, held: list[Key]) -> Any:
        if isinstance(op, Claim) and not self._enter(op, held):
            return InFlight()
        return perform(op)

    def _enter(self, op: Claim, held: list[Key]) -> bool:
        if op.key in held:
            return True
        if not self.room.enter(op.key):
            return False
        held.append(op.key)
        return True

    def _leave(self, held: list[Key]) -> None:
        while held:
            self.room.leave(held.pop())

    def _pause(self, op: Pause) -> Paused:
        start, event = time.monotonic(), threading.Event()
        joined = self.room.join(op.key, event.set, THREADS_PER_KEY)
        if joined and op.key is not None:
            event.wait(op.limit)
            self.room.forget(op.key, event.set)
        elif joined is None:
            time.sleep(min(op.nap, op.limit))
        return Paused(time.monotonic() - start, crowded=joined is False)

    async def _apause(self, op: Pause) -> Paused:
        start, loop = time.monotonic(), asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()

        def wake() -> None:
            loop.call_soon_threadsafe(_wake, future)

        joined = self.room.join(op.key, wake, WAITERS_PER_KEY)
        if joined and op.key is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(future, op.limit)
            self.room.forget(op.key, wake)
        elif joined is None:
            await asyncio.sleep(min(op.nap, op.limit))
        return Paused(time.monotonic() - start, crowded=joined is False)

    async def _hop(self, lane: Lane, job: Callable[[], None]) -> None:
        pool = self._pool(lane)
        await asyncio.get_running_loop().run_in_executor(pool, job)

    def _pool(self, lane: Lane) -> ThreadPoolExecutor:
        if self._pid != os.getpid():
            with self._lock:
                if self._pid != os.getpid():
                    self._readers = ThreadPoolExecutor(READERS, "seeother-read")
                    self._writer = ThreadPoolExecutor(1, "seeother-write")
                    self._pid = os.getpid()
        return self._readers if lane is Lane.READ else self._writer


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)

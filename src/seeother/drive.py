"""The drivers: the only code that waits.

A flow asks; somebody has to run the question. `drive` does it on the calling thread, `adrive` on
an event loop, and both understand the same flows, so nothing is written twice.

Under asyncio a thread hop costs 40 to 60 us, so the driver does not hop per op but per *segment*:
`advance` runs op after op on the current thread until one belongs to a higher lane. Everything from
Claim on is one job on the one writer thread of the process, first come first served. SQLite has one
writer at a time anyway; a fair queue in front of it removes the second-long waits of its own
sleeping lock (measured). Where the store takes many writers there are many such threads (`suit`).

Look-ups never queue behind a writer. A request that is alone has them answered on the loop itself,
where the store can do that at once (`glance`): the hop would cost more than the answer. But each
statement lets go of the interpreter, and beside threads that compute, the loop would wait for it
every time (measured: with 16 requests in flight a third less throughput). So in company look-ups
run on a few reader threads; and where the writer is idle, so that nobody would queue, one that is
likely to end in a write begins there.

Duplicates wait in the `WaitingRoom`: who claims a key that somebody in this process is running gets
InFlight at once, without asking the store, and its pause ends when the holder leaves. The room is a
convenience and no protection: the ledger alone decides who runs.

Where the holder is in another process and the store can wait for it (`Watch`), the first duplicate
here does that, and the others wait for the first: one blocked connection per key and process.
Everybody else naps and asks again.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any, Final, Generic, TypeVar

from .core.ops import (
    Busy,
    Claim,
    Flow,
    Granted,
    Handle,
    InFlight,
    Lane,
    Lookup,
    Op,
    Open,
    Pause,
    Paused,
    Watch,
)
from .core.values import Handled, Key
from .crew import Crew
from .errors import StoreError
from .waits import Heart, Turns, WaitingRoom

T = TypeVar("T")
Perform = Callable[[Op[Any]], Any]
Spawn = Callable[[Callable[[], None]], Awaitable[None]]

READERS: Final = 4
WRITERS: Final = 16
WATCHERS: Final = 8
VIEWS: Final = 16
ENDINGS: Final = frozenset({"settle", "abandon", "doubt"})
WAITERS_PER_KEY: Final = 64
THREADS_PER_KEY: Final = 4


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
        except Exception as error:  # noqa: BLE001 - it is raised in the flow, at the op that asked
            talk.fail(error)
        else:
            talk.answer(reply)


class Conversation:
    """What one flow holds while it runs: its place in the waiting room, its turn, its heartbeat."""

    __slots__ = ("_heart", "_key", "_perform", "_room", "_turned", "_turns")

    def __init__(self, driver: Driver, perform: Perform, turns: Turns | None = None) -> None:
        self._room, self._heart = driver.room, driver.heart
        self._perform, self._turns = perform, turns
        self._key: Key | None = None
        self._turned = False

    def ask(self, op: Op[Any]) -> Any:
        """Ask the store; a claim first looks who else is at it in this process."""
        if not isinstance(op, Claim):
            if self._key is not None and op.verb in ENDINGS:
                self._heart.stop(self._key)
            return self._perform(op)
        if not self.enter(op):
            return InFlight()
        if self._turns is not None and not self._turned:
            self._turned = self._turns.take(op.patience)
            if not self._turned:
                return Busy()
        reply = self._perform(op)
        if op.renew and isinstance(reply, Granted):
            self._heart.start(op, reply, self._perform)
        return reply

    def enter(self, op: Claim) -> bool:
        """Become the one who runs this key here."""
        if self._key != op.key:
            if not self._room.enter(op.key):
                return False
            self._key = op.key
        return True

    def leave(self) -> None:
        """Let go of everything; also before every pause."""
        if self._turned and self._turns is not None:
            self._turns.give()
            self._turned = False
        if self._key is not None:
            self._heart.stop(self._key)
            key, self._key = self._key, None
            self._room.leave(key)


class Driver:
    """Runs flows against stores; one per app, its threads made lazily in each process."""

    def __init__(self) -> None:
        self._writers, self._watches = 1, False
        self._glance: Perform | None = None
        self._fresh(os.getpid())
        self._lock = threading.Lock()

    def suit(self, store: object) -> None:
        """What the store can beside answering; called before anything is run."""
        self._watches = hasattr(store, "watch")
        self._glance = getattr(store, "glance", None)
        if not getattr(store, "single_writer", True):
            self._writers = WRITERS
            self._writer = Crew(WRITERS, "seeother-write")

    def run(
        self,
        flow: Flow[T],
        perform: Perform,
        handle: Callable[[Handle], Handled],
        *,
        single_writer: bool = False,
    ) -> T:
        """Drive a flow on this thread (WSGI). Returns its value; raises what it raises.

        `single_writer`: the store takes one writer at a time, so claims queue for their turn.
        """
        self._here()
        held = Conversation(self, perform, self.turns if single_writer else None)

        def answer(op: Op[Any]) -> Any:
            if op.lane is not Lane.LOOP:
                return held.ask(op)
            if isinstance(op, Pause):
                held.leave()
                return self._pause(op, perform)
            return handle(op) if isinstance(op, Handle) else held.ask(op)

        try:
            talk = Talk(flow)
            advance(talk, answer, Lane.LOOP)
            return talk.value
        finally:
            held.leave()

    async def arun(
        self,
        flow: Flow[T],
        perform: Perform,
        handle: Callable[[Handle], Awaitable[Handled]] | None = None,
        within: Callable[[Handle], Handled] | None = None,
        writes: Spawn | None = None,
        *,
        aside: bool = False,
    ) -> T:
        """Drive a flow on the event loop.

        `handle` runs the view on the loop; `within` runs it on the writer thread, inside the open
        transaction (joined), or with `aside` on a view's thread together with all that comes after
        it (fenced): a view that has written holds the lock that the next claims wait for, so its
        end must not stand in line behind them. `writes` does what is the writer thread's otherwise:
        a database that is only spoken to from the loop has a way of its own to run what does not
        await.
        """
        self._here()
        held = Conversation(self, perform)
        self._held.add(held)

        def answer(op: Op[Any]) -> Any:
            return within(op) if isinstance(op, Handle) and within is not None else held.ask(op)

        try:
            talk = Talk(flow)
            while not talk.done:
                op = talk.op
                if isinstance(op, Pause):
                    held.leave()
                    talk.answer(await self._apause(op, perform))
                elif isinstance(op, Handle) and handle is not None:
                    await _handled(talk, op, handle)
                elif isinstance(op, Handle) and aside:
                    await self._views.run(partial(advance, talk, answer, Lane.LOOP, stop=Pause))
                elif isinstance(op, Claim) and not held.enter(op):
                    talk.answer(InFlight())
                else:
                    joined = within is not None and not aside
                    await self._segment(talk, answer, writes, joined=joined)
            return talk.value
        finally:
            self._held.discard(held)
            held.leave()

    async def aread(self, ask: Callable[[], T]) -> T:
        """Ask the store one thing, on a reader thread."""
        return await self._readers.run(ask)

    async def awrite(self, ask: Callable[[], T]) -> T:
        """Ask the store one thing, on the writer thread."""
        return await self._writer.run(ask)

    async def _segment(
        self, talk: Talk[Any], answer: Perform, writes: Spawn | None, *, joined: bool
    ) -> None:
        """One hop: everything up to the next wait, as one job on a reader or on the writer."""
        if self._glanced(talk):
            return
        ahead = talk.op.leads_on and writes is None and self._writer.idle
        reads = talk.op.lane is Lane.READ and not ahead
        lane = Lane.READ if reads else Lane.WRITE
        limit = Lane.LOOP if joined and lane is Lane.WRITE else lane
        run = self._readers.run if reads else writes or self._writer.run
        await run(partial(advance, talk, answer, limit, stop=Pause))

    def _glanced(self, talk: Talk[Any]) -> bool:
        """Ask here, on the loop, if nothing has to be waited for and nobody else is there."""
        op, alone = talk.op, len(self._held) == 1
        if self._glance is None or not (alone and isinstance(op, Open | Lookup)):
            return False
        try:
            reply = self._glance(op)
        except StoreError:  # to wait for it, or to be told again, is a thread's business
            return False
        talk.answer(reply)
        return True

    def shut(self) -> None:
        """End this process's threads."""
        for crew in (self._readers, self._writer, self._views, self._watchers):
            crew.shut()
        self._fresh(os.getpid())

    def _watch(self, op: Pause, perform: Perform) -> None:
        """Wait for another process, or nap, for all who come here meanwhile."""
        assert op.key is not None
        if not self.room.enter(op.key):
            return  # somebody here was quicker: wait for him
        try:
            with suppress(StoreError):
                if perform(Watch(op.key, op.limit)):
                    return
            time.sleep(min(op.nap, op.limit))
        finally:
            self.room.leave(op.key)

    def _pause(self, op: Pause, perform: Perform) -> Paused:
        start, event = time.monotonic(), threading.Event()
        seat = self.room.join(op.key, event.set, THREADS_PER_KEY)
        if seat is None or op.key is None:
            if self._watches and op.key is not None:
                self._watch(op, perform)
            else:
                time.sleep(min(op.nap, op.limit))
            return Paused(time.monotonic() - start)
        event.wait(op.limit)
        self.room.forget(op.key, seat)
        return Paused(time.monotonic() - start, seat.evicted)

    async def _apause(self, op: Pause, perform: Perform) -> Paused:
        start, loop = time.monotonic(), asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()

        def wake() -> None:
            loop.call_soon_threadsafe(_wake, future)

        seat = self.room.join(op.key, wake, WAITERS_PER_KEY)
        if seat is None or op.key is None:
            if self._watches and op.key is not None:
                await self._watchers.run(partial(self._watch, op, perform))
            else:
                await asyncio.sleep(min(op.nap, op.limit))
            return Paused(time.monotonic() - start)
        with suppress(TimeoutError):
            await asyncio.wait_for(future, op.limit)
        self.room.forget(op.key, seat)
        return Paused(time.monotonic() - start, seat.evicted)

    def _here(self) -> None:
        """After a fork everything that has threads or waiters is made anew."""
        if self._pid != os.getpid():
            with self._lock:
                if self._pid != os.getpid():
                    self._fresh(os.getpid())

    def _fresh(self, pid: int) -> None:
        self.room, self.turns, self.heart = WaitingRoom(), Turns(), Heart()
        self._held: set[Conversation] = set()  # those of event loops
        self._readers = Crew(READERS, "seeother-read")
        self._writer = Crew(self._writers, "seeother-write")
        self._views = Crew(VIEWS, "seeother-view")
        self._watchers = Crew(WATCHERS, "seeother-watch")
        self._pid = pid


async def _handled(
    talk: Talk[Any], op: Handle, handle: Callable[[Handle], Awaitable[Handled]]
) -> None:
    try:
        handled = await handle(op)
    except Exception as error:  # noqa: BLE001 - whatever a view raises is raised in its flow
        talk.fail(error)
    else:
        talk.answer(handled)


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)

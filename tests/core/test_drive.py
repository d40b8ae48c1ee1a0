"""The drivers: flows run to their end on a thread and on an event loop, in the same way.

The flows here are written for the test; the stores are functions. What is asked is what a driver
alone decides: who is asked, on which thread, in which order, and what becomes of an error.
"""

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from seeother.core.ops import (
    Abandon,
    Busy,
    Claim,
    Done,
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
    Report,
    Settle,
    Unknown,
)
from seeother.core.values import ACCEPTED, Handled, Key, Outcome, Response
from seeother.drive import THREADS_PER_KEY, Driver, Talk, _wake, advance

KEY = Key(b"i" * 16, b"v" * 16)
OTHER = Key(b"j" * 16, b"v" * 16)
GRANT = Granted(1, b"c" * 16)
HANDLED = Handled(Response(303))
WAIT = 30.0
LOOKUP = Lookup(KEY, b"", 1.0)
SETTLE = Settle(KEY, GRANT, b"", Outcome(ACCEPTED, 303, "/"))


def claim(key: Key = KEY, *, patience: float = WAIT, renew: bool = False) -> Claim:
    """A claim with a lease that does not lapse by itself."""
    return Claim(key, b"", b"c" * 16, 60.0, patience, renew=renew)


def granting(op: Op[Any]) -> Any:
    """A store that grants everything."""
    replies: dict[type, Any] = {Claim: GRANT, Lookup: Unknown()}
    return replies.get(type(op), Done())


def asking(*ops: Op[Any]) -> Flow[list[Any]]:
    """A flow that asks these and returns the replies."""
    replies: list[Any] = []
    for op in ops:
        reply = yield from op
        replies += [reply]
    return replies


# Talk and advance ---------------------------------------------------------------------------------


def test_a_talk_stands_at_its_first_question() -> None:
    """A new talk has run up to its first op, and stands there until it is answered."""
    talk = Talk(asking(LOOKUP, SETTLE))
    assert (talk.op, talk.done) == (LOOKUP, False)
    talk.answer(Unknown())
    assert (talk.op, talk.done) == (SETTLE, False)
    talk.answer(Done())
    assert (talk.done, talk.value) == (True, [Unknown(), Done()])


def test_a_talk_without_questions() -> None:
    """A flow that asks nothing has ended at once."""
    talk = Talk(asking())
    assert (talk.done, talk.value) == (True, [])


def test_what_an_op_raises_is_raised_where_it_was_asked() -> None:
    """The flow may catch it there, and go on."""

    def careful() -> Flow[str]:
        try:
            yield from LOOKUP
        except LookupError as error:
            yield from Abandon(KEY, GRANT)
            return f"caught {error}"
        return "no"

    talk = Talk(careful())
    talk.fail(LookupError("it"))
    assert isinstance(talk.op, Abandon)
    talk.answer(Done())
    assert talk.value == "caught it"


@pytest.mark.parametrize("error", [KeyError("x"), StopIteration("x"), RuntimeError("x")])
def test_what_a_flow_does_not_catch_comes_out(error: Exception) -> None:
    """An error is never taken for the end of a flow, not even a StopIteration."""
    talk = Talk(asking(LOOKUP))
    with pytest.raises((KeyError, RuntimeError)):
        talk.fail(error)
    assert not talk.done


@pytest.mark.parametrize(
    ("lane", "asked"),
    [
        (Lane.READ, [LOOKUP]),
        (Lane.WRITE, [LOOKUP, SETTLE]),
        (Lane.LOOP, [LOOKUP, SETTLE, Handle()]),
    ],
)
def test_a_segment_stops_before_a_higher_lane(lane: Lane, asked: list[Op[Any]]) -> None:
    """A thread runs ops of its own lane and below, and leaves the first other one standing."""
    seen: list[Op[Any]] = []
    talk = Talk(asking(LOOKUP, SETTLE, Handle(), LOOKUP))

    def perform(op: Op[Any]) -> Any:
        seen.append(op)
        return granting(op)

    advance(talk, perform, lane)
    assert seen[: len(asked)] == asked
    assert talk.done == (lane is Lane.LOOP)


def test_a_segment_stops_at_a_stop() -> None:
    """Writer threads must not sleep: a pause is left standing although its lane would allow it."""
    pause = Pause(None, 0.0, 0.0)
    talk = Talk(asking(LOOKUP, pause, LOOKUP))
    advance(talk, granting, Lane.LOOP, stop=Pause)
    assert talk.op == pause


@pytest.mark.parametrize(
    ("op", "leads_on"),
    [
        (LOOKUP, True),
        (Open(mark=b"12345678", messages=True), True),
        (Open(mark=b"12345678"), False),
        (Open(messages=True), False),
        (Report("fenced"), False),
    ],
)
def test_a_read_that_leads_to_a_write(op: Op[Any], *, leads_on: bool) -> None:
    """The look before a claim and the mark before its messages; of other reads nothing follows."""
    assert op.leads_on is leads_on


# Both drivers -------------------------------------------------------------------------------------


class Threads:
    """The driver for threads, as `Drive` says."""

    def __init__(self) -> None:
        self.driver = Driver()

    def __call__(self, flow: Flow[Any], perform: Any, handle: Any = None) -> Any:
        return self.driver.run(flow, perform, handle or (lambda _op: HANDLED))


class Loop(Threads):
    """The driver for an event loop."""

    def __call__(self, flow: Flow[Any], perform: Any, handle: Any = None) -> Any:
        async def view(op: Handle) -> Handled:
            handled: Handled = handle(op) if handle else HANDLED
            return handled

        return asyncio.run(self.driver.arun(flow, perform, view))


class Within(Threads):
    """The driver for an event loop, with the view inside the transaction."""

    def __call__(self, flow: Flow[Any], perform: Any, handle: Any = None) -> Any:
        view: Callable[[Handle], Handled] = handle or (lambda _op: HANDLED)
        return asyncio.run(self.driver.arun(flow, perform, within=view))


Drive = Threads


@pytest.fixture(params=[Threads, Loop, Within], ids=["threads", "loop", "within"])
def drive(request: pytest.FixtureRequest) -> Any:
    """Each way to drive a flow; its threads end with the test."""
    made = request.param()
    yield made
    made.driver.shut()


def test_a_flow_runs_to_its_end(drive: Drive) -> None:
    """Replies and the view's answer arrive in order, and the flow's value comes back."""
    value = drive(asking(LOOKUP, claim(), Handle(), SETTLE), granting)
    assert value == [Unknown(), GRANT, HANDLED, Done()]


def test_a_view_that_raises_is_raised_in_the_flow(drive: Drive) -> None:
    """The flow decides what becomes of it; whatever it does not catch comes out of the driver."""
    caught: list[str] = []

    def flow() -> Flow[None]:
        yield from claim()
        try:
            yield from Handle()
        except KeyError as error:
            caught.append(str(error))
            yield from Abandon(KEY, GRANT)
            raise

    def view(_op: Handle) -> Handled:
        raise KeyError("view")

    asked: list[str] = []

    def perform(op: Op[Any]) -> Any:
        asked.append(op.verb)
        return granting(op)

    with pytest.raises(KeyError, match="view"):
        drive(flow(), perform, view)
    assert (caught, asked) == (["'view'"], ["claim", "abandon"])


def test_a_store_that_raises_is_raised_in_the_flow(drive: Drive) -> None:
    """Also what a store raises arrives at the op that asked, on every lane."""

    def perform(op: Op[Any]) -> Any:
        raise OSError(op.verb)

    def flow() -> Flow[list[str]]:
        said = []
        for op in (LOOKUP, claim(), SETTLE):
            try:
                yield from op
            except OSError as error:
                said.append(str(error))
        return said

    assert drive(flow(), perform) == ["lookup", "claim", "settle"]


def test_the_room_is_left_when_a_flow_fails(drive: Drive) -> None:
    """Nobody waits for a holder that has gone, whatever it died of."""

    def view(_op: Handle) -> Handled:
        raise KeyError("view")

    for _ in range(2):
        with pytest.raises(KeyError):
            drive(asking(claim(), Handle()), granting, view)
    assert drive(asking(claim()), granting) == [GRANT]


def test_a_second_claim_does_not_ask_the_store(drive: Drive) -> None:
    """While a key is run here, a second claim of it is InFlight, and the store is not asked."""
    drive.driver.room.enter(KEY)
    asked: list[Op[Any]] = []

    def perform(op: Op[Any]) -> Any:
        asked.append(op)
        return granting(op)

    assert drive(asking(claim(), claim(OTHER)), perform) == [InFlight(), GRANT]
    assert asked == [claim(OTHER)]


def test_a_holder_may_claim_again(drive: Drive) -> None:
    """The answer to a claim got lost: the same flow asks again and is not in its own way."""
    assert drive(asking(claim(), claim()), granting) == [GRANT, GRANT]


def test_a_pause_lets_go(drive: Drive) -> None:
    """Who pauses gives up its place: everything is free while it waits."""
    room = drive.driver.room
    free: list[bool] = []

    def flow() -> Flow[Paused]:
        yield from claim()
        paused = yield from Pause(None, 0.0, 0.0)
        free.append(room.enter(KEY))
        return paused

    paused = drive(flow(), granting)
    assert (free, paused.crowded) == ([True], False)
    assert paused.seconds >= 0


def test_a_pause_ends_when_the_holder_leaves(drive: Drive) -> None:
    """A duplicate waits for the holder of its key, not for the clock."""
    room = drive.driver.room
    room.enter(KEY)

    def perform(op: Op[Any]) -> Any:
        until_waiting = threading.Thread(target=_leave_when_awaited, args=(room,))
        until_waiting.start()
        return granting(op)

    (_, paused) = drive(asking(LOOKUP, Pause(KEY, WAIT, WAIT)), perform)
    assert paused.seconds < WAIT / 2


def _leave_when_awaited(room: Any) -> None:
    while not room._waiting[KEY]:
        threading.Event().wait(0.001)
    room.leave(KEY)


def test_a_pause_ends_at_its_limit(drive: Drive) -> None:
    """A holder that stays does not keep anybody longer than he has patience."""
    drive.driver.room.enter(KEY)
    (paused,) = drive(asking(Pause(KEY, 0.0, 0.01)), granting)
    assert not paused.crowded
    assert not drive.driver.room._waiting[KEY]


# Threads ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("busy", [False, True], ids=["idle writer", "busy writer"])
def test_the_loop_runs_the_view_and_threads_run_the_store(busy: bool) -> None:
    """On an event loop reads and writes hop to their threads; the view stays on the loop.

    The look-up before a claim never queues behind a writer; beside an idle one it saves a hop.
    """
    names: dict[str, str] = {}

    async def view(_op: Handle) -> Handled:
        names["view"] = threading.current_thread().name
        return HANDLED

    def perform(op: Op[Any]) -> Any:
        names[op.verb] = threading.current_thread().name.rpartition("_")[0]
        looked.set()
        return granting(op)

    async def both() -> None:
        work = driver._writer.run(looked.wait if busy else looked.is_set)
        if not busy:
            await work
        flow = asking(LOOKUP, claim(), Handle(), SETTLE)
        await driver.arun(flow, perform, view)
        await work

    driver, looked = Driver(), threading.Event()
    asyncio.run(both())
    driver.shut()
    main = threading.current_thread().name
    assert names == {
        "lookup": "seeother-read" if busy else "seeother-write",
        "claim": "seeother-write",
        "view": main,
        "settle": "seeother-write",
    }


def test_joined_is_one_job_on_one_thread() -> None:
    """From Claim to Settle nothing awaits: one transaction is never open across a wait."""
    threads: set[int] = set()
    running: list[str] = []

    def perform(op: Op[Any]) -> Any:
        if op.verb == "claim":
            running.append("begin")
        threads.add(threading.get_ident())
        if op.verb == "settle":
            running.append("commit")
        return granting(op)

    async def both() -> None:
        await asyncio.gather(
            *(
                driver.arun(asking(claim(k), Handle(), SETTLE), perform, within=lambda _: HANDLED)
                for k in (KEY, OTHER)
            )
        )

    driver = Driver()
    asyncio.run(both())
    driver.shut()
    assert running == ["begin", "commit"] * 2
    assert len(threads) == 1


def test_a_fenced_view_ends_where_it_ran() -> None:
    """A view that has written holds the lock that a claim waits for: it ends all the same.

    The second claim has the one writer thread and waits for the first view's settle.
    """
    begun, settled = threading.Event(), threading.Event()
    names: list[str] = []

    def perform(op: Op[Any]) -> Any:
        if isinstance(op, Claim) and op.key == OTHER:
            begun.set()
            assert settled.wait(30), "the settle stands behind the claim that waits for it"
        if isinstance(op, Settle):
            names.append(threading.current_thread().name)
            settled.set()
        return granting(op)

    def view(_op: Handle) -> Handled:
        assert begun.wait(30)
        names.append(threading.current_thread().name)
        return HANDLED

    async def both() -> None:
        first = driver.arun(asking(claim(KEY), Handle(), SETTLE), perform, within=view, aside=True)
        await asyncio.gather(first, driver.arun(asking(claim(OTHER)), perform))

    driver = Driver()
    asyncio.run(both())
    driver.shut()
    viewed, ended = names
    assert viewed == ended
    assert viewed.startswith("seeother-view")


def test_writers_take_turns() -> None:
    """With `single_writer` claims of different keys are never open together."""
    driver, inside, most = Driver(), list[Key](), list[int]()
    lock = threading.Lock()

    def perform(op: Op[Any]) -> Any:
        with lock:
            if isinstance(op, Claim):
                inside.append(op.key)
                most.append(len(inside))
            if isinstance(op, Settle):
                inside.pop()
        return granting(op)

    def one(n: int) -> None:
        key = Key(bytes([n]) * 16, b"v" * 16)
        flow = asking(claim(key), Handle(), SETTLE)
        driver.run(flow, perform, lambda _op: HANDLED, single_writer=True)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, range(40)))
    assert most == [1] * 40


def test_a_turn_that_does_not_come_is_busy() -> None:
    """Who waits for its turn longer than it has patience is told that the store is busy."""
    driver = Driver()
    assert driver.turns.take(0)
    claimed = driver.run(
        asking(claim(patience=0.0)), granting, lambda _op: HANDLED, single_writer=True
    )
    assert claimed == [Busy()]
    driver.turns.give()
    assert driver.turns.take(0)


def test_a_running_view_is_kept_alive() -> None:
    """While a view of a mode with visible claims runs, its lease is renewed; not afterwards."""
    driver, renewed = Driver(), threading.Event()

    def perform(op: Op[Any]) -> Any:
        if op.verb == "renew":
            renewed.set()
        return granting(op)

    def view(_op: Handle) -> Handled:
        assert renewed.wait(WAIT)
        return HANDLED

    quick = Claim(KEY, b"", b"c" * 16, 0.02, WAIT, renew=True)
    driver.run(asking(quick, Handle(), SETTLE), perform, view)
    assert not driver.heart._beats


@pytest.mark.parametrize("waiting", [THREADS_PER_KEY, THREADS_PER_KEY + 3])
def test_only_so_many_threads_wait_for_one_key(waiting: int) -> None:
    """The room has few seats; where there are more, the oldest is told that it is crowded."""
    driver = Driver()
    driver.room.enter(KEY)
    with ThreadPoolExecutor(waiting) as pool:
        jobs = []
        for n in range(waiting):
            jobs.append(
                pool.submit(driver.run, asking(Pause(KEY, 0.0, WAIT)), granting, lambda _o: HANDLED)
            )
            while len(driver.room._waiting[KEY]) < min(n + 1, THREADS_PER_KEY) or (
                n >= THREADS_PER_KEY and not jobs[n - THREADS_PER_KEY].done()
            ):
                threading.Event().wait(0.001)
        driver.room.leave(KEY)
        crowded = [job.result(WAIT)[0].crowded for job in jobs]
    too_many = waiting - THREADS_PER_KEY
    assert crowded == [True] * too_many + [False] * THREADS_PER_KEY


# Processes ----------------------------------------------------------------------------------------

FORKED = """
import asyncio, os, sys
sys.path[:0] = {path!r}
from tests.core.test_drive import *
driver = Driver()
asyncio.run(driver.arun(asking(LOOKUP, claim()), granting, None))
driver.room.enter(KEY)
driver.turns.take(0)
before = driver.room, driver.turns, driver.heart, driver._readers, driver._writer
child = os.fork()
replies = asyncio.run(driver.arun(asking(LOOKUP, claim()), granting, None))
after = driver.room, driver.turns, driver.heart, driver._readers, driver._writer
if child == 0:
    anew = all(a is not b for a, b in zip(before, after))
    os._exit(0 if anew and replies == [Unknown(), GRANT] and driver.turns.take(0) else 1)
same = all(a is b for a, b in zip(before, after)) and replies == [Unknown(), InFlight()]
driver.shut()
sys.exit(0 if same and os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0 else 1)
"""


def test_a_forked_process_begins_anew() -> None:
    """After a fork the child has threads, room and turns of its own; the parent keeps its own."""
    script = FORKED.format(path=sys.path)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script], capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr.decode()


def test_a_driver_that_was_shut_starts_again() -> None:
    """Shut down at the end of a lifespan, and used again by the next one."""
    driver = Driver()
    for _ in range(2):
        replies = asyncio.run(driver.arun(asking(LOOKUP, claim()), granting, None))
        assert replies == [Unknown(), GRANT]
        driver.shut()


def test_two_threads_after_a_fork_begin_anew_once() -> None:
    """The slower one finds what the faster one made, and makes nothing of its own."""

    class Overtaken:
        def __enter__(self) -> None:
            driver._fresh(os.getpid())
            made.append(driver.room)

        def __exit__(self, *_: object) -> None:
            pass

    driver, made = Driver(), list[object]()
    driver._pid, driver._lock = -1, Overtaken()  # type: ignore[assignment]
    replies = driver.run(asking(LOOKUP, claim()), granting, never)
    assert replies == [Unknown(), GRANT]
    assert made == [driver.room]


def never(_op: Handle) -> Handled:
    """No view is run here."""
    raise AssertionError


def test_a_pause_that_is_over_cannot_be_ended_again() -> None:
    """The holder leaves at the very moment at which the patience of a duplicate ends."""

    async def late() -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        for _ in range(2):
            _wake(future)
        assert future.done()

    asyncio.run(late())


def test_one_read_is_made_by_a_reader() -> None:
    """Not on the loop, and never behind a writer."""
    driver = Driver()
    name = asyncio.run(driver.aread(lambda: threading.current_thread().name))
    assert name.startswith("seeother-read")
    driver.shut()


def test_one_write_is_made_by_the_writer() -> None:
    """Not on the loop, and behind whatever is being written."""
    driver = Driver()
    name = asyncio.run(driver.awrite(lambda: threading.current_thread().name))
    assert name.startswith("seeother-write")
    driver.shut()

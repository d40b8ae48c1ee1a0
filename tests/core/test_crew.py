"""A crew: jobs off the loop, in the order of asking, none of them lost and none done in vain."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from functools import partial
from typing import NoReturn

import pytest

from seeother.crew import Crew


def test_one_thread_does_everything_in_the_order_of_asking() -> None:
    """The writer of a process is a queue: who asked first is served first."""
    done: list[int] = []

    async def ask() -> None:
        await asyncio.gather(*(crew.run(partial(done.append, n)) for n in range(200)))

    crew = Crew(1, "writer")
    asyncio.run(ask())
    crew.shut()
    assert done == list(range(200))


def test_as_many_threads_as_there_are_jobs_at_once() -> None:
    """Four readers read at the same time, the fifth waits for one of them."""
    together, threads = threading.Barrier(4), set[int]()

    def job() -> None:
        threads.add(threading.get_ident())
        together.wait(30)

    async def ask() -> None:
        await asyncio.gather(*(crew.run(job) for _ in range(8)))

    crew = Crew(4, "reader")
    asyncio.run(ask())
    crew.shut()
    assert len(threads) == 4


def test_what_a_job_raises_is_raised_where_it_is_awaited() -> None:
    """An error is the asker's, and the thread goes on to the next job."""

    def fails() -> NoReturn:
        raise ZeroDivisionError("of this job")

    async def ask() -> int:
        with pytest.raises(ZeroDivisionError, match="of this job"):
            await crew.run(fails)
        return await crew.run(lambda: 7)

    crew = Crew(1, "writer")
    assert asyncio.run(ask()) == 7
    assert crew.idle
    crew.shut()


def test_a_job_whose_asker_has_gone_is_not_begun() -> None:
    """A cancelled claim that nobody began leaves nothing behind."""
    started, go_on, done = threading.Event(), threading.Event(), list[str]()

    def first() -> None:
        started.set()
        go_on.wait(30)
        done.append("first")

    async def ask() -> None:
        running, waiting = crew.run(first), crew.run(lambda: done.append("second"))
        assert not crew.idle
        await asyncio.to_thread(started.wait, 30)
        waiting.cancel()
        go_on.set()
        await running
        await crew.run(lambda: done.append("third"))

    crew = Crew(1, "writer")
    asyncio.run(ask())
    crew.shut()
    assert done == ["first", "third"]


def test_shutting_down_finishes_what_was_asked_for() -> None:
    """A commit that was under way when the server stopped is not cut off, loop or no loop."""
    done: list[int] = []
    go_on = threading.Event()

    async def ask() -> None:
        crew.run(lambda: go_on.wait(30))
        for n in range(20):
            crew.run(partial(done.append, n))

    crew = Crew(1, "writer")
    with pytest.raises(RuntimeError):  # of a loop that is closed nothing can be awaited
        asyncio.run(_closed(ask))
    go_on.set()
    crew.shut()
    assert done == list(range(20))


async def _closed(ask: Callable[[], Awaitable[None]]) -> NoReturn:
    await ask()
    raise RuntimeError


PROGRAM = """
import asyncio, sys, threading, time
from seeother.crew import Crew

def job():
    threading.Event().wait(0.2)  # the process wants to end meanwhile
    print("committed", flush=True)

async def ask():
    crew.run(job)

crew = Crew(1, "writer")
asyncio.run(ask())
"""


def test_a_process_does_not_end_in_the_middle_of_a_job() -> None:
    """The interpreter waits for what was begun, as it does for an executor."""
    run = [sys.executable, "-c", PROGRAM]
    ended = subprocess.run(run, check=True, capture_output=True, text=True)
    assert (ended.stdout, ended.stderr) == ("committed\n", "")


FORKING = """
import asyncio, os, sys
from seeother.crew import Crew

async def ask():
    await crew.run(lambda: None)

crew = Crew(1, "writer")
asyncio.run(ask())
if child := os.fork():
    assert os.waitpid(child, 0)[1] == 0
    print("both ended", flush=True)
else:
    (thread,) = crew._threads
    thread.join = lambda: os._exit(1)
    sys.exit()
"""


def test_a_forked_child_ends_no_threads_of_its_parent() -> None:
    """It has none of them: to wait for one could take for ever."""
    run = [sys.executable, "-c", FORKING]
    ended = subprocess.run(run, check=True, capture_output=True, text=True)
    assert (ended.stdout, ended.stderr) == ("both ended\n", "")

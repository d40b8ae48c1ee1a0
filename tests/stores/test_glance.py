"""Look-ups on the event loop itself: SQLite answers them at once, or a thread waits for it."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from seeother.core.ops import (
    Busy,
    Flow,
    Handle,
    InFlight,
    Lookup,
    Op,
    Open,
    Opened,
    Unknown,
)
from seeother.core.values import Handled, Response
from seeother.drive import Driver
from seeother.errors import StoreBusy
from seeother.stores.sqlite import SQLiteStore
from seeother.testing import FakeClock
from seeother.testing.harness import PATIENCE, claim, key, named
from tests.stores.files import other

LOOKUP = Lookup(key(), named("input"), PATIENCE)
# What a process does that finds the index of a killed one in disorder: it takes the locks for
# writing and recovery (https://sqlite.org/walformat.html section 2.3) and makes the header anew.
RECOVERING = """
import fcntl, sys
with open(sys.argv[1] + "-shm", "r+b") as index:
    fcntl.lockf(index, fcntl.LOCK_EX, 3, 120)
    index.write(bytes(96))
    index.flush()
    print("recovering", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SQLiteStore]:
    """A store that is open."""
    made = SQLiteStore(tmp_path / "ledger.db", clock=FakeClock())
    made.prepare()
    yield made
    made.shut()


@contextmanager
def recovering(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that recovers the file until its input ends."""
    command, pipe = [sys.executable, "-c", RECOVERING, str(path)], subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "recovering\n"
        yield process


def test_it_is_the_answer_of_the_store(store: SQLiteStore) -> None:
    """Before a claim, and with one that is running."""
    assert store.glance(LOOKUP) == store.perform(LOOKUP) == Unknown()
    store.perform(claim())
    assert store.glance(LOOKUP) == store.perform(LOOKUP) == InFlight()
    assert store.glance(Open(named("visitor"))) == Opened()


def test_it_waits_for_no_writer(store: SQLiteStore) -> None:
    """Somebody holds the write lock; a claim is told so, a look-up has its answer."""
    with other(store.path) as connection:
        connection.execute("BEGIN IMMEDIATE")
        assert store.perform(claim()) == Busy()
        assert store.glance(LOOKUP) == Unknown()


def test_it_opens_no_file(tmp_path: Path) -> None:
    """To open the ledger, and perhaps to create it, is work for a thread."""
    store = SQLiteStore(tmp_path / "ledger.db", clock=FakeClock())
    with pytest.raises(StoreBusy):
        store.glance(LOOKUP)
    assert not store.path.exists()


def test_its_connections(store: SQLiteStore) -> None:
    """They are readers like all others, wait for nobody, and end with the store."""
    store.glance(LOOKUP)
    process = store.here()
    (reader,) = process.hasty
    assert reader.execute("PRAGMA query_only").fetchone() == (1,)
    assert reader.execute("PRAGMA busy_timeout").fetchone() == (0,)
    assert process.idle == []
    store.shut()
    assert process.hasty == []


def asked(*ops: Op[Any]) -> Flow[list[Any]]:
    """A flow that asks these."""
    replies: list[Any] = []
    for op in ops:
        replies += [(yield from op)]
    return replies


class Seen:
    """Who asks the store."""

    def __init__(self, store: SQLiteStore) -> None:
        self.store, self.threads = store, list[str]()

    def __call__(self, op: Op[Any]) -> Any:
        self.threads.append(f"{op.verb} {threading.current_thread().name.rpartition('_')[0]}")
        return self.store.perform(op)


def test_a_driver_needs_no_thread_for_it(store: SQLiteStore) -> None:
    """A request that is alone: once the store is open, no thread looks up anything."""

    async def work() -> None:
        store.shut()
        await driver.arun(asked(LOOKUP), seen)  # opens it
        assert seen.threads == ["lookup seeother-write"]
        await driver.arun(asked(LOOKUP, Open(named("visitor")), claim()), seen)

    driver, seen = Driver(), Seen(store)
    driver.suit(store)
    asyncio.run(work())
    driver.shut()
    assert seen.threads == ["lookup seeother-write", "claim seeother-write"]


def test_in_company_threads_look(store: SQLiteStore) -> None:
    """A loop that others want the interpreter from would wait for it at every statement."""

    async def work() -> None:
        inside, goes_on = asyncio.Event(), asyncio.Event()

        async def view(_op: Handle) -> Handled:
            inside.set()
            await goes_on.wait()
            return Handled(Response(200))

        first = asyncio.ensure_future(driver.arun(asked(Handle()), seen, view))
        await inside.wait()
        await driver.arun(asked(Open(named("visitor"))), seen)
        assert seen.threads == ["open seeother-read"]
        goes_on.set()
        await first
        await driver.arun(asked(Open(named("visitor"))), seen)

    driver, seen = Driver(), Seen(store)
    driver.suit(store)
    asyncio.run(work())
    driver.shut()
    assert seen.threads == ["open seeother-read"]


def test_a_loop_goes_on_while_somebody_recovers(store: SQLiteStore) -> None:
    """A thread waits for that, and the loop can do something: here, let the other one go on."""

    async def work() -> None:
        with recovering(store.path) as process:
            with pytest.raises(StoreBusy):
                store.glance(LOOKUP)
            looking = asyncio.ensure_future(driver.arun(asked(LOOKUP), store.perform))
            await asyncio.sleep(0)
            assert not looking.done()
            assert process.stdin is not None
            process.stdin.close()
            assert await looking == [Unknown()]

    driver = Driver()
    driver.suit(store)
    store.glance(LOOKUP)
    asyncio.run(work())
    driver.shut()

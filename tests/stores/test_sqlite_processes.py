"""The SQLite store in several processes and threads: each opens for itself, once."""

import subprocess
import sys
from pathlib import Path

from seeother.core.ops import Granted
from seeother.stores.sqlite import SQLiteStore
from seeother.testing.harness import claim, named, together
from tests.stores.files import look, other

FIRST = """
import os, sys
from seeother.core.ops import Busy, Granted
from seeother.errors import StoreBusy
from seeother.stores.sqlite import SQLiteStore
from seeother.testing.harness import claim
read, write = os.pipe()
children = []
for number in range(20):
    child = os.fork()
    if not child:
        os.close(write)
        os.read(read, 1)
        store, reply = SQLiteStore(sys.argv[1]), Busy()
        while isinstance(reply, Busy):
            reply = store.claim(claim(by=f"process {number}"))
        os._exit(10 if isinstance(reply, Granted) else 20)
    children.append(child)
os.close(write)
print(*sorted(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children))
"""


def test_twenty_first_processes(path: Path) -> None:
    """They create one schema between them, and one of them is granted."""
    run = subprocess.run(
        [sys.executable, "-c", FIRST, str(path)], capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == ["10"] + ["20"] * 19
    with other(path) as connection:
        assert connection.execute("SELECT value FROM so_meta WHERE name='schema'").fetchall() == [
            ("1",)
        ]
        assert connection.execute("SELECT count(*) FROM so_ledger").fetchone() == (1,)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


FORKED = """
import os, sys, threading
from seeother.core.ops import Granted, InFlight, Settle, Settled
from seeother.stores.sqlite import SQLiteStore
from seeother.testing.harness import FakeClock, claim, key, outcome
store = SQLiteStore(sys.argv[1], clock=FakeClock())
grant = store.claim(claim())
inherited = store._process
with store._opening[os.getpid()]:  # as if another thread of the parent were just opening
    child = os.fork()
if not child:
    ok = store.claim(claim(by="child")) == InFlight()
    ok = ok and isinstance(store.claim(claim(key("child"), by="child")), Granted)
    ok = ok and store._process.pid == os.getpid() and store._process.ledger is not inherited.ledger
    ok = ok and store._inherited == [inherited]
    store.shut()
    os._exit(10 if ok else 20)
code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
store.settle(Settle(key(), grant, claim().fingerprint, outcome()))
print(code, isinstance(store.claim(claim(by="late")), Settled), store.claim(claim(key("child"))))
"""


def test_a_child_opens_anew(path: Path) -> None:
    """After a fork parent and child use connections of their own, and see each other's rows."""
    run = subprocess.run(
        [sys.executable, "-c", FORKED, str(path)], capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == ["10", "True", "InFlight()"]


def test_what_was_inherited_is_never_closed(store: SQLiteStore) -> None:
    """The connections of the parent stay as they are, referenced until the child ends."""
    store.prepare()
    mine = store._process
    assert mine is not None
    store._process = parents = mine._replace(pid=-1)
    assert store.claim(claim()) == Granted(1, named("worker"))
    assert store._inherited == [parents]
    store.shut()
    assert parents.ledger.execute("SELECT count(*) FROM so_ledger").fetchone() == (1,)
    parents.ledger.close()
    parents.notes.close()


def test_many_threads_open_once(store: SQLiteStore) -> None:
    """Sixteen first threads share one pair of writing connections."""
    together(lambda _: store.prepare(), range(16))
    process = store._process
    together(lambda n: look(store), range(16))
    assert store._process is process
    assert process is not None
    assert 1 <= len(process.idle) <= 16

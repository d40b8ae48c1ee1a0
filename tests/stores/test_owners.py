"""Claims of processes that are dead: nobody waits out the lease of a killed worker."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from seeother.core.ops import Claim, Done, Granted, InDoubt, InFlight, Settle
from seeother.stores import owners
from seeother.stores.sqlite import SQLiteStore
from seeother.testing import FakeClock
from seeother.testing.harness import claim, key, named, outcome
from tests.stores.app import App, add
from tests.stores.files import look, no_file_may_grow, other

NOBODY = 65534
ROOT = Path(__file__).parents[2]
START = """
import ctypes, os, sys, threading
from seeother.stores import owners
from seeother.stores.sqlite import SQLiteStore
from seeother.testing.harness import FakeClock, claim, key, named
store = SQLiteStore(sys.argv[1], clock=FakeClock())
"""
CLAIMS = "print(store.claim(claim()), flush=True); sys.stdin.read()"
FORKS = """
store.claim(claim(key("parent")))
alive, life = os.pipe()
child = os.fork()
if not child:
    os.close(life)
    store.claim(claim())
    print("claimed", flush=True)
    os.read(alive, 1)  # until the parent kills it, or is gone
    os._exit(0)
sys.stdin.readline()
os.kill(child, 9)
os.waitpid(child, 0)
print("killed", flush=True)
sys.stdin.read()
"""
# The first thread ends, the one that runs the view does not.
HEADLESS = """
def view():
    store.claim(claim())
    while b"Z" not in open("/proc/self/task/%d/stat" % os.getpid(), "rb").read():
        pass
    print("claimed", flush=True)
    sys.stdin.read()
    os._exit(0)
threading.Thread(target=view).start()
ctypes.CDLL(None).pthread_exit(None)
"""


@contextmanager
def worker(path: Path, code: str = CLAIMS) -> Iterator[subprocess.Popen[str]]:
    """A process that has claimed something and does not come to an end by itself."""
    command = [sys.executable, "-c", START + code, str(path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline().strip()
            yield process
        finally:
            process.kill()


def killed(path: Path) -> int:
    """Let a worker claim and die by SIGKILL; its pid."""
    with worker(path) as process:
        process.kill()
        process.wait()
    return process.pid


@pytest.fixture
def opened(path: Path) -> Iterator[Callable[[], SQLiteStore]]:
    """Opens stores on the file, as new processes do."""
    with ExitStack() as stack:

        def make() -> SQLiteStore:
            made = SQLiteStore(path, clock=FakeClock())
            stack.callback(made.shut)
            made.prepare()
            return made

        yield make


def plant(path: Path, owner: str | None) -> None:
    """Make somebody else the owner of every claim."""
    with other(path) as connection:
        connection.execute("UPDATE so_ledger SET owner=?", (owner,))


def test_a_killed_worker_holds_nothing_up(path: Path, opened: Any) -> None:
    """Who opens the file after a SIGKILL finds a doubt at once, inside the dead worker's lease."""
    early = opened()
    killed(path)
    assert look(early) == InFlight()
    opened()
    assert look(early) == InDoubt()
    assert early.claim(claim(by="another")) == InDoubt()


def test_where_it_is_allowed_it_is_taken_over_at_once(path: Path, opened: Any) -> None:
    """Fenced: the next one runs with the next fence, and the dead one's grant is worth nothing."""
    killed(path)
    store = opened()
    assert store.claim(claim(by="another", takeover=True)) == Granted(2, named("another"))
    late = Settle(key(), Granted(1, named("worker")), named("input"), outcome())
    assert not isinstance(store.settle(late), Done)


def test_a_worker_that_nobody_reaped_is_dead(path: Path, opened: Any) -> None:
    """A zombie still has its number, and runs no view."""
    with worker(path) as process:
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert look(opened()) == InDoubt()


def test_a_worker_that_lives_keeps_its_claim(path: Path, opened: Any) -> None:
    """However many processes open the file meanwhile."""
    with worker(path):
        assert look(opened()) == InFlight()
        assert look(opened()) == InFlight()


def test_a_worker_whose_first_thread_ended_lives(path: Path, opened: Any) -> None:
    """The state of a process is that of its first thread; others may still run the view."""
    with worker(path, HEADLESS):
        assert look(opened()) == InFlight()


def test_a_forked_child_owns_its_own_claims(path: Path, opened: Any) -> None:
    """What was claimed before the fork is the parent's, what was claimed after it the child's."""
    with worker(path, FORKS) as parent:
        assert look(opened()) == InFlight()
        assert parent.stdin is not None and parent.stdout is not None
        parent.stdin.write("kill it\n")
        parent.stdin.flush()
        assert parent.stdout.readline() == "killed\n"
        store = opened()
        assert look(store) == InDoubt()
        assert look(store, claim(key("parent"))) == InFlight()


def test_a_number_that_was_given_again_is_another_process(path: Path, opened: Any) -> None:
    """The owner's pid lives, but it started at another time."""
    opened().claim(claim())
    place, pid, start = owners.me().rsplit(" ", 2)
    plant(path, f"{place} {pid} {int(start) - 1}")
    assert look(opened()) == InDoubt()


@pytest.mark.parametrize("part", [0, 1, 2])
def test_claims_of_other_machines_are_left_alone(path: Path, opened: Any, part: int) -> None:
    """Another host, kernel or process namespace: nothing is proved by a missing number here."""
    dead = killed(path)
    words = f"{owners._place()} {dead} 1".split(" ")
    words[part] = "elsewhere"
    plant(path, " ".join(words))
    assert look(opened()) == InFlight()


@pytest.mark.parametrize(
    "owner", [None, "", "x", "a b c", "{} 0 1", "{} -1 1", "{} x 1", "{} 99999999999999999999 1"]
)
def test_an_owner_that_makes_no_sense_is_left_alone(
    path: Path, opened: Any, owner: str | None
) -> None:
    """Whatever stands there, the file opens and the lease counts."""
    opened().claim(claim())
    plant(path, owner and owner.format(owners._place()))
    assert look(opened()) == InFlight()


def test_a_process_of_another_user_lives() -> None:
    """That it may not be signalled proves that it is there."""
    root = os.getuid() == 0
    if root:
        os.setresuid(NOBODY, NOBODY, 0)
    try:
        assert not owners.is_dead(f"{owners._place()} 1 {owners._start(1)}")
        assert owners.is_dead(f"{owners._place()} 1 {int(owners._start(1)) + 1}")
    finally:
        if root:
            os.setresuid(0, 0, 0)


@pytest.mark.parametrize("shown", [None, "1"])
def test_without_start_times_only_a_missing_process_is_dead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shown: str | None
) -> None:
    """No /proc, or one that shows other processes than ours: a number in use counts as alive."""
    (tmp_path / "proc").mkdir()
    if shown is not None:
        (tmp_path / "proc" / "self").symlink_to(shown)
    dead = killed(tmp_path / "ledger.db")
    monkeypatch.setattr(owners, "PROC", tmp_path / "proc")
    owners._of.cache_clear()
    place, pid, start = owners.me().rsplit(" ", 2)
    owners._of.cache_clear()
    assert start == "-"
    assert not owners.is_dead(f"{place} {pid} 1")
    assert owners.is_dead(f"{place} {dead} 1")


# What may come in between -------------------------------------------------------------------------


def test_a_long_writer_does_not_keep_anybody_from_opening(
    path: Path, opened: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The dead one's lease cannot be ended now, so it runs out as any other."""
    monkeypatch.setattr(owners, "SWEEP_MS", 0)
    killed(path)
    with other(path) as connection:
        connection.execute("BEGIN IMMEDIATE")
        assert look(opened()) == InFlight()
    assert look(opened()) == InDoubt()


def test_a_full_disk_does_not_keep_anybody_from_opening(path: Path, opened: Any) -> None:
    """Reading still works, and with space the next one ends the lease."""
    opened()  # it stays open, and so does the WAL
    killed(path)
    with no_file_may_grow(path.with_name("ledger.db-wal").stat().st_size):
        assert look(opened()) == InFlight()
    assert look(opened()) == InDoubt()


def test_what_has_run_out_is_not_written_again(path: Path, opened: Any) -> None:
    """A lapsed claim of a dead owner costs the next processes no write."""
    killed(path)
    opened()
    with other(path) as connection:
        (before,) = connection.execute("PRAGMA data_version").fetchone()
        opened()
        assert connection.execute("PRAGMA data_version").fetchone() == (before,)


def test_only_claims_have_an_owner(app: App) -> None:
    """Joined writes none; of a claim that was settled nobody is the owner any more."""
    app.once(add("hello"))
    mine: Claim = claim(key("separate"))
    grant = app.store.claim(mine)
    assert isinstance(grant, Granted)
    with other(app.path) as connection:
        rows = "SELECT state, owner FROM so_ledger ORDER BY state"
        assert connection.execute(rows).fetchall() == [("claimed", owners.me()), ("settled", None)]
        app.store.settle(Settle(mine.key, grant, mine.fingerprint, outcome()))
        assert connection.execute(rows).fetchall() == [("settled", None)] * 2

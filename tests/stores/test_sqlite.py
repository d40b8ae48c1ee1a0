"""The SQLite store: the whole contract, and everything that a file on a disk can do to it."""

import os
import resource
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from seeother.core.ops import Busy, Claim, Granted, Lookup, Settle, Settled, Unknown
from seeother.errors import PolicyError, StoreBusy, StoreDown
from seeother.stores import connect, open_store
from seeother.stores.base import Clock
from seeother.stores.sqlite import SQLiteStore
from seeother.testing import FakeClock, StoreContract
from seeother.testing.harness import PATIENCE, START, claim, key, named, outcome, together

NOBODY = 65534


class TestSQLite(StoreContract):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.path = tmp_path / "ledger.db"

    def make(self, clock: Clock) -> SQLiteStore:
        return SQLiteStore(self.path, clock=clock)

    def reopen(self, store: Any) -> SQLiteStore:
        store.shut()
        return SQLiteStore(self.path, clock=self.clock)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file in a folder, neither of which is there yet."""
    return tmp_path / "folder" / "ledger.db"


@pytest.fixture
def store(path: Path) -> Iterator[SQLiteStore]:
    """A store on that file; its clock stands still."""
    made = SQLiteStore(path, clock=FakeClock())
    yield made
    made.shut()


def look(store: SQLiteStore, where: Claim | None = None) -> Any:
    """Look for the outcome of a claim."""
    where = where or claim()
    return store.lookup(Lookup(where.key, where.fingerprint, PATIENCE))


def settled(store: SQLiteStore, where: Claim | None = None) -> None:
    """Claim and settle."""
    where = where or claim()
    grant = store.claim(where)
    assert isinstance(grant, Granted)
    store.settle(Settle(where.key, grant, where.fingerprint, outcome()))


@contextmanager
def other(path: Path) -> Iterator[sqlite3.Connection]:
    """Another program on the same file."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


# URLs and files -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///relative.db", "relative.db"),
        ("sqlite:////srv/app.db", "/srv/app.db"),
        ("sqlite+pysqlite:///a%20b.db", "a b.db"),
    ],
)
def test_urls_are_spelled_as_everywhere(url: str, path: str) -> None:
    """Three slashes are relative, four absolute; a driver's name and escapes are understood."""
    made = open_store(url)
    assert isinstance(made, SQLiteStore)
    assert made.path == Path(path)


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite://relative.db",
        "sqlite:///a.db?x=1",
        "mysql://x",
    ],
)
def test_a_url_without_a_file_is_refused(url: str) -> None:
    """A ledger in each connection's own memory would grant everything twice."""
    with pytest.raises(PolicyError):
        open_store(url)


def test_nothing_is_created_before_the_first_use(path: Path) -> None:
    """Making and shutting a store touches no disk."""
    SQLiteStore(path).shut()
    assert not path.parent.exists()


def test_files_are_private(store: SQLiteStore, path: Path) -> None:
    """Database, WAL and shared memory are 0600, their folder 0700, under any umask."""
    before = os.umask(0)
    try:
        settled(store)
        modes = {found.name: stat.S_IMODE(found.stat().st_mode) for found in path.parent.iterdir()}
    finally:
        os.umask(before)
    assert modes == dict.fromkeys(("ledger.db", "ledger.db-wal", "ledger.db-shm"), 0o600)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_readers_cannot_write(store: SQLiteStore) -> None:
    """A look-up runs on a connection that refuses every write."""
    with store._reading() as work, pytest.raises(sqlite3.OperationalError, match="readonly"):
        work._run("DELETE FROM so_ledger")


def test_shutting_closes_everything(store: SQLiteStore, path: Path) -> None:
    """Afterwards only the database is left, checkpointed; a reader in use closes by itself."""
    settled(store)
    with store._reading() as work:
        look(store)
        store.shut()
        assert work.row(key()) is not None
    assert [found.name for found in path.parent.iterdir()] == ["ledger.db"]
    assert isinstance(look(store), Settled)


# Versions and damage ------------------------------------------------------------------------------


def test_a_newer_file_is_left_alone(store: SQLiteStore, path: Path) -> None:
    """A file of another version: StoreDown that names both versions, and no byte is changed."""
    store.prepare()
    store.shut()
    with other(path) as connection:
        connection.execute("UPDATE so_meta SET value='2' WHERE name='schema'")
        connection.execute("DROP TABLE so_session")
    before = path.read_bytes()
    with pytest.raises(StoreDown, match=r"schema 2.*needs 1"):
        store.claim(claim())
    assert path.read_bytes() == before


def test_a_newer_file_that_comes_in_between_is_left_alone(
    store: SQLiteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The version is read once more under the lock, before anything is created."""
    connect.create_private(path)
    monkeypatch.setattr(connect, "_is_ready", lambda *_: False)  # as if it came a moment later
    with other(path) as connection:
        connection.execute("CREATE TABLE so_meta(name TEXT PRIMARY KEY, value TEXT NOT NULL)")
        connection.execute("INSERT INTO so_meta VALUES('schema', '7')")
        with pytest.raises(StoreDown, match="schema 7"):
            store.prepare()
        names = connection.execute("SELECT name FROM sqlite_master WHERE type='table'").fetchall()
    assert names == [("so_meta",)]


@pytest.mark.parametrize(
    "damage", [b"this is no database" * 100, b"SQLite format 3\0" + b"\xff" * 4096]
)
def test_a_damaged_file_is_down(path: Path, damage: bytes) -> None:
    """Garbage is not overwritten and not taken for an empty ledger."""
    path.parent.mkdir()
    path.write_bytes(damage)
    with pytest.raises(StoreDown):
        SQLiteStore(path).claim(claim())
    assert path.read_bytes() == damage


def test_damage_while_running_is_down(store: SQLiteStore, path: Path) -> None:
    """A table that somebody dropped is StoreDown for readers and writers, not a traceback."""
    store.prepare()
    with other(path) as connection:
        connection.execute("DROP TABLE so_ledger")
    for ask in (lambda: store.claim(claim()), lambda: look(store)):
        with pytest.raises(StoreDown, match="so_ledger"):
            ask()


def test_a_file_that_opens_only_once_is_down(
    store: SQLiteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of what a process needs is nothing: it is closed, and the next one tries again."""
    with monkeypatch.context() as patch:
        patch.setattr(connect, "READ_MS", "no number, so that tuning the second one fails (")
        with pytest.raises(StoreDown):
            store.prepare()
    assert store.claim(claim()) == Granted(1, named("worker"))
    assert path.exists()


def test_a_folder_that_is_a_file_is_down(tmp_path: Path) -> None:
    """The path leads through a file."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreDown, match="cannot create"):
        SQLiteStore(tmp_path / "file" / "ledger.db").prepare()
    with pytest.raises(StoreDown, match="cannot create"):
        SQLiteStore(tmp_path / ("x" * 300)).prepare()
    (tmp_path / "folder.db").mkdir()
    with pytest.raises(StoreDown):
        SQLiteStore(tmp_path / "folder.db").prepare()


READ_ONLY = """
import os, sys
from seeother.errors import StoreDown
from seeother.stores.sqlite import SQLiteStore
from seeother.testing.harness import claim
if os.getuid() == 0:
    os.setgroups([])
    os.setgid({nobody})
    os.setuid({nobody})
for name in sys.argv[1:]:
    try:
        SQLiteStore(name).claim(claim())
    except StoreDown as error:
        print(error)
"""


def test_a_read_only_folder_is_down() -> None:
    """Neither a new file nor one that is there can be used where nothing may be written."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        there = SQLiteStore(folder / "there.db")
        there.prepare()
        there.shut()
        there.path.chmod(0o444)
        folder.chmod(0o555)
        try:
            code = READ_ONLY.format(nobody=NOBODY)
            paths = (str(folder / "new.db"), str(there.path))
            run = subprocess.run(
                [sys.executable, "-c", code, *paths], capture_output=True, text=True, check=True
            )
        finally:
            folder.chmod(0o755)
    new, old = run.stdout.splitlines()
    assert "cannot create" in new
    assert "readonly" in old or "unable to open" in old


# Locks --------------------------------------------------------------------------------------------


def test_a_lock_of_another_process_is_busy(store: SQLiteStore, path: Path) -> None:
    """While another program writes, every writer gets its answer and readers are not held up."""
    running, done = claim(key("running")), claim()
    grant = store.claim(running)
    assert isinstance(grant, Granted)
    settled(store, done)
    with other(path) as connection:
        connection.execute("BEGIN IMMEDIATE")
        assert store.claim(claim(key("new"))) == Busy()
        with pytest.raises(StoreBusy):
            store.settle(Settle(running.key, grant, running.fingerprint, outcome()))
        assert isinstance(look(store, done), Settled)
        connection.execute("ROLLBACK")
    store.settle(Settle(running.key, grant, running.fingerprint, outcome()))
    assert isinstance(look(store, running), Settled)


def test_a_lock_of_another_thread_is_busy(store: SQLiteStore) -> None:
    """Within a process too nobody waits for a writer that stays."""
    with store._writing() as work:
        assert work is not None
        assert together(lambda n: store.claim(claim(by=f"w {n}")), range(4)) == [Busy()] * 4


def test_asking_for_a_lock_keeps_the_timeout_of_the_connection(tmp_path: Path) -> None:
    """The app's own connection waits for its locks as long as it did before."""
    with other(tmp_path / "app.db") as one, other(tmp_path / "app.db") as two:
        one.execute("PRAGMA busy_timeout=7777")
        assert connect.begin(one)
        assert not connect.begin(two)
        assert one.execute("PRAGMA busy_timeout").fetchone() == (7777,)


def test_a_transaction_in_a_transaction_is_an_error(tmp_path: Path) -> None:
    """Only a lock is Busy; anything else that BEGIN says is raised."""
    with other(tmp_path / "app.db") as one:
        assert connect.begin(one)
        with pytest.raises(sqlite3.OperationalError, match="within a transaction"):
            connect.begin(one)


def test_a_process_may_start_while_another_one_writes(store: SQLiteStore, path: Path) -> None:
    """Where all tables are there, opening only reads."""
    settled(store)
    with other(path) as connection:
        connection.execute("BEGIN IMMEDIATE")
        late = SQLiteStore(path, clock=store.clock)
        assert isinstance(look(late), Settled)
        late.shut()


def test_the_switch_to_wal_is_asked_for_again(store: SQLiteStore, path: Path) -> None:
    """A first process that meets a reader of the old journal mode waits until it has gone."""
    connect.create_private(path)
    entered = threading.Event()
    with other(path) as connection:
        connection.execute("CREATE TABLE t(x)")
        connection.execute("BEGIN")
        connection.execute("SELECT * FROM t").fetchall()
        connection.execute("PRAGMA busy_timeout=0")

        def prepare() -> None:
            entered.set()
            store.prepare()

        thread = threading.Thread(target=prepare)
        thread.start()
        entered.wait()
        connection.execute("COMMIT")
    thread.join()
    assert store.claim(claim()) == Granted(1, named("worker"))


@pytest.mark.parametrize("patience", [5_000, -1])
def test_who_reads_in_the_old_mode_is_waited_for(
    path: Path, patience: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite may refuse the switch at once; until a deadline it is asked again."""
    monkeypatch.setattr(connect, "READ_MS", patience)
    connect.create_private(path)
    tries: list[str] = []

    def tried(statement: str) -> None:
        tries.append(statement)
        if len(tries) == 3:
            reader.execute("COMMIT")

    with other(path) as reader, other(path) as opening:
        reader.execute("CREATE TABLE t(x)")
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM t").fetchall()
        opening.execute("PRAGMA busy_timeout=0")
        opening.set_trace_callback(tried)
        if patience < 0:
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                connect._to_wal(opening)
        else:
            connect._to_wal(opening)
    assert len(tries) == (1 if patience < 0 else 3)


def test_a_file_that_stays_locked_is_busy_from_the_start(
    store: SQLiteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even opening for the first time does not wait for ever."""
    monkeypatch.setattr(connect, "READ_MS", 50)
    connect.create_private(path)
    with other(path) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        connection.execute("CREATE TABLE t(x)")
        with pytest.raises(StoreBusy):
            store.prepare()


# Processes ----------------------------------------------------------------------------------------

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


# A full disk --------------------------------------------------------------------------------------


@contextmanager
def no_file_may_grow(size: int) -> Iterator[None]:
    """Writes beyond this size fail, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    assert signal.getsignal(signal.SIGXFSZ) is signal.SIG_IGN  # Python gets an error instead
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_down_and_recovers(store: SQLiteStore, path: Path) -> None:
    """No space for the WAL: StoreDown, no half of a row; with space the same claim works."""
    store.prepare()
    with no_file_may_grow(path.with_name("ledger.db-wal").stat().st_size):
        with pytest.raises(StoreDown):
            store.claim(claim())
        assert look(store) == Unknown()
    assert store.claim(claim()) == Granted(1, named("worker"))


def test_a_full_database_is_down_and_recovers(store: SQLiteStore) -> None:
    """SQLITE_FULL in the middle of a settle: nothing of it is kept, then all of it."""
    grant = store.claim(claim())
    assert isinstance(grant, Granted)
    big = outcome("/" + "x" * 100_000)
    settle = Settle(key(), grant, named("input"), big)
    assert store._process is not None
    ledger = store._process.ledger
    (pages,) = ledger.execute("PRAGMA page_count").fetchone()
    ledger.execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(StoreDown, match="full"):
        store.settle(settle)
    assert not isinstance(look(store), Settled)
    ledger.execute("PRAGMA max_page_count=1000000")
    store.settle(settle)
    assert look(store).outcome == big


# Several apps on one file -------------------------------------------------------------------------


def test_the_longest_retention_counts(path: Path) -> None:
    """An app with short-lived tokens does not delete the rows that another app still needs."""
    clock = FakeClock()
    day = SQLiteStore(path, clock=clock)
    settled(day, claim(key("old")))
    hour = SQLiteStore(path, clock=clock, retention=3_600.0)
    week = SQLiteStore(path, clock=clock, retention=7 * 86_400.0)
    for moved in (86_000.0, 86_400.0):
        clock.tick(moved)
        settled(hour, claim(key(f"new {moved}", issued=clock.now)))
        week.prepare()
        assert isinstance(look(day, claim(key("old"))), Settled)
    for made in (day, hour, week):
        made.shut()


def test_expiry_is_paid_by_settles(path: Path) -> None:
    """The first settle of a process, and each 50th, deletes at most 100 rows of each kind."""
    clock = FakeClock()
    filling = SQLiteStore(path, clock=clock)
    for number in range(130):
        settled(filling, claim(key(f"old {number}")))
    filling.shut()
    clock.tick(200_000)
    left = []
    store = SQLiteStore(path, clock=clock)
    with other(path) as connection:
        for number in range(51):
            settled(store, claim(key(f"new {number}", issued=START + 200_000)))
            (count,) = connection.execute("SELECT count(*) FROM so_ledger").fetchone()
            left.append(count - number - 1)
    store.shut()
    assert left == [30] * 50 + [0]


def test_an_operator_may_expire_at_any_time(path: Path) -> None:
    """Without waiting for a settle; where somebody writes, it is busy."""
    clock = FakeClock()
    store = SQLiteStore(path, clock=clock)
    settled(store)
    clock.tick(200_000)
    with other(path) as connection:
        connection.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusy):
            store.expire_now()
    store.expire_now()
    assert look(store) == Unknown()
    store.shut()


def test_every_statement_uses_an_index(store: SQLiteStore) -> None:
    """No question walks through a whole table, however many rows there are."""
    store.prepare()
    assert store._process is not None
    for name in ("READ_ROW", "DELETE_ROW", "EXPIRE_LEDGER", "READ_RECEIPT", "DELIVER", "ORPHANS"):
        plan = _plan(store._process.ledger, name)
        assert not [step for step in plan if step.startswith("SCAN")], (name, plan)
    for name in ("READ_SESSION", "READ_HEAD", "IDLE_SESSIONS", "CLEAR_SESSION", "END_SESSION"):
        plan = _plan(store._process.ledger, name)
        assert not [step for step in plan if step.startswith("SCAN")], (name, plan)


def _plan(connection: sqlite3.Connection, name: str) -> list[str]:
    from seeother.stores import schema

    sql = getattr(schema, name)
    rows = connection.execute(f"EXPLAIN QUERY PLAN {sql}", (None,) * sql.count("?"))
    return [row[3] for row in rows]

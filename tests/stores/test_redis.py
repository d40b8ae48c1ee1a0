"""The Redis store on a real server: the whole contract, and what only Redis is."""

import multiprocessing
import sys
import time
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from seeother.core.ops import (
    Busy,
    Claim,
    Close,
    Done,
    Doubt,
    Granted,
    InDoubt,
    InFlight,
    Lookup,
    Open,
    Settle,
    Settled,
    Unknown,
)
from seeother.core.values import Changes, SessionWrite
from seeother.effect import Effect
from seeother.errors import PolicyError, SentTooOften, StoreBusy
from seeother.stores import open_store
from seeother.stores.base import Clock, Joinable
from seeother.stores.redis import TRIES, RedisStore
from seeother.testing import FakeClock, StoreContract
from seeother.testing.harness import (
    ANN,
    BOB,
    PATIENCE,
    claim,
    key,
    named,
    outcome,
    page,
    receipt,
    write,
)
from tests.servers.redis import ClusterServer, address, everything

SID = named("sid")
KNOWN = ((ANN, "r"), (BOB, "r"), (ANN, "other"))


def on(clock: Clock | None = None, url: str | None = None, **limits: Any) -> RedisStore:
    """A store under a prefix of its own, on this clock."""
    made = RedisStore.from_url(url or address())
    return RedisStore(made.url, made.prefix[1:-2], clock=clock, **limits)


class TestRedis(StoreContract):
    def make(self, clock: Clock) -> RedisStore:
        return on(clock)

    def reopen(self, store: Any) -> RedisStore:
        store.shut()
        return RedisStore(store.url, store.prefix[1:-2], clock=self.clock)


@pytest.fixture(scope="module")
def cluster() -> Iterator[ClusterServer]:
    """A server that refuses scripts which touch two slots."""
    with ClusterServer() as server:
        yield server


class TestCluster(StoreContract):
    """Everything again where a key outside of the op's one slot is an error."""

    @pytest.fixture(autouse=True)
    def _on_cluster(self, cluster: ClusterServer) -> None:
        self.server = cluster

    def make(self, clock: Clock) -> RedisStore:
        return on(clock, address(self.server))


@pytest.fixture
def store() -> Iterator[RedisStore]:
    """A store on the server's clock."""
    made = on()
    yield made
    made.shut()


def now(store: RedisStore) -> float:
    """The server's time in seconds."""
    seconds, micros = store.client.time()
    return float(seconds) + micros / 1e6


def updating(update: Any) -> SessionWrite:
    """A write that computes key n from what is stored."""
    return SessionWrite(SID, Changes(updates=(("n", update),)))


# Its address --------------------------------------------------------------------------------------


def test_a_url_says_where_and_under_which_prefix() -> None:
    """The prefix is one hash tag; what else is in the query is redis-py's; TLS has a name, too."""
    made = RedisStore.from_url("redis://user:pw@host:7000/3?prefix=a-b")
    assert made.prefix == "{a-b}:"
    assert made.url.startswith("redis://user:pw@host:7000/3?")
    assert "prefix" not in made.url
    again = RedisStore.from_url(made.address)
    assert (again.url, again.prefix) == (made.url, made.prefix)
    assert RedisStore.from_url("redis://host").prefix == "{seeother}:"
    assert "socket_timeout=9" in RedisStore.from_url("redis://host?socket_timeout=9").url
    assert isinstance(open_store("rediss://host/0"), RedisStore)


@pytest.mark.parametrize(
    "url",
    [
        "redis:///0",
        "redis://host/0?decode_responses=true",
        "redis://host/0?protocol=3",
        "redis://host/0?prefix=a{b",
        "redis://host/0?prefix=a b",
    ],
)
def test_what_cannot_be_is_refused_at_the_start(url: str) -> None:
    """No host, answers that are not bytes, a prefix that would break the hash tag."""
    with pytest.raises(PolicyError):
        open_store(url)


def test_without_the_client_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra is missing: a PolicyError with the command, not a traceback of imports."""
    for name in [name for name in sys.modules if name.split(".")[0] == "redis"]:
        monkeypatch.setitem(sys.modules, name, None)
    for name in [name for name in sys.modules if name.startswith("seeother.stores.redis")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(PolicyError, match=r"seeother\[redis\]"):
        open_store("redis://host/0")


def test_nothing_connects_before_the_first_use() -> None:
    """An address where nobody is can be named, and closed again."""
    open_store("redis://127.0.0.1:1/0").shut()


def test_two_prefixes_are_two_stores() -> None:
    """On one server, one knows nothing of the other."""
    one, other = on(FakeClock()), on(FakeClock())
    one.claim(claim())
    assert other.claim(claim()) == Granted(1, named("worker"))
    assert one.claim(claim(by="another")) == InFlight()
    one.shut()
    other.shut()


# Its clock, and age -------------------------------------------------------------------------------


def test_the_clock_is_the_servers(store: RedisStore) -> None:
    """Ages and leases are counted by the server's TIME, and no clock of ours is asked."""
    store.clock = lambda: pytest.fail("a worker's clock was asked")
    mine = claim(key(issued=now(store)))
    grant = store.claim(mine)
    assert isinstance(grant, Granted)
    before = now(store)
    store.settle(Settle(mine.key, grant, mine.fingerprint, outcome()))
    settled = now(store)
    found = store.lookup(Lookup(mine.key, mine.fingerprint, PATIENCE))
    assert isinstance(found, Settled)
    assert now(store) - settled >= 0 <= found.age <= now(store) - before


def test_a_lease_runs_out_by_the_servers_clock(store: RedisStore) -> None:
    """A claim of no seconds has lapsed when it is asked for next."""
    where = key(issued=now(store))
    store.claim(Claim(where, named("input"), named("w"), 0.0, PATIENCE))
    assert store.lookup(Lookup(where, named("input"), PATIENCE)) == InDoubt()


def test_every_key_has_an_end(store: RedisStore) -> None:
    """Whatever is written, all but the one number of the prefix has a time to live."""
    visit(store)
    names = set(store.client.scan_iter(f"{store.prefix}*"))
    kinds = {name.split(b":")[1] for name in names}
    assert kinds == {b"t", b"r", b"v", b"s", b"last", b"drafts", b"draft-bytes", b"retention"}
    times = {name: store.client.ttl(name) for name in names}
    assert times.pop(f"{store.prefix}retention".encode()) == -1
    sessions = {name for name in times if name.split(b":")[1] == b"s"}
    for name, seconds in times.items():
        most = store.idle if name in sessions else store.retention + 1
        assert 60 <= seconds <= most, name


def visit(store: RedisStore) -> None:
    """Everything that can be written: a row, a receipt, a message, a draft, a rotated session."""
    mine = claim(key(issued=now(store)))
    grant = store.claim(mine)
    assert isinstance(grant, Granted)
    left = receipt("r", "saved", key=mine.key, draft=b"typed")
    new = write(SID, fresh=True, sets={"a": b"1"})
    told = outcome(receipt=left.id)
    assert store.settle(Settle(mine.key, grant, mine.fingerprint, told, left, new)) == Done()
    store.close(Close(SessionWrite(named("next"), Changes(), moves=SID)))


def test_a_row_that_expired_is_gone(store: RedisStore) -> None:
    """Redis deletes it by itself, and a session as well: nothing is left to purge."""
    visit(store)
    for name in everything(f"{store.url.partition('?')[0]}?prefix={store.prefix[1:-2]}"):
        store.client.pexpire(name, 1)
    deadline = time.monotonic() + 10
    while store.client.exists(*store.client.scan_iter(f"{store.prefix}*"), "nothing"):
        assert time.monotonic() < deadline
    assert store.expire_now() == 0
    assert store.open(Open(sid=named("next"))).session is None


def test_the_longest_retention_counts() -> None:
    """Of two apps on one prefix, both keep rows for as long as the one that needs them longer."""
    url = address()
    long, short = on(url=url, retention=200_000.0), on(url=url, retention=100_000.0)
    long.prepare()
    short.prepare()
    assert short.retention == 200_000.0
    long.shut()
    short.shut()


# Limits -------------------------------------------------------------------------------------------


def test_a_token_has_only_so_many_rows() -> None:
    """One more input than allowed is refused; what is there is still answered."""
    store = on(FakeClock(), max_rows_per_token=2)
    for number in range(2):
        assert isinstance(store.claim(claim(key(variant=named(f"input {number}")))), Granted)
    with pytest.raises(SentTooOften):
        store.claim(claim(key(variant=named("input 2"))))
    assert store.claim(claim(key(variant=named("input 1")), by="another")) == InFlight()
    assert isinstance(store.claim(claim(key(variant=named("input 3")), keep=False)), Granted)
    store.shut()


def test_the_oldest_drafts_make_room() -> None:
    """Past the limit the oldest drafts go, as few as will do; expired ones are not counted."""
    clock = FakeClock()
    store = on(clock, max_kept=100)

    def drafts(*names: str) -> list[int]:
        return [len(store.open(Open(ANN, mark=page(name))).draft) for name in names]

    def leave(name: str, size: int) -> None:
        store.close(Close(receipt=receipt(name, name, draft=b"x" * size)))

    for name, size in (("a", 30), ("b", 30), ("c", 30), ("d", 40)):
        leave(name, size)
    assert drafts("a", "b", "c", "d") == [0, 30, 30, 40]
    leave("e", 101)
    assert drafts("b", "c", "d", "e") == [0, 0, 0, 0]
    leave("f", 100)
    clock.tick(store.retention + 1)
    leave("g", 100)
    assert drafts("g") == [100]
    store.client.set(f"{store.prefix}draft-bytes", 5_000)  # a wrong count: then all go
    leave("h", 1)
    assert drafts("g", "h") == [0, 0]
    store.shut()


# Updates ------------------------------------------------------------------------------------------


def test_an_update_that_always_comes_too_late(store: RedisStore) -> None:
    """Every time it is computed, somebody else was faster: busy in the end, nothing written."""
    store.close(Close(write(SID, fresh=True, sets={"n": b"0"})))
    rounds = count(1)

    def late(stored: bytes | None) -> bytes:
        store.close(Close(write(SID, sets={"n": str(next(rounds)).encode()})))
        return b"late"

    assert store.close(Close(updating(late))) == Busy()
    assert store.open(Open(sid=SID)).session == (("n", str(TRIES - 1).encode()),)
    mine = claim(key(issued=now(store)))
    grant = store.claim(mine)
    assert isinstance(grant, Granted)
    settle = Settle(mine.key, grant, mine.fingerprint, outcome(), session=updating(late))
    with pytest.raises(StoreBusy):
        store.settle(settle)
    assert store.lookup(Lookup(mine.key, mine.fingerprint, PATIENCE)) == InFlight()


def test_an_update_of_what_is_not_there_is_not_computed(store: RedisStore) -> None:
    """A session that ended is not written, so nobody is asked what to write."""
    never = updating(lambda _: pytest.fail("computed"))
    assert store.close(Close(never)) == Done()
    assert store.open(Open(sid=SID)).session is None


def test_a_refused_settle_computes_nothing(store: RedisStore) -> None:
    """Who lost the row is told so before any update is computed."""
    store.close(Close(write(SID, fresh=True)))
    never = updating(lambda _: pytest.fail("computed"))
    told = Settle(key(), Granted(1, named("w")), named("input"), outcome(), session=never)
    assert type(store.settle(told)).__name__ == "Fenced"


def test_a_session_of_many_keys(store: RedisStore) -> None:
    """More keys than one call of a Lua function takes."""
    many = {f"key {number}": b"v" for number in range(5_000)}
    store.close(Close(write(SID, fresh=True, sets=many)))
    session = store.open(Open(sid=SID)).session
    assert session is not None
    assert dict(session) == many
    store.close(Close(write(SID, *many)))
    assert store.open(Open(sid=SID)).session == ()


# Processes, scripts, modes ------------------------------------------------------------------------


def ask_in_child(store: RedisStore, out: Any) -> None:
    """A forked worker asks on connections of its own, and shuts only those."""
    reply = store.claim(claim(by="child"))
    out.put((reply, store.client.client_id()))
    store.shut()


def test_a_fork_has_its_own_connections() -> None:
    """The child connects anew, and what it closes is not the parent's."""
    store = on(FakeClock())
    store.claim(claim())
    mine = store.client.client_id()
    context = multiprocessing.get_context("fork")
    out = context.Queue()
    child = context.Process(target=ask_in_child, args=(store, out))
    child.start()
    reply, its = out.get(timeout=30)
    child.join()
    assert reply == InFlight()
    assert its != mine
    assert store.client.client_id() == mine
    store.shut()


def test_forgotten_scripts_are_sent_again(store: RedisStore) -> None:
    """SCRIPT FLUSH, or a restart: the op that finds it out is answered all the same."""
    assert store.lookup(Lookup(key(), named("input"), PATIENCE)) == Unknown()
    store.client.script_flush()
    assert store.lookup(Lookup(key(), named("input"), PATIENCE)) == Unknown()
    store.report(None)  # type: ignore[arg-type]


def test_an_op_is_one_script(store: RedisStore) -> None:
    """One call of EVALSHA each, and nothing else is sent, whatever the op."""
    store.prepare()
    mine = claim(key(issued=now(store)))
    before = store.client.info("commandstats")
    grant = store.claim(mine)
    assert isinstance(grant, Granted)
    store.settle(Settle(mine.key, grant, mine.fingerprint, outcome(), receipt("r", "saved")))
    store.open(Open(ANN, mark=page("r"), messages=True, orphans=True))
    after = store.client.info("commandstats")
    assert after["cmdstat_evalsha"]["calls"] == before["cmdstat_evalsha"]["calls"] + 3
    sent = ("cmdstat_eval", "cmdstat_script|load", "cmdstat_script", "cmdstat_ping")
    assert [after.get(name) for name in sent] == [before.get(name) for name in sent]


def test_there_is_nothing_to_join(store: RedisStore) -> None:
    """No transaction of an app, and no steps of Python: `once` is refused by name."""
    for name in (Joinable.within.__name__, "reading", "writing"):
        assert not hasattr(RedisStore, name)
    visit: Any = type("Visit", (), {"entry": 1, "unread": None})()
    outer: Any = type("Outer", (), {"store": store})()
    with pytest.raises(PolicyError, match="own database"):
        Effect(visit, outer, None, print, (), print)  # type: ignore[arg-type]


def test_open_says_whether_the_receipt_is_known(store: RedisStore) -> None:
    """Also where nothing is kept with it, but only to the visitor whose it is."""
    store.close(Close(receipt=receipt("r")))
    opened = [store.open(Open(who, mark=page(name))) for who, name in KNOWN]
    assert [one.known for one in opened] == [True, False, False]


def test_a_doubt_is_kept(store: RedisStore) -> None:
    """What nobody knows is there as long as what everybody knows."""
    mine = claim(key(issued=now(store)))
    grant = store.claim(mine)
    assert isinstance(grant, Granted)
    store.doubt(Doubt(mine.key, grant))
    assert store.client.ttl(f"{store.prefix}t:{mine.key.id.hex()}") > store.retention - 60

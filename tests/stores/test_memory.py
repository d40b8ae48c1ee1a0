"""The memory store: the whole contract, and what only memory is."""

from itertools import pairwise

import pytest

from seeother.core.ops import Busy, Close, Lookup, Open, Settle, Unknown
from seeother.core.values import Changes, SessionWrite
from seeother.errors import StoreBusy
from seeother.stores import open_store
from seeother.stores.base import Clock, Joinable
from seeother.stores.memory import MemoryStore
from seeother.testing import StoreContract
from seeother.testing.harness import PATIENCE, claim, key, named, outcome, write


class TestMemory(StoreContract):
    def make(self, clock: Clock) -> MemoryStore:
        return MemoryStore(clock=clock)


def test_a_url_makes_a_new_one() -> None:
    """`memory://` is a store of its own each time, not a shared one."""
    one, other = open_store("memory://"), open_store("memory://")
    one.claim(claim())
    assert other.lookup(Lookup(key(), named("input"), PATIENCE)) == Unknown()
    one.shut()


def test_there_is_nothing_to_join() -> None:
    """Memory has no transaction of an app, and does not pretend to have one."""
    assert not hasattr(MemoryStore, Joinable.within.__name__)


def test_a_held_lock_is_busy() -> None:
    """A writer that cannot have the lock says so at once; a reader does not need it."""
    store = MemoryStore()
    grant = store.perform(claim())
    with store._lock:
        assert store.claim(claim(by="another")) == Busy()
        lookup = Lookup(key("other"), named("input"), PATIENCE)
        assert store.lookup(lookup) == Unknown()
        with pytest.raises(StoreBusy):
            store.settle(Settle(key(), grant, named("input"), outcome()))


def test_forwarding_has_an_end() -> None:
    """After more rotations than a visit can last through, its write is dropped."""
    store = MemoryStore()
    sids = [named(f"sid {number}") for number in range(10)]
    store.close(Close(write(sids[0], fresh=True)))
    for old, new in pairwise(sids):
        store.close(Close(SessionWrite(new, Changes(), moves=old)))
    store.close(Close(write(sids[0], sets={"late": b"1"})))
    store.close(Close(write(sids[2], sets={"later": b"1"})))
    assert store.open(Open(sid=sids[9])).session == (("later", b"1"),)


def test_an_error_gives_the_lock_back() -> None:
    """Whatever goes wrong inside a step, the next one gets the lock."""
    store = MemoryStore()
    with pytest.raises(AttributeError):
        store.claim(None)  # type: ignore[arg-type]
    assert not store._lock.locked()


def test_a_session_ends_once() -> None:
    """Signing out again, or out of a session that never was, changes nothing and is no error."""
    store, sid = MemoryStore(), named("sid")
    store.close(Close(write(sid, sets={"name": b"1"}, fresh=True)))
    for _ in range(2):
        store.close(Close(SessionWrite(sid, Changes(), ends=sid)))
        assert store.open(Open(sid=sid)).session is None

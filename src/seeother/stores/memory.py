"""The ledger in memory: one process, nothing survives it. For tests, examples and the first try.

The same decisions as everywhere (`Work`), on four dicts. Their values are frozen and replaced
whole, so that readers need no lock; a settle publishes its row last, after the receipt and the
session that the row's outcome speaks of. There is no transaction of an app to join here, so this
store has no `within`.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from ..core.ledger import Row
from ..core.values import Changes, Key, Receipt
from .delivery import Delivery, Kept
from .keeper import ORPHANS, Head
from .work import Work
from .workstore import LOCK_SECONDS, WorkStore


@dataclass(frozen=True, slots=True)
class _Session:
    head: Head
    values: Mapping[str, bytes]


class MemoryStore(WorkStore):
    """A ledger, its receipts and its sessions in this process's memory.

    >>> from seeother.core.ops import Claim
    >>> from seeother.core.values import Key
    >>> store = MemoryStore()
    >>> key = Key(b"i" * 16, b"v" * 16)
    >>> store.claim(Claim(key, b"f" * 16, b"a" * 16, lease=30.0, patience=10.0))
    Granted(fence=1, claim_id=b'aaaaaaaaaaaaaaaa')
    >>> store.claim(Claim(key, b"f" * 16, b"b" * 16, lease=30.0, patience=10.0))
    InFlight()
    """

    def __init__(self, **limits: Any) -> None:
        super().__init__(**limits)
        self.rows: dict[Key, Row] = {}
        self.receipts: dict[bytes, Kept] = {}
        self.sessions: dict[bytes, _Session] = {}
        self._lock = threading.Lock()

    @classmethod
    def from_url(cls, url: str) -> MemoryStore:
        """`memory://`; a new and empty one each time."""
        del url
        return cls()

    def shut(self) -> None:
        """Nothing is open; what is kept stays as long as this object."""

    @contextmanager
    def reading(self) -> Generator[Work]:
        """A step that only reads; the dicts are read as they are."""
        yield _MemoryWork(self)

    @contextmanager
    def writing(self, *, notes: bool = False) -> Generator[Work | None]:
        """A step under the lock, or None where it was not to be had."""
        del notes
        if not self._lock.acquire(timeout=LOCK_SECONDS):
            yield None
            return
        try:
            yield _MemoryWork(self)
        finally:
            self._lock.release()


class _MemoryWork(Work):
    """A step on the dicts of a MemoryStore."""

    store: MemoryStore

    def row(self, key: Key) -> Row | None:
        return self.store.rows.get(key)

    def keep(self, key: Key, row: Row | None) -> None:
        if row is None:
            self.store.rows.pop(key, None)
        else:
            self.store.rows[key] = row

    def variants(self, id_: bytes, most: int) -> int:
        return sum(key.id == id_ for key in self.store.rows)

    def kept(self, receipt: bytes) -> Kept | None:
        return self.store.receipts.get(receipt)

    def put(self, receipt: Receipt) -> None:
        self.store.receipts[receipt.id] = Kept.of(receipt, self.now)

    def deliver(self, receipt: bytes, delivery: Delivery) -> None:
        self.store.receipts[receipt] = replace(self.store.receipts[receipt], delivery=delivery)

    def drafts(self) -> int:
        return sum(len(kept.draft) for kept in self.store.receipts.values())

    def drop_drafts(self, size: int) -> None:
        for kept in [kept for kept in self.store.receipts.values() if kept.draft]:
            if size <= 0:
                return
            self.store.receipts[kept.id] = replace(kept, draft=b"")
            size -= len(kept.draft)

    def orphans(self, visitor: bytes, age: float) -> Iterable[bytes]:
        found = (
            kept.id
            for kept in list(self.store.receipts.values())
            if kept.visitor == visitor and kept.delivery.orphaned(self.now, age)
        )
        return list(islice(found, ORPHANS))

    def head(self, sid: bytes) -> Head | None:
        found = self.store.sessions.get(sid)
        return None if found is None else found.head

    def values(self, sid: bytes) -> tuple[tuple[str, bytes], ...]:
        found = self.store.sessions.get(sid)
        return () if found is None else tuple(found.values.items())

    def change(self, sid: bytes, changes: Changes) -> None:
        before = self.store.sessions.get(sid)
        kept = {} if before is None or changes.cleared else dict(before.values)
        for name in changes.deletes:
            kept.pop(name, None)
        born = self.now if before is None else before.head.born
        values = {**kept, **dict(changes.sets)}
        self.store.sessions[sid] = _Session(Head(born, self.now), values)

    def move(self, old: bytes, new: bytes) -> None:
        before = self.store.sessions[old]
        self.store.sessions[new] = replace(before, head=before.head._replace(seen=self.now))
        self.store.sessions[old] = _Session(Head(before.head.born, self.now, new), {})

    def end(self, sid: bytes) -> None:
        self.store.sessions.pop(sid, None)

    def expire(self) -> int:
        store, old, idle = self.store, self.now - self.store.retention, self.now - self.store.idle
        before = max(0, int(old)).to_bytes(4, "big")
        rows = [key for key in store.rows if key.id < before]
        receipts = [r.id for r in store.receipts.values() if r.delivery.settled_at < old]
        sessions = [sid for sid, session in store.sessions.items() if session.head.seen <= idle]
        for key in rows:
            del store.rows[key]
        for receipt in receipts:
            del store.receipts[receipt]
        for sid in sessions:
            del store.sessions[sid]
        return len(rows) + len(receipts) + len(sessions)

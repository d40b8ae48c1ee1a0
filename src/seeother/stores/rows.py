"""One atomic step on an SQLite connection, whoever opened its transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from ..core import ops
from ..core.ledger import Row, State
from ..core.values import (
    Changes,
    Key,
    Receipt,
    pack_messages,
    pack_outcome,
    unpack_messages,
    unpack_outcome,
)
from . import owners, schema
from .connect import longest_retention
from .delivery import Delivery, Kept, Stage
from .keeper import EXPIRE_ROWS, ORPHANS, Head
from .work import Work

if TYPE_CHECKING:
    from .workstore import WorkStore


STATES: Final = {str(state): state for state in State}  # asked by name an Enum takes its time


class SQLWork(Work):
    """A step whose rows are in SQL tables; it opens and ends no transaction."""

    def __init__(self, store: WorkStore, connection: sqlite3.Connection) -> None:
        super().__init__(store)
        self.connection = connection

    def row(self, key: Key) -> Row | None:
        """The row of the ledger under a key."""
        found = self._one(schema.READ_ROW, key.id, key.variant)
        if found is None:
            return None
        state, fence, claim_id, fp, *rest = found
        return row_of(state, fence, claim_id, fp or key.variant, *rest)

    def keep(self, key: Key, row: Row | None) -> None:
        """Write a row of the ledger; None deletes it."""
        if row is None:
            self.run(schema.DELETE_ROW, key.id, key.variant)
            return
        state, fence, claim_id, fp, *rest = row_columns(row)
        # Most often the variant is the fingerprint, and 16 bytes of a row need not be said twice.
        columns = (state, fence, claim_id, b"" if fp == key.variant else fp, *rest)
        if row.state is State.CLAIMED:
            self.run(schema.WRITE_CLAIM, *columns, key.id, key.variant, owners.me())
        else:
            self.run(schema.WRITE_ROW, *columns, key.id, key.variant)

    def met(self, op: ops.Claim) -> Row | None:
        """The row that a claim meets. Most tokens are new, and then one question will do."""
        if op.keep and self._one(schema.HAS_ROWS, op.key.id) is None:
            return None
        return super().met(op)

    def variants(self, id_: bytes, most: int) -> int:
        """How many rows a token has; stops counting at `most`."""
        found: int = self._one(schema.VARIANTS, id_, most)[0]
        return found

    def kept(self, receipt: bytes) -> Kept | None:
        """A receipt by its id."""
        found = self._one(schema.READ_RECEIPT, receipt)
        return None if found is None else kept_of(receipt, *found)

    def delivery(self, receipt: bytes) -> Delivery | None:
        """Where the messages of a receipt are, without themselves and without the draft."""
        found = self._one(schema.READ_DELIVERY, receipt)
        return None if found is None else delivery_of(*found)

    def stage(self, receipt: bytes) -> Stage | None:
        """Where the messages of a receipt are; a replay needs no more of it."""
        found = self._one(schema.READ_STAGE, receipt)
        return None if found is None else Stage(found[0])

    def put(self, receipt: Receipt) -> None:
        """Write a new receipt."""
        self.run(schema.WRITE_RECEIPT, *receipt_columns(receipt, self.now))

    def deliver(self, receipt: bytes, delivery: Delivery) -> None:
        """Write where the messages of a receipt are."""
        self.run(schema.DELIVER, *delivery_columns(delivery), receipt)

    def drafts(self) -> int:
        """How many bytes of drafts are kept; the triggers have counted."""
        return int(self._one(schema.DRAFTS)[0])

    def drop_drafts(self, size: int) -> None:
        """Drop the oldest drafts, at least `size` bytes of them if there are as many."""
        oldest, dropped = self.run(schema.OLDEST_DRAFTS), list[tuple[int]]()
        for n, length in oldest:
            dropped.append((n,))
            size -= length
            if size <= 0:
                break
        oldest.close()
        self.connection.executemany(schema.DROP_DRAFT, dropped)

    def orphans(self, visitor: bytes, age: float) -> Iterable[bytes]:
        """At most 8 receipts of this visitor that are `Delivery.orphaned`, oldest first."""
        rows = self._all(schema.ORPHANS, visitor, self.now, self.now - age, ORPHANS)
        return [row[0] for row in rows]

    def head(self, sid: bytes) -> Head | None:
        """When a session was created and last written, and where it went."""
        found = self._one(schema.READ_HEAD, sid)
        return None if found is None else Head(*found)

    def values(self, sid: bytes) -> tuple[tuple[str, bytes], ...]:
        """The keys and values of a session."""
        return tuple(self._all(schema.READ_SESSION, sid))

    def session(self, sid: bytes) -> tuple[Head, tuple[tuple[str, bytes], ...]] | None:
        """A session with its values, in one question."""
        found = self._all(schema.OPEN_SESSION, sid)
        if not found:
            return None
        return Head(*found[0][:3]), tuple([row[3:] for row in found if row[3] is not None])

    def change(self, sid: bytes, changes: Changes) -> None:
        """Create or touch a session and merge: clear, delete, set."""
        self.run(schema.TOUCH_SESSION, sid, self.now, self.now)
        if changes.cleared:
            self.run(schema.CLEAR_SESSION, sid)
        for name in changes.deletes:
            self.run(schema.DELETE_KEY, sid, name)
        for name, value in changes.sets:
            self.run(schema.SET_KEY, sid, name, value)

    def move(self, old: bytes, new: bytes) -> None:
        """Rotate: everything goes to the new id, the old one keeps only where it went."""
        self.run(schema.MOVE_HEAD, new, self.now, old)
        self.run(schema.MOVE_KEYS, new, old)
        self.run(schema.FORWARD, new, self.now, old)

    def end(self, sid: bytes) -> None:
        """Delete a session."""
        self.run(schema.CLEAR_SESSION, sid)
        self.run(schema.END_SESSION, sid)

    def expire(self) -> int:
        """Delete some rows that no valid token can name, receipts as old, and idle sessions."""
        old = self.now - max(self.store.retention, longest_retention(self.connection))
        before = max(0, int(old)).to_bytes(4, "big")
        rows = self.run(schema.EXPIRE_LEDGER, before, EXPIRE_ROWS).rowcount
        receipts = self.run(schema.EXPIRE_RECEIPTS, EXPIRE_ROWS, old).rowcount
        idle = self._all(schema.IDLE_SESSIONS, self.now - self.store.idle, EXPIRE_ROWS)
        for row in idle:
            self.end(*row)
        return rows + receipts + len(idle)

    def has_table(self, name: str) -> bool:
        """Is there a table of the app's with this name?"""
        return self._one(schema.TABLE, name) is not None

    def run(self, sql: str, *args: Any) -> sqlite3.Cursor:
        """Any statement, in this step."""
        return self.connection.execute(sql, args)

    def _one(self, sql: str, *args: Any) -> Any:
        return self.run(sql, *args).fetchone()

    def _all(self, sql: str, *args: Any) -> list[Any]:
        return self.run(sql, *args).fetchall()


# Between rows and values, for every store that speaks SQL ------------------------------------


def row_of(state: str, fence: int, claim_id: bytes, fp: bytes, lease: float, *rest: Any) -> Row:
    """A row of the ledger from its columns."""
    tainted, keeping, packed, at = rest
    outcome = None if packed is None else unpack_outcome(packed)
    known = STATES.get(state) or State(state)  # a damaged one: ValueError, as the doctor knows it
    return Row(known, fence, claim_id, fp, lease, bool(tainted), bool(keeping), outcome, at)


def row_columns(row: Row) -> tuple[Any, ...]:
    """The columns of a row of the ledger, without its key."""
    outcome = None if row.outcome is None else pack_outcome(row.outcome)
    until = 0.0 if row.state is State.SETTLED else row.lease_until  # nobody's any more
    head = (str(row.state), row.fence, row.claim_id, row.fingerprint, until)
    return *head, row.tainted, row.page_keeping, outcome, row.settled_at


def kept_of(receipt: bytes, visitor: bytes, id_: bytes | None, *rest: Any) -> Kept:
    """A receipt from its columns."""
    variant, echo, messages, draft, *where = rest
    key = None if id_ is None else Key(id_, variant)
    texts = unpack_messages(messages)
    return Kept(receipt, visitor, key, echo, texts, draft, delivery_of(*where))


def delivery_of(stage: int, settled: float, armed: float, *lease: Any) -> Delivery:
    """Where the messages of a receipt are, from the columns that say so."""
    lease_id, lease_until, again = lease
    return Delivery(Stage(stage), settled, armed, lease_id, lease_until, bool(again))


def receipt_columns(receipt: Receipt, now: float) -> tuple[Any, ...]:
    """The columns of a new receipt."""
    key = (None, None) if receipt.key is None else (receipt.key.id, receipt.key.variant)
    head = (receipt.id, receipt.visitor, *key, receipt.echo)
    body = (pack_messages(receipt.messages), receipt.draft)
    return *head, *body, *delivery_columns(Delivery.of(receipt, now))


def delivery_columns(d: Delivery) -> tuple[Any, ...]:
    """The columns that say where the messages of a receipt are."""
    return int(d.stage), d.settled_at, d.armed_at, d.lease_id, d.lease_until, d.again

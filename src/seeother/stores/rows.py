"""One atomic step on an SQLite connection, whoever opened its transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

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
from . import schema
from .connect import longest_retention
from .delivery import Delivery, Kept, Stage
from .work import EXPIRE_ROWS, ORPHANS, Head, Work

if TYPE_CHECKING:
    from .workstore import WorkStore


class SQLWork(Work):
    """A step whose rows are in SQL tables; it opens and ends no transaction."""

    def __init__(self, store: WorkStore, connection: sqlite3.Connection) -> None:
        super().__init__(store)
        self._connection = connection

    def row(self, key: Key) -> Row | None:
        """The row of the ledger under a key."""
        found = self._one(schema.READ_ROW, key.id, key.variant)
        if found is None:
            return None
        state, fence, claim_id, fp, lease, tainted, keeping, packed, at = found
        outcome = None if packed is None else unpack_outcome(packed)
        return Row(
            State(state), fence, claim_id, fp, lease, bool(tainted), bool(keeping), outcome, at
        )

    def keep(self, key: Key, row: Row | None) -> None:
        """Write a row of the ledger; None deletes it."""
        if row is None:
            self._run(schema.DELETE_ROW, key.id, key.variant)
            return
        outcome = None if row.outcome is None else pack_outcome(row.outcome)
        head = (row.state.value, row.fence, row.claim_id, row.fingerprint, row.lease_until)
        tail = (row.tainted, row.page_keeping, outcome, row.settled_at)
        self._run(schema.WRITE_ROW, *head, *tail, key.id, key.variant)

    def kept(self, receipt: bytes) -> Kept | None:
        """A receipt by its id."""
        found = self._one(schema.READ_RECEIPT, receipt)
        if found is None:
            return None
        visitor, id_, variant, echo, messages, draft, stage, settled, armed, *rest = found
        lease_id, lease_until, again = rest
        key = None if id_ is None else Key(id_, variant)
        delivery = Delivery(Stage(stage), settled, armed, lease_id, lease_until, bool(again))
        return Kept(receipt, visitor, key, echo, unpack_messages(messages), draft, delivery)

    def stage(self, receipt: bytes) -> Stage | None:
        """Where the messages of a receipt are; a replay needs no more of it."""
        found = self._one(schema.READ_STAGE, receipt)
        return None if found is None else Stage(found[0])

    def put(self, receipt: Receipt) -> None:
        """Write a new receipt."""
        key = (None, None) if receipt.key is None else (receipt.key.id, receipt.key.variant)
        head = (receipt.id, receipt.visitor, *key, receipt.echo)
        body = (pack_messages(receipt.messages), receipt.draft)
        self._run(schema.WRITE_RECEIPT, *head, *body, *_columns(Delivery.of(receipt, self.now)))

    def deliver(self, receipt: bytes, delivery: Delivery) -> None:
        """Write where the messages of a receipt are."""
        self._run(schema.DELIVER, *_columns(delivery), receipt)

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

    def change(self, sid: bytes, changes: Changes) -> None:
        """Create or touch a session and merge: clear, delete, set."""
        self._run(schema.TOUCH_SESSION, sid, self.now, self.now)
        if changes.cleared:
            self._run(schema.CLEAR_SESSION, sid)
        for name in changes.deletes:
            self._run(schema.DELETE_KEY, sid, name)
        for name, value in changes.sets:
            self._run(schema.SET_KEY, sid, name, value)

    def move(self, old: bytes, new: bytes) -> None:
        """Rotate: everything goes to the new id, the old one keeps only where it went."""
        self._run(schema.MOVE_HEAD, new, self.now, old)
        self._run(schema.MOVE_KEYS, new, old)
        self._run(schema.FORWARD, new, self.now, old)

    def end(self, sid: bytes) -> None:
        """Delete a session."""
        self._run(schema.CLEAR_SESSION, sid)
        self._run(schema.END_SESSION, sid)

    def expire(self) -> None:
        """Delete some rows that no valid token can name, receipts as old, and idle sessions."""
        old = self.now - max(self.store.retention, longest_retention(self._connection))
        self._run(schema.EXPIRE_LEDGER, max(0, int(old)).to_bytes(4, "big"), EXPIRE_ROWS)
        self._run(schema.EXPIRE_RECEIPTS, EXPIRE_ROWS, old)
        for row in self._all(schema.IDLE_SESSIONS, self.now - self.store.idle, EXPIRE_ROWS):
            self.end(*row)

    def _run(self, sql: str, *args: Any) -> sqlite3.Cursor:
        return self._connection.execute(sql, args)

    def _one(self, sql: str, *args: Any) -> Any:
        return self._run(sql, *args).fetchone()

    def _all(self, sql: str, *args: Any) -> list[Any]:
        return self._run(sql, *args).fetchall()


def _columns(d: Delivery) -> tuple[Any, ...]:
    return d.stage.value, d.settled_at, d.armed_at, d.lease_id, d.lease_until, d.again

"""What happens to the tables inside one transaction, whoever opened it.

A `Work` is a connection and the time of one atomic step. The store's own transactions and the
app's (joined) run the very same statements through it; the ledger's decisions come from
`seeother.core.ledger.step`, never from SQL.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from typing import Any, Final

from ..core import ops
from ..core.ledger import Row, State, step
from ..core.values import (
    Flash,
    Key,
    Receipt,
    SessionWrite,
    pack_messages,
    pack_outcome,
    unpack_messages,
    unpack_outcome,
)
from ..errors import StoreBusy, StoreDown
from . import schema

AGAIN: Final = "This was already done."
EXPIRE_EACH: Final = 50
EXPIRE_ROWS: Final = 100

_settled = count(1)


@contextmanager
def translated() -> Iterator[None]:
    """sqlite3's errors as ours: locked is StoreBusy, everything else StoreDown."""
    try:
        yield
    except sqlite3.Error as error:
        raise outage(error) from error


def outage(error: sqlite3.Error) -> StoreBusy | StoreDown:
    """What an error of SQLite means for a person: busy, or down."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    kind = StoreBusy if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) else StoreDown
    return kind(f"{type(error).__name__}: {error}")


class Work:
    """One atomic step on one connection at one time (`now`, the store's clock)."""

    __slots__ = ("_connection", "_retention", "now")

    def __init__(self, connection: sqlite3.Connection, now: float, retention: float = 0.0) -> None:
        self._connection, self.now, self._retention = connection, now, retention

    # The ledger ------------------------------------------------------------------------------

    def row(self, key: Key) -> Row | None:
        """The row under a key."""
        found = self._one(schema.READ_ROW, (key.id, key.variant))
        if found is None:
            return None
        state, fence, claim_id, fp, lease, tainted, keeping, outcome, at = found
        packed = unpack_outcome(outcome) if outcome is not None else None
        return Row(
            State(state), fence, claim_id, fp, lease, bool(tainted), bool(keeping), packed, at
        )

    def keep(self, key: Key, row: Row | None) -> None:
        """Write a row, or delete it."""
        if row is None:
            self._connection.execute(schema.DELETE_ROW, (key.id, key.variant))
            return
        outcome = pack_outcome(row.outcome) if row.outcome is not None else None
        head = (row.state.value, row.fence, row.claim_id, row.fingerprint, row.lease_until)
        tail = (row.tainted, row.page_keeping, outcome, row.settled_at, key.id, key.variant)
        self._connection.execute(schema.WRITE_ROW, (*head, *tail))

    def step(self, key: Key, ask: Any) -> Any:
        """Read, decide, write: one step of the ledger."""
        before = self.row(key)
        after, reply = step(before, ask, self.now)
        if isinstance(ask, ops.Settle) and isinstance(reply, ops.Done):
            assert after is not None
            self.kept(ask, after)
        elif after is not before:
            self.keep(key, after)
        return reply

    def kept(self, op: ops.Settle, row: Row) -> None:
        """Everything that a Settle writes, in the open transaction."""
        self.keep(op.key, row if op.keep else None)
        self.closed(ops.Close(op.session, op.receipt))
        if next(_settled) % EXPIRE_EACH == 0:
            self.expired()

    def replayable(self, op: ops.Lookup, key: Key) -> ops.Settled | None:
        """The outcome that a claim would get, if it is one to be replayed."""
        row = self.row(key)
        if row is None or row.state is not State.SETTLED:
            return None
        fp = op.fingerprint if key == op.key else row.fingerprint
        claim = ops.Claim(key, fp, b"", 0.0, op.patience, page_keeping=op.page_keeping)
        reply = self.with_taken(step(row, claim, self.now)[1])
        return reply if isinstance(reply, ops.Settled) else None

    def echoed(self, op: ops.Lookup) -> ops.Settled | None:
        """The outcome behind the page that this was sent from, if it is the same input again."""
        echo = op.echo
        if echo is None:
            return None
        since = self.now - echo.within
        found = self._one(schema.ECHOED, (echo.receipt, echo.visitor, echo.digest, since))
        return None if found is None else self.replayable(op, Key(*found))

    def with_taken(self, reply: Any) -> Any:
        """Add to an outcome whether its message was taken by a page already."""
        if not isinstance(reply, ops.Settled) or reply.outcome.receipt is None:
            return reply
        found = self._one(schema.WAS_TAKEN, (reply.outcome.receipt,))
        return replace(reply, taken=found is not None and bool(found[0]))

    def expired(self) -> None:
        """Delete a few rows whose tokens are refused by their own date (amortised)."""
        before = max(0, int(self.now - self._retention)).to_bytes(4, "big")
        self._connection.execute(schema.EXPIRE_LEDGER, (before, EXPIRE_ROWS))
        self._connection.execute(schema.EXPIRE_RECEIPTS, (EXPIRE_ROWS, self.now - self._retention))

    # Receipts --------------------------------------------------------------------------------

    def opened(self, op: ops.Open) -> ops.Opened:
        """Session, draft and the receipts that wait for this visitor."""
        draft, waiting = b"", []
        if op.mark is not None and op.visitor is not None:
            found = self._one(schema.DRAFT, (op.mark, op.visitor))
            draft = found[0] if found else b""
            if op.messages:
                waiting += self._all(schema.WAITING_AT_MARK, (op.mark, op.visitor, self.now))
        if op.orphans and op.visitor is not None:
            since = self.now - op.orphan_age
            waiting += self._all(schema.WAITING_ORPHANS, (op.visitor, self.now, since))
        ids = tuple(dict.fromkeys(row[0] for row in waiting))
        return ops.Opened(self.session(op.sid), draft, ids)

    def taken(self, op: ops.Take) -> tuple[ops.Taken, ...]:
        """Lease each receipt that still waits; its messages."""
        out = []
        for receipt in op.receipts:
            args = (op.lease_id, self.now + op.lease, receipt, op.visitor, self.now)
            if self._connection.execute(schema.TAKE, args).rowcount == 1:
                out.append(self._messages(receipt))
        return tuple(out)

    def _messages(self, receipt: bytes) -> ops.Taken:
        packed, again = self._connection.execute(schema.READ_MESSAGES, (receipt,)).fetchone()
        messages = unpack_messages(packed)
        if again:
            link = next((m.link for m in messages if m.link), None)
            messages = (Flash(AGAIN, "info", link),)
        return ops.Taken(receipt, messages, bool(again))

    def closed(self, op: ops.Close) -> None:
        """Session changes, a new receipt, what was shown and what was not."""
        if op.session is not None:
            self.merged(op.session)
        if op.receipt is not None:
            self._put(op.receipt)
        for receipt in op.shown:
            self._connection.execute(schema.ACKNOWLEDGE, (receipt, op.lease_id))
        for receipt in op.unshown:
            self._connection.execute(schema.GIVE_BACK, (receipt, op.lease_id))

    def rearmed(self, op: ops.Rearm) -> None:
        """Arm a message again; after `fresh` seconds it says that this was done before."""
        self._connection.execute(schema.REARM, (self.now - op.fresh, op.receipt))

    def _put(self, receipt: Receipt) -> None:
        key = receipt.key or Key(None, None)  # type: ignore[arg-type]
        state = schema.ARMED if receipt.messages else schema.SILENT
        packed = pack_messages(receipt.messages)
        head = (receipt.id, receipt.visitor, key.id, key.variant, receipt.echo)
        self._connection.execute(
            schema.WRITE_RECEIPT, (*head, packed, receipt.draft, self.now, state)
        )

    # Sessions --------------------------------------------------------------------------------

    def session(self, sid: bytes | None) -> tuple[tuple[str, bytes], ...] | None:
        """The rows of a session; None where there is none."""
        if sid is None or self._one(schema.SESSION_SEEN, (sid,)) is None:
            return None
        return tuple(self._all(schema.READ_SESSION, (sid,)))

    def merged(self, write: SessionWrite) -> None:
        """Merge one visit's changes: set and delete per key, nothing else is touched."""
        execute = self._connection.execute
        if not write.fresh and self._one(schema.SESSION_SEEN, (write.sid,)) is None:
            return
        execute(schema.TOUCH_SESSION, (write.sid, self.now, self.now))
        if write.changes.cleared:
            execute(schema.CLEAR_SESSION, (write.sid,))
        for name in write.changes.deletes:
            execute(schema.DELETE_KEY, (write.sid, name))
        for name, value in write.changes.sets:
            execute(schema.SET_KEY, (write.sid, name, value))

    # SQL -------------------------------------------------------------------------------------

    def _one(self, sql: str, args: tuple[Any, ...]) -> Any:
        return self._connection.execute(sql, args).fetchone()

    def _all(self, sql: str, args: tuple[Any, ...]) -> list[Any]:
        return self._connection.execute(sql, args).fetchall()

"""One atomic step on a PostgreSQL connection, whoever opened its transaction.

SQLite has one writer, so a step there has the database for itself. Here each step locks what it
decides about: a submission by an advisory lock on its key (a row that is not there yet cannot be
locked otherwise), everything else by its row, `FOR UPDATE`. Under READ COMMITTED a statement that
waited for a row sees what was committed meanwhile, so a decision is about what is there now.

A claim never waits: it tries the lock, and whoever has it is at work on this very submission.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ..core import ops
from ..core.ledger import Row, State
from ..core.values import Changes, Key, Receipt
from . import owners
from . import pg_schema as schema
from .delivery import Delivery, Kept, Stage
from .keeper import EXPIRE_ROWS, ORPHANS, Head
from .pg_wire import Wire, spelled
from .rows import delivery_columns, kept_of, receipt_columns, row_columns, row_of
from .work import Work

if TYPE_CHECKING:
    from .postgres import PostgresStore

UPDATE: Final = " FOR UPDATE"
NOBODY: Final = "SELECT NULL::bigint"


class Seen(NamedTuple):
    """What a claim has read under its lock."""

    key: Key
    row: Row | None
    variants: int


class Rows(list[Any]):
    """The rows of an answer, asked for as a cursor is."""

    def fetchone(self) -> Any:
        """The first one, or None."""
        return self[0] if self else None


class PgWork(Work):
    """A step whose rows are in PostgreSQL; `locks`: it is to write.

    What it has to write goes out with the next question, or with `flush`.
    """

    store: PostgresStore

    def __init__(
        self, store: PostgresStore, wire: Wire, *, locks: bool, absent: bool = False
    ) -> None:
        super().__init__(store)
        self.wire = wire
        self._lock = UPDATE if locks else ""
        self._absent = absent  # the row that is to be written was not there
        self._seen: Seen | None = None

    # The ledger ------------------------------------------------------------------------------

    def claiming(self, op: ops.Claim) -> bool:
        """Lock the submission and read its row, in one round trip; False if somebody has it."""
        key = op.key.id, op.key.variant
        lock = spelled(schema.TRY_LOCK, (lock_of(op.key),))
        read = spelled(schema.READ_ROW + schema.IF_HELD, key)
        most = self.store.max_rows_per_token
        count = spelled(schema.VARIANTS, (op.key.id, most)) if op.keep else NOBODY
        ((had,),), rows, ((variants,),) = self._asked(lock, read, count)
        self._see(op.key, row_of(*rows[0]) if rows else None, variants or 0)
        return bool(had == "true")

    def looking(self, key: Key) -> int:
        """Read a row, and how many rows its token has, in one question; the latter."""
        most = self.store.max_rows_per_token
        variants, *columns = self._one(schema.READ_COUNTED, key.id, most, key.id, key.variant)
        self._see(key, None if columns[0] is None else row_of(*columns), variants)
        return int(variants)

    def _see(self, key: Key, row: Row | None, variants: int) -> None:
        self._absent, self._seen = row is None, Seen(key, row, variants)

    def row(self, key: Key) -> Row | None:
        """The row of the ledger under a key."""
        if self._seen is not None and self._seen.key == key:
            return self._seen.row
        found = self._one(schema.READ_ROW + self._lock, key.id, key.variant)
        self._absent = found is None
        return None if found is None else row_of(*found)

    def keep(self, key: Key, row: Row | None) -> None:
        """Write a row of the ledger; None deletes it."""
        if row is None:
            self.wire.say(schema.DELETE_ROW, key.id, key.variant)
            return
        owner = owners.me() if row.state is State.CLAIMED else None
        sql = schema.INSERT_ROW if self._absent else schema.UPDATE_ROW
        self.wire.say(sql, *row_columns(row), owner, key.id, key.variant)
        self._seen, self._absent = None, False

    def variants(self, id_: bytes, most: int) -> int:
        """How many rows a token has; the claim has counted."""
        if self._seen is not None and self._seen.key.id == id_:
            return self._seen.variants
        return int(self._one(schema.VARIANTS, id_, most)[0])

    # Receipts --------------------------------------------------------------------------------

    def kept(self, receipt: bytes) -> Kept | None:
        """A receipt by its id."""
        found = self._one(schema.READ_RECEIPT + self._lock, receipt)
        return None if found is None else kept_of(receipt, *found)

    def stage(self, receipt: bytes) -> Stage | None:
        """Where the messages of a receipt are; a replay needs no more of it, and no lock."""
        found = self._one(schema.READ_STAGE, receipt)
        return None if found is None else Stage(found[0])

    def put(self, receipt: Receipt) -> None:
        """Write a new receipt."""
        self.wire.say(schema.WRITE_RECEIPT, *receipt_columns(receipt, self.now))

    def deliver(self, receipt: bytes, delivery: Delivery) -> None:
        """Write where the messages of a receipt are."""
        self.wire.say(schema.DELIVER, *delivery_columns(delivery), receipt)

    def drafts(self) -> int:
        """How many bytes of drafts are kept; the triggers have counted."""
        return int(self._one(schema.DRAFTS)[0])

    def drop_drafts(self, size: int) -> None:
        """Drop the oldest drafts, at least `size` bytes of them if there are as many."""
        self.wire.say(schema.DROP_DRAFTS, size)

    def orphans(self, visitor: bytes, age: float) -> Iterable[bytes]:
        """At most 8 receipts of this visitor that are `Delivery.orphaned`, oldest first."""
        rows = self._all(schema.ORPHANS, visitor, self.now, self.now - age, ORPHANS)
        return [row[0] for row in rows]

    # Sessions --------------------------------------------------------------------------------

    def head(self, sid: bytes) -> Head | None:
        """When a session was created and last written, and where it went."""
        rows = self._all(schema.READ_HEAD + self._lock, sid)
        if not rows and self._lock:  # what is not there is locked by its name, and looked at again
            read = spelled(schema.READ_HEAD + self._lock, (sid,))
            rows = self._asked(spelled(schema.LOCK, (number_of(sid),)), read)[1]
        return Head(*rows[0]) if rows else None

    def values(self, sid: bytes) -> tuple[tuple[str, bytes], ...]:
        """The keys and values of a session."""
        return tuple((name.decode(), value) for name, value in self._all(schema.READ_SESSION, sid))

    def change(self, sid: bytes, changes: Changes) -> None:
        """Create or touch a session and merge: clear, delete, set."""
        self.wire.say(schema.TOUCH_SESSION, sid, self.now, self.now)
        if changes.cleared:
            self.wire.say(schema.CLEAR_SESSION, sid)
        for name in changes.deletes:
            self.wire.say(schema.DELETE_KEY, sid, name.encode())
        for name, value in changes.sets:
            self.wire.say(schema.SET_KEY, sid, name.encode(), value)

    def move(self, old: bytes, new: bytes) -> None:
        """Rotate: everything goes to the new id, the old one keeps only where it went."""
        self.wire.say(schema.MOVE_HEAD, new, self.now, old)
        self.wire.say(schema.MOVE_KEYS, new, old)
        self.wire.say(schema.FORWARD, new, self.now, old)

    def end(self, sid: bytes) -> None:
        """Delete a session."""
        self.wire.say(schema.CLEAR_SESSION, sid)
        self.wire.say(schema.END_SESSION, sid)

    # Expiry ----------------------------------------------------------------------------------

    def expire(self) -> int:
        """Delete some of what no valid token can name, passing by whatever somebody holds."""
        old = self.now - self.store.longest(self.wire.raw)
        before = max(0, int(old)).to_bytes(4, "big")
        rows = self.wire.change(schema.EXPIRE, before, EXPIRE_ROWS)
        receipts = self.wire.change(schema.EXPIRE_RECEIPTS, EXPIRE_ROWS, old)
        idle = self._one(schema.EXPIRE_SESSIONS, self.now - self.store.idle, EXPIRE_ROWS)[0]
        self.wire.change(schema.DRAW_TOGETHER)
        return rows + receipts + int(idle)

    def has_table(self, name: str) -> bool:
        """Is there a table of the app's with this name?"""
        return self._one(schema.TABLE, name) is not None

    def run(self, sql: str, *args: Any) -> Rows:
        """Any statement, in this step; `?` stands for a value."""
        return Rows(self._asked(spelled(sql.replace("?", "%s"), args))[0])

    # The wire --------------------------------------------------------------------------------

    def _one(self, sql: str, *args: Any) -> Any:
        return next(iter(self._all(sql, *args)), None)

    def _all(self, sql: str, *args: Any) -> list[Any]:
        clock = self.store.server
        if clock is None or not clock.stale:
            return self.wire.rows(sql, args)
        return self._asked(spelled(sql, args))[0]

    def _asked(self, *questions: str) -> list[list[Any]]:
        """Ask; and hear what time it is, where it was not heard of for a while."""
        clock = self.store.server
        if clock is None or not clock.stale:
            return self.wire.ask(*questions)
        *rows, now = self.wire.ask(*questions, schema.NOW)
        clock.hear(now[0][0])
        self.now = self.store.clock()
        return rows


def lock_of(key: Key) -> int:
    """The number of the advisory lock of a submission: 64 bits, with a sign.

    Two keys with one number only wait for each other.

    >>> lock_of(Key(bytes(16), bytes(16)))
    -7797006997652946994
    """
    return number_of(key.id + key.variant)


def number_of(name: bytes) -> int:
    """64 bits, with a sign, for something that is called this."""
    digest = blake2b(name, digest_size=8, person=b"seeother").digest()
    return int.from_bytes(digest, "big", signed=True)

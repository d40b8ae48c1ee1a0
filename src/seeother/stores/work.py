"""One atomic step of a store: what is decided, and what it needs for that.

A `Work` is one step at one time (`now`, the store's clock). It decides: the ledger through
`seeother.core.ledger.step`, messages through `Delivery`, sessions by the merge below. Where the
rows are, its subclass says as a `Keeper`, without any opinion. So SQLite, memory and the app's own
transaction (joined) cannot disagree.

`seeother.stores.workstore` is the other half: a store whose every answer is such a step.

Sessions merge per key: cleared first, then deletes, then sets, nothing else is touched. A write to
a session that is not there is dropped, unless it is the write that creates it: a request that
began before the session ended must not bring it back (S3).

Expiry is paid by settles: the first one in a process and every 50th after it delete up to 100 rows
each. A row goes only when its token is refused for its age by every app on this store (I12).

Limits (security rule 18): a token may have so many rows, counted only where one is to be added; all
drafts together so many bytes, counted only where one is added, and then the oldest ones go.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, TypeAlias

from ..core import ops
from ..core.ledger import Row, step
from ..core.values import Changes, Key, Receipt, SessionWrite
from ..errors import SentTooOften
from .delivery import TAKEN, Delivery, Stage
from .keeper import Head, Keeper

Found: TypeAlias = ops.Settled | ops.InFlight | ops.InDoubt | ops.Unknown

FORWARD_SECONDS: Final = 60.0
MOVES: Final = 8


class Work(Keeper):
    """One atomic step and all that it decides."""

    # The ledger ------------------------------------------------------------------------------

    def lookup(self, op: ops.Lookup) -> Found:
        """What a claim would be told; or the outcome of the other half of a double click."""
        reply = self._told(op, op.key, op.fingerprint)
        if isinstance(reply, ops.Settled):
            return reply
        return self._echoed(op) or reply

    def claim(self, op: ops.Claim) -> ops.ClaimReply:
        """Ask to be the one who runs it. Raises SentTooOften."""
        reply: ops.ClaimReply = self.with_taken(self.hold(op))
        return reply

    def hold(self, ask: Any) -> Any:
        """Read, decide, write: one step of the ledger."""
        before = self.met(ask) if isinstance(ask, ops.Claim) else self.row(ask.key)
        after, reply = step(before, ask, self.now)
        if after is before:
            return reply
        if isinstance(ask, ops.Settle):
            self.settled(ask, after)
        else:
            self.keep(ask.key, after)
        return reply

    def met(self, op: ops.Claim) -> Row | None:
        """The row that a claim meets. Raises SentTooOften where a new one would be too many."""
        row, most = self.row(op.key), self.store.max_rows_per_token
        if row is None and op.keep and self.variants(op.key.id, most) >= most:
            raise SentTooOften(f"the token has {most} rows, max_rows_per_token")
        return row

    def settled(self, op: ops.Settle, row: Row | None) -> None:
        """Everything that a Settle writes; the row last, for those who read without a lock."""
        self._leave(op.session, op.receipt)
        self.keep(op.key, row)
        if self.store.expires():
            self.expire()

    def with_taken(self, reply: Any) -> Any:
        """Add to an outcome whether its message was taken by a page already."""
        if not isinstance(reply, ops.Settled) or reply.outcome.receipt is None:
            return reply
        stage = self.stage(reply.outcome.receipt)
        return ops.Settled(reply.outcome, reply.age, taken=True) if stage in TAKEN else reply

    def _told(self, op: ops.Lookup, key: Key, fp: bytes) -> Found:
        """What a claim would be told that nobody made, as far as it is no grant."""
        row = self.row(key)
        if row is None:
            return ops.Unknown()
        claim = ops.Claim(key, fp, b"", 0.0, op.patience, page_keeping=op.page_keeping)
        reply = self.with_taken(step(row, claim, self.now)[1])
        told = isinstance(reply, ops.Settled | ops.InFlight | ops.InDoubt)
        return reply if told else ops.Unknown()

    def _echoed(self, op: ops.Lookup) -> ops.Settled | None:
        """The outcome behind the page that this was sent from, if it is the same input again."""
        kept = self.kept(op.echo.receipt) if op.echo is not None else None
        if op.echo is None or kept is None or kept.key is None:
            return None
        late = kept.delivery.settled_at < self.now - op.echo.within
        if late or kept.visitor != op.echo.visitor or kept.echo != op.echo.digest:
            return None
        row = self.row(kept.key)
        reply = None if row is None else self._told(op, kept.key, row.fingerprint)
        return reply if isinstance(reply, ops.Settled) else None

    # Receipts --------------------------------------------------------------------------------

    def open(self, op: ops.Open) -> ops.Opened:
        """Session, draft and the receipts that wait for this visitor."""
        draft, known, elsewhere = b"", False, False
        waiting: list[bytes] = []
        if op.visitor is not None:
            kept = self.kept(op.mark) if op.mark is not None else None
            if kept is not None and kept.visitor == op.visitor:
                draft, known = kept.draft, True
                waits = kept.delivery.waits(self.now)
                waiting += [kept.id] if op.messages and waits else []
                elsewhere = op.messages and kept.delivery.stage is Stage.LEASED and not waits
            if op.orphans:
                waiting += self.orphans(op.visitor, op.orphan_age)
        session, unseen = None, 0.0
        found = self.session(op.sid) if op.sid is not None else None
        if found is not None and self._alive(found[0]):
            session, unseen = found[1], self.now - found[0].seen
        return ops.Opened(session, draft, tuple(dict.fromkeys(waiting)), unseen, known, elsewhere)

    def take(self, op: ops.Take) -> tuple[ops.Taken, ...]:
        """Lease each of these receipts that still waits, to one page only."""
        out: list[ops.Taken] = []
        for kept in filter(None, map(self.kept, dict.fromkeys(op.receipts))):
            leased = kept.delivery.leased(op.lease_id, op.lease, self.now)
            if kept.visitor == op.visitor and leased is not kept.delivery:
                self.deliver(kept.id, leased)
                out.append(ops.Taken(kept.id, kept.text, leased.again))
        return tuple(out)

    def close(self, op: ops.Close) -> ops.Done:
        """Session changes, a new receipt, what was shown and what was not."""
        self._leave(op.session, op.receipt)
        for receipt in op.shown:
            self._deliver(receipt, lambda delivery: delivery.acknowledged(op.lease_id))
        for receipt in op.unshown:
            self._deliver(receipt, lambda delivery: delivery.given_back(op.lease_id))
        return ops.Done()

    def _leave(self, session: SessionWrite | None, receipt: Receipt | None) -> None:
        """What a visit leaves behind."""
        if session is not None:
            self._merge(session)
        if receipt is not None:
            self.put(receipt)
            if receipt.draft:
                self._make_room()

    def rearm(self, op: ops.Rearm) -> ops.Done:
        """Show the message of a replay once more."""
        self._deliver(op.receipt, lambda delivery: delivery.rearmed(op.fresh, self.now))
        return ops.Done()

    def _deliver(self, receipt: bytes, move: Callable[[Delivery], Delivery]) -> None:
        before = self.delivery(receipt)
        if before is not None and (after := move(before)) is not before:
            self.deliver(receipt, after)

    def _make_room(self) -> None:
        """Each new draft pays for itself: over the limit the oldest ones go, rows never do."""
        over = self.drafts() - self.store.max_kept
        if over > 0:
            self.drop_drafts(over)

    # Sessions --------------------------------------------------------------------------------

    def _alive(self, head: Head) -> bool:
        """Is it still under this id, and neither idle for too long nor too old?"""
        young = (
            self.now - head.seen < self.store.idle and self.now - head.born < self.store.lifetime
        )
        return young and head.moved_to is None

    def _merge(self, write: SessionWrite) -> None:
        """One visit's changes; a write to what has ended is dropped (S3)."""
        if write.ends is not None:
            successor = self._now_at(write.ends)
            self.end(write.ends)
            if successor is not None:
                self.end(successor)
        target = write.sid if write.fresh else self._now_at(write.moves or write.sid)
        if target is None:
            return
        if write.moves is not None:
            self.move(target, write.sid)
            target = write.sid
        self.change(target, self._computed(target, write.changes))

    def _now_at(self, sid: bytes) -> bytes | None:
        """Where the session is that this visit opened under `sid`; it may have been rotated."""
        for _ in range(MOVES):
            head = self.head(sid)
            if head is None:
                return None
            if head.moved_to is None:
                return sid if self._alive(head) else None
            if self.now - head.seen > FORWARD_SECONDS:
                return None
            sid = head.moved_to
        return None

    def _computed(self, sid: bytes, changes: Changes) -> Changes:
        """Updates as sets, by what is stored now and under the lock (S2)."""
        if not changes.updates:
            return changes
        stored = {} if changes.cleared else dict(self.values(sid))
        for name, update in changes.updates:
            stored[name] = update(stored.get(name))
        computed = {name: stored[name] for name, _ in changes.updates}
        return replace(changes, sets=(*changes.sets, *computed.items()), updates=())

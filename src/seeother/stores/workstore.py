"""A store whose every answer is one `Work`.

Here the verbs of the ops are spelled out once, with what each of them may wait for. A subclass says
how a step begins and ends: `reading` and `writing`. `Busy` is the answer of the ops that a flow
asks again by itself; a holder (settle, abandon, renew, doubt, resolve) has something to lose, so
there a lock that was not to be had raises StoreBusy, and nothing was written.
"""

from __future__ import annotations

from abc import abstractmethod
from contextlib import AbstractContextManager
from itertools import count
from typing import Any, Final

from ..core import ops
from ..errors import StoreBusy
from .ledgerstore import LedgerStore
from .work import Found, Work

LOCK_SECONDS: Final = 0.02
EXPIRE_EACH: Final = 50


class WorkStore(LedgerStore):
    """A store whose every answer is one `Work`; its arguments are those of every store."""

    def __init__(self, **limits: Any) -> None:
        super().__init__(**limits)
        self._settles = count()

    @abstractmethod
    def reading(self) -> AbstractContextManager[Work]:
        """A step that only reads, and waits for nobody."""

    @abstractmethod
    def writing(self, *, notes: bool = False) -> AbstractContextManager[Work | None]:
        """A step that writes, or None where the lock was not to be had in 20 ms.

        `notes`: it only concerns messages, and need not survive a power cut.
        """

    def expire_now(self) -> int:
        """Delete some of what no valid token can name any more; how much it was."""
        with self.writing() as work:
            if work is None:
                raise StoreBusy("the database is locked by another writer (expire)")
            return work.expire()

    def expires(self) -> bool:
        """Count a settle; is it one that deletes old rows?"""
        return next(self._settles) % EXPIRE_EACH == 0

    def lookup(self, op: ops.Lookup) -> Found:
        """Look for an outcome to replay, or for somebody who is at it; a read."""
        with self.reading() as work:
            return work.lookup(op)

    def claim(self, op: ops.Claim) -> ops.ClaimReply:
        """Claim in a step of its own (fenced, separate)."""
        with self.writing() as work:
            return ops.Busy() if work is None else work.claim(op)

    def open(self, op: ops.Open) -> ops.Opened:
        """Session, draft and waiting receipts; a read."""
        with self.reading() as work:
            return work.open(op)

    def take(self, op: ops.Take) -> tuple[ops.Taken, ...] | ops.Busy:
        """Lease messages to one page."""
        with self.writing(notes=True) as work:
            return ops.Busy() if work is None else work.take(op)

    def close(self, op: ops.Close) -> ops.Done | ops.Busy:
        """End a visit; without a session or a receipt it is only a note."""
        with self.writing(notes=not (op.session or op.receipt)) as work:
            return ops.Busy() if work is None else work.close(op)

    def rearm(self, op: ops.Rearm) -> ops.Done | ops.Busy:
        """Show the message of a replay once more."""
        with self.writing(notes=True) as work:
            return ops.Busy() if work is None else work.rearm(op)

    def _hold(self, op: ops.HolderOp) -> ops.Done | ops.Fenced:
        with self.writing() as work:
            if work is None:
                raise StoreBusy(f"the store is locked by another writer ({op.verb})")
            reply: ops.Done | ops.Fenced = work.hold(op)
            return reply

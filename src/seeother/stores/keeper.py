"""What a step reads and writes, without any opinion about it.

`Work` decides, a keeper does: dicts in memory, SQL statements on a connection. Everything here is
a plain read or a plain write within one atomic step, at the time `now`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, NamedTuple

from ..core.ledger import Row
from ..core.values import Changes, Key, Receipt
from .delivery import Delivery, Kept, Stage

if TYPE_CHECKING:
    from .workstore import WorkStore

EXPIRE_ROWS: Final = 100
ORPHANS: Final = 8


class Head(NamedTuple):
    """A session without its values; `moved_to` where its id was rotated."""

    born: float
    seen: float
    moved_to: bytes | None = None


class Keeper(ABC):
    """Where the rows of one step are; `store` names the limits, `now` is its time in seconds."""

    def __init__(self, store: WorkStore) -> None:
        self.store = store
        self.now = store.clock()

    # The ledger ------------------------------------------------------------------------------

    @abstractmethod
    def row(self, key: Key) -> Row | None:
        """The row of the ledger under a key."""

    @abstractmethod
    def keep(self, key: Key, row: Row | None) -> None:
        """Write a row of the ledger; None deletes it."""

    @abstractmethod
    def variants(self, id_: bytes, most: int) -> int:
        """How many rows a token has; may stop counting at `most`."""

    @abstractmethod
    def kept(self, receipt: bytes) -> Kept | None:
        """A receipt by its id."""

    def delivery(self, receipt: bytes) -> Delivery | None:
        """Where the messages of a receipt are."""
        kept = self.kept(receipt)
        return None if kept is None else kept.delivery

    def stage(self, receipt: bytes) -> Stage | None:
        """The stage of that alone."""
        found = self.delivery(receipt)
        return None if found is None else found.stage

    @abstractmethod
    def put(self, receipt: Receipt) -> None:
        """Write a new receipt; where its messages are, `Delivery.of` says."""

    @abstractmethod
    def deliver(self, receipt: bytes, delivery: Delivery) -> None:
        """Write where the messages of a receipt are."""

    @abstractmethod
    def drafts(self) -> int:
        """How many bytes of drafts are kept."""

    @abstractmethod
    def drop_drafts(self, size: int) -> None:
        """Drop the oldest drafts, at least `size` bytes of them if there are as many."""

    @abstractmethod
    def orphans(self, visitor: bytes, age: float) -> Iterable[bytes]:
        """At most 8 receipts of this visitor that are `Delivery.orphaned`, oldest first."""

    @abstractmethod
    def head(self, sid: bytes) -> Head | None:
        """When a session was created and last written, and where it went."""

    @abstractmethod
    def values(self, sid: bytes) -> tuple[tuple[str, bytes], ...]:
        """The keys and values of a session."""

    def session(self, sid: bytes) -> tuple[Head, tuple[tuple[str, bytes], ...]] | None:
        """A session with its keys and values."""
        head = self.head(sid)
        return None if head is None else (head, self.values(sid))

    @abstractmethod
    def change(self, sid: bytes, changes: Changes) -> None:
        """Create or touch a session and merge: clear, delete, set."""

    @abstractmethod
    def move(self, old: bytes, new: bytes) -> None:
        """Rotate: everything goes to the new id, the old one keeps only where it went."""

    @abstractmethod
    def end(self, sid: bytes) -> None:
        """Delete a session."""

    @abstractmethod
    def expire(self) -> int:
        """Delete some rows that no valid token can name, receipts as old, and idle sessions.

        How many there were; 0: there are no more.
        """

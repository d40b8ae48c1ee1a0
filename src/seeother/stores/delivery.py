"""How a message comes to one page, and to one only.

    ARMED --take--> LEASED --acknowledge--> SHOWN
      ^               |  |                    |
      |--- give back -'  |                    |
      |--- lease ran out-'   (as good as armed, for the next one who asks)
      `--- rearm: a replay shows it once more '

Every move names the lease it was made under; a page whose message was armed again in the meantime
(its own lease is void) can neither acknowledge it nor give it back. A receipt without messages is
SILENT: it only carries a draft or the echo, and nobody waits for it.

`Delivery` is this state as a frozen value. A move that does not fit returns the same object, so a
store writes only where `after is not before`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final

from ..core.frozen import quick
from ..core.values import Flash, Key, Receipt

AGAIN: Final = "This was already done."


class Stage(IntEnum):
    """Where the messages of a receipt are; the numbers are what stores keep."""

    ARMED = 1
    LEASED = 2
    SHOWN = 3
    SILENT = 4


TAKEN: Final = (Stage.LEASED, Stage.SHOWN)


@quick
@dataclass(frozen=True, slots=True)
class Delivery:
    """Where the messages of one receipt are.

    `armed_at` is when they began to wait, `settled_at` when they were written, both in seconds of
    the store's clock; `again`: they were seen long ago, so only "already done" is said.
    """

    stage: Stage
    settled_at: float
    armed_at: float
    lease_id: bytes = b""
    lease_until: float = 0.0
    again: bool = False

    @classmethod
    def of(cls, receipt: Receipt, now: float) -> Delivery:
        """The delivery of a new receipt."""
        return cls(Stage.ARMED if receipt.messages else Stage.SILENT, now, now)

    @property
    def taken(self) -> bool:
        """Did a page get them?"""
        return self.stage in (Stage.LEASED, Stage.SHOWN)

    def waits(self, now: float) -> bool:
        """May the page that names the receipt have them?"""
        lapsed = self.stage is Stage.LEASED and self.lease_until <= now
        return self.stage is Stage.ARMED or lapsed

    def orphaned(self, now: float, age: float) -> bool:
        """May any page of the visitor have them, because the one they are for did not come?"""
        return self.waits(now) and self.armed_at <= now - age

    def leased(self, lease_id: bytes, lease: float, now: float) -> Delivery:
        """Give them to one page for `lease` seconds, if they wait."""
        if not self.waits(now):
            return self
        return Delivery(
            Stage.LEASED, self.settled_at, self.armed_at, lease_id, now + lease, self.again
        )

    def acknowledged(self, lease_id: bytes) -> Delivery:
        """The page with this lease has shown them."""
        if not self._holds(lease_id):
            return self
        until = self.lease_until
        return Delivery(Stage.SHOWN, self.settled_at, self.armed_at, lease_id, until, self.again)

    def given_back(self, lease_id: bytes) -> Delivery:
        """The page with this lease has not shown them."""
        return replace(self, stage=Stage.ARMED) if self._holds(lease_id) else self

    def rearmed(self, fresh: float, now: float) -> Delivery:
        """A replay: once more; later than `fresh` seconds after Settle only as "already done"."""
        if not self.taken:
            return self
        again = self.settled_at < now - fresh
        return replace(self, stage=Stage.ARMED, armed_at=now, again=again)

    def _holds(self, lease_id: bytes) -> bool:
        return self.stage is Stage.LEASED and self.lease_id == lease_id


@quick
@dataclass(frozen=True, slots=True)
class Kept:
    """A receipt in a store, and where its messages are."""

    id: bytes
    visitor: bytes
    key: Key | None
    echo: bytes
    messages: tuple[Flash, ...]
    draft: bytes
    delivery: Delivery

    @classmethod
    def of(cls, receipt: Receipt, now: float) -> Kept:
        """A new receipt as it is kept."""
        r, delivery = receipt, Delivery.of(receipt, now)
        return cls(r.id, r.visitor, r.key, r.echo, r.messages, r.draft, delivery)

    @property
    def text(self) -> tuple[Flash, ...]:
        """What a page gets to show: the messages, or that all this was done before."""
        if not self.delivery.again:
            return self.messages
        link = next((m.link for m in self.messages if m.link), None)
        return (Flash(AGAIN, "info", link),)

"""What all stores here have in common: a clock, limits, and how an op finds its method.

`workstore` makes a store of steps out of it, `redis` one of scripts.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from typing import Any, Final

from ..core import ops
from .base import Clock

DAY: Final = 86_400.0
RETENTION: Final = DAY + 600.0


class LedgerStore(ABC):
    """A store with limits.

    `clock` is the store's clock in seconds. Rows of tokens older than `retention` seconds may be
    deleted; a session ends `idle` seconds after its last write or `lifetime` after its first. A
    token may have `max_rows_per_token` rows, all drafts together `max_kept` bytes (security 18).
    """

    def __init__(
        self,
        *,
        clock: Clock = time.time,
        retention: float = RETENTION,
        idle: float = 14 * DAY,
        lifetime: float = 90 * DAY,
        max_rows_per_token: int = 64,
        max_kept: int = 1 << 30,
    ) -> None:
        self.clock = clock
        self.retention, self.idle, self.lifetime = retention, idle, lifetime
        self.max_rows_per_token, self.max_kept = max_rows_per_token, max_kept

    def perform(self, op: ops.Op[Any]) -> Any:
        """Answer an op by the method that its verb names."""
        return getattr(self, op.verb)(op)

    def renew(self, op: ops.Renew) -> ops.Done | ops.Fenced:
        """Prolong a lease."""
        return self._hold(op)

    def settle(self, op: ops.Settle) -> ops.Done | ops.Fenced:
        """Outcome, receipt and session changes in one step."""
        return self._hold(op)

    def abandon(self, op: ops.Abandon) -> ops.Done | ops.Fenced:
        """Give a claim back."""
        return self._hold(op)

    def doubt(self, op: ops.Doubt) -> ops.Done | ops.Fenced:
        """Say that nobody knows."""
        return self._hold(op)

    def resolve(self, op: ops.Resolve) -> ops.Done | ops.Fenced:
        """End a doubt."""
        return self._hold(op)

    def report(self, op: ops.Report) -> None:
        """Nothing to remember here."""
        del op

    @abstractmethod
    def _hold(self, op: ops.HolderOp) -> ops.Done | ops.Fenced:
        """What a holder or an operator asks."""

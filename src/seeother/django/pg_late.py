"""Mode fenced in Django on PostgreSQL: `atomic()`, and the driver's own BEGIN.

Django switches the driver's autocommit off, so the first statement begins the transaction and not
the claim. A reader is in nobody's way, and rows are locked by the statements that write them.
"""

from __future__ import annotations

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.transaction import Atomic

from ..errors import StoreBusy
from .pg_store import PgViewTransaction
from .transaction import TAKEN


class PgLateTransaction(PgViewTransaction):
    """One `atomic()` that begins with the first statement inside."""

    def open(self) -> None:
        """Enter `atomic()`. Raises StoreBusy where another submission has this connection."""
        if not super().begin():
            raise StoreBusy(TAKEN)

    def begin(self) -> bool:
        """Open it, if it is not: the driver says BEGIN."""
        if not self.is_open:
            self.open()
        return True

    def _enter(self, connection: BaseDatabaseWrapper, atomic: Atomic) -> bool:
        """Enter the outermost block."""
        del connection
        atomic.__enter__()
        return True

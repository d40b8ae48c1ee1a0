"""The contract of a store: all promises in one class."""

from .ledger import LedgerPromises
from .receipts import ReceiptPromises
from .sessions import SessionPromises


class StoreContract(LedgerPromises, ReceiptPromises, SessionPromises):
    """What every store promises; subclass it and override `make` (durable ones: `reopen` too)."""
